package web

import (
	"net/http"
	"net/url"
	"strconv"

	"antiphon/templates"
)

// maxPage is the last page that can be asked for; who wants more searches.
const maxPage = 2000

// page is the number of a page of a list, from 1.
type page int

func pageOf(r *http.Request) page {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > maxPage {
		return 1
	}
	return page(n)
}

func (n page) offset() int { return (int(n) - 1) * templates.PageSize }

// pager leads from page n of total rows to its neighbors, at path and with the rest of the query kept.
func (n page) pager(path string, query url.Values, total int) templates.Pager {
	p := templates.Pager{Page: int(n), Pages: max(1, (total+templates.PageSize-1)/templates.PageSize)}
	to := func(n int) string {
		q := url.Values{}
		for _, name := range []string{"q", "sort", "uri"} {
			if v := query.Get(name); v != "" {
				q.Set(name, v)
			}
		}
		q.Set("page", strconv.Itoa(n))
		return path + "?" + q.Encode()
	}
	if p.Page > 1 {
		p.Prev = to(p.Page - 1)
	}
	if p.Page < p.Pages {
		p.Next = to(p.Page + 1)
	}
	return p
}
