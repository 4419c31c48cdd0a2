package play_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/api/play"
	"antiphon/federation/httpsig"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// proxy is an instance that holds the one fragment of a grant, and whoever the grant is for.
type proxy struct {
	room       *access.Service
	handler    http.Handler
	db         *db.DB
	clock      *testkit.Clock
	grant      vocab.Grant
	requesting ed25519.PrivateKey
	receiving  *umbral.SecretKey
	n          byte
}

func openProxy(t testing.TB, peers access.Peers) *proxy {
	t.Helper()
	dir, log, ctx := t.TempDir(), slog.New(slog.DiscardHandler), t.Context()
	p := &proxy{clock: testkit.NewClock(time.Now().Truncate(time.Second))}
	var err error
	p.db, err = db.Open(ctx, filepath.Join(dir, "a.db"), log)
	must(t, err)
	t.Cleanup(func() { _ = p.db.Close() })
	v, err := vault.Load(filepath.Join(dir, "key"), true, rand.Reader)
	must(t, err)
	queue := jobs.New(p.db, log)
	p.room = access.New(access.Config{BaseURL: base}, access.Parts{
		DB: p.db, Jobs: queue, Vault: v, Peers: peers, Fetch: alone{}, Log: log, Now: p.clock.Now, Rand: rand.Reader,
	})
	p.room.Register(queue)
	jobs.Handle(queue, jobs.Handler[access.GrantIssued]{Work: func(context.Context, access.GrantIssued, int) error { return nil }})
	jobs.Handle(queue, jobs.Handler[access.KfragsMade]{Work: func(context.Context, access.KfragsMade, int) error { return nil }})
	jobs.Handle(queue, jobs.Handler[access.GrantRevoked]{Work: func(context.Context, access.GrantRevoked, int) error { return nil }})
	must(t, queue.Open())
	s := play.New(play.Parts{BaseURL: base, Access: p.room, Log: log, Now: p.clock.Now})
	p.handler = http.HandlerFunc(s.Reencrypt)
	p.sell(t)
	return p
}

// sell grants a track of this instance.
func (p *proxy) sell(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	content, err := seal.NewContentKey(rand.Reader)
	must(t, err)
	hash := seal.ContentKeyHash(content)
	track := media.Track{
		ID: "t1", URI: base + "/tracks/t1", Artist: base + "/users/ada", Slug: "t1", State: media.Published, Title: "One", Upload: "u1",
		Manifest: string(ipfs.CIDOf([]byte("manifest"))), ContentKeyHash: hash[:], CreatedAt: p.clock.Now(), UpdatedAt: p.clock.Now(),
	}
	must(t, p.db.Write.Create(&track).Error)
	write, err := p.room.Encapsulate(ctx, track, content)
	must(t, err)
	must(t, p.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return write(tx) }))
	product, err := p.room.ProductOf(ctx, track.URI)
	must(t, err)
	p.receiving, err = umbral.GenerateSecretKey(rand.Reader)
	must(t, err)
	var public ed25519.PublicKey
	public, p.requesting, err = ed25519.GenerateKey(rand.Reader)
	must(t, err)
	receivingKey, err := multikey.EncodeSecp256k1(p.receiving.PublicKey().Bytes())
	must(t, err)
	requestingKey, err := multikey.EncodeEd25519(public)
	must(t, err)
	p.grant, err = p.room.Grant(ctx, p.issue(t, product, base+"/users/lin", receivingKey, requestingKey))
	must(t, err)
}

// issue grants the track to a buyer and returns the grant's URI.
func (p *proxy) issue(t testing.TB, product access.Product, buyer, receivingKey, requestingKey string) (uri string) {
	t.Helper()
	ctx := t.Context()
	prepared, err := p.room.Prepare(ctx, access.Request{
		Artist: product.Artist, Buyer: buyer, Product: product.URI, Version: 1, Agreement: base + "/agreements/1",
		Receipt: base + "/receipts/1", ReceivingKey: receivingKey, RequestingKey: requestingKey,
	})
	must(t, err)
	must(t, p.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		uri, err = prepared.Issue(ctx, tx)
		return err
	}))
	return uri
}

