package inbox

import (
	"context"
	"fmt"
	"sync"
	"time"

	"antiphon/internal/jobs"
	"antiphon/vocab"
)

const (
	// manyHands is how many batches are worked at the same time.
	manyHands = 4
	// maxPiled is how many batches may wait for hands; those that come then go through the queue.
	maxPiled = 32
	// enough is with how many activities hands that are behind stop gathering.
	enough = 256
	// span is the time whose activities one sweep looks after, and grace how long the hands have before it does.
	span  = 10 * time.Second
	grace = 15 * time.Second
	// sweepAtOnce is how many activities a sweep works together.
	sweepAtOnce = 256
)

// hands work activities as soon as they are stored, without a turn through the queue. What they drop, because the process
// ends, is found by a sweep: a job that was stored with the first activity of its span.
type hands struct {
	mu    sync.Mutex
	open  bool
	piled int
	pile  chan []parcel
	ended sync.WaitGroup
	stop  context.CancelFunc
	// swept is the newest span that is known to have its sweep.
	swept int64
}

// parcel is a stored activity to be worked.
type parcel struct {
	row      record
	activity vocab.Activity
	// unread is why activity could not be read.
	unread error
	// land gives back the room that its bytes hold; nil when they hold none.
	land func()
}

// sweep is the job that works what the hands of a process have dropped, of the span that began at Span times its length
// after the epoch.
type sweep struct {
	Span int64 `json:"span"`
}

// Kind names the job.
func (sweep) Kind() string { return "activities_swept" }

// Options let the hands go first.
func (s sweep) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Inbox, MaxAttempts: attempts, At: s.end().Add(grace), Once: true}
}

func (s sweep) end() time.Time { return time.Unix((s.Span+1)*int64(span/time.Second), 0).UTC() }

// Start lets activities be worked as soon as they are stored, until Stop. Without it all go through the queue.
func (i *Inbox) Start() {
	h := &i.hands
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	h.open, h.piled, h.pile, h.stop = true, 0, make(chan []parcel, maxPiled), stop
	for range manyHands {
		h.ended.Go(func() {
			for parcels := range h.pile {
				i.handle(ctx, h.gather(parcels))
			}
		})
	}
}

// Stop ends what the hands are doing; what they drop is stored, and worked later. Twice is safe.
func (i *Inbox) Stop() {
	h := &i.hands
	h.mu.Lock()
	if h.open {
		h.open = false
		h.stop()
		close(h.pile)
	}
	h.mu.Unlock()
	h.ended.Wait()
}

// promise keeps a place on the pile for a batch that is about to be stored.
func (h *hands) promise() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.open || h.piled == maxPiled {
		return false
	}
	h.piled++
	return true
}

// give puts a batch on the place that was promised to it; an empty one gives the place up.
func (h *hands) give(parcels []parcel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open && len(parcels) > 0 {
		h.pile <- parcels // no more are promised than it holds
		return
	}
	h.piled--
	drop(parcels)
}

// gather adds what else lies on the pile: who is behind works many batches as one, which costs little more.
func (h *hands) gather(parcels []parcel) []parcel {
	batches := 1
	defer func() {
		h.mu.Lock()
		h.piled -= batches
		h.mu.Unlock()
	}()
	for len(parcels) < enough {
		select {
		case more := <-h.pile:
			if more == nil { // closed
				return parcels
			}
			parcels = append(parcels, more...)
			batches++
		default:
			return parcels
		}
	}
	return parcels
}

func parcels(rows []record) []parcel {
	out := make([]parcel, len(rows))
	for n, row := range rows {
		a, err := vocab.ParseActivity(row.Raw)
		out[n] = parcel{row: row, activity: a, unread: err}
	}
	return out
}

func drop(parcels []parcel) {
	for _, p := range parcels {
		if p.land != nil {
			p.land()
		}
	}
}

func (i *Inbox) handle(ctx context.Context, parcels []parcel) {
	defer drop(parcels)
	if ctx.Err() != nil {
		return
	}
	if err := i.workParcels(ctx, parcels); err != nil && ctx.Err() == nil {
		i.log.Warn("activities left to the sweep", "activities", len(parcels), "error", err)
	}
}

// sweep works what was received up to the end of a span and is not worked yet.
func (i *Inbox) sweep(ctx context.Context, job sweep, _ int) error {
	for {
		var rows []record
		err := i.db.Read.WithContext(ctx).Where("state = ? AND received_at < ?", received, job.end()).
			Order("received_at").Limit(sweepAtOnce).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read activities: %w", err)
		}
		if len(rows) == 0 {
			return nil
		}
		i.log.Info("activities found that were dropped", "activities", len(rows))
		if err := i.workParcels(ctx, parcels(rows)); err != nil {
			return err
		}
	}
}
