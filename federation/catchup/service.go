package catchup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/inbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// Config bounds what is fetched. Zero values are the defaults.
type Config struct {
	// Pages and Posts are how much of one outbox is read at a time; 3 and 60. Time bounds all of it; 20 s.
	Pages, Posts int
	Time         time.Duration
	// Beat is how often the instance notes that it lives; a minute. Gap is the silence that counts as having been down;
	// ten minutes.
	Beat, Gap time.Duration
	// Spread is the time between two actors of one host, on average; 2 s. A negative one asks all at once.
	Spread time.Duration
	// PerHost and Total bound how many actors are asked for after a silence; 200 and 5,000.
	PerHost, Total int
}

// Parts are what the service is joined with.
type Parts struct {
	DB     *db.DB
	Jobs   *jobs.Queue
	Actors *actor.Registry
	Hosts  *discover.Hosts
	Inbox  Inbox
	Fetch  actor.Fetcher
	Log    *slog.Logger
	Now    func() time.Time
}

// Inbox takes what was found; *inbox.Inbox is one.
type Inbox interface {
	// Take acts on an activity of sender as if it had been delivered.
	Take(ctx context.Context, sender actor.Actor, raw []byte) error
	// Track fetches, checks and keeps a track that is not here.
	Track(ctx context.Context, uri string) (vocab.Track, error)
}

// Service reads what was missed. It is safe for concurrent use.
type Service struct {
	config Config
	Parts
}

// New makes a service.
func New(c Config, p Parts) *Service {
	def := func(v *int, d int) {
		if *v == 0 {
			*v = d
		}
	}
	span := func(v *time.Duration, d time.Duration) {
		if *v == 0 {
			*v = d
		}
	}
	def(&c.Pages, 3)
	def(&c.Posts, 60)
	def(&c.PerHost, 200)
	def(&c.Total, 5000)
	span(&c.Time, 20*time.Second)
	span(&c.Beat, time.Minute)
	span(&c.Gap, 10*time.Minute)
	span(&c.Spread, 2*time.Second)
	return &Service{config: c, Parts: p}
}

// missed is the job that reads what one actor posted since a time.
type missed struct {
	Actor string    `json:"actor"`
	Since time.Time `json:"since"`
	at    time.Time
}

// Kind names the job.
func (missed) Kind() string { return "read_missed" }

// Options say when the job begins, and make it one of its kind.
func (m missed) Options() jobs.Options { return jobs.Options{At: m.at, MaxAttempts: 3, Once: true} }

// Register registers the jobs of this room.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[inbox.Followed]{
		Work: func(ctx context.Context, f inbox.Followed, _ int) error { return s.read(ctx, f.Actor, time.Time{}) },
	})
	jobs.Handle(q, jobs.Handler[missed]{
		Work: func(ctx context.Context, m missed, _ int) error { return s.read(ctx, m.Actor, m.Since) },
	})
}

// lifesign is when the instance was last alive.
type lifesign struct {
	Name    string `gorm:"primaryKey"`
	AliveAt time.Time
}

// TableName is gorm's name for the table.
func (lifesign) TableName() string { return "lifesigns" }

// margin is how much earlier than the last sign of life is read again: what was delivered in that time may not have been
// stored.
const margin = 5 * time.Minute

// Begin looks how long this instance was silent, and after a long silence queues the reading of every followed actor.
// Ended half-way and called again, it queues what is missing.
func (s *Service) Begin(ctx context.Context) error {
	var last lifesign
	err := s.DB.Read.WithContext(ctx).Where("name = ?", "instance").Take(&last).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read last sign of life: %w", err)
	}
	if err == nil && s.Now().Sub(last.AliveAt) > s.config.Gap {
		n, err := s.queue(ctx, last.AliveAt.Add(-margin).UTC().Truncate(time.Second))
		if err != nil {
			return err
		}
		s.Log.Info("catching up", "silent_since", last.AliveAt, "actors", n)
	}
	return s.beat(ctx)
}

// Watch notes that the instance lives until ctx ends.
func (s *Service) Watch(ctx context.Context) {
	tick := time.NewTicker(s.config.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.beat(ctx); err != nil && ctx.Err() == nil {
				s.Log.Error("sign of life not written", "error", err)
			}
		}
	}
}

func (s *Service) beat(ctx context.Context) error {
	row := lifesign{Name: "instance", AliveAt: s.Now().UTC().Truncate(time.Second)}
	err := s.DB.Write.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "name"}}, DoUpdates: clause.AssignmentColumns([]string{"alive_at"}),
	}).Create(&row).Error
	if err != nil {
		return fmt.Errorf("write sign of life: %w", err)
	}
	return nil
}

// batch is how many jobs are queued in one transaction.
const batch = 50

// queue makes a job for each remote actor that is followed here, those of one host one after the other.
func (s *Service) queue(ctx context.Context, since time.Time) (int, error) {
	var actors []struct{ URI, Host string }
	err := s.DB.Read.WithContext(ctx).Table("follows").
		Joins("JOIN actors AS them ON them.uri = follows.followed AND NOT them.local").
		Joins("JOIN actors AS us ON us.uri = follows.follower AND us.local").
		Where("follows.state = ?", actor.Accepted).Select("DISTINCT them.uri, them.host").Order("them.host, them.uri").Limit(s.config.Total).Scan(&actors).Error
	if err != nil {
		return 0, fmt.Errorf("read followed actors: %w", err)
	}
	var next []jobs.Args
	ofHost := map[string]int{}
	for _, a := range actors {
		n := ofHost[a.Host]
		if ofHost[a.Host]++; n >= s.config.PerHost {
			continue
		}
		m := missed{Actor: a.URI, Since: since}
		if spread := s.config.Spread; spread > 0 {
			m.at = s.Now().Add(time.Duration(n)*spread + rand.N(spread))
		}
		next = append(next, m)
	}
	for from := 0; from < len(next); from += batch {
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for _, job := range next[from:min(from+batch, len(next))] {
				if err := s.Jobs.Insert(ctx, tx, job); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return len(next), nil
}
