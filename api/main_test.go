package api_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"sync/atomic"

	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/api"
	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/federation/account"
	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fetch"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/listen"
	"antiphon/media/pre/keytree"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/templates"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const devAsset = amount.Asset("antiphon-dev:1/erc20:0x5FbDB2315678afecb367f032d93F642f64180aa3")

// instance is a whole instance with its pages; what belongs to other servers and to money is played by world.
type instance struct {
	base  string
	db    *db.DB
	auth  *auth.Service
	pages *web.Pages
	store ipfs.Store
	clock *testkit.Clock
	log   *lockedBuffer
	world *world
	files string
	queue *jobs.Queue

	tiers         *tierShop
	subscriptions *subscription.Service

	actors     *actor.Registry
	moderation *moderation.Service
	members    *account.Service
	listens    *listen.Service

	// letters are what guests were sent, heirs who became what.
	mu      sync.Mutex
	letters []letter
	heirs   []string
}

// world stands for the rooms that the pages are joined with.
type world struct {
	*purchase.Service
	products map[string]access.Product
	owned    map[string][]access.Owned
	tracks   map[string]vocab.Track
	// held are products whose grants a buyer has.
	held      map[string][]string
	releases  map[string]vocab.Release
	proposals map[string]vocab.Proposal
	profiles  map[string]web.Profile
	follows   []string
	// fetched counts the tracks that were asked for over the network.
	fetched atomic.Int64
	db      *db.DB
}

func (w *world) Product(_ context.Context, uri string) (access.Product, error) {
	for _, p := range w.products {
		if p.URI == uri {
			return p, nil
		}
	}
	return access.Product{}, access.ErrUnknownProduct
}

func (w *world) ProductOf(_ context.Context, track string) (access.Product, error) {
	if p, ok := w.products[track]; ok {
		return p, nil
	}
	return access.Product{}, access.ErrUnknownProduct
}

func (w *world) SetProductPrice(_ *gorm.DB, product string, price access.Price) error {
	track := ""
	for uri, p := range w.products {
		if p.URI == product {
			track = uri
		}
	}
	p := w.products[track]
	p.Units, p.Asset, p.Decimals, p.Flexible, p.Suggested = price.Units, price.Asset, price.Decimals, price.Flexible, price.Suggested
	w.products[track] = p
	return nil
}

func (w *world) Library(_ context.Context, buyer string, _, _ int) ([]access.Owned, error) {
	return w.owned[buyer], nil
}

func (w *world) Holds(_ context.Context, buyer, product string) (bool, error) {
	for _, owned := range w.owned[buyer] {
		if p, ok := w.products[owned.Track]; ok && p.URI == product {
			return true, nil
		}
	}
	return slices.Contains(w.held[buyer], product), nil
}

func (w *world) Release(_ context.Context, uri string, _ bool) (vocab.Release, error) {
	if r, ok := w.releases[uri]; ok {
		return r, nil
	}
	return vocab.Release{}, fmt.Errorf("no release %s", uri)
}

func (w *world) Proposal(_ context.Context, uri string) (vocab.Proposal, error) {
	if p, ok := w.proposals[uri]; ok {
		return p, nil
	}
	return vocab.Proposal{}, fmt.Errorf("no proposal %s", uri)
}

func (w *world) Track(_ context.Context, uri string, fetch bool) (vocab.Track, error) {
	if fetch {
		w.fetched.Add(1)
	}
	if t, ok := w.tracks[uri]; ok && fetch {
		return t, nil
	}
	return vocab.Track{}, fmt.Errorf("no track %s", uri)
}

func (w *world) SetProfile(_ context.Context, actor string, p web.Profile) error {
	w.profiles[actor] = p
	return nil
}

func (w *world) Follow(ctx context.Context, me, target string) (string, error) {
	if target == "nobody@b.example" {
		return "", &web.Fault{Status: http.StatusUnprocessableEntity, What: "There is nobody of this name.", Do: "Check the address."}
	}
	w.follows = append(w.follows, me+" "+target)
	uri := "https://b.example/users/bo"
	return uri, w.db.Write.WithContext(ctx).Exec("INSERT INTO follows (follower, followed, uri, state, created_at) VALUES (?, ?, ?, ?, ?)",
		me, uri, me+"/follows/1", "accepted", time.Now().UTC()).Error
}

func (w *world) Unfollow(ctx context.Context, me, actor string) error {
	return w.db.Write.WithContext(ctx).Exec("DELETE FROM follows WHERE follower = ? AND followed = ?", me, actor).Error
}

