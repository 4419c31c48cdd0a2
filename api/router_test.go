package api_test

import (
	"net/http"
	"strings"
	"testing"

	"antiphon/api"
	"antiphon/api/auth"
)

func TestEveryAnswer(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.signedUp(t, "lin", nil)
	for path, status := range map[string]int{
		"/": 200, "/settings": 200, "/nothing": 404, "/healthz": 200, "/static/nothing.js": 404, "/inbox": 404, "/users/lin/outbox": 404, "/signup/": 404,
		"/admin": 403, "/recover/x": 410,
	} {
		a := b.get(path).want(status)
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"} {
			if a.Header.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, a.Header.Get(name))
			}
		}
		if csp := a.Header.Get("Content-Security-Policy"); csp == "" || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", path, csp)
		}
		if len(a.Header.Get("X-Request-Id")) != 26 {
			t.Errorf("%s: request id %q", path, a.Header.Get("X-Request-Id"))
		}
		if cookies := a.Cookies(); (path == "/healthz" || strings.HasPrefix(path, "/static")) && (len(cookies) > 0 || a.Header.Get("Vary") == "Cookie") {
			t.Errorf("%s: depends on who asks", path)
		}
	}
	a := b.get("/nothing")
	a.want(http.StatusNotFound, "<code>"+a.Header.Get("X-Request-Id")+"</code>", "@lin")
	b.do(http.MethodGet, "/nothing", nil, http.Header{"Accept": {"application/json"}}).want(http.StatusNotFound, `"status":404`, `"request":"`)
	if a := b.post("/library", nil); a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /library: %d", a.StatusCode)
	}
	if a := b.do(http.MethodHead, "/", nil, nil); a.StatusCode != http.StatusOK || a.body != "" {
		t.Errorf("HEAD /: %d", a.StatusCode)
	}
	b.get("/login?next=//evil.example").to("/")
	i.browser(t).get("/login?next=//evil.example").want(http.StatusOK, "!evil.example")
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.browser(t)
	json := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"empty": {"", 400}, "no JSON": {"{", 400}, "two": {"{}{}", 400}, "array": {"[]", 400}, "number": {`{"auth":7}`, 400}, "padded": {`{"auth":"AAA="}`, 400},
		"not base64": {`{"auth":"%%%"}`, 400}, "endless secret": {`{"auth":"` + strings.Repeat("A", 2000) + `"}`, 400},
		"too large": {`{"name":"` + strings.Repeat("x", 70_000) + `"}`, 413}, "deep": {strings.Repeat("[", 60_000), 400}, "nothing in it": {"{}", 401},
	} {
		if a := b.do(http.MethodPost, "/login", strings.NewReader(c.body), json); a.StatusCode != c.status || !strings.Contains(a.body, `"error":"`) && c.status != 413 {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.body)
		}
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	i := setup(t, options{parts: func(p *api.Parts) {
		p.Grant = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			v, _ := auth.FromContext(r.Context())
			panic("secret of " + v.Account.Name)
		})
	}})
	b := i.signedUp(t, "lin", nil)
	b.get("/play/grant").want(http.StatusInternalServerError, "It is our mistake", "!secret of")
	if !strings.Contains(i.log.String(), "secret of lin") {
		t.Error("the log does not tell")
	}
	b.get("/").want(http.StatusOK)
}
