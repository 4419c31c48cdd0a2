package web

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// address is what looks like a host in the words of a link, with or without what stands around it.
var address = regexp.MustCompile(`(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_-]*[\p{L}\p{N}_])?\.)+(?:\p{L}{2,}|xn--[a-z0-9-]+)`)

// settle closes what sanitized HTML leaves open, so that no link and no emphasis of a stranger runs on through the page,
// and adds to each link whose words are another address than its own where it really leads: "bank.example
// (evil.example)". What is nested deeper than maxNested is left with its words alone.
func settle(clean string) string {
	nodes, err := html.ParseFragment(strings.NewReader(clean), &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div})
	if err != nil {
		return bluemonday.StrictPolicy().Sanitize(clean)
	}
	var out strings.Builder
	for _, n := range nodes {
		if nested(n) > maxNested {
			return bluemonday.StrictPolicy().Sanitize(clean)
		}
		tellHost(n)
		for child := range n.Descendants() {
			tellHost(child)
		}
		if err := html.Render(&out, n); err != nil {
			return bluemonday.StrictPolicy().Sanitize(clean)
		}
	}
	return out.String()
}

// maxNested is how deep elements may lie in each other: far more than a text needs, and far less than where parsers give up
// (512), at whatever depth of a page the text will stand.
const maxNested = 100

// nested is how many elements lie in each other, n among them.
func nested(n *html.Node) int {
	deepest := 0
	for child := range n.ChildNodes() {
		deepest = max(deepest, nested(child))
	}
	return deepest + 1
}

// tellHost ends the words of a link with its host, if they are another one.
func tellHost(n *html.Node) {
	if n.DataAtom != atom.A {
		return
	}
	host := ""
	for _, a := range n.Attr {
		if u, err := url.Parse(a.Val); a.Key == "href" && err == nil {
			host = strings.ToLower(u.Host)
		}
	}
	var words strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			words.WriteString(child.Data)
		}
	}
	if misleads(words.String(), host) {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: " (" + host + ")"})
	}
}

// misleads reports whether the words of a link name another host than its own, or its own in letters that can be taken
// for others.
func misleads(words, host string) bool {
	words = strings.ToLower(strings.TrimSpace(words))
	if host == "" || strings.HasSuffix(words, " ("+host+")") {
		return false
	}
	own := strings.TrimPrefix((&url.URL{Host: host}).Hostname(), "www.")
	for _, shown := range address.FindAllString(words, 10) {
		if strings.TrimPrefix(shown, "www.") != own {
			return true
		}
	}
	return false
}