// asking is a request on its way; a test spoils one part of it.
type asking struct {
	grant    string
	set      int
	capsules []string
	url      string
	key      ed25519.PrivateKey
	created  time.Time
	nonce    [16]byte
	// sent changes the body after it was signed.
	sent func(body []byte) []byte
}

func (p *proxy) good() asking {
	p.n++
	return asking{
		grant: p.grant.ID, set: 1, capsules: []string{base64.RawURLEncoding.EncodeToString(p.grant.Items[0].Capsule)},
		url: p.room.ReencryptURL(), key: p.requesting, created: p.clock.Now(), nonce: [16]byte{p.n},
	}
}

// request is what is asked, signed.
func (p *proxy) request(t testing.TB, a asking) *http.Request {
	t.Helper()
	body, err := json.Marshal(access.ReencryptRequest{Grant: a.grant, Set: a.set, Capsules: a.capsules})
	must(t, err)
	keyID, err := multikey.EncodeEd25519(a.key.Public().(ed25519.PublicKey))
	must(t, err)
	header, err := httpsig.SignMessage(httpsig.Message{Method: http.MethodPost, TargetURI: a.url, ContentType: "application/json", Body: body},
		a.key, keyID, httpsig.MessageParams{Created: a.created, Nonce: a.nonce})
	must(t, err)
	if a.sent != nil {
		body = a.sent(body)
	}
	r := httptest.NewRequest(http.MethodPost, p.room.ReencryptURL(), bytes.NewReader(body))
	r.Header = header
	return r
}

// ask sends it and returns status, code and the answer.
func (p *proxy) ask(t *testing.T, a asking) (int, string, []byte) {
	t.Helper()
	r, w := p.request(t, a), httptest.NewRecorder()
	began := time.Now()
	p.handler.ServeHTTP(w, r)
	if took := time.Since(began); took > time.Minute {
		t.Errorf("the answer took %s", took)
	}
	answer, err := io.ReadAll(w.Result().Body)
	must(t, err)
	var problem struct{ Code string }
	must(t, json.Unmarshal(answer, &problem))
	if w.Code != 200 && (problem.Code == "" || !strings.HasPrefix(w.Header().Get("Content-Type"), "application/problem+json") || w.Header().Get("Cache-Control") != "no-store") {
		t.Errorf("answer %d %q of type %s", w.Code, answer, w.Header().Get("Content-Type"))
	}
	return w.Code, problem.Code, answer
}

