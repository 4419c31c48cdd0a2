package outbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/discover"
	"antiphon/migrations"
)

const (
	// maxClaimed is how many deliveries one process has in hand, maxRunning how many of them are on the network.
	maxClaimed = 512
	maxRunning = 256
	// maxSuspects is how many of these may be for hosts that failed before: they cost a timeout each.
	maxSuspects = 64
	// claim is how long a delivery is out of reach of other processes: longer than a full lane of timeouts.
	claim = 3 * time.Minute
	// idle is how often the table is looked at when nobody says that there is something, soon how often for hot after
	// somebody did: the transaction that brings it has still to commit.
	idle = 25 * time.Millisecond
	soon = 4 * time.Millisecond
	hot  = 300 * time.Millisecond
	// rest is the least time between two looks, so that several ends are written at once, and busyRest is that while
	// there is enough in hand.
	rest     = 2 * time.Millisecond
	busyRest = 10 * time.Millisecond
	// grace is how long a stop waits for what is on the network.
	grace = 2 * time.Second
)

// dispatcher takes deliveries from the table and brings them out: one loop that reads and writes, and a goroutine for
// each that is on the network.
type dispatcher struct {
	outbox *Outbox
	wake   chan struct{}

	mu       sync.Mutex
	lanes    map[string]*lane
	claimed  int
	running  int
	suspects int
	outcomes []outcome
	hotUntil time.Time
	out      sync.WaitGroup
	// carrying ends when what is on the network is to be given up.
	carrying context.Context
	// returned are hosts that are back, whose deliveries are to be let go.
	returned []string

	// letters and tended are the loop's own.
	letters map[string]*letter
	tended  tended
}

func newDispatcher(o *Outbox) *dispatcher {
	return &dispatcher{
		outbox: o, wake: make(chan struct{}, 1), lanes: map[string]*lane{}, letters: map[string]*letter{}, carrying: context.Background(),
	}
}

// soon says that there will be something to deliver when the present transaction has committed.
func (d *dispatcher) soon() {
	d.mu.Lock()
	d.hotUntil = time.Now().Add(hot)
	d.mu.Unlock()
	d.ring()
}

// back says that a host is well again.
func (d *dispatcher) back(host string) {
	d.mu.Lock()
	d.returned = append(d.returned, host)
	d.mu.Unlock()
	d.ring()
}

func (d *dispatcher) inHand() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.claimed
}

func (d *dispatcher) ring() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends, then waits a little for what is on its way and writes how it ended.
func (d *dispatcher) run(ctx context.Context) {
	carrying, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	d.carrying = carrying
	if err := d.takeUp(ctx); err != nil && ctx.Err() == nil {
		d.outbox.log.Error("cannot take up deliveries that were cut off", "error", err)
	}
	for ctx.Err() == nil {
		begin := time.Now()
		more, err := d.pass(ctx)
		pause := max(rest, 3*time.Since(begin))
		if err != nil && ctx.Err() == nil {
			d.outbox.log.Error("cannot take up deliveries", "error", err)
			pause = time.Second
		}
		if more && err == nil {
			pause = rest
		}
		if d.inHand() >= maxRunning/4 {
			pause = max(pause, busyRest)
		}
		d.sleep(ctx, min(pause, time.Second), more)
	}
	timer := time.AfterFunc(grace, abandon)
	defer timer.Stop()
	d.out.Wait()
	d.giveBack()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := d.write(last, nil); err != nil {
		d.outbox.log.Error("cannot write how deliveries ended", "error", err)
	}
}

// sleep rests, and then waits until there may be something to do.
func (d *dispatcher) sleep(ctx context.Context, pause time.Duration, more bool) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
	}
	d.mu.Lock()
	wait := idle
	if time.Now().Before(d.hotUntil) {
		wait = soon
	}
	more = more || len(d.outcomes) > 0
	d.mu.Unlock()
	if more {
		return
	}
	timer.Reset(wait)
	select {
	case <-ctx.Done():
	case <-d.wake:
	case <-timer.C:
	}
}

