package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

const (
	// patience is how long an activity is tried at all.
	patience = 7 * 24 * time.Hour
	// maxAnswer bounds what is read of an inbox's answer.
	maxAnswer = 64 << 10
	// maxRetryAfter bounds how long a server can tell us to wait.
	maxRetryAfter = time.Hour
	// crowded is how long a delivery waits for a place in its host's lane.
	crowded = 100 * time.Millisecond
)

// pauses are the times between attempts; after the last one it is a day. The first two are for a server that was only
// restarted: somebody may be waiting for what they have just paid for.
var pauses = []time.Duration{2 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour}

// attempts is how many tries fit into patience.
const attempts = 15

// Pause is how long to wait after the given attempt, counted from 1.
func Pause(attempt int) time.Duration {
	if i := max(attempt, 1) - 1; i < len(pauses) {
		return pauses[i]
	}
	return 24 * time.Hour
}

// delivery is the job that brings one activity to one inbox.
type delivery struct {
	Activity string `json:"activity"`
	From     string `json:"from"`
	// Inbox is where to, or To the actor whose inbox has still to be found.
	Inbox string `json:"inbox,omitempty"`
	To    string `json:"to,omitempty"`
}

// Kind names the job.
func (delivery) Kind() string { return "deliver" }

// Options make the job one of its kind for ever, so that no inbox gets an activity from two jobs.
func (delivery) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Delivery, MaxAttempts: attempts, Once: true}
}

// Register registers the jobs of this room.
func (o *Outbox) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[delivery]{Work: o.deliver, Retry: Pause, Timeout: 30 * time.Second})
	jobs.Handle(q, jobs.Handler[spread]{Work: o.spread, Timeout: 10 * time.Minute})
	o.registerTracks(q)
}

// deliver brings one activity to one inbox, or says when to try again.
func (o *Outbox) deliver(ctx context.Context, d delivery, attempt int) error {
	var a sent
	err := o.db.Read.WithContext(ctx).Where("uri = ?", d.Activity).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return jobs.Cancel(fmt.Errorf("activity %s is not there any more", d.Activity))
	}
	if err != nil {
		return fmt.Errorf("read activity %s: %w", d.Activity, err)
	}
	if o.now().Sub(a.CreatedAt) > patience {
		return jobs.Cancel(fmt.Errorf("%s was not taken in %s", d.Activity, patience))
	}
	inbox := d.Inbox
	if inbox == "" {
		to, err := o.actors.Find(ctx, d.To, false)
		if errors.Is(err, actor.ErrGone) {
			return jobs.Cancel(err)
		}
		if err != nil {
			return fmt.Errorf("find recipient: %w", err)
		}
		inbox = to.Inbox
	}
	host := actor.HostOf(inbox)
	if blocked, err := o.hosts.IsBlocked(ctx, host); err != nil {
		return err
	} else if blocked || host == "" || o.actors.Own(inbox) {
		return jobs.Cancel(fmt.Errorf("nothing is delivered to %s", inbox))
	}
	if wait, err := o.hosts.Wait(ctx, host); err != nil {
		return err
	} else if wait > 0 {
		return jobs.Later(wait)
	}
	if !o.lanes.enter(host) {
		return jobs.Later(crowded)
	}
	defer o.lanes.leave(host)
	return o.post(ctx, a, inbox, attempt)
}

func (o *Outbox) post(ctx context.Context, a sent, inbox string, attempt int) error {
	host := actor.HostOf(inbox)
	keyID, key, err := o.actors.HTTPKey(ctx, a.Actor)
	if err != nil {
		return fmt.Errorf("sign %s: %w", a.URI, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, inbox, bytes.NewReader(a.Raw))
	if err != nil {
		return jobs.Cancel(fmt.Errorf("deliver %s: %w", a.URI, err))
	}
	req.Header.Set("Content-Type", vocab.ActivityType)
	req.Header.Set("Accept", vocab.ActivityType)
	if a.Public {
		followers, err := o.syncHeader(ctx, a.Actor, host)
		if err != nil {
			return err
		}
		req.Header.Set(SyncHeader, followers)
	}
	if err := httpsig.Sign(req, a.Raw, keyID, key, o.now()); err != nil {
		return fmt.Errorf("sign %s: %w", a.URI, err)
	}
	answer, err := o.http.Do(ctx, req, maxAnswer)
	if err != nil {
		if ctx.Err() == nil || errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = errors.Join(err, o.hosts.Failed(context.WithoutCancel(ctx), host, err))
		}
		return fmt.Errorf("deliver %s: %w", a.URI, err)
	}
	return o.judge(ctx, a, inbox, answer.Status, answer.Header, attempt)
}

// judge turns an inbox's answer into the end of the delivery, or another attempt.
func (o *Outbox) judge(ctx context.Context, a sent, inbox string, status int, header http.Header, attempt int) error {
	host := actor.HostOf(inbox)
	what := fmt.Errorf("deliver %s to %s: status %d", a.URI, inbox, status)
	switch verdictOf(status, commonVerb(a.Raw), attempt) {
	case taken:
		if o.taken != nil {
			if err := o.taken(ctx, a.URI); err != nil {
				return err
			}
		}
		return o.hosts.Reached(ctx, host)
	case departed:
		err := o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return actor.DropInbox(ctx, tx, inbox) })
		if err != nil {
			return err
		}
		return jobs.Cancel(what)
	case refused:
		return jobs.Cancel(errors.Join(what, o.hosts.Failed(ctx, host, what)))
	case busy:
		if wait := retryAfter(header, o.now()); wait > 0 {
			return jobs.Later(wait)
		}
		return what
	default:
		if err := o.hosts.Failed(ctx, host, what); err != nil {
			return err
		}
		if wait := retryAfter(header, o.now()); wait > 0 {
			return jobs.Later(wait)
		}
		return what
	}
}

// verdict is what an answer means for a delivery.
type verdict int

const (
	taken    verdict = iota // the inbox has it
	departed                // the inbox is gone for good
	refused                 // it will never be taken
	busy                    // later, and the host is well
	unwell                  // later, and the host is not well
)

// verdictOf judges a status. A verb that not every server knows is tried twice only after a 500, which is how some
// servers answer to it.
func verdictOf(status int, common bool, attempt int) verdict {
	switch {
	case status >= 200 && status < 300:
		return taken
	case status == http.StatusGone:
		return departed
	case status == http.StatusForbidden && attempt <= 1:
		return unwell
	case status == http.StatusRequestTimeout, status == http.StatusConflict, status == http.StatusTooEarly,
		status == http.StatusTooManyRequests:
		return busy
	case status == http.StatusUnauthorized:
		return unwell
	case status == http.StatusNotImplemented, status < http.StatusInternalServerError:
		return refused
	case status == http.StatusInternalServerError && !common && attempt > 1:
		return refused
	}
	return unwell
}

// commonVerb reports whether every server of the fediverse knows the activity's verb.
func commonVerb(raw []byte) bool {
	a, err := vocab.ParseActivity(raw)
	if err != nil {
		return false
	}
	switch a.Type {
	case vocab.VerbOffer, vocab.VerbListen:
		return false
	case vocab.VerbCreate, vocab.VerbUpdate:
		return a.Object.Is("Note") || a.Object.Is("Person")
	}
	return true
}

// retryAfter reads how long a server wants us to wait: seconds or a date, at most an hour, 0 when it does not say.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := h.Get("Retry-After")
	var wait time.Duration
	if seconds, err := strconv.ParseUint(text, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}
