package web

import (
	"html"
	"html/template"
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// newPolicy is what HTML from other servers may hold: text, its structure, and links that say where they lead to and that
// nobody vouches for.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "em", "strong", "b", "i", "del", "blockquote", "code", "pre", "ul", "ol", "li")
	p.AllowAttrs("href").OnElements("a")
	// Without a host a browser would take it for one into this site.
	withHost := func(u *url.URL) bool { return u.Host != "" }
	p.AllowURLSchemeWithCustomPolicy("https", withHost)
	p.AllowURLSchemeWithCustomPolicy("http", withHost)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(false)
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	return p
}

// maxHTML is how much of somebody's HTML is looked at.
const maxHTML = 20_000

// sanitize makes HTML from outside safe to show, and links say where they lead. Text directions that are turned inside
// stay inside: the pages put each text into an element of its own. Overrides, which turn letters of one direction round
// and hide what a name is, are taken out, and so is NUL.
func sanitize(text string) template.HTML {
	if len(text) > maxHTML {
		text = strings.ToValidUTF8(text[:maxHTML], "")
	}
	clean := strings.Map(func(r rune) rune {
		if r == 0 || r == '\u202d' || r == '\u202e' {
			return -1
		}
		return r
	}, newPolicy().Sanitize(text))
	return template.HTML(settle(clean))
}

// paragraphs shows plain text with its paragraphs and lines.
func paragraphs(text string) template.HTML {
	var b strings.Builder
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			b.WriteString("<p>" + strings.ReplaceAll(template.HTMLEscapeString(part), "\n", "<br>") + "</p>")
		}
	}
	return template.HTML(b.String())
}

// webAddress finds addresses in HTML that was made of text.
var webAddress = regexp.MustCompile(`https?://(?:[^\s<>"'&]|&amp;)*(?:[^\s<>"'&.,;:!?)\]]|&amp;)`)

// linked makes links of the addresses that an artist names. They say that they lead to the same person (rel=me), so that
// a server at the other end that links back can confirm it.
func linked(text template.HTML) template.HTML {
	return template.HTML(webAddress.ReplaceAllStringFunc(string(text), func(address string) string {
		if webURL(html.UnescapeString(address)) == "" {
			return address
		}
		_, shown, _ := strings.Cut(address, "://")
		return `<a href="` + address + `" rel="me nofollow noopener">` + shown + `</a>`
	}))
}
