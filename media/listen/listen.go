// Package listen records what members hear: plays, their evidence, and what is told of them.
//
// A play is opened when a player starts; reports of what was heard ride on requests that the player makes anyway, and are
// kept in memory until they are written together. Nothing here knows of money: which plays have no part in it is said by
// a [Judge], who is joined in cmd, and [Service.Lines] tells a day to whoever divides the money. Not for counting
// downloads, nor for previews, which strangers hear.
//
// Begin with [New] and [Service.Register]; [Service.Ticket] is what a player is given, [Service.Take] what it reports.
package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
)

// Config of the room.
type Config struct {
	// Write is how often reports are written; 10 s when 0. What was reported since then is lost when the process is killed,
	// unless the player is still there: its next report has all that was heard.
	Write time.Duration
	// MaxPlays is how many plays are kept in mind at a time; 100,000 when 0.
	MaxPlays int
}

// Parts are what the room is joined with.
type Parts struct {
	DB    *db.DB
	Jobs  *jobs.Queue
	Vault *vault.Vault
	// Judge says which plays do not count; nil lets all count that are plays.
	Judge Judge
	// Pooled reports whether a track, of here or of elsewhere, is in the listening pool; nil says so of all.
	Pooled func(ctx context.Context, track string) (bool, error)
	// Credits are the artists of a track with their shares, if it has several; it may be nil.
	Credits func(ctx context.Context, track string) ([]Credit, error)
	Log     *slog.Logger
	Now     func() time.Time
	Rand    io.Reader
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	config  Config
	db      *db.DB
	jobs    *jobs.Queue
	vault   *vault.Vault
	judge   Judge
	pooled  func(ctx context.Context, track string) (bool, error)
	credits func(ctx context.Context, track string) ([]Credit, error)
	log     *slog.Logger
	now     func() time.Time
	rand    io.Reader
	key     [32]byte

	mu       sync.Mutex
	plays    map[string]*play
	accounts map[string]*account
	// orphans are accounts of which the journal has plays, and that nobody has asked for yet.
	orphans map[string]account
	// network is the key of the month, when it was needed first.
	network networkKey
	// writing lets one write at a time happen; replayed is only looked at with it.
	writing  sync.Mutex
	replayed bool
	// told is the last day whose end was told.
	told string
}

// New makes the room; nothing is written before its loop runs.
func New(config Config, p Parts) (*Service, error) {
	if config.Write == 0 {
		config.Write = 10 * time.Second
	}
	if config.MaxPlays == 0 {
		config.MaxPlays = 100_000
	}
	key, err := p.Vault.Key("listen")
	if err != nil {
		return nil, err
	}
	return &Service{
		config: config, db: p.DB, jobs: p.Jobs, vault: p.Vault, judge: p.Judge, pooled: p.Pooled, credits: p.Credits, log: p.Log, now: p.Now, rand: p.Rand,
		key: key, plays: map[string]*play{}, accounts: map[string]*account{}, orphans: map[string]account{},
	}, nil
}

// DayEnded: a day is over and its plays are written; who wants to tell of it may.
type DayEnded struct {
	// Day is a UTC day such as "2026-11-21".
	Day string `json:"day"`
}

// Kind names the job.
func (DayEnded) Kind() string { return "listens_day_ended" }

// Options let a day end once, beside the table of days that have.
func (DayEnded) Options() jobs.Options { return jobs.Options{Once: true} }

// late is how long after midnight a day is told of: what was heard before it is written by then.
const late = 30 * time.Minute

// Register adds the loop that writes what was reported, and lets days end.
func (s *Service) Register(q *jobs.Queue) { q.Loop(s.run) }

