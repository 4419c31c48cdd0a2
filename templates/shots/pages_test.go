package main

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"antiphon/templates"
)

// TestPages holds every page, in every state that has a face of its own, to
// what a browser, a screen reader and the policy ask of it.
func TestPages(t *testing.T) {
	t.Parallel()
	renderer, err := templates.New()
	if err != nil {
		t.Fatal(err)
	}
	for name, view := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if err := renderer.Render(&out, view); err != nil {
				t.Fatal(err)
			}
			if out.Len() > maxHTML {
				t.Errorf("weighs %d bytes, more than %d", out.Len(), maxHTML)
			}
			root, err := html.Parse(&out)
			if err != nil {
				t.Fatal(err)
			}
			inspect(t, root)
		})
	}
}

func inspect(t *testing.T, root *html.Node) {
	ids := map[string]bool{}
	var refs, labels []string
	var inputs []*html.Node
	headings, mains := 0, 0
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s> has the attribute %s, which the policy forbids", n.Data, a.Key)
			}
			if strings.HasPrefix(strings.TrimSpace(a.Val), "javascript:") {
				t.Errorf("<%s %s> runs a script", n.Data, a.Key)
			}
		}
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("the id %q stands twice", id)
			}
			ids[id] = true
		}
		for _, key := range []string{"aria-describedby", "aria-labelledby", "form"} {
			if n.Data != "form" || key != "form" {
				refs = append(refs, strings.Fields(attr(n, key))...)
			}
		}
		switch n.Data {
		case "script":
			if attr(n, "src") == "" {
				t.Error("a script stands in the page")
			}
		case "style":
			t.Error("a style stands in the page")
		case "main":
			mains++
		case "h1":
			if !hidden(n) {
				headings++
			}
		case "img":
			if !has(n, "alt") {
				t.Errorf("a picture has no alt: %s", attr(n, "src"))
			}
		case "label":
			labels = append(labels, attr(n, "for"))
		case "input", "select", "textarea":
			inputs = append(inputs, n)
		case "a", "button":
			if name(n) == "" && attr(n, "aria-hidden") != "true" && !inTemplate(n) {
				t.Errorf("<%s %v> has no name", n.Data, n.Attr)
			}
		case "use":
			refs = append(refs, strings.TrimPrefix(attr(n, "href"), "#"))
		}
		if kind := attr(n, "type"); n.Data == "input" && kind == "password" && has(n, "name") {
			t.Error("a passphrase has a name: a form could post it")
		}
	}
	for _, ref := range refs {
		if !ids[ref] {
			t.Errorf("nothing has the id %q", ref)
		}
	}
	for _, n := range inputs {
		if attr(n, "type") == "hidden" || attr(n, "aria-hidden") == "true" || has(n, "aria-label") || has(n, "aria-labelledby") || labeled(n, labels) {
			continue
		}
		t.Errorf("<%s %v> has no label", n.Data, n.Attr)
	}
	if mains != 1 || headings != 1 {
		t.Errorf("%d main and %d visible h1, want one each", mains, headings)
	}
}

func labeled(n *html.Node, labels []string) bool {
	for _, id := range labels {
		if id != "" && id == attr(n, "id") {
			return true
		}
	}
	for p := range n.Ancestors() {
		if p.Data == "label" {
			return true
		}
	}
	return false
}

func hidden(n *html.Node) bool {
	for p := range n.Ancestors() {
		if has(p, "hidden") {
			return true
		}
	}
	return has(n, "hidden")
}

func inTemplate(n *html.Node) bool {
	for p := range n.Ancestors() {
		if p.Data == "template" {
			return true
		}
	}
	return false
}

// name is what a screen reader says of a link or a button.
func name(n *html.Node) string {
	if label := attr(n, "aria-label"); label != "" {
		return label
	}
	var text strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			text.WriteString(d.Data)
		}
		if d.Data == "img" {
			text.WriteString(attr(d, "alt"))
		}
	}
	return strings.TrimSpace(text.String())
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
