package inbox

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/time/rate"

	"antiphon/vocab"
)

func TestSiteOf(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"a.b.music.example.com": "example.com", "example.com:8443": "example.com", "x.github.io": "x.github.io", "co.uk": "co.uk",
		"127.0.0.1:8080": "127.0.0.1:8080", "[::1]:80": "[::1]:80", "localhost": "localhost", "": "",
	} {
		if got := siteOf(host); got != want {
			t.Errorf("site of %q is %q, want %q", host, got, want)
		}
	}
}

func TestLimitsStayBounded(t *testing.T) {
	t.Parallel()
	l := newLimits(rate.Limit(1), 1)
	now := time.Unix(0, 0)
	for n := range maxSites + 10 {
		if _, ok := l.allow("h"+strconv.Itoa(n)+".example", now); !ok {
			t.Fatal("the first of a site is refused")
		}
	}
	if len(l.sites) > maxSites {
		t.Errorf("%d sites are remembered", len(l.sites))
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	i := &Inbox{html: policy()}
	for in, want := range map[string]string{
		`<p>a<br>b</p>`:                              `<p>a<br>b</p>`,
		`<p onclick="x()">a</p>`:                     `<p>a</p>`,
		`<script>alert(1)</script>a`:                 `a`,
		`<style>p{}</style>a`:                        `a`,
		`<img src=x onerror=alert(1)>a`:              `a`,
		`<a href="javascript:alert(1)">a</a>`:        `a`,
		`<a href="data:text/html,x">a</a>`:           `a`,
		`<a href="https://x.example/?a=1&b=2">a</a>`: `<a href="https://x.example/?a=1&amp;b=2" rel="nofollow noreferrer">a</a>`,
		`<a href="//x.example">a</a>`:                `a`,
		`<svg><script>x</script></svg>a`:             `a`,
		`<base href="https://x.example">a`:           `a`,
		`<form action="https://x.example"><input>a`:  `a`,
		`<math><mi xlink:href="javascript:x">a`:      `a`,
		`<p class="x" style="y" id="z">a</p>`:        `<p>a</p>`,
		"plain & simple":                             "plain &amp; simple",
	} {
		if got := i.shown(in); got != want {
			t.Errorf("%s is shown as %s, want %s", in, got, want)
		}
	}
	begin := time.Now()
	long := i.shown(strings.Repeat("<b>", 200_000) + "end")
	if took := time.Since(begin); len(long) > maxShown || took > 20*time.Second {
		t.Errorf("%d bytes in %s", len(long), took)
	}
}

func FuzzShown(f *testing.F) {
	i := &Inbox{html: policy()}
	allowed := "p br span strong b em i u del code pre blockquote ul ol li a"
	f.Add(`<p>a</p>`)
	f.Add(`<a href="java&#115;cript:x">a</a>`)
	f.Add(`<<script>script>alert(1)<</script>/script>`)
	f.Fuzz(func(t *testing.T, in string) {
		z := html.NewTokenizer(strings.NewReader(i.shown(in)))
		for {
			switch z.Next() {
			case html.ErrorToken:
				return
			case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
				token := z.Token()
				if !strings.Contains(" "+allowed+" ", " "+token.Data+" ") {
					t.Fatalf("%q lets <%s> through", in, token.Data)
				}
				for _, a := range token.Attr {
					ok := a.Key == "rel" || a.Key == "href" && (strings.HasPrefix(strings.ToLower(a.Val), "http:") || strings.HasPrefix(strings.ToLower(a.Val), "https:"))
					if !ok {
						t.Fatalf("%q lets %s=%q through", in, a.Key, a.Val)
					}
				}
			}
		}
	})
}

func TestLatest(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for _, tc := range []struct{ published, updated, want int64 }{
		{0, 0, 1000}, {500, 0, 500}, {500, 700, 700}, {700, 500, 700}, {5000, 0, 1000}, {500, 5000, 1000},
	} {
		at := func(n int64) time.Time {
			if n == 0 {
				return time.Time{}
			}
			return time.Unix(n, 0)
		}
		if got := latest(at(tc.published), at(tc.updated), now); got.Unix() != tc.want {
			t.Errorf("%+v gives %d", tc, got.Unix())
		}
	}
}

func TestAudienceOf(t *testing.T) {
	t.Parallel()
	if got := audienceOf([]string{"a"}, []string{vocab.Public}); got != nil {
		t.Errorf("an unlisted post is for %v", got)
	}
	if got := audienceOf(nil, nil); got == nil || len(got) != 0 {
		t.Errorf("a post for nobody is for %v", got)
	}
}

func TestWithContext(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"a":1}`:                  `{"@context":"` + vocab.ActivityStreams + `","a":1}`,
		`{"@context":"x","a":1}`:   `{"@context":"x","a":1}`,
		`"https://x.example/act1"`: `"https://x.example/act1"`,
	} {
		if got := string(withContext([]byte(in))); got != want {
			t.Errorf("%s becomes %s", in, got)
		}
	}
}

func TestPersonal(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{"/users/ada/inbox": "ada", "/inbox": "", "/users/ada": "", "/users/ada/outbox": "", "/x/users/ada/inbox": ""} {
		if name, ok := personal(path); ok != (want != "") || ok && name != want {
			t.Errorf("%s is of %q", path, name)
		}
	}
}

// A host that tells more than it may is not heard until the next day; others are.
func TestTellers(t *testing.T) {
	t.Parallel()
	var told tellers
	admitted := 0
	for range 3 * maxTold {
		if told.admits("loud.example", "2026-11-21") {
			admitted++
		}
	}
	if admitted != maxTold || !told.admits("quiet.example", "2026-11-21") || !told.admits("loud.example", "2026-11-22") {
		t.Errorf("%d were admitted", admitted)
	}
	for n := range 3 * maxHosts {
		told.admits(strconv.Itoa(n)+".example", "2026-11-22")
	}
	if len(told.told) > maxHosts {
		t.Errorf("%d hosts are counted", len(told.told))
	}
}