// takeUp makes what a killed process had claimed available again. Over PostgreSQL another process may still be at it:
// there the claim runs out by itself.
func (d *dispatcher) takeUp(ctx context.Context) error {
	if d.outbox.db.Dialect != migrations.SQLite {
		return nil
	}
	return d.outbox.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&delivery{}).Where("ended_at IS NULL AND state = ?", claimed).
			Updates(map[string]any{"state": waiting, "due_at": d.outbox.now().UnixMilli()}).Error
	})
}

// pass writes what has ended, claims what is due and sends it out. It reports whether there may be more to do at once.
func (d *dispatcher) pass(ctx context.Context) (more bool, err error) {
	if err := d.tend(ctx); err != nil {
		return false, err
	}
	d.mu.Lock()
	ended := len(d.outcomes)
	d.mu.Unlock()
	due, fallen, err := d.due(ctx)
	if err != nil {
		return false, err
	}
	got, err := d.write(ctx, due)
	if err != nil {
		return false, err
	}
	d.send(ctx, got)
	for host, state := range fallen {
		if err := d.outbox.shelve(ctx, host, state); err != nil {
			return false, err
		}
	}
	return ended+len(got)+len(fallen) > 0, nil
}

// send puts claimed deliveries into the lanes of their hosts.
func (d *dispatcher) send(ctx context.Context, rows []delivery) {
	letters, err := d.read(ctx, rows)
	if err != nil {
		d.outbox.log.Error("cannot read activities that are to be delivered", "error", err)
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, row := range rows {
			d.outcomes = append(d.outcomes, untried(row))
		}
		return
	}
	for _, row := range rows {
		standing, err := d.outbox.hosts.Standing(ctx, row.Host)
		p := parcel{delivery: row, letter: letters[row.Activity], late: d.outbox.late(row)}
		d.enqueue(p, err == nil && standing.State == discover.Suspect)
	}
}

func (d *dispatcher) enqueue(p parcel, suspect bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	host := p.delivery.Host
	l := d.lanes[host]
	if l == nil {
		l = &lane{suspect: suspect}
		d.lanes[host] = l
	}
	l.queue = append(l.queue, p)
	d.claimed++
	if l.suspect {
		d.suspects++
	}
	d.start(host, l)
}

// start sends out what the host's lane and the whole have room for. The lock is held.
func (d *dispatcher) start(host string, l *lane) {
	for d.running < maxRunning {
		p, ok := l.next(d.outbox.config.PerHost)
		if !ok {
			return
		}
		d.running++
		d.out.Go(func() { d.carry(host, l, p) })
	}
}

func (d *dispatcher) carry(host string, l *lane, p parcel) {
	out := d.outbox.deliver(d.carrying, p.delivery, p.letter)
	if p.probe && out.inbox != "" {
		// The host has told where the inbox is: the delivery itself can follow.
		if err := d.outbox.hosts.Reached(d.carrying, host); err != nil {
			d.outbox.log.Warn("cannot note that a host is well", "host", host, "error", err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running--
	l.ended()
	d.end(l, out)
	if out.fallen {
		d.empty(l)
	}
	if l.size() == 0 {
		delete(d.lanes, host)
	} else {
		d.start(host, l)
	}
	// Other lanes may have waited for a place on the network.
	if d.running == maxRunning-1 {
		for other, waits := range d.lanes {
			d.start(other, waits)
		}
	}
	d.ring()
}

// end notes an outcome. The lock is held.
func (d *dispatcher) end(l *lane, out outcome) {
	d.outcomes = append(d.outcomes, out)
	d.claimed--
	if l.suspect {
		d.suspects--
	}
}

// empty gives back what waits in a lane, as it was. The lock is held.
func (d *dispatcher) empty(l *lane) {
	for _, p := range l.queue {
		d.end(l, untried(p.delivery))
	}
	l.queue = nil
}

// untried gives a delivery back as it was.
func untried(d delivery) outcome {
	return outcome{delivery: d, state: waiting, due: time.UnixMilli(d.DueAt), attempts: d.Attempts, err: errors.New(d.Error)}
}

// giveBack gives back what waits in all lanes.
func (d *dispatcher) giveBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for host, l := range d.lanes {
		d.empty(l)
		delete(d.lanes, host)
	}
}
