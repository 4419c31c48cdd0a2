package outbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// Config of the outbox.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// FileURL is the address of a public file (a preview, a cover) by its CID.
	FileURL func(cid, filename string) string
	// Words tells a price to people ("5 EUR", "free"), in plain text; nil or empty text says nothing of it.
	Words func(units, asset string, decimals int) string
	// PerHost is how many deliveries to one host run at a time; 4 when 0: a sale sends three things at once.
	PerHost int
}

// Parts are what the outbox is joined with.
type Parts struct {
	DB     *db.DB
	Jobs   *jobs.Queue
	Actors *actor.Registry
	Hosts  *discover.Hosts
	HTTP   *httpx.Client
	Goods  Goods
	// Shares says who is owed what a product is paid, for its proposal; none, or a nil Shares, means the artist alone.
	Shares func(ctx context.Context, product string) ([]vocab.Share, error)
	// Listens may be nil, and nothing is told of what members hear.
	Listens Listens
	// Taken is told of each activity that an inbox elsewhere has taken; it may be told again. It may be nil.
	Taken func(ctx context.Context, activity string) error
	// Receive takes an activity for local recipients inside tx; it is inbox.Inbox's method of that name.
	Receive func(ctx context.Context, tx *gorm.DB, from string, raw []byte) error
	Log     *slog.Logger
	Now     func() time.Time
	// Jitter spreads out what is tried again: numbers from 0 to below 1. Chance when nil.
	Jitter func() float64
}

// Outbox sends. It is safe for concurrent use.
type Outbox struct {
	config  Config
	db      *db.DB
	jobs    *jobs.Queue
	actors  *actor.Registry
	hosts   *discover.Hosts
	http    *httpx.Client
	goods   Goods
	shares  func(ctx context.Context, product string) ([]vocab.Share, error)
	listens Listens
	taken   func(ctx context.Context, activity string) error
	receive func(ctx context.Context, tx *gorm.DB, from string, raw []byte) error
	log     *slog.Logger
	now     func() time.Time
	renders *renders
	digests *digestCache
	jitter  func() float64

	dispatcher *dispatcher
	// signers has a place for each signature that is made at a time.
	signers chan struct{}
	// last is the order of the activity that was sent last by this process.
	last atomic.Int64
}

// New makes an outbox; nothing is delivered before its jobs are registered and the queue started.
func New(config Config, p Parts) *Outbox {
	if config.PerHost == 0 {
		config.PerHost = 4
	}
	if p.Jitter == nil {
		p.Jitter = mathrand.Float64
	}
	o := &Outbox{
		config: config, db: p.DB, jobs: p.Jobs, actors: p.Actors, hosts: p.Hosts, http: p.HTTP, goods: p.Goods, shares: p.Shares, listens: p.Listens,
		taken: p.Taken, receive: p.Receive, log: p.Log, now: p.Now, jitter: p.Jitter,
		signers: make(chan struct{}, runtime.GOMAXPROCS(0)),
		renders: newRenders(), digests: &digestCache{actors: map[string]*digests{}},
	}
	o.db.OnChange(o.renders.changed)
	o.dispatcher = newDispatcher(o)
	o.hosts.Back(o.dispatcher.back)
	return o
}

// Register registers the jobs of this room, and the loop that delivers while the queue runs.
func (o *Outbox) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[spread]{Work: o.spread, Timeout: 10 * time.Minute})
	q.Loop(o.dispatcher.run)
	o.registerTracks(q)
	if o.listens != nil {
		o.registerListens(q)
	}
}

// ErrActivity is returned for an activity that this instance must not send.
var ErrActivity = errors.New("activity cannot be sent")

// Activity is to be sent.
type Activity struct {
	// From is the local actor who signs.
	From string
	// To are actor URIs, and the followers collection of From for all followers. The public collection may stand
	// among them and reaches nobody by itself.
	To []string
	// Raw is the activity, byte for byte as it is delivered.
	Raw []byte
	// Public puts the activity into the collection that everyone may read, and lets servers with a shared inbox get
	// one copy. Anything else goes to each recipient's own inbox, except for what goes to followers.
	Public bool
	// Music lets only those followers get it whose servers speak our vocabulary.
	Music bool
}

// sent is a stored activity.
type sent struct {
	URI       string `gorm:"primaryKey"`
	Actor     string
	Public    bool
	Raw       []byte
	CreatedAt time.Time
	// Seq is the order of sending, Subject what the activity is about; Spreading says that the deliveries to followers
	// are still being made.
	Seq       int64
	Subject   string
	Spreading bool
}

// TableName is gorm's name for the table.
func (sent) TableName() string { return "outbox" }

