// Package fedtest runs whole instances of the federation's rooms on loopback, for the tests of these rooms and of those
// that stand on them.
//
// It is for tests only; no program imports it. Media and payments are stood in for by small fakes. Begin with New.
package fedtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/catchup"
	"antiphon/federation/discover"
	"antiphon/federation/fetch"
	"antiphon/federation/inbox"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/listen"
	"antiphon/vocab"
)

// Options change an instance; the zero value is the default.
type Options struct {
	// Clock is the instance's; a new one that shows the present time when nil.
	Clock *testkit.Clock
	// DSN is PostgreSQL's; SQLite in the test's folder when empty.
	DSN string
	// BaseURL is where the instance says that it lives, when that must not change from one start to the next; nobody
	// reaches it there.
	BaseURL string
	// Idle leaves the queue unstarted: jobs are kept and not worked.
	Idle bool
	// Join adds rooms to the instance, before its queue opens.
	Join func(i *Instance)
	// Log takes what the instance says; nothing does when nil.
	Log *slog.Logger
	// Inbox is the inbox's configuration; its BaseURL is filled in.
	Inbox inbox.Config
	// AllowList admits only hosts that are listed.
	AllowList bool
	// Taken is told of each activity that an inbox elsewhere has taken; it may be nil.
	Taken func(ctx context.Context, activity string) error
}

// Instance is a running server.
type Instance struct {
	BaseURL, Host string
	Clock         *testkit.Clock
	DB            *db.DB
	Queue         *jobs.Queue
	Vault         *vault.Vault
	HTTP          *httpx.Client
	Fetch         *fetch.Fetcher
	Actors        *actor.Registry
	Hosts         *discover.Hosts
	Outbox        *outbox.Outbox
	Inbox         *inbox.Inbox
	Catchup       *catchup.Service
	Moderation    *moderation.Service
	Goods         *Goods
	// Routes are what rooms that were joined answer, by the patterns of http.ServeMux.
	Routes  map[string]http.Handler
	Listens *Listens

	mu sync.Mutex
	// front, when set, answers instead of the instance.
	front http.Handler
}

