package play_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"antiphon/api/play"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
)

const base = "https://b.example"

// alone is an instance without peers.
type alone struct{}

func (alone) Proxies(context.Context, []string, string) ([]access.Proxy, error) { return nil, nil }
func (alone) Meet(context.Context, []string, string) error                      { return nil }
func (alone) Probe(context.Context, access.Proxy) error                         { return nil }
func (alone) Find(context.Context, string) (access.Proxy, error) {
	return access.Proxy{}, errors.New("no network in this test")
}
func (alone) Revocations(context.Context, string, string) ([]access.Revocation, error) {
	return nil, errors.New("no network in this test")
}
func (alone) Trusts(context.Context, string) bool { return true }
func (alone) Block(context.Context, string, int64) ([]byte, error) {
	return nil, errors.New("no network in this test")
}

// Lend lends nothing; why not is said by the end of the track's URI.
func (alone) Lend(_ context.Context, _, track string) error {
	switch path.Base(track) {
	case "pooled":
		return &access.Refusal{Code: "no-member", Words: "Who has paid for this month can play it."}
	case "broken":
		return errors.New("disk full")
	default:
		return access.ErrUnknownGrant
	}
}
func (alone) Describe(context.Context, string) (play.Track, error) { return play.Track{}, nil }

// open returns the handlers over an instance that has published one sealed block; the visitor is whom the header
// Visitor names.
func open(t *testing.T) (h http.Handler, published ipfs.CID) {
	t.Helper()
	return openWith(t, "ciphertext")
}

func openWith(t *testing.T, block string) (h http.Handler, published ipfs.CID) {
	t.Helper()
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), filepath.Join(dir, "a.db"), log)
	must(t, err)
	v, err := vault.Load(filepath.Join(dir, "key"), true, rand.Reader)
	must(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(dir, "blocks")})
	must(t, err)
	queue := jobs.New(database, log)
	room := access.New(access.Config{BaseURL: base}, access.Parts{
		DB: database, Jobs: queue, Vault: v, Store: store, Peers: alone{}, Fetch: alone{}, Log: log, Now: time.Now, Rand: rand.Reader,
	})
	client := httpx.New(httpx.Config{})
	t.Cleanup(func() {
		client.Close()
		_ = store.Close()
		_ = database.Close()
	})
	published, err = store.Put(t.Context(), []byte(block))
	must(t, err)
	must(t, media.Register(database.Write, media.Block{
		CID: string(published), Owner: "https://b.example/tracks/1", Kind: media.KindSegment, Held: true, CreatedAt: time.Now(),
	}))
	s := play.New(play.Parts{
		BaseURL: base, Access: room, Store: store, HTTP: client, Tracks: alone{}, Pool: alone{}, Log: log, Now: time.Now,
		User: func(r *http.Request) string { return r.Header.Get("Visitor") },
	})
	router := mux.NewRouter()
	router.HandleFunc("/play/grant", s.Grant)
	router.HandleFunc("/play/relay", s.Relay)
	router.HandleFunc("/antiphon/v1/reencrypt", s.Reencrypt)
	router.HandleFunc("/ipfs/{cid}", s.Block)
	return router, published
}