// Send stores the activity and, in the same transaction, one delivery for each distinct inbox. An activity whose id was
// sent before goes only to inboxes that have not had it.
func (o *Outbox) Send(ctx context.Context, tx *gorm.DB, a Activity) error {
	parsed, err := o.check(a)
	if err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	here, to, err := o.recipients(ctx, tx, a)
	if err != nil {
		return err
	}
	row := sent{
		URI: parsed.ID, Actor: a.From, Public: a.Public, Raw: a.Raw, CreatedAt: o.utc(), Seq: o.next(), Subject: subjectOf(parsed),
		Spreading: to.followers,
	}
	stored := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if stored.Error != nil {
		return fmt.Errorf("store activity %s: %w", parsed.ID, stored.Error)
	}
	if stored.RowsAffected > 0 && a.Public {
		db.Touch(ctx, a.From)
		if err := countOne(tx, a.From); err != nil {
			return err
		}
	}
	if stored.RowsAffected == 0 {
		if err := tx.Select("seq", "subject").Where("uri = ?", parsed.ID).Take(&row).Error; err != nil {
			return fmt.Errorf("read activity %s: %w", parsed.ID, err)
		}
	}
	if err := o.keep(ctx, tx, row, to.inboxes, false); err != nil {
		return err
	}
	if err := o.keep(ctx, tx, row, to.strangers, true); err != nil {
		return err
	}
	if to.followers {
		if err := o.jobs.Insert(ctx, tx, spread{Activity: parsed.ID, From: a.From, Music: a.Music}); err != nil {
			return err
		}
	}
	if !here {
		return nil
	}
	if err := o.receive(ctx, tx, a.From, a.Raw); err != nil {
		return fmt.Errorf("deliver %s here: %w", parsed.ID, err)
	}
	return nil
}

func (o *Outbox) check(a Activity) (vocab.Activity, error) {
	parsed, err := vocab.ParseActivity(a.Raw)
	if err != nil {
		return parsed, fmt.Errorf("%w: %w", ErrActivity, err)
	}
	if parsed.ID == "" || !o.actors.Own(parsed.ID) || parsed.Actor != a.From || !o.actors.Own(a.From) {
		return parsed, fmt.Errorf("%w: %s by %s is not one of %s", ErrActivity, parsed.ID, parsed.Actor, a.From)
	}
	var hidden struct{ Bto, Bcc json.RawMessage }
	if err := json.Unmarshal(a.Raw, &hidden); err != nil || hidden.Bto != nil || hidden.Bcc != nil {
		return parsed, fmt.Errorf("%w: %s names hidden recipients", ErrActivity, parsed.ID)
	}
	return parsed, nil
}

// next is the place of an activity in the order of sending, by the clock in nanoseconds and never the same twice.
func (o *Outbox) next() int64 {
	for {
		last := o.last.Load()
		next := max(o.now().UnixNano(), last+1)
		if o.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// recipients are where an activity goes: inboxes, actors whose inbox is not known here, and all followers.
type recipients struct {
	inboxes, strangers []string
	followers          bool
}

// recipients finds the inboxes of a, each once, and whether somebody here is among them. It asks no other server: who
// is not known yet is looked up by the delivery. Followers elsewhere may be many and are left to a job of their own.
func (o *Outbox) recipients(ctx context.Context, tx *gorm.DB, a Activity) (here bool, out recipients, err error) {
	var uris []string
	for _, to := range a.To {
		switch to {
		case vocab.Public, "", a.From:
		case Followers(a.From):
			out.followers = true
		default:
			if verdict, err := o.hosts.JudgeActor(ctx, to); err != nil {
				return false, out, err
			} else if !verdict.Blocked || o.actors.Own(to) {
				uris = append(uris, to)
			}
		}
	}
	if out.followers {
		if here, err = actor.FollowedHere(ctx, tx, a.From); err != nil {
			return false, out, err
		}
	}
	known, err := actor.MailboxesOf(ctx, tx, uris)
	if err != nil {
		return false, out, err
	}
	for _, uri := range uris {
		box, ok := known[uri]
		switch {
		case o.actors.Own(uri):
			here = here || ok
		case !ok:
			out.strangers = append(out.strangers, uri)
		case box.SharedInbox != "" && (a.Public || out.followers):
			out.inboxes = append(out.inboxes, box.SharedInbox)
		default:
			out.inboxes = append(out.inboxes, box.Inbox)
		}
	}
	return here, out, nil
}

// Followers is the followers collection of a local actor.
func Followers(actorURI string) string { return actorURI + "/followers" }

// Compose builds the JSON of an activity, as Send takes it.
func Compose(a vocab.Activity) ([]byte, error) {
	m, err := a.Build()
	if err != nil {
		return nil, err
	}
	return json.Marshal(m)
}

// Tell builds an activity and sends it: to its To and Cc, and into the public collection if everyone is addressed.
func (o *Outbox) Tell(ctx context.Context, tx *gorm.DB, a vocab.Activity) error {
	raw, err := Compose(a)
	if err != nil {
		return err
	}
	return o.Send(ctx, tx, Activity{From: a.Actor, To: append(append([]string{}, a.To...), a.Cc...), Raw: raw, Public: a.Public()})
}

func (o *Outbox) utc() time.Time { return o.now().UTC().Truncate(time.Second) }

// NewID is the URI of something new of that kind, with 130 random bits: BaseURL/kind/id.
func (o *Outbox) NewID(kind string) string {
	return o.config.BaseURL + "/" + kind + "/" + strings.ToLower(rand.Text())
}

// Sent returns an activity that was sent from here, or ErrNotFound.
func Sent(ctx context.Context, tx *gorm.DB, uri string) ([]byte, error) {
	var row sent
	err := tx.WithContext(ctx).Where("uri = ?", uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, uri)
	}
	if err != nil {
		return nil, fmt.Errorf("read activity %s: %w", uri, err)
	}
	return row.Raw, nil
}
