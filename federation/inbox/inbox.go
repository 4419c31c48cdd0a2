package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/time/rate"
	"gorm.io/gorm"

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
	// Flight is how many bytes all bodies that are being taken may hold together; 64 MiB when 0. Beyond it, senders are asked
	// to come again.
	Flight int64
	// BodyTime is how long a body may take to come; 20 s when 0.
	BodyTime time.Duration
	// Strangers is how many actors that are not known here one site may make us ask for in a second, after as many at once as
	// in a minute; 1 when 0.
	Strangers rate.Limit
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
	accounts *limits
	asked    *limits
	clock    clock
	flight   *flight
	// desk is where requests wait for the disk, and shelf where the posts of those wait that were taken.
	desk    db.Turns[*letter]
	shelf   db.Turns[*shelved]
	hands   hands
	tellers tellers
	// followed is until when an actor is taken to be followed from here; no more of them than are followed.
	followed sync.Map
	averse   averse
	html     *bluemonday.Policy
	compared *compared

	handlers    map[verbKind]Handler
	recognizers []Recognizer
}

// New makes an inbox that knows the verbs of the social web and of tracks.
func New(config Config, p Parts) *Inbox {
	if config.Rate == 0 {
		config.Rate, config.Burst = 20, 600
	}
	if config.Flight == 0 {
		config.Flight = 64 << 20
	}
	if config.BodyTime == 0 {
		config.BodyTime = 20 * time.Second
	}
	if config.Strangers == 0 {
		config.Strangers = 5
	}
	i := &Inbox{
		config: config, db: p.DB, jobs: p.Jobs, actors: p.Actors, hosts: p.Hosts, outbox: p.Outbox, fetch: p.Fetch, changed: p.Changed, log: p.Log,
		now: p.Now, limits: newLimits(config.Rate, config.Burst),
		accounts: newLimits(config.Rate/2, max(1, config.Burst/2)), asked: newLimits(config.Strangers, int(max(1, 60*config.Strangers))),
		flight: &flight{limit: config.Flight}, html: policy(), handlers: map[verbKind]Handler{},
		compared: &compared{seen: map[string]time.Time{}},
		verifier: &httpsig.Verifier{Origin: config.BaseURL, Keys: p.Actors.Keys(), Now: p.Now},
	}
	p.DB.OnChange(func(key string) {
		if key == "aversions" {
			i.averse.forget()
		}
	})
	i.desk.Most, i.desk.Serve = maxKept, i.keepAll
	i.shelf.Most, i.shelf.Serve = maxKept, i.putShelf
	i.social()
	return i
}

// Handle sets what is done with activities of a verb about objects of a kind. A kind is the type of the embedded
// object, any of several; or of the result that is embedded; or, when the object is only named, what it is known here
// as: the verb of an activity sent or received before, or the type of its object, or what a Recognizer says. The kind
// "" takes what no other handler of the verb takes. A second handler of one pair replaces the first.
func (i *Inbox) Handle(verb vocab.Verb, kind string, fn Handler) {
	i.handlers[verbKind{verb, kind}] = i.unlessAvoided(fn)
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
