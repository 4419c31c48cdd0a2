package httpsig_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"antiphon/federation/httpsig"
)

func TestSignRFC9421(t *testing.T) {
	t.Parallel()
	sign := func(t *testing.T, method, url string, body []byte) *http.Request {
		t.Helper()
		out, err := http.NewRequestWithContext(t.Context(), method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := httpsig.SignRFC9421(out, body, keyID, rsaKey(), now); err != nil {
			t.Fatal(err)
		}
		// As the receiver has it: in origin form, with the host apart.
		in := incoming(method, out.URL.RequestURI())
		in.Header = out.Header
		return in
	}
	verify := func(req *http.Request, body []byte) (httpsig.Key, error) {
		v := &httpsig.Verifier{Origin: origin, Keys: &ring{cached: &rsaKey().PublicKey}, Now: func() time.Time { return now }}
		return v.Verify(t.Context(), req, body)
	}
	for _, tc := range []struct {
		method, url string
		body        []byte
		covers      string
	}{
		{"POST", origin + "/users/ada/inbox", body, `("@method" "@target-uri" "content-digest")`},
		{"POST", origin + "/inbox", nil, `("@method" "@target-uri" "content-digest")`},
		{"GET", origin + "/users/ada?page=1&x=%2F", nil, `("@method" "@target-uri")`},
		{"GET", origin, nil, `("@method" "@target-uri")`},
	} {
		req := sign(t, tc.method, tc.url, tc.body)
		key, err := verify(req, tc.body)
		if err != nil || key.Owner != actor {
			t.Errorf("%s %s: %+v, %v", tc.method, tc.url, key, err)
		}
		input := req.Header.Get("Signature-Input")
		if !strings.HasPrefix(input, "sig1="+tc.covers+";created=") || !strings.HasSuffix(input, `;keyid="`+keyID+`";alg="rsa-v1_5-sha256"`) {
			t.Errorf("Signature-Input is %s", input)
		}
		if got := httpsig.DialectOf(req); got != httpsig.RFC9421 {
			t.Errorf("dialect is %q", got)
		}
		if id, err := httpsig.KeyID(req); err != nil || id != keyID {
			t.Errorf("key id is %q, %v", id, err)
		}
	}

	good := func() *http.Request { return sign(t, "POST", origin+"/inbox", body) }
	for name, change := range map[string]func(*http.Request){
		"other method": func(r *http.Request) { r.Method = "PUT" },
		"other path":   func(r *http.Request) { r.RequestURI, r.URL.Path = "/users/ada/inbox", "/users/ada/inbox" },
		"later created": func(r *http.Request) {
			r.Header.Set("Signature-Input", strings.Replace(r.Header.Get("Signature-Input"), ";created=", ";created=1", 1))
		},
		"no digest": func(r *http.Request) { r.Header.Del("Content-Digest") },
	} {
		req := good()
		change(req)
		if _, err := verify(req, body); !errors.Is(err, httpsig.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := verify(good(), []byte("{}")); !errors.Is(err, httpsig.ErrSignature) {
		t.Errorf("other body: %v", err)
	}
	for _, id := range []string{"", `a"b`, "a\r\nb", "ä"} {
		req := good()
		if err := httpsig.SignRFC9421(req, body, id, rsaKey(), now); err == nil {
			t.Errorf("key id %q was taken", id)
		}
	}
	if got := httpsig.DialectOf(post(t)); got != httpsig.Cavage {
		t.Errorf("dialect is %q", got)
	}
}