// TestBadInput asks a proxy for what it must not give.
func TestBadInput(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "B21", func(t *testing.T) {
		p := openProxy(t, alone{})
		_, stranger, err := ed25519.GenerateKey(rand.Reader)
		must(t, err)
		delegating, err := multikey.DecodeSecp256k1(p.grant.DelegatingKey)
		must(t, err)
		public, err := umbral.ParsePublicKey(delegating)
		must(t, err)
		// The artist's own capsule of another track of hers, which this grant does not list.
		foreign, _, err := umbral.Encrypt(rand.Reader, public, make([]byte, 32))
		must(t, err)
		used := p.good()
		if status, code, _ := p.ask(t, used); status != 200 {
			t.Fatalf("the first request: %d %s", status, code)
		}
		before := testkit.Rows(t, p.db.Read)
		capsule := func(change func(b []byte)) func(*asking) {
			return func(a *asking) {
				b := bytes.Clone(p.grant.Items[0].Capsule)
				change(b)
				a.capsules = []string{base64.RawURLEncoding.EncodeToString(b)}
			}
		}
		for name, c := range map[string]struct {
			spoil  func(*asking)
			status int
			code   string
		}{
			"the nonce again":             {func(a *asking) { *a = used }, 401, "bad-signature"},
			"another body":                {func(a *asking) { a.sent = func(b []byte) []byte { return append(b, ' ') } }, 401, "bad-signature"},
			"signed for another proxy":    {func(a *asking) { a.url = "https://p.example/antiphon/v1/reencrypt" }, 401, "bad-signature"},
			"signed by a stranger":        {func(a *asking) { a.key = stranger }, 401, "bad-signature"},
			"signed ten minutes ago":      {func(a *asking) { a.created = a.created.Add(-10 * time.Minute) }, 401, "bad-signature"},
			"signed ten minutes from now": {func(a *asking) { a.created = a.created.Add(10 * time.Minute) }, 401, "bad-signature"},
			"65 capsules":                 {func(a *asking) { a.capsules = strings.Split(strings.Repeat(a.capsules[0]+" ", 65), " ")[:65] }, 413, "too-large"},
			"17 KiB": {func(a *asking) {
				a.sent = func(b []byte) []byte { return append(b, bytes.Repeat([]byte(" "), 17<<10)...) }
			}, 413, "too-large"},
			"no capsule":                    {func(a *asking) { a.capsules = nil }, 400, "malformed"},
			"a capsule of 97 bytes":         {func(a *asking) { a.capsules = []string{a.capsules[0][:130]} }, 400, "malformed"},
			"a capsule of no points":        {capsule(func(b []byte) { clear(b[:33]) }), 400, "malformed"},
			"the old set":                   {func(a *asking) { a.set = 2 }, 404, "unknown-grant"},
			"set 0":                         {func(a *asking) { a.set = 0 }, 400, "malformed"},
			"another grant":                 {func(a *asking) { a.grant += "x" }, 404, "unknown-grant"},
			"a capsule that is not granted": {func(a *asking) { a.capsules = []string{base64.RawURLEncoding.EncodeToString(foreign.Bytes())} }, 422, "not-granted"},
			"one of two is not granted": {func(a *asking) {
				a.capsules = append(a.capsules, base64.RawURLEncoding.EncodeToString(foreign.Bytes()))
			}, 422, "not-granted"},
			"a damaged capsule": {capsule(func(b []byte) { b[97] ^= 1 }), 422, "not-granted"},
		} {
			a := p.good()
			c.spoil(&a)
			status, code, answer := p.ask(t, a)
			if status != c.status || code != c.code || bytes.Contains(answer, []byte("cfrags")) {
				t.Errorf("%s: %d %s, want %d %s", name, status, code, c.status, c.code)
			}
		}
		// Only nonces that were well signed are kept.
		testkit.SameRows(t, p.db.Read, before, "nonces")
		if n := testkit.Rows(t, p.db.Read)["nonces"]; n > before["nonces"]+5 {
			t.Errorf("%d nonces are kept of requests that were refused", n-before["nonces"])
		}
		for range 70 {
			if status, code, _ := p.ask(t, p.good()); status == 429 && code == "busy" {
				return
			}
		}
		t.Error("a hundred requests at once are all answered")
	}, func(t *testing.T) {
		p := openProxy(t, alone{})
		status, code, raw := p.ask(t, p.good())
		var answer access.ReencryptAnswer
		must(t, json.Unmarshal(raw, &answer))
		if status != 200 || len(answer.Cfrags) != 1 || answer.Proxy != p.room.InstanceActor() {
			t.Fatalf("%d %s %s", status, code, raw)
		}
		opened, err := access.Open(t.Context(), p.grant, p.grant.Items[0], p.receiving, func(context.Context, vocab.Proxy, []byte) ([]byte, error) { return raw, nil })
		hash := seal.ContentKeyHash(opened)
		if err != nil || !bytes.Equal(hash[:], p.grant.Items[0].ContentKeyHash) {
			t.Errorf("the answer does not open the track: %v", err)
		}
		must(t, p.room.Revoke(t.Context(), p.grant.AttributedTo, p.grant.ID, ""))
		if status, code, _ := p.ask(t, p.good()); status != 410 || code != "revoked" {
			t.Errorf("after it was taken back: %d %s", status, code)
		}
	})
}
