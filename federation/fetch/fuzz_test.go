package fetch

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzHandle holds that a handle that is read is one host and one name, which no address could be confused by, and that
// it is read again as the same.
func FuzzHandle(f *testing.F) {
	for _, text := range []string{
		"ada@music.example", "@ada@music.example", "acct:ada@music.example:8443", "ada@bücher.example", "ADA@MUSIC.example.", "ada@127.0.0.1:80", "ada@[::1]", "ada@x@y",
		"a.b-c_d@xn--bcher-kva.example", "ada@music.example:443", "ada@music.example/x", "ada@music.example?x", "ada%40x@y", "@@", "", "acct:@a@b",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHandle(text)
		if err != nil {
			return
		}
		if again, err := parseHandle(h.acct()); err != nil || again != h {
			t.Errorf("%q is %+v, and read again %+v, %v", text, h, again, err)
		}
		u, err := url.Parse("https://" + h.host + "/.well-known/webfinger?resource=" + url.QueryEscape(h.acct()))
		if err != nil || u.Host != h.host || u.User != nil || u.Path != "/.well-known/webfinger" || u.Query().Get("resource") != h.acct() {
			t.Errorf("%q leads to %v, %v", text, u, err)
		}
		if strings.ToLower(h.host) != h.host || strings.ContainsAny(h.user+h.host, "@/\\?# %\x00") {
			t.Errorf("%q is %+v", text, h)
		}
	})
}
