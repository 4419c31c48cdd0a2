package fetch_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"antiphon/federation/fetch"
	"antiphon/internal/httpx"
	"antiphon/internal/testkit"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// refuses asks a for /1 and wants an error, after so many requests to both hosts at most.
func refuses(t *testing.T, name string, limit int, want error, set func(a, b *host)) {
	t.Helper()
	a, b := newHost(t), newHost(t)
	set(a, b)
	doc, err := newFetcher(t, fetch.Config{}).Get(t.Context(), a.URL+"/1")
	if err == nil || want != nil && !errors.Is(err, want) {
		t.Errorf("%s: %v (%.200s), want %v", name, err, doc.Raw, want)
	}
	if n := a.asked() + b.asked(); n > limit {
		t.Errorf("%s: %d requests", name, n)
	}
}

// takes asks a for /1 and wants the document of that id.
func takes(t *testing.T, name string, set func(a, b *host) (id string)) {
	t.Helper()
	a, b := newHost(t), newHost(t)
	id := set(a, b)
	doc, err := newFetcher(t, fetch.Config{}).Get(t.Context(), a.URL+"/1")
	if err != nil || doc.URI != id || doc.Map["id"] != id {
		t.Errorf("%s: %v %v, want id %s", name, doc.Map, err, id)
	}
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C7", func(t *testing.T) {
		for _, kind := range []string{
			"", "text/html", "text/html; charset=utf-8", "application/json", "text/plain", "application/octet-stream", "image/png", "audio/mpeg",
			"application/ld+json", `application/ld+json; profile="https://www.w3.org/ns/activitystreams#x"`, `application/ld+json; profile="x"`,
			`application/ld+json; charset="https://www.w3.org/ns/activitystreams"`, "application/activity+xml", "application/activity+json2",
			"text/html, application/activity+json", "application/activity+json, text/html", `application/activity+json; x="`, "multipart/mixed",
		} {
			refuses(t, kind, 1, fetch.ErrNotActivity, func(a, _ *host) {
				a.answers["/1"] = func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = nil // not sniffed either
					if kind != "" {
						w.Header().Set("Content-Type", kind)
					}
					fmt.Fprintf(w, `{"id":"%s/1","type":"Person"}`, a.URL)
				}
			})
		}
		// A picture that somebody uploaded, which holds a document.
		refuses(t, "a picture", 1, fetch.ErrNotActivity, func(a, _ *host) { a.answer("/1", "image/jpeg", `{"id":"`+a.URL+`/1"}`) })
	}, func(t *testing.T) {
		for _, kind := range []string{
			"application/activity+json", "Application/Activity+JSON", "application/activity+json; charset=utf-8", `application/activity+json;profile="x"`,
			`application/ld+json; profile="https://www.w3.org/ns/activitystreams"`, `application/ld+json;charset=utf-8;profile="https://www.w3.org/ns/activitystreams"`,
			`application/ld+json; profile="https://www.w3.org/ns/activitystreams http://www.w3.org/ns/json-ld#compacted"`,
		} {
			takes(t, kind, func(a, _ *host) string {
				a.answer("/1", kind, `{"id":"`+a.URL+`/1"}`)
				return a.URL + "/1"
			})
		}
	})
}