// New starts an instance that ends with the test.
func New(t testing.TB, options Options) *Instance {
	t.Helper()
	i := &Instance{Clock: options.Clock, Goods: &Goods{}, Listens: &Listens{}, Routes: map[string]http.Handler{}}
	if i.Clock == nil {
		i.Clock = testkit.NewClock(time.Now())
	}
	var handler http.Handler
	ready := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-ready
		i.mu.Lock()
		front := i.front
		i.mu.Unlock()
		if front != nil {
			front.ServeHTTP(w, r)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	i.BaseURL, i.Host = server.URL, strings.TrimPrefix(server.URL, "http://")
	if options.BaseURL != "" {
		i.BaseURL, i.Host = options.BaseURL, strings.TrimPrefix(options.BaseURL, "http://")
	}
	i.join(t, options)
	handler = i.routes()
	close(ready)
	if !options.Idle {
		i.Start(t)
	}
	return i
}

func (i *Instance) join(t testing.TB, options Options) {
	t.Helper()
	log := options.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dsn := options.DSN
	if dsn == "" {
		dsn = filepath.Join(t.TempDir(), "antiphon.db")
	}
	var err error
	if i.DB, err = db.Open(t.Context(), dsn, log); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	if i.Vault, err = vault.New(make([]byte, 32), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.HTTP = httpx.New(httpx.Config{AllowLoopback: true, Timeout: 5 * time.Second})
	t.Cleanup(i.HTTP.Close)
	i.Fetch, err = fetch.New(fetch.Config{
		BaseURL: i.BaseURL, Scheme: "http", Now: i.Clock.Now,
		Blocked: func(ctx context.Context, host string) (bool, error) { return i.Hosts.IsBlocked(ctx, host) },
		Key: func(ctx context.Context) (string, *rsa.PrivateKey, error) {
			return i.Actors.HTTPKey(ctx, i.Actors.Instance())
		},
	}, i.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	i.Queue = jobs.New(i.DB, log)
	i.Hosts = discover.NewHosts(discover.HostsConfig{Scheme: "http", Own: i.Host, AllowList: options.AllowList}, i.DB, i.HTTP, log, i.Clock.Now)
	i.Actors = actor.New(actor.Config{BaseURL: i.BaseURL, Name: "Test", FileURL: i.fileURL}, actor.Parts{
		DB: i.DB, Vault: i.Vault, Fetch: i.Fetch, Secrets: i, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
	})
	i.Outbox = outbox.New(outbox.Config{BaseURL: i.BaseURL, FileURL: i.fileURL}, outbox.Parts{
		DB: i.DB, Jobs: i.Queue, Actors: i.Actors, Hosts: i.Hosts, HTTP: i.HTTP, Goods: i.Goods, Shares: i.Goods.shares, Taken: options.Taken, Listens: i.Listens, Log: log, Now: i.Clock.Now,
		Receive: func(ctx context.Context, tx *gorm.DB, from string, raw []byte) error {
			return i.Inbox.Receive(ctx, tx, from, raw)
		},
	})
	options.Inbox.BaseURL = i.BaseURL
	i.Inbox = inbox.New(options.Inbox, inbox.Parts{
		DB: i.DB, Jobs: i.Queue, Actors: i.Actors, Hosts: i.Hosts, Outbox: i.Outbox, Fetch: i.Fetch, Log: log, Now: i.Clock.Now,
	})
	i.Outbox.Register(i.Queue)
	i.Inbox.Register(i.Queue)
	i.Catchup = catchup.New(catchup.Config{Spread: -1}, catchup.Parts{
		DB: i.DB, Jobs: i.Queue, Actors: i.Actors, Hosts: i.Hosts, Inbox: i.Inbox, Fetch: i.Fetch, Log: log, Now: i.Clock.Now,
	})
	i.Catchup.Register(i.Queue)
	i.Moderation = moderation.New(moderation.Parts{
		BaseURL: i.BaseURL, DB: i.DB, Jobs: i.Queue, Actors: i.Actors, Hosts: i.Hosts, Outbox: i.Outbox, Log: log, Now: i.Clock.Now,
	})
	i.Moderation.Register(i.Queue)
	if options.Join != nil {
		options.Join(i)
	}
	if err := i.Queue.Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Actors.EnsureInstance(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (i *Instance) routes() http.Handler {
	mux := http.NewServeMux()
	directory := discover.New(discover.Config{BaseURL: i.BaseURL, Name: "Test", Version: "1.0.0"}, i.Actors, i.DB,
		slog.New(slog.DiscardHandler), i.Clock.Now)
	for _, path := range discover.Paths() {
		mux.Handle(path, directory)
	}
	mux.Handle("POST /inbox", i.Inbox)
	mux.Handle("POST /users/{name}/inbox", i.Inbox)
	for pattern, h := range i.Routes {
		mux.Handle(pattern, h)
	}
	mux.Handle("/", i.Outbox.Documents())
	return mux
}

// Start works the queue until the test ends.
func (i *Instance) Start(t testing.TB) {
	t.Helper()
	if err := i.Queue.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	i.Inbox.Start()
	t.Cleanup(func() {
		i.Inbox.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := i.Queue.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Front lets h answer instead of the instance; nil gives the instance back.
func (i *Instance) Front(h http.Handler) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.front = h
}

func (i *Instance) fileURL(cid, filename string) string {
	return i.BaseURL + "/files/" + cid + "/" + filename
}

// User makes a local actor with keys.
func (i *Instance) User(t testing.TB, name, kind string) actor.Actor {
	t.Helper()
	keys, err := i.Actors.NewKeys()
	if err != nil {
		t.Fatal(err)
	}
	var made actor.Actor
	err = i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		made, err = i.Actors.CreateLocal(ctx, tx, actor.Local{
			Name: name, Kind: kind, Display: strings.ToUpper(name[:1]) + name[1:], Keys: keys,
			ReceivingKey: Point, RequestingKey: "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2",
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Point is the Multikey of secp256k1's generator.
const Point = "zQ3shVc2UkAfJCdc1TR8E66J85h48P43r93q8jGPkPpjF9Ef9"

// VerifyingKey implements actor.Secrets.
func (i *Instance) VerifyingKey(context.Context, string) (string, int, error) { return Point, 1, nil }

// SealingKey implements actor.Secrets.
func (i *Instance) SealingKey(context.Context) ([]byte, int, error) {
	return make([]byte, vocab.SealingKeySize), 1, nil
}

// ReencryptURL implements actor.Secrets.
func (i *Instance) ReencryptURL() string { return i.BaseURL + "/antiphon/v1/reencrypt" }

// Until waits until done reports true. A test that fails in it shows the errors of the jobs of these instances.
func Until(t testing.TB, what string, done func() bool, of ...*Instance) {
	t.Helper()
	defer func() {
		for _, i := range of {
			if t.Failed() {
				t.Log(strings.Join(i.Errors(), "\n"))
			}
		}
	}()
	testkit.Until(t, what, done)
}

// Count counts the rows of a table.
func (i *Instance) Count(t testing.TB, table, where string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := i.DB.Read.WithContext(t.Context()).Table(table).Where(where, args...).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

// Listens stands in for what members hear, all of it on any day.
type Listens struct{ Told []listen.Told }

// Tell implements outbox.Listens.
func (l *Listens) Tell(_ context.Context, _ string, yield func(listen.Told) error) error {
	for _, x := range l.Told {
		if err := yield(x); err != nil {
			return err
		}
	}
	return nil
}

// Errors are the errors of some jobs that did not end well, for a failing test to show.
func (i *Instance) Errors() []string {
	var out []string
	i.DB.Read.Table("river_job").Where("errors IS NOT NULL").Limit(5).Pluck("kind || ' ' || CAST(args AS TEXT) || ' ' || CAST(errors AS TEXT)", &out)
	return out
}
