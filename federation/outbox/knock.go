package outbox

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/httpsig"
	"antiphon/internal/httpx"
	"antiphon/vocab"
)

// maxAnswer bounds what is read of an inbox's answer.
const maxAnswer = 64 << 10

// errBlocked is why nothing is delivered to a host that an admin blocked, nor to ourselves.
var errBlocked = errors.New("nothing is delivered to this host")

// deliver makes one attempt. It changes nothing but what is known of the host; the outcome is for record.
func (o *Outbox) deliver(ctx context.Context, d delivery, l *letter) outcome {
	final := func(err error) outcome {
		return outcome{delivery: d, state: dropped, attempts: d.Attempts, err: err}
	}
	if l == nil {
		return final(fmt.Errorf("activity %s is not there any more", d.Activity))
	}
	if o.now().Sub(l.created) > patience {
		return final(fmt.Errorf("not taken in %s", patience))
	}
	if blocked, err := o.hosts.IsBlocked(ctx, d.Host); err != nil {
		return o.again(d, 0, err)
	} else if blocked || o.actors.Own(d.Inbox) {
		return final(errBlocked)
	}
	if d.Unresolved {
		return o.locate(ctx, d)
	}
	if !l.common {
		if reads, err := o.hosts.Reads(ctx, d.Host, l.kind); err != nil {
			return o.again(d, 0, err)
		} else if !reads {
			return final(fmt.Errorf("the host's software does not read %s", l.kind))
		}
	}
	answer, err := o.knock(ctx, d, l)
	switch {
	case err == nil:
		return o.judge(ctx, d, l, answer)
	case errors.Is(err, errUnsigned):
		return o.again(d, 0, err)
	case ctx.Err() != nil:
		// This process is stopping: what the host did is not known.
		return outcome{delivery: d, state: waiting, due: o.now(), attempts: d.Attempts, err: err}
	}
	return o.unwell(ctx, d, 0, err)
}

// locate finds the inbox of a recipient who is not known yet.
func (o *Outbox) locate(ctx context.Context, d delivery) outcome {
	to, err := o.actors.Find(ctx, d.Inbox, false)
	switch {
	case errors.Is(err, actor.ErrGone):
		return outcome{delivery: d, state: dropped, attempts: d.Attempts + 1, err: err}
	case err != nil:
		return o.again(d, 0, fmt.Errorf("find recipient: %w", err))
	}
	return outcome{delivery: d, inbox: to.Inbox}
}

// errUnsigned is an attempt that failed here, before anything was sent.
var errUnsigned = errors.New("cannot sign")

// knock sends the activity, signed after RFC 9421 where the host has shown that it reads that, and once more after
// draft-cavage when it then refuses it.
func (o *Outbox) knock(ctx context.Context, d delivery, l *letter) (*httpx.Response, error) {
	keyID, key, err := o.actors.HTTPKey(ctx, l.actor)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", errUnsigned, l.uri, err)
	}
	dialect, err := o.hosts.Dialect(ctx, d.Host)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", errUnsigned, l.uri, err)
	}
	answer, err := o.send(ctx, d.Inbox, l, keyID, key, dialect)
	if err != nil || dialect == httpsig.Cavage || answer.Status != http.StatusUnauthorized && answer.Status != http.StatusBadRequest {
		return answer, err
	}
	second, err := o.send(ctx, d.Inbox, l, keyID, key, httpsig.Cavage)
	if err == nil && second.Status < 300 {
		if err := o.hosts.Refused(ctx, d.Host); err != nil {
			o.log.Warn("cannot note which signatures a host reads", "host", d.Host, "error", err)
		}
	}
	return second, err
}

func (o *Outbox) send(ctx context.Context, inbox string, l *letter, keyID string, key *rsa.PrivateKey, dialect httpsig.Dialect) (*httpx.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, inbox, bytes.NewReader(l.raw))
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", errUnsigned, l.uri, err)
	}
	req.Header.Set("Content-Type", vocab.ActivityType)
	req.Header.Set("Accept", vocab.ActivityType)
	if l.public {
		followers, err := o.syncHeader(ctx, l.actor, actor.HostOf(inbox))
		if err != nil {
			return nil, err
		}
		req.Header.Set(SyncHeader, followers)
	}
	sign := httpsig.Sign
	if dialect == httpsig.RFC9421 {
		sign = httpsig.SignRFC9421
		req.Header.Set("Content-Digest", l.contentDigest)
	} else {
		req.Header.Set("Digest", l.digest)
	}
	if err := o.signing(func() error { return sign(req, l.raw, keyID, key, o.now()) }); err != nil {
		return nil, fmt.Errorf("%w %s: %w", errUnsigned, l.uri, err)
	}
	answer, err := o.http.Do(ctx, req, maxAnswer)
	if err != nil {
		return nil, fmt.Errorf("deliver %s: %w", l.uri, err)
	}
	return answer, nil
}

// signing runs sign, of which as many run at a time as there are processors: more would only take turns, and keep
// everybody else from theirs.
func (o *Outbox) signing(sign func() error) error {
	o.signers <- struct{}{}
	defer func() { <-o.signers }()
	return sign()
}

// judge turns an inbox's answer into the end of the delivery, or another attempt.
func (o *Outbox) judge(ctx context.Context, d delivery, l *letter, answer *httpx.Response) outcome {
	attempt := int(d.Attempts) + 1
	out := outcome{delivery: d, state: dropped, attempts: int64(attempt)}
	what := fmt.Errorf("status %d", answer.Status)
	wait := retryAfter(answer.Header, o.now())
	verdict := verdictOf(answer.Status, l.common, attempt)
	var err error
	switch verdict {
	case taken:
		if o.taken != nil {
			err = o.taken(ctx, l.uri)
		}
		out.state = delivered
	case departed:
		err = o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return actor.DropInbox(ctx, tx, d.Inbox) })
		out.err = what
	case unread:
		err = o.hosts.Unread(ctx, d.Host, l.kind)
		out.err = what
	case refused:
		out.err = what
	case puzzled:
		return o.again(d, wait, what)
	case unwell:
		return o.unwell(ctx, d, wait, what)
	case busy:
		out = o.again(d, wait, what)
	}
	if err != nil {
		return o.again(d, 0, err)
	}
	if verdict == unread {
		return out
	}
	// Whatever it said, it is there.
	if err := o.hosts.Reached(ctx, d.Host); err != nil {
		o.log.Warn("cannot note that a host is well", "host", d.Host, "error", err)
	}
	return out
}

// again has the delivery tried after a pause, longer with each attempt, or after the time that the host asked for.
func (o *Outbox) again(d delivery, wait time.Duration, err error) outcome {
	if wait == 0 {
		wait = Pause(int(d.Attempts) + 1)
		wait += time.Duration(o.jitter() * float64(wait) / 10)
	}
	return outcome{delivery: d, state: waiting, due: o.now().Add(wait), attempts: d.Attempts + 1, err: err}
}

// unwell is again, and blames the host. When the host counts as down after that, the attempt does not: whatever is for
// this host now waits for the host and not for its own time.
func (o *Outbox) unwell(ctx context.Context, d delivery, wait time.Duration, cause error) outcome {
	out := o.again(d, wait, cause)
	state, err := o.hosts.Failed(context.WithoutCancel(ctx), d.Host, cause)
	if err != nil {
		o.log.Warn("cannot note that a host is not well", "host", d.Host, "error", err)
		return out
	}
	if out.fallen = state == discover.Down || state == discover.Gone; out.fallen {
		out.state, out.attempts = held, d.Attempts
	}
	return out
}