// Prepare writes the row that federation/actor writes, without keys.
func (i *instance) Prepare(_ context.Context, l auth.Local) (func(context.Context, *gorm.DB) (string, error), error) {
	uri := i.base + "/users/" + l.Name
	return func(_ context.Context, tx *gorm.DB) (string, error) {
		return uri, tx.Exec(`INSERT INTO actors (uri, local, name, host, kind, display, receiving_key, requesting_key, created_at, state)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, uri, true, l.Name, hostOf(i.base), l.Kind, l.Display, l.ReceivingKey, l.RequestingKey, time.Now().UTC(), unlisted(l)).Error
	}, nil
}

func unlisted(l auth.Local) string {
	if l.Unlisted {
		return actor.Unlisted
	}
	return ""
}

// secrets are those of other rooms, which these tests do not look at.
type secrets struct{ actor.Secrets }

func (secrets) VerifyingKey(context.Context, string) (string, int, error) {
	return "zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9", 1, nil
}

func hostOf(base string) string { return strings.TrimPrefix(base, "http://") }

// options change what setup makes.
type options struct {
	// join adds rooms before the queue opens.
	join     func(i *instance, queue *jobs.Queue, log *slog.Logger)
	closed   bool
	approval bool
	parts    func(*api.Parts)
	config   func(*web.Config)
	quota    int64
	proxied  bool
}

// eachDatabase runs the same test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, o options, run func(t *testing.T, i *instance)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		run(t, setup(t, o))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		run(t, setupOn(t, testkit.Postgres(t), o))
	})
}

func setup(t *testing.T, o options) *instance {
	t.Helper()
	return setupOn(t, filepath.Join(t.TempDir(), "antiphon.db"), o)
}

func setupOn(t *testing.T, dsn string, o options) *instance {
	t.Helper()
	i := &instance{log: &lockedBuffer{}, clock: testkit.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	i.base = server.URL
	log := slog.New(slog.NewTextHandler(i.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	i.db = must(db.Open(t.Context(), dsn, log))
	t.Cleanup(func() {
		if err := i.db.Close(); err != nil {
			t.Error(err)
		}
	})
	seal := must(vault.New(make([]byte, 32), rand.Reader))
	dir := t.TempDir()
	i.store = must(ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(dir, "blocks")}))
	t.Cleanup(func() {
		if err := i.store.Close(); err != nil {
			t.Error(err)
		}
	})
	client := httpx.New(httpx.Config{AllowLoopback: true})
	t.Cleanup(client.Close)
	queue := jobs.New(i.db, log)
	i.files = filepath.Join(dir, "uploads")
	tracks := media.New(media.Config{BaseURL: i.base, DataDir: dir, UploadDir: i.files}, media.Parts{
		DB: i.db, Jobs: queue, Vault: seal, Store: i.store, Shop: shopOf{}, Bundler: bundler{i}, Log: log, Now: i.clock.Now, Rand: rand.Reader,
	})
	tracks.Register(queue)
	orders := payments.New(payments.Config{BaseURL: i.base}, payments.Parts{DB: i.db, Jobs: queue, Catalog: catalog{i}, Log: log, Now: i.clock.Now, Rand: rand.Reader})
	buying := purchase.New(i.base, purchase.Parts{DB: i.db, Jobs: queue, GiftKey: []byte("a key for gifts"), Log: log, Now: i.clock.Now, Rand: rand.Reader})
	jobs.Handle(queue, jobs.Handler[purchase.OfferMade]{Work: func(context.Context, purchase.OfferMade, int) error { return nil }})
	i.subscribing(buying, queue, log)
	i.world = &world{
		Service: buying, products: map[string]access.Product{}, owned: map[string][]access.Owned{}, tracks: map[string]vocab.Track{},
		profiles: map[string]web.Profile{}, db: i.db,
	}
	quota := o.quota
	if quota == 0 {
		quota = 1 << 30
	}
	i.auth = must(auth.New(auth.Config{BaseURL: i.base, Open: !o.closed, Approval: o.approval, Quota: quota, Hash: auth.Cost{Time: 1, Memory: 64, Threads: 1}},
		auth.Parts{DB: i.db, Vault: seal, Actors: i, Postman: i, Heirs: i.inherit, Log: log, Now: i.clock.Now, Rand: rand.Reader}))
	hosts := discover.NewHosts(discover.HostsConfig{Scheme: "http", Own: hostOf(i.base)}, i.db, client, log, i.clock.Now)
	fetcher := must(fetch.New(fetch.Config{BaseURL: i.base, Scheme: "http", Now: i.clock.Now, Blocked: hosts.IsBlocked}, client))
	i.actors = actor.New(actor.Config{BaseURL: i.base, Name: "Antiphon Test"}, actor.Parts{
		DB: i.db, Vault: seal, Fetch: fetcher, Secrets: secrets{}, Log: log, Now: i.clock.Now, Rand: rand.Reader,
	})
	told := outbox.New(outbox.Config{BaseURL: i.base}, outbox.Parts{
		DB: i.db, Jobs: queue, Actors: i.actors, Hosts: hosts, HTTP: client, Log: log, Now: i.clock.Now,
		Receive: func(context.Context, *gorm.DB, string, []byte) error { return nil },
	})
	told.Register(queue)
	i.moderation = moderation.New(moderation.Parts{
		BaseURL: i.base, DB: i.db, Jobs: queue, Actors: i.actors, Hosts: hosts, Outbox: told, Tracks: tracks, Log: log, Now: i.clock.Now,
	})
	i.moderation.Register(queue)
	i.members = account.New(account.Parts{
		Dir: filepath.Join(dir, "archives"), DB: i.db, Jobs: queue, Actors: i.actors, Hosts: hosts, Outbox: told, Tracks: tracks, Files: i.store,
		Purchases: buying, Log: log, Now: i.clock.Now,
	})
	i.members.Register(queue)
	i.listens = must(listen.New(listen.Config{}, listen.Parts{DB: i.db, Jobs: queue, Vault: seal, Log: log, Now: i.clock.Now, Rand: rand.Reader}))
	if o.join != nil {
		o.join(i, queue, log)
	}
	check(t, queue.Open())
	i.queue = queue
	config := web.Config{
		BaseURL: i.base, Site: "Antiphon Test", About: "A place to try things.", DataDir: dir, UploadDir: i.files, MaxUpload: 2 << 30,
		Assets: []web.Asset{{ID: devAsset, Symbol: "devUSD", Decimals: 6}}, Version: "0.0.0-test",
	}
	if o.config != nil {
		o.config(&config)
	}
	i.pages = must(web.New(config, web.Parts{
		DB: i.db, Auth: i.auth, Renderer: must(templates.New()), Tracks: tracks, Store: i.store, Shop: i.world, Library: i.world, Purchases: i.world,
		Follower: i.world, Profiles: i.world, Remote: i.world, HTTP: client, Listens: i.listens,
		Tiers: i.tiers, Subscriptions: i.subscriptions, Sellers: i.tiers,
		Hosts: told, Codes: orders,
		Log: log, Now: i.clock.Now, Moderation: i.moderation, Members: i.members,
	}))
	parts := api.Parts{BaseURL: i.base, TrustProxy: o.proxied, Auth: i.auth, Pages: i.pages, Log: log, Now: i.clock.Now}
	if o.parts != nil {
		o.parts(&parts)
	}
	handler = must(api.New(parts))
	return i
}

// shopOf is the pipeline's shop, which these tests do not reach but for opening and closing.
type shopOf struct{ media.Shop }

func (shopOf) SetOpen(*gorm.DB, string, string, bool) error { return nil }

// browser is one person's.
type browser struct {
	t      *testing.T
	i      *instance
	http   *http.Client
	name   string
	actor  string
	auth   auth.Secret
	seed   auth.Secret
	header http.Header
}

func (i *instance) browser(t *testing.T) *browser {
	t.Helper()
	b := &browser{t: t, i: i, header: http.Header{"Accept": {"text/html,application/xhtml+xml,*/*;q=0.8"}, "Sec-Fetch-Site": {"same-origin"}}}
	b.http = &http.Client{Jar: must(cookiejar.New(nil)), CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// signedUp is the browser of a person who has just signed up.
func (i *instance) signedUp(t *testing.T, name string, change func(map[string]any)) *browser {
	t.Helper()
	b := i.browser(t)
	body := b.application(name)
	if change != nil {
		change(body)
	}
	b.postJSON("/signup", body).want(http.StatusOK)
	return b
}

// application is what the sign-up page sends.
func (b *browser) application(name string) map[string]any {
	b.t.Helper()
	b.name, b.actor, b.auth, b.seed = name, b.i.base+"/users/"+name, random(32), random(32)
	keys := must(keytree.Listener(b.seed))
	receiving, requesting := must(keys.Receiving(1)), must(keys.Requesting(1))
	return map[string]any{
		"name": name, "display": strings.ToUpper(name[:1]) + name[1:], "custody": "own", "auth": b.auth, "wrapped": random(72), "recovery": random(72),
		"receivingKey":  must(multikey.EncodeSecp256k1(receiving.PublicKey().Bytes())),
		"requestingKey": must(multikey.EncodeEd25519(requesting.Public().(ed25519.PublicKey))), "invite": "",
	}
}

// answer is what came back.
type answer struct {
	t *testing.T
	*http.Response
	what string
	body string
}

func (b *browser) do(method, path string, body io.Reader, header http.Header) *answer {
	b.t.Helper()
	req := must(http.NewRequestWithContext(b.t.Context(), method, b.i.base+path, body))
	for name, values := range b.header {
		req.Header[name] = values
	}
	for name, values := range header {
		req.Header[name] = values
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	return &answer{b.t, resp, method + " " + path, string(must(io.ReadAll(resp.Body)))}
}

func (b *browser) get(path string) *answer { b.t.Helper(); return b.do(http.MethodGet, path, nil, nil) }

func (b *browser) post(path string, form url.Values) *answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, strings.NewReader(form.Encode()), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
}

func (b *browser) postJSON(path string, body any) *answer {
	b.t.Helper()
	return b.do(http.MethodPost, path, bytes.NewReader(must(json.Marshal(body))), http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}})
}

// want checks the status, and that the body holds each of the texts; one that begins with "!" must not be there.
func (a *answer) want(status int, texts ...string) *answer {
	a.t.Helper()
	if a.StatusCode != status {
		a.t.Fatalf("%s: status %d, not %d\n%.2000s", a.what, a.StatusCode, status, a.body)
	}
	for _, text := range texts {
		absent, not := strings.CutPrefix(text, "!")
		if not == strings.Contains(a.body, absent) {
			a.t.Errorf("%s: %q is there: %v\n%.1500s", a.what, absent, not, a.body)
		}
	}
	return a
}

// to checks where the answer leads.
func (a *answer) to(path string) *answer {
	a.t.Helper()
	a.want(http.StatusSeeOther)
	if got := a.Header.Get("Location"); got != path {
		a.t.Errorf("%s: leads to %s, not to %s", a.what, got, path)
	}
	return a
}

func (a *answer) json(v any) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		a.t.Fatalf("%s: %v in %s", a.what, err, a.body)
	}
}

// published puts a track of an artist on sale as the pipeline leaves it.
func (i *instance) published(t *testing.T, artist, title string, change func(*media.Track)) media.Track {
	t.Helper()
	now := i.clock.Now()
	id := strings.ToLower(rand.Text())
	track := media.Track{
		ID: media.TrackID(id), URI: i.base + "/tracks/" + id, Artist: artist, Slug: strings.ToLower(strings.ReplaceAll(title, " ", "-")), State: media.Published,
		Title: title, Filename: title + ".flac", Upload: id, UploadBytes: 1000, DurationMS: 187_000, Peaks: bytes.Repeat([]byte{10, 200}, 400),
		Accent: "#7a3b10 #f0a060", CreatedAt: now, UpdatedAt: now, PublishedAt: &now, SealedKey: []byte{}, ContentKeyHash: []byte{},
	}
	if change != nil {
		change(&track)
	}
	check(t, i.db.Write.Create(&track).Error)
	i.world.products[track.URI] = access.Product{
		URI: i.base + "/products/" + id, Artist: artist, Track: track.URI, Version: 1, Units: "5000000", Asset: string(devAsset), Decimals: 6, Open: true,
	}
	return track
}

func (i *instance) insert(t *testing.T, table string, row map[string]any) {
	t.Helper()
	check(t, i.db.Write.Table(table).Create(row).Error)
}

func random(n int) auth.Secret {
	b := make(auth.Secret, n)
	_, _ = rand.Read(b) // never fails
	return b
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lockedBuffer is a log that a test reads while the server writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(slices.Clone(l.b.Bytes()))
}

// bundler makes products of releases as the access room would, without keys.
type bundler struct{ *instance }

func (b bundler) Bundle(_ context.Context, r media.Release, tracks []string) (func(context.Context, *gorm.DB) error, error) {
	return func(context.Context, *gorm.DB) error {
		p := b.world.products[r.URI]
		p.ID, p.URI, p.Artist, p.Kind, p.Name = string(r.ID), b.base+"/products/"+string(r.ID), r.Artist, access.KindRelease, r.Title
		b.world.products[r.URI] = p
		return nil
	}, nil
}

func (b bundler) OpenBundle(_ *gorm.DB, r media.Release, open bool) error {
	p := b.world.products[r.URI]
	p.Open = open
	b.world.products[r.URI] = p
	return nil
}

// catalog shows payments what is sold.
type catalog struct{ *instance }

func (c catalog) Product(ctx context.Context, uri, _ string) (payments.Product, error) {
	p, err := c.world.Product(ctx, uri)
	if err != nil {
		return payments.Product{}, payments.ErrUnknownProduct
	}
	return payments.Product{URI: p.URI, Artist: p.Artist, Open: p.Open}, nil
}

func (catalog) Granted(context.Context, string, string) (string, error) { return "", nil }
