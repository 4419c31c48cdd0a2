package web

import (
	"net/url"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"antiphon/federation/outbox"
	"antiphon/payments/amount"
)

func FuzzLocalPath(f *testing.F) {
	for _, path := range []string{"/", "/library?q=x", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "javascript:x", "", "/@ada/x#y"} {
		f.Add(path)
	}
	base, err := url.Parse("https://a.example/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		to, err := base.Parse(localPath(path))
		if err == nil && (to.Host != base.Host || to.Scheme != base.Scheme) {
			t.Errorf("%q leads to %s", path, to)
		}
	})
}

func FuzzSanitize(f *testing.F) {
	for _, html := range []string{
		`<p onclick="x">y</p>`, `<a href="javascript:x">y</a>`, `<svg><style><img src=x onerror=x>`, "<scr<script>ipt>x</script>", `<base href="//evil.example">`,
		`<form action=x><input>`, "<math><mtext></p><style><!--</style><img src onerror=x>", `<a href="data:text/html,x">y</a>`, strings.Repeat("<b>", 600),
		`<p>a<br>b <a href="https://b.example/x?y=1&amp;z=2">bank.example</a></p>`, `<a href="https://b.example/"><b>x</a></b><a href=http://c.example>`,
		`<svg></p><style><a id="</style><img src=1 onerror=x>">`, `<noscript><p title="</noscript><img src=x onerror=x>">`, "<pre>\n\nx</pre>\x00<!--><b>-->",
	} {
		f.Add(html)
	}
	f.Fuzz(func(t *testing.T, html string) {
		clean := strings.ToLower(string(sanitize(html)))
		for _, bad := range []string{"<script", "<style", "<img", "<svg", "<form", "<base", "<iframe", "<math", "href=\"javascript:", "href=\"data:"} {
			if strings.Contains(clean, bad) {
				t.Errorf("%q became %q", html, clean)
			}
		}
		if what := unsafe(t, string(sanitize(html))); what != "" {
			t.Errorf("%q lets %s through: %q", html, what, clean)
		}
		if again := strings.ToLower(string(sanitize(clean))); again != clean && len(clean) < maxHTML {
			t.Errorf("%q is not safe yet: %q", clean, again)
		}
	})
}

func TestFewer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		peaks, n := rapid.SliceOfN(rapid.Byte(), 0, 1000).Draw(t, "peaks"), rapid.IntRange(1, 200).Draw(t, "n")
		bars := fewer(peaks, n)
		if len(bars) != min(n, len(peaks)) {
			t.Fatalf("%d bars of %d peaks, %d asked for", len(bars), len(peaks), n)
		}
		if len(peaks) > 0 && maxOf(bars) != maxOf(peaks) {
			t.Fatal("the highest peak is lost")
		}
	})
}

func maxOf(b []byte) (most byte) {
	for _, v := range b {
		most = max(most, v)
	}
	return most
}

func TestMoney(t *testing.T) {
	t.Parallel()
	p := &Pages{Config: Config{Assets: []Asset{{ID: "iso4217:EUR", Symbol: "€", Decimals: 2}}}}
	for asset, want := range map[amount.Asset]string{
		"iso4217:EUR": "€", "iso4217:USD": "USD", "eip155:42161/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3": "0x5FbD…0aa3", "": "",
	} {
		if got := p.money("1", asset, 2); got.Symbol != want || got.DevTokens {
			t.Errorf("%s: %+v", asset, got)
		}
	}
	if !p.money("1", "antiphon-dev:1/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3", 6).DevTokens {
		t.Error("development tokens are shown as money")
	}
}

func TestThreaded(t *testing.T) {
	t.Parallel()
	const root = "https://a.example/notes/1"
	c := func(uri, parent string, deleted bool) outbox.Comment {
		return outbox.Comment{URI: uri, InReplyTo: parent, Deleted: deleted}
	}
	var got []string
	for _, one := range threaded([]outbox.Comment{
		c("a", root, false), c("b", root, true), c("c", "a", false), c("d", "b", false), c("e", "a", false), c("f", "c", false),
		c("g", root, true), c("h", "h", false), c("i", "j", false), c("j", "i", false),
	}) {
		got = append(got, one.URI)
	}
	// What was removed and not answered is gone; a circle, which no honest server sends, is never reached.
	if want := "a c f e b d h"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestLinked(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"See https://b.example/@ada.": `<p>See <a href="https://b.example/@ada" rel="me nofollow noopener">b.example/@ada</a>.</p>`,
		"no://address":                "<p>no://address</p>",
		"https://x.example/?a=1&b=\"": `<p><a href="https://x.example/?a=1&amp;b=" rel="me nofollow noopener">x.example/?a=1&amp;b=</a>&#34;</p>`,
	} {
		if got := string(linked(paragraphs(in))); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}
