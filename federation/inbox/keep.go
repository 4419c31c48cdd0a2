package inbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// maxKept is how many activities are stored by one transaction at most.
const maxKept = 128

// The states of a stored activity.
const (
	received = "received"
	// alone is one that failed among others, or that was made here: it has a job of its own.
	alone   = "alone"
	done    = "done"
	ignored = "ignored"
	refused = "refused"
	failed  = "failed"
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

// arrived is the job of one stored activity: of one that failed among others, or that was made here.
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

// arrivals is the job of the activities that were stored by one transaction.
type arrivals struct {
	Activities []arrived `json:"activities"`
}

// Kind names the job.
func (arrivals) Kind() string { return "activities_arrived" }

// Options bound the attempts; an activity that fails goes on alone, so that these are for what befalls the job itself.
func (arrivals) Options() jobs.Options { return jobs.Options{Queue: jobs.Inbox, MaxAttempts: attempts} }

// idOf is what an activity is stored under: its id, or for one without, the hash of its bytes.
func idOf(a vocab.Activity, raw []byte) string {
	if a.ID != "" {
		return a.ID
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func (i *Inbox) recordOf(a vocab.Activity, raw []byte) record {
	return record{Actor: a.Actor, ID: idOf(a, raw), Type: string(a.Type), Raw: raw, State: received, ReceivedAt: i.utc()}
}

// letter is an activity on its way to the disk.
type letter struct {
	parcel
	// handed says that the hands have it, and with it its room.
	handed bool
	err    error
	done   chan struct{}
}

// store returns when the activity is on the disk with what will make it be worked, or was before, or could not be put
// there. When it was handed on, land is called later; else that is for the caller.
func (i *Inbox) store(a vocab.Activity, raw []byte, land func()) (handed bool, err error) {
	l := &letter{parcel: parcel{row: i.recordOf(a, raw), activity: a, land: land}, done: make(chan struct{})}
	i.desk.Join(l)
	<-l.done
	return l.handed, l.err
}

// keepAll stores letters. When they cannot be stored together, each is stored alone, so that a bad one fails alone.
func (i *Inbox) keepAll(letters []*letter) {
	err := i.keep(letters)
	for _, l := range letters {
		if l.err = err; err != nil && len(letters) > 1 {
			l.err = i.keep([]*letter{l})
		}
		close(l.done)
	}
}

// keep stores letters by one transaction, together with the job that works them: at once, or, when the hands do so now,
// after a while, for what they drop.
func (i *Inbox) keep(letters []*letter) error {
	rows := make([]record, len(letters))
	for n, l := range letters {
		rows[n] = l.row
	}
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	promised := i.hands.promise()
	next := sweep{i.now().Unix() / int64(span/time.Second)}
	var fresh []arrived
	err := i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) (err error) {
		if fresh, err = insert(ctx, tx, rows); err != nil || len(fresh) == 0 {
			return err
		}
		if !promised {
			return i.jobs.Insert(ctx, tx, arrivals{fresh})
		}
		if i.hands.swept == next.Span {
			return nil
		}
		return i.jobs.Insert(ctx, tx, next)
	})
	if !promised {
		return err
	}
	var parcels []parcel
	if err == nil && len(fresh) > 0 {
		i.hands.swept = next.Span // nobody else looks at it
		isFresh := map[arrived]bool{}
		for _, f := range fresh {
			isFresh[f] = true
		}
		for _, l := range letters {
			if key := (arrived{l.row.Actor, l.row.ID}); isFresh[key] {
				delete(isFresh, key) // the same may have come twice
				l.handed = true
				parcels = append(parcels, l.parcel)
			}
		}
	}
	i.hands.give(parcels)
	return err
}

// keepTimeout is how long a sender is kept waiting for the disk.
const keepTimeout = 30 * time.Second

// insert stores activities and returns those that were not stored before.
func insert(ctx context.Context, tx *gorm.DB, rows []record) ([]arrived, error) {
	values := make([]any, 0, 6*len(rows))
	for _, r := range rows {
		values = append(values, r.Actor, r.ID, r.Type, r.Raw, r.State, r.ReceivedAt)
	}
	var fresh []arrived
	err := tx.WithContext(ctx).Raw("INSERT INTO activities (actor, id, type, raw, state, received_at) VALUES (?, ?, ?, ?, ?, ?)"+
		strings.Repeat(", (?, ?, ?, ?, ?, ?)", len(rows)-1)+" ON CONFLICT DO NOTHING RETURNING actor, id", values...).Scan(&fresh).Error
	if err != nil {
		return nil, fmt.Errorf("store %d activities: %w", len(rows), err)
	}
	return fresh, nil
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
	row := i.recordOf(a, raw)
	row.State = alone
	fresh, err := insert(ctx, tx, []record{row})
	if err != nil || len(fresh) == 0 {
		return err
	}
	return i.jobs.Insert(ctx, tx, fresh[0])
}
