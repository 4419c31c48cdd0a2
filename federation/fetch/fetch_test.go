package fetch_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"antiphon/federation/fetch"
	"antiphon/federation/httpsig"
	"antiphon/internal/httpx"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// host is a server whose answers are set by path.
type host struct {
	*httptest.Server
	mu       sync.Mutex
	answers  map[string]http.HandlerFunc
	requests []*http.Request
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{answers: map[string]http.HandlerFunc{}}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.requests = append(h.requests, r.Clone(context.Background()))
		answer, ok := h.answers[r.URL.RequestURI()]
		h.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) name() string { return strings.TrimPrefix(h.URL, "http://") }

// serve answers path with a document of the given id.
func (h *host) serve(path, id string) {
	h.answer(path, vocab.ActivityType, `{"@context":"https://www.w3.org/ns/activitystreams","type":"Note","id":"`+id+`"}`)
}

func (h *host) answer(path, contentType, body string) {
	h.answers[path] = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		fmt.Fprint(w, body)
	}
}

func (h *host) redirect(path, to string) {
	h.answers[path] = func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func (h *host) asked() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.requests)
}

func newFetcher(t *testing.T, cfg fetch.Config) *fetch.Fetcher {
	t.Helper()
	if cfg.BaseURL == "" {
		cfg.BaseURL = "https://own.example"
	}
	cfg.Scheme = "http"
	client := httpx.New(httpx.Config{AllowLoopback: true})
	t.Cleanup(client.Close)
	f, err := fetch.New(cfg, client)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestGet(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		// set prepares the hosts and returns the URI to ask and the id to get.
		set   func(a, b *host) (ask, id string)
		want  error
		limit int // of requests to both hosts
	}{
		{"the id is the URI", func(a, _ *host) (string, string) {
			a.serve("/1", a.URL+"/1")
			return a.URL + "/1", a.URL + "/1"
		}, nil, 1},
		{"with a query", func(a, _ *host) (string, string) {
			a.serve("/1?x=1", a.URL+"/1?x=1")
			return a.URL + "/1?x=1", a.URL + "/1?x=1"
		}, nil, 1},
		{"a fragment is not sent", func(a, _ *host) (string, string) {
			a.serve("/1", a.URL+"/1")
			return a.URL + "/1#main-key", a.URL + "/1"
		}, nil, 1},
		{"JSON-LD with the profile", func(a, _ *host) (string, string) {
			a.answer("/1", `application/ld+json; charset=utf-8; profile="https://www.w3.org/ns/activitystreams"`, `{"id":"`+a.URL+`/1"}`)
			return a.URL + "/1", a.URL + "/1"
		}, nil, 1},
		{"another id on the host is followed once", func(a, _ *host) (string, string) {
			a.serve("/@ada/1", a.URL+"/1")
			a.serve("/1", a.URL+"/1")
			return a.URL + "/@ada/1", a.URL + "/1"
		}, nil, 2},
		{"an id on another host is fetched there", func(a, b *host) (string, string) {
			a.serve("/copy", b.URL+"/1")
			b.serve("/1", b.URL+"/1")
			return a.URL + "/copy", b.URL + "/1"
		}, nil, 2},
		{"redirect within the host to the id", func(a, _ *host) (string, string) {
			a.redirect("/@ada/1", "/1")
			a.serve("/1", a.URL+"/1")
			return a.URL + "/@ada/1", a.URL + "/1"
		}, nil, 2},
		{"redirect to the other host that it names", func(a, b *host) (string, string) {
			a.redirect("/1", b.URL+"/1")
			b.serve("/1", b.URL+"/1")
			return a.URL + "/1", b.URL + "/1"
		}, nil, 2},

		{"open redirect to a forged id", func(a, b *host) (string, string) {
			a.redirect("/out", b.URL+"/evil")
			b.serve("/evil", a.URL+"/out")
			return a.URL + "/out", ""
		}, fetch.ErrNotActivity, 4},
		{"a chain of ids", func(a, b *host) (string, string) {
			a.serve("/1", b.URL+"/2")
			b.serve("/2", a.URL+"/3")
			a.serve("/3", a.URL+"/3")
			return a.URL + "/1", ""
		}, fetch.ErrNotActivity, 2},
		{"forged id of another host", func(a, b *host) (string, string) {
			a.serve("/1", b.URL+"/1")
			return a.URL + "/1", ""
		}, fetch.ErrNotFound, 2},
		{"no id", func(a, _ *host) (string, string) {
			a.answer("/1", vocab.ActivityType, `{}`)
			return a.URL + "/1", ""
		}, fetch.ErrNotActivity, 1},
		{"id is empty", func(a, _ *host) (string, string) { a.serve("/1", ""); return a.URL + "/1", "" }, fetch.ErrNotActivity, 1},
		{"id is relative", func(a, _ *host) (string, string) { a.serve("/1", "/1"); return a.URL + "/1", "" }, fetch.ErrNotActivity, 1},
		{"id is a fragment", func(a, _ *host) (string, string) { a.serve("/1", "#x"); return a.URL + "/1", "" }, fetch.ErrNotActivity, 1},
		{"id has a fragment", func(a, _ *host) (string, string) {
			a.serve("/1", a.URL+"/1#x")
			return a.URL + "/1#x", ""
		}, fetch.ErrNotActivity, 1},
		{"id is a number", func(a, _ *host) (string, string) {
			a.answer("/1", vocab.ActivityType, `{"id":1}`)
			return a.URL + "/1", ""
		}, fetch.ErrNotActivity, 1},
		{"id is a javascript", func(a, _ *host) (string, string) { a.serve("/1", "javascript:x"); return a.URL + "/1", "" }, fetch.ErrNotActivity, 1},
		{"id is a file", func(a, _ *host) (string, string) {
			a.serve("/1", "file://etc/passwd")
			return a.URL + "/1", ""
		}, httpx.ErrForbiddenURL, 1},
		{"id on a private address", func(a, _ *host) (string, string) {
			a.serve("/1", "http://10.0.0.1/1")
			return a.URL + "/1", ""
		}, httpx.ErrForbiddenAddress, 1},

		{"text/html", contentType("text/html"), fetch.ErrNotActivity, 1},
		{"application/json", contentType("application/json"), fetch.ErrNotActivity, 1},
		{"JSON-LD without the profile", contentType("application/ld+json"), fetch.ErrNotActivity, 1},
		{"JSON-LD with another profile", contentType(`application/ld+json; profile="https://www.w3.org/ns/anno.jsonld"`), fetch.ErrNotActivity, 1},
		{"an image", contentType("image/png"), fetch.ErrNotActivity, 1},
		{"garbage type", contentType(`application/activity+json; charset="`), fetch.ErrNotActivity, 1},
		{"two types", func(a, _ *host) (string, string) {
			a.answers["/1"] = func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Content-Type"] = []string{vocab.ActivityType, "text/html"}
				fmt.Fprintf(w, `{"id":"%s/1"}`, a.URL)
			}
			return a.URL + "/1", ""
		}, fetch.ErrNotActivity, 1},
		{"duplicate id", func(a, _ *host) (string, string) {
			a.answer("/1", vocab.ActivityType, `{"id":"`+a.URL+`/1","id":"x"}`)
			return a.URL + "/1", ""
		}, jsonld.ErrMalformed, 1},
		{"an array", func(a, _ *host) (string, string) {
			a.answer("/1", vocab.ActivityType, `[]`)
			return a.URL + "/1", ""
		}, jsonld.ErrMalformed, 1},
		{"more than 1 MiB", func(a, _ *host) (string, string) {
			a.answer("/1", vocab.ActivityType, `{"id":"`+strings.Repeat("x", 1<<20)+`"}`)
			return a.URL + "/1", ""
		}, httpx.ErrTooLarge, 1},
		{"redirects without end", func(a, _ *host) (string, string) {
			a.redirect("/1", "/1")
			return a.URL + "/1", ""
		}, httpx.ErrTooManyRedirects, 4},

		{"404", func(a, _ *host) (string, string) { return a.URL + "/none", "" }, fetch.ErrNotFound, 1},
		{"401", status(http.StatusUnauthorized), fetch.ErrNotFound, 1},
		{"403", status(http.StatusForbidden), fetch.ErrNotFound, 1},
		{"410", status(http.StatusGone), fetch.ErrGone, 1},
		{"202", status(http.StatusAccepted), errStatus, 1},
		{"500", status(http.StatusInternalServerError), errStatus, 1},

		{"own host", func(_, _ *host) (string, string) { return "https://own.example/users/ada", "" }, fetch.ErrOwnHost, 0},
		{"own host in capitals, with its port", func(_, _ *host) (string, string) { return "https://OWN.example:443/users/ada", "" }, fetch.ErrOwnHost, 0},
		{"own host with a dot", func(_, _ *host) (string, string) { return "https://own.example./users/ada", "" }, fetch.ErrOwnHost, 0},
		{"redirect to own host", func(a, _ *host) (string, string) {
			a.redirect("/1", "https://own.example/users/ada")
			return a.URL + "/1", ""
		}, fetch.ErrOwnHost, 1},
		{"id on own host", func(a, _ *host) (string, string) {
			a.serve("/1", "https://own.example/users/ada")
			return a.URL + "/1", ""
		}, fetch.ErrOwnHost, 1},
		{"relative", func(_, _ *host) (string, string) { return "/users/ada", "" }, fetch.ErrURI, 0},
		{"empty", func(_, _ *host) (string, string) { return "", "" }, fetch.ErrURI, 0},
		{"data", func(_, _ *host) (string, string) { return "data:application/activity+json,{}", "" }, fetch.ErrURI, 0},
		{"gopher", func(_, _ *host) (string, string) { return "gopher://127.0.0.1/1", "" }, httpx.ErrForbiddenURL, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, b := newHost(t), newHost(t)
			ask, id := tc.set(a, b)
			f := newFetcher(t, fetch.Config{})
			begin := time.Now()
			doc, err := f.Get(t.Context(), ask)
			if tc.want == errStatus {
				var status *fetch.StatusError
				if !errors.As(err, &status) {
					t.Fatalf("Get: %v", err)
				}
			} else if !errors.Is(err, tc.want) {
				t.Fatalf("Get: %v, want %v", err, tc.want)
			}
			if err == nil && (doc.URI != id || doc.Map["id"] != id || len(doc.Raw) == 0) {
				t.Errorf("got %+v, want id %s", doc, id)
			}
			if n := a.asked() + b.asked(); n > tc.limit {
				t.Errorf("%d requests", n)
			}
			if took := time.Since(begin); took > 5*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// errStatus stands for any *fetch.StatusError.
var errStatus = errors.New("status")

func contentType(text string) func(a, b *host) (string, string) {
	return func(a, _ *host) (string, string) {
		a.answer("/1", text, `{"id":"`+a.URL+`/1"}`)
		return a.URL + "/1", ""
	}
}

func status(code int) func(a, b *host) (string, string) {
	return func(a, _ *host) (string, string) {
		a.answers["/1"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
		return a.URL + "/1", ""
	}
}

type oneKey struct{ key httpsig.Key }

func (k oneKey) Key(context.Context, string, bool) (httpsig.Key, error) { return k.key, nil }

func TestGetSigns(t *testing.T) {
	t.Parallel()
	const keyID = "https://own.example/actor#main-key"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	a := newHost(t)
	a.redirect("/@ada", "/1?page=2")
	a.serve("/1?page=2", a.URL+"/1?page=2")
	f := newFetcher(t, fetch.Config{
		Key: func(context.Context) (string, *rsa.PrivateKey, error) { return keyID, key, nil },
		Now: func() time.Time { return now },
	})
	if _, err := f.Get(t.Context(), a.URL+"/@ada"); err != nil {
		t.Fatal(err)
	}
	v := httpsig.Verifier{
		Origin: a.URL, Keys: oneKey{httpsig.Key{ID: keyID, Owner: "https://own.example/actor", Public: &key.PublicKey}},
		Now: func() time.Time { return now },
	}
	for _, req := range a.requests {
		if _, err := v.Verify(t.Context(), req, nil); err != nil {
			t.Errorf("%s: %v", req.URL, err)
		}
		if !strings.Contains(req.Header.Get("Accept"), vocab.ActivityType) {
			t.Errorf("accepts %q", req.Header.Get("Accept"))
		}
	}
	if len(a.requests) != 2 {
		t.Errorf("%d requests", len(a.requests))
	}

	broken := errors.New("no key")
	f = newFetcher(t, fetch.Config{Key: func(context.Context) (string, *rsa.PrivateKey, error) { return "", nil, broken }})
	if _, err := f.Get(t.Context(), a.URL+"/@ada"); !errors.Is(err, broken) {
		t.Errorf("without a key: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := fetch.New(fetch.Config{BaseURL: "own.example"}, nil); !errors.Is(err, fetch.ErrURI) {
		t.Errorf("New: %v", err)
	}
}
