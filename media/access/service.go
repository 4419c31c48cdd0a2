// Package access is the grant protocol: what a track's content key is sealed to, who was granted it, and the proxies'
// part in opening it.
//
// On the seller's side it makes products and capsules ([Service.Encapsulate]) and grants ([Service.Prepare]); on a
// proxy's it keeps key fragments and re-encrypts ([Service.Hold], [Service.Reencrypt]); on the buyer's it keeps grants
// and the sealed blocks that they lead to ([Service.TakeGrant], [Service.Block]). [Open] is the buyer's last step, as
// the browser does it too. Shapes are in vocab; signatures and delivery are federation's; payments are unknown here.
package access

import (
	"context"
	"io"
	"log/slog"
	"time"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/media/ipfs"
)

// GrantIssued: a grant was written; its buyer is to get it.
type GrantIssued struct {
	Grant string `json:"grant"`
}

// Kind names the job.
func (GrantIssued) Kind() string { return "grant_issued" }

// KfragsMade: a set of key fragments was made for a grant; their proxies are to get them.
type KfragsMade struct {
	Grant string `json:"grant"`
	Set   int    `json:"set"`
}

// Kind names the job.
func (KfragsMade) Kind() string { return "kfrags_made" }

// Proxy is an instance that may hold a key fragment.
type Proxy struct {
	// Actor is the instance's, Reencrypt where it re-encrypts.
	Actor, Reencrypt string
	// SealingKeyID names SealingKey, the encoded HPKE public key.
	SealingKeyID string
	SealingKey   []byte
}

// Peers knows the instances that may hold a fragment of a grant.
type Peers interface {
	// Proxies returns the instances beside this one that would hold a fragment of a grant of artist to buyer: the
	// buyer's own first. It asks nobody, and leaves out whom it has not met.
	Proxies(ctx context.Context, artist, buyer string) ([]Proxy, error)
	// Meet learns who would hold a fragment of what buyer is sold, so that it is known when the payment comes. It is an
	// error, and to be tried again, when the buyer's own instance should be one and does not answer.
	Meet(ctx context.Context, buyer string) error
	// Trusts reports whether this instance holds fragments for an artist of another one.
	Trusts(ctx context.Context, artist string) bool
}

// Fetcher gets blocks from the instance that published them.
type Fetcher interface {
	// Block gets at most limit bytes from url.
	Block(ctx context.Context, url string, limit int64) ([]byte, error)
}

// Config of the room.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
}

// Parts are what the room is joined with.
type Parts struct {
	DB    *db.DB
	Jobs  *jobs.Queue
	Vault *vault.Vault
	Store ipfs.Store
	Peers Peers
	Fetch Fetcher
	// Downloads returns the CIDs of the files that buyers of a track of another server may keep; it may be nil.
	Downloads func(ctx context.Context, track string) ([]string, error)
	Log       *slog.Logger
	Now       func() time.Time
	Rand      io.Reader
}

// Service holds all three parts: seller's, proxy's and buyer's.
type Service struct {
	base      string
	db        *db.DB
	jobs      *jobs.Queue
	vault     *vault.Vault
	store     ipfs.Store
	peers     Peers
	fetch     Fetcher
	downloads func(ctx context.Context, track string) ([]string, error)
	log       *slog.Logger
	now       func() time.Time
	rand      io.Reader
	rate      *limiter
}

// New makes the room.
func New(config Config, p Parts) *Service {
	return &Service{
		base: config.BaseURL, db: p.DB, jobs: p.Jobs, vault: p.Vault, store: p.Store, peers: p.Peers, fetch: p.Fetch,
		downloads: p.Downloads,
		log:       p.Log, now: p.Now, rand: p.Rand, rate: newLimiter(),
	}
}

// InstanceActor is the actor that signs for this instance and holds fragments.
func (s *Service) InstanceActor() string { return s.base + "/actor" }

// ReencryptURL is where this instance re-encrypts.
func (s *Service) ReencryptURL() string { return s.base + "/antiphon/v1/reencrypt" }

func (s *Service) utc() time.Time { return s.now().UTC().Truncate(time.Second) }
