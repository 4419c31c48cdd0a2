package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/time/rate"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// Config of the inbox.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// Rate is how many activities a second one site (registrable domain) may send, after a burst; 20 and 600 when 0.
	Rate  rate.Limit
	Burst int
}

// Parts are what the inbox is joined with.
type Parts struct {
	DB     *db.DB
	Jobs   *jobs.Queue
	Actors *actor.Registry
	Hosts  *discover.Hosts
	Outbox *outbox.Outbox
	Fetch  actor.Fetcher
	// Changed is told, in the transaction that keeps it, of each track of another server that came or changed; it may be
	// nil.
	Changed func(ctx context.Context, tx *gorm.DB, track string) error
	Log     *slog.Logger
	Now     func() time.Time
}

// Incoming is an activity whose sender was verified.
type Incoming struct {
	// Actor sent it and signed for it.
	Actor    actor.Actor
	Activity vocab.Activity
	// Raw is the activity as it came.
	Raw []byte
}

// Handler acts on an activity of one verb and kind. It may run again with the same activity, so it must be idempotent.
// A *Refusal ends the activity; any other error is tried again, and recorded when it stays.
type Handler func(ctx context.Context, in Incoming) error

// Recognizer tells the kind of an object of another room by its URI, or "" when it does not know it.
type Recognizer func(ctx context.Context, uri string) (kind string, err error)

// Refusal says why an activity has no effect; it is kept with the activity and not sent to anybody.
type Refusal struct{ Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Words }

// Refuse makes a Refusal.
func Refuse(format string, args ...any) error { return &Refusal{fmt.Sprintf(format, args...)} }

type verbKind struct {
	verb vocab.Verb
	kind string
}

// Inbox is safe for concurrent use once Handle and Recognize are no longer called.
type Inbox struct {
	config   Config
	db       *db.DB
	jobs     *jobs.Queue
	actors   *actor.Registry
	hosts    *discover.Hosts
	outbox   *outbox.Outbox
	fetch    actor.Fetcher
	changed  func(ctx context.Context, tx *gorm.DB, track string) error
	log      *slog.Logger
	now      func() time.Time
	verifier *httpsig.Verifier
	limits   *limits
	html     *bluemonday.Policy

	handlers    map[verbKind]Handler
	recognizers []Recognizer
}

// New makes an inbox that knows the verbs of the social web and of tracks.
func New(config Config, p Parts) *Inbox {
	if config.Rate == 0 {
		config.Rate, config.Burst = 20, 600
	}
	i := &Inbox{
		config: config, db: p.DB, jobs: p.Jobs, actors: p.Actors, hosts: p.Hosts, outbox: p.Outbox, fetch: p.Fetch, changed: p.Changed, log: p.Log,
		now: p.Now, limits: newLimits(config.Rate, config.Burst), html: policy(), handlers: map[verbKind]Handler{},
		verifier: &httpsig.Verifier{Origin: config.BaseURL, Keys: p.Actors.Keys(), Now: p.Now},
	}
	i.social()
	return i
}

// Handle sets what is done with activities of a verb about objects of a kind. A kind is the type of the embedded
// object, any of several; or of the result that is embedded; or, when the object is only named, what it is known here
// as: the verb of an activity sent or received before, or the type of its object, or what a Recognizer says. The kind
// "" takes what no other handler of the verb takes. A second handler of one pair replaces the first.
func (i *Inbox) Handle(verb vocab.Verb, kind string, fn Handler) {
	i.handlers[verbKind{verb, kind}] = fn
}

// Recognize adds a way to tell the kind of a named object.
func (i *Inbox) Recognize(fn Recognizer) { i.recognizers = append(i.recognizers, fn) }

// knows reports whether a verb has any effect here.
func (i *Inbox) knows(verb vocab.Verb) bool {
	for k := range i.handlers {
		if k.verb == verb {
			return true
		}
	}
	return false
}

// The states of a stored activity.
const (
	received = "received"
	done     = "done"
	ignored  = "ignored"
	refused  = "refused"
	failed   = "failed"
)

// record is a stored activity.
type record struct {
	Actor      string `gorm:"primaryKey"`
	ID         string `gorm:"primaryKey"`
	Type       string
	Raw        []byte
	State      string
	Outcome    string
	ReceivedAt time.Time
}

// TableName is gorm's name for the table.
func (record) TableName() string { return "activities" }

// arrived is the job of one stored activity.
type arrived struct {
	Actor string `json:"actor"`
	ID    string `json:"id"`
}

// attempts is how often a handler is tried: the queue's own pauses between them come to about half a day.
const attempts = 14

// Kind names the job.
func (arrived) Kind() string { return "activity_arrived" }

// Options bound the attempts.
func (arrived) Options() jobs.Options { return jobs.Options{MaxAttempts: attempts} }

// Register registers the jobs of this room.
func (i *Inbox) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[arrived]{Work: i.work, Timeout: 2 * time.Minute})
}

// idOf is what an activity is stored under: its id, or for one without, the hash of its bytes.
func idOf(a vocab.Activity, raw []byte) string {
	if a.ID != "" {
		return a.ID
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// keep stores an activity and its job, unless it is stored already.
func (i *Inbox) keep(ctx context.Context, tx *gorm.DB, a vocab.Activity, raw []byte) error {
	row := record{
		Actor: a.Actor, ID: idOf(a, raw), Type: string(a.Type), Raw: raw, State: received, ReceivedAt: i.now().UTC().Truncate(time.Second),
	}
	result := tx.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if result.Error != nil {
		return fmt.Errorf("store activity %s: %w", row.ID, result.Error)
	}
	if result.RowsAffected == 0 {
		return nil
	}
	return i.jobs.Insert(ctx, tx, arrived{Actor: row.Actor, ID: row.ID})
}

// Receive takes an activity of the local actor from for local recipients, inside tx; the outbox calls it.
func (i *Inbox) Receive(ctx context.Context, tx *gorm.DB, from string, raw []byte) error {
	a, err := vocab.ParseActivity(raw)
	if errors.Is(err, vocab.ErrUnknownType) || err == nil && !i.knows(a.Type) {
		return nil
	}
	if err != nil {
		return err
	}
	if a.Actor != from || !i.actors.Own(from) {
		return fmt.Errorf("activity %s of %s is not by %s", a.ID, a.Actor, from)
	}
	return i.keep(ctx, tx, a, raw)
}
