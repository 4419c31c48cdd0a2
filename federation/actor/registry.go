package actor

import (
	"context"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
	"gorm.io/gorm"

	"antiphon/federation/fetch"
	"antiphon/internal/db"
	"antiphon/internal/vault"
	"antiphon/vocab"
)

// Fetcher gets documents of other servers; *fetch.Fetcher is one.
type Fetcher interface {
	// Get returns the document that uri leads to, served by the host of its own id.
	Get(ctx context.Context, uri string) (fetch.Document, error)
	// Finger returns the URI of the actor with the handle name@host.
	Finger(ctx context.Context, handle string) (uri string, err error)
}

// Secrets publishes the public halves of keys that other rooms hold.
type Secrets interface {
	// VerifyingKey is the current Umbral verifying key of a local artist, a Multikey, and its number from 1.
	VerifyingKey(ctx context.Context, artist string) (multikey string, number int, err error)
	// SealingKey is the HPKE public key that fragments for this instance are sealed to, and its number from 1.
	SealingKey(ctx context.Context) (publicKey []byte, number int, err error)
	// ReencryptURL is where this instance re-encrypts.
	ReencryptURL() string
}

// Config says where this instance lives.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// Name is what the instance is called.
	Name string
	// FileURL is the address of a public file, such as an artist's picture, by its CID.
	FileURL func(cid, filename string) string
}

// Parts are what the registry is joined with.
type Parts struct {
	DB      *db.DB
	Vault   *vault.Vault
	Fetch   Fetcher
	Secrets Secrets
	// Offers returns links to what a local artist sells, the most important first; it may be nil.
	Offers func(ctx context.Context, artist string) ([]vocab.PaymentLink, error)
	Log    *slog.Logger
	Now    func() time.Time
	Rand   io.Reader
}

// Registry is safe for concurrent use.
type Registry struct {
	config  Config
	host    string
	db      *db.DB
	vault   *vault.Vault
	fetch   Fetcher
	secrets Secrets
	offers  func(ctx context.Context, artist string) ([]vocab.PaymentLink, error)
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader

	flights singleflight.Group
	cache   cache

	mu sync.Mutex
	// owners remembers which actor a key id without a fragment belongs to.
	owners map[string]string
	// failed remembers when an actor could not be had.
	failed map[string]failure
	http   map[string]httpKey
	proof  map[string]proofKey
}

type failure struct {
	at  time.Time
	err error
}

type httpKey struct {
	id     string
	signer *rsa.PrivateKey
}

type proofKey struct {
	id  string
	key ed25519.PrivateKey
}

// maxRemembered bounds each map of a Registry; a full one is emptied.
const maxRemembered = 10_000

// New makes a registry. Parts.Fetch may sign its requests with keys of the registry that is being made.
func New(config Config, p Parts) *Registry {
	return &Registry{
		config: config, host: HostOf(config.BaseURL), db: p.DB, vault: p.Vault, fetch: p.Fetch, secrets: p.Secrets, offers: p.Offers,
		log: p.Log, now: p.Now, rand: p.Rand,
		owners: map[string]string{}, failed: map[string]failure{}, http: map[string]httpKey{}, proof: map[string]proofKey{},
	}
}

// Host is this instance's host, with its port where there is one.
func (r *Registry) Host() string { return r.host }

// BaseURL is this instance's address, without a trailing slash.
func (r *Registry) BaseURL() string { return r.config.BaseURL }

// Instance is the URI of the actor that speaks for the instance itself.
func (r *Registry) Instance() string { return r.config.BaseURL + "/actor" }

// Own reports whether a URI lies on this instance.
func (r *Registry) Own(uri string) bool { return HostOf(uri) == r.host }

func (r *Registry) utc() time.Time { return r.now().UTC().Truncate(time.Second) }

// Local returns the local actor of that URI, or ErrNotFound, or ErrGone for one that was deleted.
func (r *Registry) Local(ctx context.Context, uri string) (Actor, error) {
	return r.here(ctx, r.db.Read.Where("uri = ? AND local", uri), uri)
}

// ByName returns the local actor of that name, in any case, or ErrNotFound.
func (r *Registry) ByName(ctx context.Context, name string) (Actor, error) {
	name = strings.ToLower(name)
	return r.here(ctx, r.db.Read.Where("host = ? AND name = ? AND local", r.host, name), name)
}

// here returns a local actor that is to be met.
func (r *Registry) here(ctx context.Context, q *gorm.DB, name string) (Actor, error) {
	found, err := take(q.WithContext(ctx), name)
	if err == nil {
		err = found.standing()
	}
	if err != nil {
		return Actor{}, err
	}
	return r.actor(ctx, found)
}

// Known returns what is stored of an actor, however old, or ErrNotFound. It never asks another server.
func (r *Registry) Known(ctx context.Context, uri string) (Actor, error) {
	found, err := take(r.db.Read.WithContext(ctx).Where("uri = ?", uri), uri)
	if err != nil {
		return Actor{}, err
	}
	return r.actor(ctx, found)
}

func take(q *gorm.DB, name string) (row, error) {
	var found row
	err := q.Take(&found).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return row{}, fmt.Errorf("read actor %s: %w", name, err)
	}
	return found, nil
}

// HasInbox is nil when a local actor of that name, in any case, has an inbox here, and else ErrNotFound.
func (r *Registry) HasInbox(ctx context.Context, name string) error {
	name = strings.ToLower(name)
	_, turn, ok := read(&r.cache, &r.cache.inboxes, name, r.now())
	if ok {
		return nil
	}
	found, err := take(r.db.Read.WithContext(ctx).Where("host = ? AND name = ? AND local", r.host, name), name)
	if err == nil {
		err = found.standing()
	}
	if err != nil {
		return err
	}
	write(&r.cache, &r.cache.inboxes, name, struct{}{}, r.now().Add(cached), turn)
	return nil
}

// Forget makes this process forget what it remembers of a remote actor and its keys. Call it after a transaction that has
// changed or removed the actor.
func (r *Registry) Forget(uri string) { r.cache.drop(uri) }

// remember puts a value into one of the registry's maps.
func remember[V any](r *Registry, m map[string]V, key string, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(m) >= maxRemembered {
		clear(m)
	}
	m[key] = value
}

func recall[V any](r *Registry, m map[string]V, key string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, ok := m[key]
	return v, ok
}
