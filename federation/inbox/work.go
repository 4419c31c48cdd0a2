package inbox

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

const (
	// abreast is how many activities of one job are worked at the same time.
	abreast = 64
	// among is how long an activity may take among others; one that needs longer, because a peer is slow, goes on alone.
	among = 5 * time.Second
)

// Register registers the jobs of this room.
func (i *Inbox) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[arrivals]{Work: i.workAll, Timeout: 2 * time.Minute})
	jobs.Handle(q, jobs.Handler[arrived]{Work: i.work, Timeout: 2 * time.Minute})
	jobs.Handle(q, jobs.Handler[mend]{Work: i.mend})
	jobs.Handle(q, jobs.Handler[sweep]{Work: i.sweep, Timeout: 5 * time.Minute})
	jobs.Handle(q, jobs.Handler[movedFollowers]{Work: i.moveFollowers, Timeout: 5 * time.Minute})
	q.Loop(i.watchViews)
}

// verdict is what came of an activity.
type verdict struct{ state, outcome string }

// workAll works the activities of one job.
func (i *Inbox) workAll(ctx context.Context, job arrivals, _ int) error {
	rows, err := i.load(ctx, job.Activities, received)
	if err != nil || len(rows) == 0 {
		return err
	}
	return i.workParcels(ctx, parcels(rows))
}

// workParcels lets activities act, and records what came of them. Those about one object keep their order. Who fails is
// tried again alone.
func (i *Inbox) workParcels(ctx context.Context, parcels []parcel) error {
	verdicts := make([]verdict, len(parcels))
	var group errgroup.Group
	group.SetLimit(abreast)
	for _, chain := range chains(parcels) {
		group.Go(func() error {
			for _, n := range chain {
				limited, cancel := context.WithTimeout(db.Grouped(ctx), among)
				v, err := i.judge(limited, parcels[n])
				if err == nil && v.state != done {
					err = limited.Err() // with more time it may come to another end
				}
				cancel()
				if err != nil {
					i.log.Debug("activity goes on alone", "activity", parcels[n].row.ID, "actor", parcels[n].row.Actor, "error", err)
					return nil // and with it what follows in its chain
				}
				verdicts[n] = v
			}
			return nil
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return err
	}
	same := map[verdict][]record{}
	for n, v := range verdicts {
		if v.state == "" {
			v.state = alone
		}
		same[v] = append(same[v], parcels[n].row)
	}
	return i.db.Tx(db.Grouped(ctx), func(ctx context.Context, tx *gorm.DB) error {
		for v, rows := range same {
			if err := settle(ctx, tx, rows, v); err != nil {
				return err
			}
			if v.state != alone {
				continue
			}
			for _, row := range rows {
				if err := i.jobs.Insert(ctx, tx, arrived{row.Actor, row.ID}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// load reads those of the activities that are in one of the states, in the order given.
func (i *Inbox) load(ctx context.Context, which []arrived, states ...string) ([]record, error) {
	keys, place := make([][]any, len(which)), map[arrived]int{}
	for n, w := range which {
		keys[n], place[w] = []any{w.Actor, w.ID}, n
	}
	var found []record
	err := i.db.Read.WithContext(ctx).Where("(actor, id) IN ? AND state IN ?", keys, states).Find(&found).Error
	if err != nil {
		return nil, fmt.Errorf("read %d activities: %w", len(which), err)
	}
	inOrder := make([]*record, len(which))
	for n := range found {
		inOrder[place[arrived{found[n].Actor, found[n].ID}]] = &found[n]
	}
	rows := found[:0:0]
	for _, row := range inOrder {
		if row != nil {
			rows = append(rows, *row)
		}
	}
	return rows, nil
}

// chains puts what is about one object into one chain each, by their places. An Undo or an answer is about the
// activity that it names, which is among them under its own id.
func chains(parcels []parcel) [][]int {
	var out [][]int
	where := map[string]int{}
	for n, p := range parcels {
		subject := p.row.ID
		switch p.activity.Type {
		case vocab.VerbFollow, vocab.VerbLike, vocab.VerbAnnounce, vocab.VerbOffer:
		default:
			if p.activity.Object.ID != "" {
				subject = p.activity.Object.ID
			}
		}
		at, ok := where[subject]
		if !ok {
			at = len(out)
			where[subject] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], n)
	}
	return out
}

// work lets one activity act alone, and records what came of it.
func (i *Inbox) work(ctx context.Context, job arrived, attempt int) error {
	rows, err := i.load(ctx, []arrived{job}, received, alone)
	if err != nil || len(rows) == 0 {
		return err
	}
	row := rows[0]
	v, err := i.judge(ctx, parcels(rows)[0])
	switch {
	case err == nil:
	case attempt < attempts:
		return fmt.Errorf("activity %s of %s: %w", row.ID, row.Actor, err)
	default:
		v = verdict{failed, err.Error()}
		i.log.Warn("activity given up", "activity", row.ID, "actor", row.Actor, "type", row.Type, "error", err)
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return settle(ctx, tx, rows, v) })
}

// settle records what came of activities.
func settle(ctx context.Context, tx *gorm.DB, rows []record, v verdict) error {
	values := []any{}
	for _, row := range rows {
		values = append(values, row.Actor, row.ID)
	}
	// For a list of pairs PostgreSQL would plan every pair by itself, which takes several times as long.
	err := tx.WithContext(ctx).Exec("WITH worked (actor, id) AS (VALUES (CAST(? AS TEXT), CAST(? AS TEXT))"+strings.Repeat(", (?, ?)", len(rows)-1)+
		") UPDATE activities SET state = ?, outcome = ? FROM worked WHERE activities.actor = worked.actor AND activities.id = worked.id",
		append(values, v.state, v.outcome)...).Error
	if err != nil {
		return fmt.Errorf("record outcome of %d activities: %w", len(rows), err)
	}
	return nil
}

// errNoEffect says that an activity is not about anything here.
var errNoEffect = errors.New("no effect here")

// judge lets an activity act, once. An error is one that may pass.
func (i *Inbox) judge(ctx context.Context, p parcel) (v verdict, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	err = i.act(ctx, p)
	var refusal *Refusal
	switch {
	case err == nil:
		return verdict{state: done}, nil
	case errors.Is(err, errNoEffect):
		return verdict{state: ignored}, nil
	case errors.As(err, &refusal):
		return verdict{refused, refusal.Words}, nil
	}
	return verdict{}, err
}

func (i *Inbox) act(ctx context.Context, p parcel) error {
	if p.unread != nil {
		return Refuse("%v", p.unread)
	}
	a := p.activity
	sender, err := i.actors.Find(ctx, p.row.Actor, false)
	if errors.Is(err, actor.ErrGone) {
		sender, err = i.actors.Known(ctx, p.row.Actor)
	}
	if errors.Is(err, actor.ErrNotFound) && a.Type == vocab.VerbDelete {
		return errNoEffect
	}
	if err != nil {
		return fmt.Errorf("sender: %w", err)
	}
	kinds, err := i.kinds(ctx, a)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		if handle, ok := i.handlers[verbKind{a.Type, kind}]; ok {
			return handle(ctx, Incoming{Actor: sender, Activity: a, Raw: p.row.Raw})
		}
	}
	return errNoEffect
}
