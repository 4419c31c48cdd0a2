// Package account is what a member does with the whole of an account: say which other accounts are the same person's,
// move to one of them, delete it everywhere, take everything along as a file, and bring a list of follows from elsewhere.
//
// Each is begun in one transaction and carried out by jobs that can be killed and run again. The package does not check
// who asks: that is api/auth. It makes no accounts.
//
// Begin with New, then Service.Register.
package account

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/payments/pool"
	"antiphon/payments/purchase"
	"antiphon/vocab"
)

// ErrNotFound is returned for an archive or an import that is not there, or somebody else's.
var ErrNotFound = errors.New("no such archive or import")

// Tracks are an artist's originals; *media.Service is one.
type Tracks interface {
	// Leave takes everything of an artist off sale and deletes what nobody has bought.
	Leave(ctx context.Context, artist string) error
	// Master opens the artist's own file in the clear.
	Master(t media.Track) (io.ReadCloser, error)
}

// Files are the blocks of public files; ipfs.Store is one.
type Files interface {
	OpenFile(ctx context.Context, c ipfs.CID) (io.ReadSeekCloser, error)
}

// Library is what a buyer owns; *access.Service is one.
type Library interface {
	Library(ctx context.Context, buyer string, offset, limit int) ([]access.Owned, error)
	GrantOf(ctx context.Context, buyer, track string) (access.Kept, error)
}

// Purchases are what a buyer bought; *purchase.Service is one.
type Purchases interface {
	Of(ctx context.Context, buyer string, limit int) ([]purchase.Purchase, error)
}

// Parts are what the room is joined with. Tracks, Files, Library and Purchases may be nil where there is nothing of the
// kind.
type Parts struct {
	// Dir is where archives are kept.
	Dir       string
	DB        *db.DB
	Jobs      *jobs.Queue
	Actors    *actor.Registry
	Hosts     *discover.Hosts
	Outbox    *outbox.Outbox
	Tracks    Tracks
	Files     Files
	Library   Library
	Purchases Purchases
	// Names are the pseudonyms of the pool's books.
	Names pool.Names
	Log   *slog.Logger
	Now   func() time.Time
}

// Service is safe for concurrent use.
type Service struct{ Parts }

// New makes the room.
func New(p Parts) *Service { return &Service{p} }

// Register registers the jobs of this room.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[farewell]{Work: s.farewell, Timeout: 10 * time.Minute})
	jobs.Handle(q, jobs.Handler[pack]{Work: s.pack, Timeout: 2 * time.Hour})
	jobs.Handle(q, jobs.Handler[bringFollows]{Work: s.bringFollows, Timeout: 5 * time.Minute})
}

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Second) }

func newID() string { return strings.ToLower(rand.Text()) }

// maxAliases is how many other accounts somebody may name.
const maxAliases = 5

// SetAliases says which other accounts, named as @name@host or by URI, are the same person's, so that these can move
// here; followers are told. An account that cannot be found is an actor.ErrNotFound.
func (s *Service) SetAliases(ctx context.Context, me string, accounts []string) error {
	var uris []string
	for _, text := range accounts {
		if strings.TrimSpace(text) == "" {
			continue
		}
		who, err := s.Actors.Lookup(ctx, text)
		if err != nil {
			return err
		}
		if who.URI != me && !slices.Contains(uris, who.URI) {
			uris = append(uris, who.URI)
		}
	}
	if len(uris) > maxAliases {
		return fmt.Errorf("%w: at most %d", ErrAliases, maxAliases)
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Actors.SetAliases(ctx, tx, me, uris) })
	if err != nil {
		return err
	}
	return s.announce(ctx, me)
}

// ErrAliases is returned for too many other accounts.
var ErrAliases = errors.New("too many accounts")

// announce tells the followers of a local actor how it describes itself now.
func (s *Service) announce(ctx context.Context, uri string) error {
	document, err := s.Actors.Document(ctx, uri)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: s.Outbox.NewID("activities"), Type: vocab.VerbUpdate, Actor: uri, Object: vocab.Ref{ID: uri, Raw: document},
			To: []string{vocab.Public}, Cc: []string{outbox.Followers(uri)}, Published: s.utc(),
		})
	})
}
