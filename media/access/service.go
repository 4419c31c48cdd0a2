// Package access is the grant protocol: what a track's content key is sealed to, who was granted it, and the proxies'
// part in opening it.
//
// On the seller's side it makes products and capsules ([Service.Encapsulate]) and grants ([Service.Prepare]); on a
// proxy's it keeps key fragments and re-encrypts ([Service.Hold], [Service.Reencrypt]); on the buyer's it keeps grants
// and the sealed blocks that they lead to ([Service.TakeGrant], [Service.Block]). [Open] is the buyer's last step, as
// the browser does it too. Shapes are in vocab; signatures and delivery are federation's; payments are unknown here.
package access

import (
	"cmp"
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

// GrantChanged: a grant has a new set of fragments that enough proxies have accepted; its buyer is to get the later form.
type GrantChanged struct {
	Grant string `json:"grant"`
	Set   int    `json:"set"`
}

// Kind names the job.
func (GrantChanged) Kind() string { return "grant_changed" }

// KfragsDropped: a set of fragments is out of use; its proxies are to erase it.
type KfragsDropped struct {
	Grant string `json:"grant"`
	Set   int    `json:"set"`
}

// Kind names the job.
func (KfragsDropped) Kind() string { return "kfrags_dropped" }

// GrantRevoked: an artist has taken a grant back; its buyer and its proxies are to be told.
type GrantRevoked struct {
	Grant string `json:"grant"`
}

// Kind names the job.
func (GrantRevoked) Kind() string { return "grant_revoked" }

// Proxy is an instance that may hold a key fragment.
type Proxy struct {
	// Actor is the instance's, Reencrypt where it re-encrypts.
	Actor, Reencrypt string
	// SealingKeyID names SealingKey, the encoded HPKE public key.
	SealingKeyID string
	SealingKey   []byte
}

// Peers knows the other instances that grants have to do with.
type Peers interface {
	// Proxies returns the instances beside this one that would hold a fragment of a grant to buyer, each once: the
	// buyer's own first, then those that chosen names by their actors, then those that this instance trusts. It asks
	// nobody, and leaves out whom it has not met.
	Proxies(ctx context.Context, chosen []string, buyer string) ([]Proxy, error)
	// Meet learns who would hold a fragment of what buyer is sold, so that it is known when the payment comes. It is an
	// error, and to be tried again, when the buyer's own instance should be one and does not answer.
	Meet(ctx context.Context, chosen []string, buyer string) error
	// Trusts reports whether this instance holds fragments for an artist of another one.
	Trusts(ctx context.Context, artist string) bool
	// Find returns the proxy that an instance is, by its host or the URI of its actor; the error says in words why it is
	// none.
	Find(ctx context.Context, instance string) (Proxy, error)
	// Probe asks a proxy, as lightly as it goes, whether it is there.
	Probe(ctx context.Context, p Proxy) error
	// Revocations reads a page of what a seller has revoked of the grants that this instance is a proxy of, oldest first,
	// from behind a cursor; an empty cursor is the beginning.
	Revocations(ctx context.Context, seller, after string) ([]Revocation, error)
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
	// Threshold is how many proxies open a grant, Proxies how many hold a fragment of it; 2 and 3 when 0. Where there are
	// fewer proxies, the threshold is lowered so far that any one of several may be gone.
	Threshold, Proxies int
	// PerArtist and PerHost bound how many fragments are held for artists of other instances; 20,000 and 200,000 when 0.
	PerArtist, PerHost int64
	// Patience is how long a proxy may take to accept its fragment before another one is drawn; 1 hour when 0.
	Patience time.Duration
	// Tend is the pause between two rounds of [Service.Tend]; 1 minute when 0.
	Tend time.Duration
}

func (c *Config) setDefaults() {
	c.Threshold, c.Proxies = cmp.Or(c.Threshold, 2), cmp.Or(c.Proxies, 3)
	c.PerArtist, c.PerHost = cmp.Or(c.PerArtist, 20_000), cmp.Or(c.PerHost, 200_000)
	c.Patience, c.Tend = cmp.Or(c.Patience, time.Hour), cmp.Or(c.Tend, time.Minute)
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
	config    Config
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
	// opened are the fragments that were unsealed and verified lately, caught the sellers whose revocations were read.
	opened *cabinet
	caught *sellers
	spent  *purse
	helped *tally
}

// New makes the room.
func New(config Config, p Parts) *Service {
	config.setDefaults()
	s := &Service{
		config: config, base: config.BaseURL, db: p.DB, jobs: p.Jobs, vault: p.Vault, store: p.Store, peers: p.Peers, fetch: p.Fetch,
		downloads: p.Downloads,
		log:       p.Log, now: p.Now, rand: p.Rand, rate: newLimiter(), opened: newCabinet(), caught: newSellers(), helped: &tally{},
	}
	s.spent = &purse{write: s.writeNonces}
	return s
}

// InstanceActor is the actor that signs for this instance and holds fragments.
func (s *Service) InstanceActor() string { return s.base + "/actor" }

// ReencryptURL is where this instance re-encrypts.
func (s *Service) ReencryptURL() string { return s.base + "/antiphon/v1/reencrypt" }

func (s *Service) utc() time.Time { return s.now().UTC().Truncate(time.Second) }