func TestBodies(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C9", func(t *testing.T) {
		for name, body := range map[string]string{
			"depth 10,000":    `{"id":"%[1]s/1","a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`,
			"100,000 keys":    `{"id":"%[1]s/1"` + manyKeys(100_000) + `}`,
			"two ids":         `{"id":"%[1]s/1","id":"%[1]s/2"}`,
			"two ids, hidden": `{"id":"%[1]s/1","\u0069\u0064":"%[1]s/2"}`,
			"NUL":             `{"id":"%[1]s/1","a":"\u0000"}`,
			"lone surrogate":  `{"id":"%[1]s/1","a":"\ud800"}`,
			"invalid UTF-8":   "{\"id\":\"%[1]s/1\",\"a\":\"\xc3\x28\"}",
			"1e400":           `{"id":"%[1]s/1","a":1e400}`,
			"behind the end":  `{"id":"%[1]s/1"} {"id":"%[1]s/1"}`,
			"BOM":             "\xef\xbb\xbf" + `{"id":"%[1]s/1"}`,
			"array":           `[{"id":"%[1]s/1"}]`,
			"string":          `"%[1]s/1"`,
			"null":            `null`,
			"cut":             `{"id":"%[1]s/1"`,
			"empty":           ``,
			"HTML":            `<html><script type="application/ld+json">{"id":"%[1]s/1"}</script>`,
			"UTF-16":          "\xff\xfe{\x00}\x00",
		} {
			a := newHost(t)
			a.answer("/1", vocab.ActivityType, strings.ReplaceAll(body, "%[1]s", a.URL))
			_, err := newFetcher(t, fetch.Config{}).Get(t.Context(), a.URL+"/1")
			if !errors.Is(err, jsonld.ErrMalformed) && !errors.Is(err, jsonld.ErrLimit) && !errors.Is(err, httpx.ErrTooLarge) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}, func(t *testing.T) {
		for name, body := range map[string]string{
			"depth 60":    `{"id":"%[1]s/1","a":` + strings.Repeat("[", 60) + strings.Repeat("]", 60) + `}`,
			"10,000 keys": `{"id":"%[1]s/1"` + manyKeys(10_000) + `}`,
			"emoji":       `{"id":"%[1]s/1","a":"\ud83c\udfb5 🎵"}`,
			"white space": "\r\n\t {\"id\" : \"%[1]s/1\"}\n",
		} {
			takes(t, name, func(a, _ *host) string {
				a.answer("/1", vocab.ActivityType, strings.ReplaceAll(body, "%[1]s", a.URL))
				return a.URL + "/1"
			})
		}
	})
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return b.String()
}