func ask(h http.Handler, method, target, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, base+target, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func code(t *testing.T, r *http.Response) string {
	t.Helper()
	var problem struct{ Code, Title string }
	must(t, json.NewDecoder(r.Body).Decode(&problem))
	if problem.Title == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/problem+json") {
		t.Errorf("answer %q of type %s says nothing to people", problem, r.Header.Get("Content-Type"))
	}
	return problem.Code
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	h, _ := open(t)
	capsule := strings.Repeat("A", 131)
	relay := func(body string) string {
		b, err := json.Marshal(map[string]any{"url": "https://p.example/antiphon/v1/reencrypt", "headers": map[string]string{}, "body": body})
		must(t, err)
		return string(b)
	}
	lin := []string{"Visitor", base + "/users/lin"}
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		status               int
		code                 string
	}{
		"grant, not logged in":   {"GET", "/play/grant?track=x", "", nil, 401, "log-in"},
		"grant, not owned":       {"GET", "/play/grant?track=x", "", lin, 404, "unknown-grant"},
		"relay, not logged in":   {"POST", "/play/relay", relay("{}"), nil, 401, "log-in"},
		"relay, no JSON":         {"POST", "/play/relay", "x", lin, 400, "malformed"},
		"relay, bad inner body":  {"POST", "/play/relay", relay("{}"), lin, 400, "malformed"},
		"reencrypt, no JSON":     {"POST", "/antiphon/v1/reencrypt", "x", nil, 400, "malformed"},
		"reencrypt, no capsule":  {"POST", "/antiphon/v1/reencrypt", `{"grant":"g","set":1,"capsules":[]}`, nil, 400, "malformed"},
		"reencrypt, bad capsule": {"POST", "/antiphon/v1/reencrypt", `{"grant":"g","set":1,"capsules":["` + capsule + `"]}`, nil, 400, "malformed"},
		"reencrypt, too large":   {"POST", "/antiphon/v1/reencrypt", strings.Repeat(" ", 17<<10), nil, 413, "too-large"},
		"block, no CID":          {"GET", "/ipfs/hello", "", nil, 400, "malformed"},
		"block, not ours":        {"GET", "/ipfs/" + string(ipfs.CIDOf([]byte("secret"))), "", nil, 404, "not-found"},
	} {
		r := ask(h, c.method, c.target, c.body, c.header...)
		if got := code(t, r); r.StatusCode != c.status || got != c.code {
			t.Errorf("%s: %d %s, want %d %s", name, r.StatusCode, got, c.status, c.code)
		}
	}
}

func TestWhatThePoolDoesNotLend(t *testing.T) {
	t.Parallel()
	h, _ := open(t)
	for track, want := range map[string]string{"pooled": "403 no-member", "broken": "500 internal", "sold": "404 unknown-grant"} {
		r := ask(h, http.MethodGet, "/play/grant?track=https://s.example/tracks/"+track, "", "Visitor", "https://b.example/users/lin")
		if got := fmt.Sprint(r.StatusCode, " ", code(t, r)); got != want {
			t.Errorf("%s: %s, want %s", track, got, want)
		}
	}
}

func TestBlockIsBytesAndNothingElse(t *testing.T) {
	t.Parallel()
	h, cid := open(t)
	for name, c := range map[string]struct{ target, accept, kind string }{
		"plain":         {"/ipfs/" + string(cid), "", "application/octet-stream"},
		"raw by Accept": {"/ipfs/" + string(cid), "application/vnd.ipld.raw", "application/vnd.ipld.raw"},
		"raw by query":  {"/ipfs/" + string(cid) + "?format=raw", "", "application/vnd.ipld.raw"},
	} {
		r := ask(h, "GET", c.target, "", "Accept", c.accept)
		b, err := io.ReadAll(r.Body)
		must(t, err)
		if r.StatusCode != 200 || string(b) != "ciphertext" || r.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s: %d %q of type %s", name, r.StatusCode, b, r.Header.Get("Content-Type"))
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox", "Content-Disposition": "attachment",
		} {
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", name, header, got, want)
			}
		}
		if r.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: a cookie is set", name)
		}
	}
	r := ask(h, "GET", "/ipfs/"+string(cid)+"?format=car", "")
	b, err := io.ReadAll(r.Body)
	must(t, err)
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/vnd.ipld.car") || !strings.HasSuffix(string(b), "ciphertext") {
		t.Errorf("car: %d, %d bytes of type %s", r.StatusCode, len(b), r.Header.Get("Content-Type"))
	}
	if r := ask(h, "GET", "/ipfs/"+string(cid), "", "Range", "bytes=6-9"); r.StatusCode != 206 {
		t.Errorf("range: %d", r.StatusCode)
	}
}

func TestAnyPageMayAskAProxy(t *testing.T) {
	t.Parallel()
	h, _ := open(t)
	r := ask(h, "OPTIONS", "/antiphon/v1/reencrypt", "", "Origin", "https://other.example")
	if r.StatusCode != 204 || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("%d, %v", r.StatusCode, r.Header)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