func (s *Service) run(ctx context.Context) {
	tick := time.NewTicker(s.config.Write)
	defer tick.Stop()
	for {
		if err := errors.Join(s.keep(ctx), s.endDay(ctx)); err != nil && ctx.Err() == nil {
			s.log.Error("plays not written", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := s.Write(last); err != nil {
				s.log.Error("plays not written", "error", err)
			}
			return
		}
	}
}

// keep writes plays that have ended, or went on for long, and puts what is new of the others into the journal.
func (s *Service) keep(ctx context.Context) error {
	now := s.now()
	return s.write(ctx, func(p *play) bool {
		return now.Sub(p.reported) > quietFor || now.Sub(p.started) > unwrittenFor && now.Sub(p.written) > unwrittenFor
	})
}

// endDay tells once that yesterday is over, and the days before it that ended while this instance was away; and forgets keys
// of long ago and what was heard by who is gone.
func (s *Service) endDay(ctx context.Context) error {
	day := dayOf(s.now().Add(-late - 24*time.Hour))
	s.mu.Lock()
	known := s.told == day
	s.mu.Unlock()
	if known {
		return nil
	}
	err := s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := forgetGone(tx.WithContext(ctx), s.now()); err != nil {
			return err
		}
		if err := forgetKeys(ctx, tx, s.now()); err != nil {
			return err
		}
		days, err := untold(tx, s.now().Add(-late))
		if err != nil {
			return err
		}
		for _, d := range days {
			if err := s.jobs.Insert(ctx, tx, DayEnded{Day: d}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.told = day
	s.mu.Unlock()
	return nil
}

// backfill is how many days are told of that ended while this instance was away: others take no older ones.
const backfill = 3

// untold notes inside tx that all days before one are told of, and returns those that were not; of an instance that has
// told of none, the last one.
func untold(tx *gorm.DB, now time.Time) ([]string, error) {
	var last string
	if err := tx.Table("listen_days").Select("COALESCE(MAX(day), '')").Scan(&last).Error; err != nil {
		return nil, fmt.Errorf("read days that were told: %w", err)
	}
	var days []string
	for back := 1; back <= backfill; back++ {
		day := dayOf(now.AddDate(0, 0, -back))
		if day <= last {
			break
		}
		res := tx.Exec("INSERT INTO listen_days (day) VALUES (?) ON CONFLICT DO NOTHING", day)
		if res.Error != nil {
			return nil, fmt.Errorf("note day that is told: %w", res.Error)
		}
		if res.RowsAffected > 0 {
			days = append(days, day)
		}
		if last == "" {
			break
		}
	}
	slices.Reverse(days)
	return days, nil
}

// dayOf is the UTC day of an instant.
func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Ticket is what the player of a member is given for a track of that length in seconds, to report with. It is empty for
// who does not want plays to be recorded, and for a track without a length.
func (s *Service) Ticket(ctx context.Context, listener, artist, track string, length int64) (string, error) {
	if length <= 0 || length > maxLength {
		return "", nil
	}
	a, err := s.account(ctx, listener, s.now())
	if err != nil || a.off {
		return "", err
	}
	return s.sign(ticket{issued: s.now(), listener: listener, artist: artist, track: track, length: length}), nil
}

// Serve takes reports as the body of a POST: the last ones, which found no other request to ride on. It answers 204, or
// 400, 403, 413 or 503.
func (s *Service) Serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxReports))
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	err = s.Take(r.Context(), string(body), r.RemoteAddr, r.UserAgent())
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, ErrReport):
		w.WriteHeader(http.StatusBadRequest)
	case errors.Is(err, ErrTicket):
		w.WriteHeader(http.StatusForbidden)
	default:
		if !errors.Is(err, ErrBusy) {
			s.log.Error("report of a play not taken", "error", err)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// Riding serves blocks and takes the reports that their requests carry. A report that is not good changes nothing about
// the answer: the music goes on.
func (s *Service) Riding(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text := r.Header.Get(Header)
		if text == "" {
			next.ServeHTTP(w, r)
			return
		}
		if err := s.Take(r.Context(), text, r.RemoteAddr, r.UserAgent()); err != nil {
			s.log.Debug("report of a play not taken", "error", err)
		}
		counting := &counter{ResponseWriter: w}
		next.ServeHTTP(counting, r)
		if counting.status < http.StatusBadRequest {
			s.fetched(text, r.URL.Path, counting.bytes)
		}
	})
}

// counter counts what an answer has.
type counter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader implements [http.ResponseWriter].
func (c *counter) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (c *counter) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (c *counter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Qualified reports whether that much of a track of that length in seconds is a play: 30 s of distinct sound, half of a
// track of less than a minute; what is shorter than 30 s has no plays.
func Qualified(seconds, length int64) bool {
	switch {
	case length < 30:
		return false
	case length < 60:
		return 2*seconds >= length
	}
	return seconds >= 30
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