func TestWhoSaysWhatItIs(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C11", func(t *testing.T) {
		for _, tc := range []struct {
			name  string
			want  error
			limit int
			set   func(a, b *host)
		}{
			{"names a third", fetch.ErrNotActivity, 2, func(a, b *host) { a.serve("/1", b.URL+"/2"); b.serve("/2", a.URL+"/3"); a.serve("/3", a.URL+"/3") }},
			{"names back and forth", fetch.ErrNotActivity, 2, func(a, b *host) { a.serve("/1", b.URL+"/1"); b.serve("/1", a.URL+"/1") }},
			{"names one that is not there", fetch.ErrNotFound, 2, func(a, b *host) { a.serve("/1", b.URL+"/1") }},
			{"names one that was deleted", fetch.ErrGone, 2, func(a, b *host) {
				a.serve("/1", b.URL+"/1")
				b.answers["/1"] = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }
			}},
			{"an open redirect to a forgery", fetch.ErrNotActivity, 4, func(a, b *host) { a.redirect("/1", b.URL+"/evil"); b.serve("/evil", a.URL+"/1") }},
			{"the host in other letters", fetch.ErrNotActivity, 2, func(a, _ *host) { a.serve("/1", strings.ToUpper(a.URL)+"/1") }},
			{"a dot in the path", nil, 2, func(a, _ *host) { a.serve("/1", a.URL+"/x/../1") }},
			{"empty", fetch.ErrNotActivity, 1, func(a, _ *host) { a.serve("/1", "") }},
			{"relative", fetch.ErrNotActivity, 1, func(a, _ *host) { a.serve("/1", "/1") }},
			{"without a scheme", nil, 1, func(a, _ *host) { a.serve("/1", strings.TrimPrefix(a.URL, "http:")+"/1") }},
			{"a fragment", fetch.ErrNotActivity, 1, func(a, _ *host) { a.serve("/1", a.URL+"/1#main-key") }},
			{"a list", fetch.ErrNotActivity, 1, func(a, _ *host) { a.answer("/1", vocab.ActivityType, `{"id":["`+a.URL+`/1"]}`) }},
			{"an object", fetch.ErrNotActivity, 1, func(a, _ *host) { a.answer("/1", vocab.ActivityType, `{"id":{"id":"`+a.URL+`/1"}}`) }},
			{"null", fetch.ErrNotActivity, 1, func(a, _ *host) { a.answer("/1", vocab.ActivityType, `{"id":null}`) }},
			{"@id", fetch.ErrNotActivity, 1, func(a, _ *host) { a.answer("/1", vocab.ActivityType, `{"@id":"`+a.URL+`/1"}`) }},
			{"ID", fetch.ErrNotActivity, 1, func(a, _ *host) { a.answer("/1", vocab.ActivityType, `{"ID":"`+a.URL+`/1"}`) }},
			{"tag", fetch.ErrNotActivity, 1, func(a, _ *host) { a.serve("/1", "tag:a.example,2026:1") }},
			{"with a user name", nil, 2, func(a, _ *host) { a.serve("/1", strings.Replace(a.URL, "http://", "http://x@", 1)+"/1") }},
			{"on a private host", httpx.ErrForbiddenAddress, 1, func(a, _ *host) { a.serve("/1", "http://192.168.0.1/1") }},
			{"on this server", fetch.ErrOwnHost, 1, func(a, _ *host) { a.serve("/1", "https://own.example/tracks/1") }},
		} {
			refuses(t, tc.name, tc.limit, tc.want, tc.set)
		}
	}, func(t *testing.T) {
		takes(t, "its own", func(a, _ *host) string { a.serve("/1", a.URL+"/1"); return a.URL + "/1" })
		takes(t, "another of the host", func(a, _ *host) string { a.serve("/1", a.URL+"/2"); a.serve("/2", a.URL+"/2"); return a.URL + "/2" })
		takes(t, "of another host", func(a, b *host) string { a.serve("/1", b.URL+"/1"); b.serve("/1", b.URL+"/1"); return b.URL + "/1" })
	})

	testkit.BadInput(t, "C16", func(t *testing.T) {
		// An address that would answer with other meanings for the terms that are read.
		evil := newHost(t)
		evil.answer("/context", "application/ld+json", `{"@context":{"id":"urn:x","actor":{"@id":"urn:y"}}}`)
		for _, context := range []string{
			`"` + evil.URL + `/context"`, `["https://www.w3.org/ns/activitystreams","` + evil.URL + `/context"]`,
			`{"@import":"` + evil.URL + `/context"}`, `{"@version":1.1,"id":"urn:x"}`, `"http://169.254.169.254/latest"`, `"file:///etc/passwd"`,
		} {
			takes(t, context, func(a, _ *host) string {
				a.answer("/1", vocab.ActivityType, `{"@context":`+context+`,"id":"`+a.URL+`/1","urn:x":"`+evil.URL+`/2"}`)
				return a.URL + "/1"
			})
		}
		if n := evil.asked(); n > 0 {
			t.Errorf("the contexts of strangers were fetched %d times", n)
		}
	}, func(t *testing.T) {
		takes(t, "the usual one", func(a, _ *host) string { a.serve("/1", a.URL+"/1"); return a.URL + "/1" })
	})

	testkit.BadInput(t, "C18", func(t *testing.T) {
		// This server is a. What it asks for over the network would have to be answered by itself.
		a, b := newHost(t), newHost(t)
		a.serve("/1", a.URL+"/1")
		b.redirect("/back", a.URL+"/1")
		b.serve("/points", a.URL+"/1")
		b.finger(t, "acct:ada@"+b.name(), "acct:ada@"+a.name(), b.actor("/users/ada", "ada"))
		f := newFetcher(t, fetch.Config{BaseURL: a.URL})
		for _, uri := range []string{a.URL + "/1", strings.ToUpper(a.URL) + "/1", a.URL + "/1#x", b.URL + "/back", b.URL + "/points"} {
			if _, err := f.Get(t.Context(), uri); !errors.Is(err, fetch.ErrOwnHost) {
				t.Errorf("%s: %v", uri, err)
			}
		}
		for _, handle := range []string{"ada@" + a.name(), "ada@" + b.name()} {
			if _, err := f.Finger(t.Context(), handle); !errors.Is(err, fetch.ErrOwnHost) {
				t.Errorf("%s: %v", handle, err)
			}
		}
		if n := a.asked(); n > 0 {
			t.Errorf("this server was asked %d times", n)
		}
	}, func(t *testing.T) {
		takes(t, "another server", func(a, _ *host) string { a.serve("/1", a.URL+"/1"); return a.URL + "/1" })
	})
}

