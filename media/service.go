// Package media is what an artist posts: tracks, and the pipeline that makes them ready to be sold.
//
// A file is received, probed, converted to its renditions, cut into segments, sealed with one content key, and put
// into the content-addressed store; each step is a durable job that can be killed and run again. The package knows
// nothing of payments, accounts or the network. Begin with [New], register the steps with [Service.Register], hand
// files to [Service.Ingest], and release with [Service.Publish].
package media

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/media/ipfs"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// TrackPublished: a track went on sale; its followers are to be told.
type TrackPublished struct {
	Track TrackID `json:"track"`
}

// Kind names the job.
func (TrackPublished) Kind() string { return "track_published" }

// TrackChanged: a published track's description changed.
type TrackChanged struct {
	Track   TrackID   `json:"track"`
	Updated time.Time `json:"updated"`
	// Quiet says that its announcement is as it was: only what it is on, or is sold with, has changed.
	Quiet bool `json:"quiet,omitempty"`
}

// Kind names the job.
func (TrackChanged) Kind() string { return "track_changed" }

// Shop makes what is sold of a track; the access room implements it.
type Shop interface {
	// Encapsulate seals the content key to the track's own product, and returns what writes both in the pipeline's
	// transaction; for a track that has its product, that writes nothing.
	Encapsulate(ctx context.Context, t Track, key seal.ContentKey) (write func(tx *gorm.DB) error, err error)
	// SetOpen puts the track's product on sale under a name, or takes it out of sale.
	SetOpen(tx *gorm.DB, track, name string, open bool) error
}

// Config of the pipeline.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// DataDir holds work/ and masters/.
	DataDir string
	// UploadDir holds finished uploads, each in a file named by its id.
	UploadDir string
	// MaxLength is the longest track; 4 hours when 0.
	MaxLength time.Duration
	// FullPause is how long a step waits that finds the disk full; 1 minute when 0.
	FullPause time.Duration
}

// Parts are what the pipeline is joined with.
type Parts struct {
	DB     *db.DB
	Jobs   *jobs.Queue
	Vault  *vault.Vault
	Store  ipfs.Store
	Engine transcode.Engine
	Shop   Shop
	// Bundler may be nil where there are no releases.
	Bundler Bundler
	// Credit tells how a track's artist is called, and the address of the track's page: both stand in downloads.
	Credit func(ctx context.Context, t Track) (artist, url string, err error)
	Log    *slog.Logger
	Now    func() time.Time
	Rand   io.Reader
}

// Service is the artist's side of the media.
type Service struct {
	config  Config
	db      *db.DB
	jobs    *jobs.Queue
	vault   *vault.Vault
	store   ipfs.Store
	engine  transcode.Engine
	shop    Shop
	bundler Bundler
	credit  func(ctx context.Context, t Track) (artist, url string, err error)
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader
}

// New makes the pipeline; nothing runs before its jobs are registered and the queue started.
func New(config Config, p Parts) *Service {
	if config.MaxLength == 0 {
		config.MaxLength = 4 * time.Hour
	}
	if config.FullPause == 0 {
		config.FullPause = defaultPause
	}
	return &Service{
		config: config, db: p.DB, jobs: p.Jobs, vault: p.Vault, store: p.Store, engine: p.Engine, shop: p.Shop, bundler: p.Bundler, credit: p.Credit,
		log: p.Log, now: p.Now, rand: p.Rand,
	}
}

func (s *Service) workDir(id TrackID) string {
	return filepath.Join(s.config.DataDir, "work", string(id))
}

func (s *Service) masterPath(id TrackID) string {
	return filepath.Join(s.config.DataDir, "masters", string(id))
}

func (s *Service) utc() time.Time { return s.now().UTC().Truncate(time.Millisecond) }
