package web

import (
	"net/http"
	"net/url"
	"strconv"

	"antiphon/templates"
)

// maxPage is the last page that can be asked for; who wants more searches.
const maxPage = 2000

// How many rows a page of a list holds: its HTML is to stay below 30 KB.
const (
	listRows   = 20
	studioRows = 10
	postRows   = 7
)

// page is one page of a list: its number, from 1, and how many rows it has at most.
type page struct{ number, size int }

func pageOf(r *http.Request, size int) page {
	n, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil || n < 1 || n > maxPage {
		n = 1
	}
	return page{n, size}
}

func (n page) offset() int { return (n.number - 1) * n.size }

// pager leads from the page, of total rows, to its neighbors, at path and with the rest of the query kept.
func (n page) pager(path string, query url.Values, total int) templates.Pager {
	p := templates.Pager{Page: n.number, Pages: max(1, (total+n.size-1)/n.size)}
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