func TestHandles(t *testing.T) {
	t.Parallel()
	resource := func(h *host, name string) string {
		return "/.well-known/webfinger?" + url.Values{"resource": {"acct:" + name + "@" + h.name()}}.Encode()
	}
	link := func(href string) string {
		return `{"rel":"self","type":"application/activity+json","href":"` + href + `"}`
	}
	testkit.BadInput(t, "C13", func(t *testing.T) {
		for _, tc := range []struct {
			name, kind string
			answer     func(a, b *host) string
			limit      int
		}{
			{"for another handle of the host", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:eve@` + a.name() + `","links":[` + link(a.actor("/ada", "ada")) + `]}`
			}, 2},
			{"for another host, which knows nothing", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + b.name() + `","links":[` + link(a.actor("/ada", "ada")) + `]}`
			}, 2},
			{"an actor elsewhere that does not point back", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link(b.actor("/ada", "ada")) + `]}`
			}, 3},
			{"two actors", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link(a.actor("/ada", "ada")) + "," + link(b.actor("/eve", "eve")) + `]}`
			}, 1},
			{"no actor", vocab.JRDType, func(a, b *host) string { return `{"subject":"acct:ada@` + a.name() + `","links":[]}` }, 1},
			{"an actor on a private address", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link("http://10.0.0.1/ada") + `]}`
			}, 1},
			{"an actor in a file", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link("file:///etc/passwd") + `]}`
			}, 1},
			{"an actor in data", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link("data:application/activity+json,{}") + `]}`
			}, 1},
			{"an actor on this server", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + link("https://own.example/users/ada") + `]}`
			}, 1},
			{"a subject on this server", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@own.example","links":[` + link(a.actor("/ada", "ada")) + `]}`
			}, 1},
			{"two subjects", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","subject":"acct:eve@` + a.name() + `","links":[` + link(a.actor("/ada", "ada")) + `]}`
			}, 1},
			{"no subject", vocab.JRDType, func(a, b *host) string { return `{"links":[` + link(a.actor("/ada", "ada")) + `]}` }, 1},
			{"10 MB", vocab.JRDType, func(a, b *host) string { return `{"subject":"` + strings.Repeat("x", 10<<20) + `"}` }, 1},
			{"10,000 links", vocab.JRDType, func(a, b *host) string {
				return `{"subject":"acct:ada@` + a.name() + `","links":[` + strings.Repeat(`{"rel":"x","href":"https://x.example/"},`, 10_000) + link(a.actor("/ada", "ada")) + `]}`
			}, 1},
			{"XML", "application/xrd+xml", func(a, b *host) string { return `<XRD><Subject>acct:ada@` + a.name() + `</Subject></XRD>` }, 1},
			{"a page", "text/html", func(a, b *host) string { return `{"subject":"acct:ada@` + a.name() + `"}` }, 1},
		} {
			a, b := newHost(t), newHost(t)
			a.answer(resource(a, "ada"), tc.kind, tc.answer(a, b))
			got, err := newFetcher(t, fetch.Config{}).Finger(t.Context(), "ada@"+a.name())
			if err == nil {
				t.Errorf("%s: %s", tc.name, got)
			}
			if n := a.asked() + b.asked(); n > tc.limit {
				t.Errorf("%s: %d requests", tc.name, n)
			}
		}
	}, func(t *testing.T) {
		a, b := newHost(t), newHost(t)
		actor := b.actor("/users/ada", "ada")
		a.answer(resource(a, "ada"), "application/json; charset=utf-8", `{"subject":"acct:ada@`+a.name()+`","links":[`+link(actor)+`]}`)
		b.answer(resource(b, "ada"), vocab.JRDType, `{"subject":"acct:ada@`+a.name()+`","links":[{"rel":"x"},`+link(actor)+`]}`)
		if got, err := newFetcher(t, fetch.Config{}).Finger(t.Context(), "ada@"+a.name()); err != nil || got != actor {
			t.Errorf("%s %v", got, err)
		}
	})
}
