package play_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"antiphon/internal/testkit"
)

func TestBlocksAreInert(t *testing.T) {
	t.Parallel()
	h, cid := openWith(t, "<!DOCTYPE html><html><script>alert(document.cookie)</script></html>")
	address := "/ipfs/" + string(cid)
	testkit.BadInput(t, "D11", func(t *testing.T) {
		for name, header := range map[string][]string{
			"a browser": {"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, "one that wants HTML alone": {"Accept", "text/html"}, "a script": {"Accept", "text/javascript"},
			"a worker": {"Service-Worker", "script"}, "a part": {"Range", "bytes=15-60"}, "parts": {"Range", "bytes=0-1,15-60"}, "nothing": nil,
		} {
			for _, query := range []string{"", "?format=raw", "?format=html", "?filename=x.html", "?download=false", "/index.html"} {
				r := ask(h, http.MethodGet, address+query, "", header...)
				kind := r.Header.Get("Content-Type")
				if r.StatusCode == http.StatusNotFound && query == "/index.html" {
					continue
				}
				if r.StatusCode >= 300 || kind != "application/octet-stream" && kind != "application/vnd.ipld.raw" && !strings.HasPrefix(kind, "multipart/byteranges") {
					t.Errorf("%s%s: %d of type %q", name, query, r.StatusCode, kind)
				}
				for header, want := range map[string]string{
					"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Content-Disposition": "attachment", "Set-Cookie": "",
					"Access-Control-Allow-Credentials": "", "Service-Worker-Allowed": "",
				} {
					if got := r.Header.Get(header); got != want {
						t.Errorf("%s%s: %s is %q", name, query, header, got)
					}
				}
			}
		}
		// What is not there says so without repeating what was asked for.
		for _, bad := range []string{"%3Cscript%3E", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"} {
			r := ask(h, http.MethodGet, "/ipfs/"+bad, "", "Accept", "text/html")
			body, err := io.ReadAll(r.Body)
			must(t, err)
			if r.StatusCode < 400 || strings.Contains(string(body), "<script") || r.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s: %d %s", bad, r.StatusCode, body)
			}
		}
	}, func(t *testing.T) {
		r := ask(h, http.MethodGet, address, "")
		body, err := io.ReadAll(r.Body)
		must(t, err)
		if r.StatusCode != 200 || !strings.HasPrefix(string(body), "<!DOCTYPE") {
			t.Errorf("%d %s", r.StatusCode, body)
		}
	})
}
