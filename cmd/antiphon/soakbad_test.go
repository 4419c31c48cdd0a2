package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"antiphon/vocab"
)

// bad is something that must have no effect: a row of docs/bad-inputs.md.
func (s *soak) bad() func() error {
	at := 2 * s.random.IntN(soakHosts)
	bob, eve := s.folk[at], s.folk[at+1]
	other := s.folk[(at+2)%len(s.folk)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	n := s.number
	id, mine := fmt.Sprintf("%s/activities/%d", eve.URI, n), fmt.Sprintf("%s/notes/%d", eve.URI, n)
	theirs := s.base + "/notes/none"
	for uri, owner := range s.arrived {
		if owner == bob.URI {
			theirs = uri
			break
		}
	}
	create := activity("Create", eve.URI, n, noteJSON(mine, eve.URI, "<p>forged</p>"))
	s.gone[mine] = true
	signed := func(body []byte, want ...int) func() error {
		return func() error { return s.post(eve, body, 1, want...) }
	}
	stored := func(body []byte) func() error {
		s.forged[id] = true
		return signed(body, http.StatusAccepted)
	}
	changed := func(change func(r *http.Request), want ...int) func() error {
		return func() error {
			r, err := s.request(eve, create)
			if err != nil {
				return err
			}
			change(r)
			return s.do(r, want...)
		}
	}
	claims := func(path string) func() error {
		liar := *eve
		liar.KeyID = s.abyss.URL + path + "#main-key"
		return func() error { return s.post(&liar, create, 1, http.StatusUnauthorized) }
	}
	get := func(path string, want ...int) func() error {
		return func() error {
			r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.base+path, nil)
			if err != nil {
				return err
			}
			return s.do(r, want...)
		}
	}
	kinds := []func() func() error{
		func() func() error { return changed(func(r *http.Request) { r.Header.Del("Signature") }, 401) },
		func() func() error {
			return changed(func(r *http.Request) { r.Header.Set("Digest", "SHA-256=AAAA") }, 401)
		},
		func() func() error { return changed(func(r *http.Request) { r.Header.Set("Date", "yesterday") }, 401) },
		func() func() error {
			return changed(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, 415)
		},
		func() func() error { return changed(func(r *http.Request) { r.Host = "elsewhere.example" }, 401) },
		func() func() error {
			return changed(func(r *http.Request) {
				r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bytes.ToUpper(create))), nil }
				r.Body, _ = r.GetBody()
			}, 401)
		},
		func() func() error { return changed(func(r *http.Request) { r.URL.Path = "/users/nobody/inbox" }, 404) },
		func() func() error { return signed(activity("Create", bob.URI, n, noteJSON(mine, bob.URI, "x")), 401) },
		func() func() error {
			return signed(activity("Create", s.ada.actor, n, noteJSON(mine, s.ada.actor, "x")), 401, 403)
		},
		func() func() error {
			return signed(bytes.Replace(create, []byte(`"id":"`+id), []byte(`"id":"`+other.URI+"/activities/x"), 1), 401, 403)
		},
		func() func() error { return signed(bytes.Replace(create, []byte(`{`), []byte(`{"id":"x",`), 1), 400) },
		func() func() error { return signed(bytes.Repeat([]byte(`{"a":`), 10_000), 400) },
		func() func() error { return signed(append(create, bytes.Repeat([]byte(" "), 1<<20)...), 413) },
		func() func() error { return signed([]byte("\xef\xbb\xbf{}"), 400) },
		func() func() error {
			return signed(bytes.Replace(create, []byte("<p>forged</p>"), []byte(`\ud800`), 1), 400)
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(mine, bob.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(other.URI+"/notes/x", eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(s.base+"/notes/x", eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Create", eve.URI, n, noteJSON(theirs, eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Update", eve.URI, n, noteJSON(theirs, eve.URI, "<p>forged</p>")))
		},
		func() func() error {
			return stored(activity("Update", eve.URI, n, noteJSON(theirs, bob.URI, "<p>forged</p>")))
		},
		func() func() error { return stored(activity("Delete", eve.URI, n, `"`+theirs+`"`)) },
		func() func() error { return stored(activity("Delete", eve.URI, n, `"`+bob.URI+`"`)) },
		func() func() error {
			return stored(activity("Undo", eve.URI, n, `{"id":"`+bob.URI+`/accepts/1","type":"Accept","actor":"`+bob.URI+`","object":"`+s.ada.actor+`"}`))
		},
		func() func() error { return stored(activity("Accept", eve.URI, n, `"`+s.base+`/follows/none"`)) },
		func() func() error { return stored(activity("Like", eve.URI, n, `"`+s.base+`/notes/none"`)) },
		func() func() error {
			return stored(activity("Announce", eve.URI, n, `"http://169.254.169.254/latest/meta-data"`))
		},
		func() func() error { return stored(activity("Follow", eve.URI, n, `"`+s.base+`/users/nobody"`)) },
		func() func() error {
			return stored(activity("Create", eve.URI, n, `{"id":"`+mine+`","type":["Receipt","Document"],"attributedTo":"`+eve.URI+`"}`))
		},
		func() func() error {
			return stored(activity("Offer", eve.URI, n, `{"type":"Agreement","product":"`+s.base+`/products/none"}`))
		},
		func() func() error { return claims("/none") },
		func() func() error { return claims("/html") },
		func() func() error { return claims("/bomb") },
		func() func() error { return claims("/loop/" + strconv.Itoa(n)) },
		func() func() error { return claims("/large/" + strconv.Itoa(n)) },
		func() func() error { return claims("/private/" + strconv.Itoa(n)) },
		func() func() error { return claims("/back?" + s.base) },
		func() func() error { return get("/.well-known/webfinger?resource="+strings.Repeat("a", 5000), 400) },
		func() func() error { return get("/ipfs/..%2f..%2fetc%2fpasswd", 301, 400, 404) },
		func() func() error {
			return get("/media/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 404)
		},
		func() func() error { return get("/remote/icon?uri="+url.QueryEscape(s.abyss.URL), 303, 401) },
		func() func() error { return get("/users/ada/outbox?page=99999999999999999999", 400, 404) },
		func() func() error { return get("/grants/"+strconv.Itoa(n), 404) },
		func() func() error { return s.half },
	}
	if s.random.IntN(200) == 0 { // each holds a sender for as long as the instance is patient
		return claims("/hang/" + strconv.Itoa(n))
	}
	return kinds[s.random.IntN(len(kinds))]()
}

// abyss answers what nobody wants to hear.
func abyss(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", vocab.ActivityType)
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch kind {
	case "html":
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	case "bomb":
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		for range 20 {
			if _, err := z.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
		_ = z.Close()
	case "loop":
		http.Redirect(w, r, r.URL.Path, http.StatusFound)
	case "back":
		http.Redirect(w, r, r.URL.RawQuery+"/users/ada", http.StatusFound)
	case "private":
		http.Redirect(w, r, "http://10.0.0.1/", http.StatusFound)
	case "large":
		for {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	case "hang":
		<-r.Context().Done()
	default:
		http.NotFound(w, r)
	}
}
