// Package play serves what a player needs: grants, sealed blocks, the relay to the proxies, and this instance's own
// part as a proxy.
//
// It decides who may have what and speaks HTTP; the protocol itself is in media/access. Begin with [New]; package
// api mounts the handlers.
package play

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"antiphon/internal/httpx"
	"antiphon/media/access"
	"antiphon/media/ipfs"
)

// Track is what a player shows of a track.
type Track struct {
	URI       string  `json:"uri"`
	Title     string  `json:"title"`
	Artist    string  `json:"artist"`
	ArtistURL string  `json:"artistUrl"`
	URL       string  `json:"url"`
	Cover     string  `json:"cover"`
	Duration  float64 `json:"duration"`
	// Peaks are 0..255, evenly spread over the track; none when they are not known.
	Peaks []int `json:"peaks"`
	// Downloads are the sealed files that a buyer may keep.
	Downloads []Download `json:"downloads"`
}

// Download is a sealed file of a track.
type Download struct {
	// Format is its extension, and names its key.
	Format string `json:"format"`
	// CID names it as it is sealed, with Size bytes; URL is where this instance has it.
	CID  string `json:"-"`
	URL  string `json:"url"`
	Size int64  `json:"size"`
}

// Describer knows tracks of here and of elsewhere.
type Describer interface {
	Describe(ctx context.Context, track string) (Track, error)
}

// Listens records what is played; media/listen implements it.
type Listens interface {
	// Ticket is what a player reports with for a track of that many seconds, or "" when nothing is to be recorded.
	Ticket(ctx context.Context, listener, artist, track string, seconds int64) (string, error)
}

// Pool opens tracks of the listening pool.
type Pool interface {
	// Lend has the user granted a track of the pool, and returns when the grant is here. An [*access.Refusal] says why it is
	// not, and access.ErrUnknownGrant that the track is not in the pool. It may take seconds.
	Lend(ctx context.Context, user, track string) error
}

// Parts are what the room is joined with.
type Parts struct {
	BaseURL string
	Access  *access.Service
	Store   ipfs.Store
	HTTP    *httpx.Client
	Tracks  Describer
	// Listens may be nil, and nothing is recorded.
	Listens Listens
	// Pool may be nil, and nothing is lent.
	Pool Pool
	// User returns the actor of the request's session, or "".
	User func(*http.Request) string
	Log  *slog.Logger
	Now  func() time.Time
}

// Service holds the handlers.
type Service struct{ Parts }

// New makes the room.
func New(p Parts) *Service { return &Service{p} }

// problem answers with application/problem+json (RFC 9457) and the protocol's code.
func problem(w http.ResponseWriter, status int, code, words string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "title": words, "code": code})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(v)
}
