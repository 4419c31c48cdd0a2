package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"antiphon/internal/testkit"
)

// The load: as many clients as a busy server has, and few for the time that one request takes.
const (
	manyClients = 32
	fewClients  = 8
	// views are signed once and sent again and again: they leave no trace that could tell the second from the first.
	views = 512
)

// inbox measures how fast a running `antiphon serve` takes activities over loopback HTTP, beside what the machine needs for
// the parts that nobody can leave out. The clients and the server share the machine's cores; the requests are signed before.
func (b *bench) inbox(ctx context.Context) error {
	if err := b.inboxParts(ctx); err != nil {
		return err
	}
	if err := b.inboxOn(ctx, "sqlite", ""); err != nil {
		return fmt.Errorf("on SQLite: %w", err)
	}
	dsn, stop, err := testkit.Durable()
	if err != nil {
		return err
	}
	if err := errors.Join(b.inboxOn(ctx, "postgres", dsn), stop()); err != nil {
		return fmt.Errorf("on PostgreSQL: %w", err)
	}
	return nil
}

// inboxOn measures on one database.
func (b *bench) inboxOn(ctx context.Context, database, dsn string) (err error) {
	w, err := b.newWorld(ctx, filepath.Join(b.dir, "inbox-"+database), dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	say := func(name string, value float64, unit string, f floor) {
		if err == nil {
			err = b.report("inbox/"+database+"-"+name, value, unit, f)
		}
	}

	// Only posts pile up; the others settle within seconds, however long the run is to be.
	short := min(b.length, 5*time.Second)
	view, err := w.sign(views, w.view)
	if err != nil {
		return err
	}
	if _, err := fire(ctx, w.host, view, fewClients, time.Second); err != nil { // the actors are met
		return err
	}
	before := w.used()
	many, err := fire(ctx, w.host, view, manyClients, short)
	if err != nil {
		return err
	}
	say("view-rate", many.rate(), "/s", atLeast(4000))
	say("view-cpu", perCall(w.used()-before, many.sent), "us", noFloor)
	few, err := fire(ctx, w.host, view, fewClients, short)
	if err != nil {
		return err
	}
	say("view-p99", few.p99(), "ms", atMost(100))

	// Every post is another one, so they are made for as long as the run is to last.
	enough := int(b.length.Seconds()*float64(b.perSecond)) + manyClients
	posts, err := w.sign(enough, w.post)
	if err != nil {
		return err
	}
	slow, err := w.sign(int(short.Seconds()*float64(b.perSecond))/2+fewClients, w.post)
	if err != nil {
		return err
	}
	before = w.used()
	many, err = fire(ctx, w.host, posts, manyClients, b.length)
	if err != nil {
		return err
	}
	shown, err := w.shown(ctx, many.sent)
	if err != nil {
		return err
	}
	say("create-rate", many.rate(), "/s", atLeast(2000))
	say("create-visible", shown.Seconds(), "s", atMost(2))
	say("create-cpu", perCall(w.used()-before, many.sent), "us", noFloor)
	if few, err = fire(ctx, w.host, slow, fewClients, short); err != nil {
		return err
	}
	say("create-p99", few.p99(), "ms", atMost(100))
	if _, err := w.shown(ctx, many.sent+few.sent); err != nil {
		return err
	}
	peak, err := w.peak()
	say("memory", peak, "MB", noFloor)
	return err
}

// volley is what came of one run of clients.
type volley struct {
	sent   int
	took   time.Duration
	delays []time.Duration
}

func (v volley) rate() float64 { return float64(v.sent) / v.took.Seconds() }

func (v volley) p99() float64 {
	slices.Sort(v.delays)
	return float64(v.delays[len(v.delays)*99/100]) / float64(time.Millisecond)
}

func perCall(used time.Duration, calls int) float64 {
	return float64(used) / float64(time.Microsecond) / float64(calls)
}
