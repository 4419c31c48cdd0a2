package outbox

import (
	"net/http"
	"strconv"
	"time"

	"antiphon/vocab"
)

const (
	// patience is how long an activity is tried at all.
	patience = 7 * 24 * time.Hour
	// maxRetryAfter bounds how long a server can tell us to wait.
	maxRetryAfter = time.Hour
)

// pauses are the times between attempts; after the last one it is a day. The first two are for a server that was only
// restarted: somebody may be waiting for what they have just paid for.
var pauses = []time.Duration{2 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour}

// Pause is how long to wait after the given attempt, counted from 1. Deliveries wait up to a tenth more, each its own, so
// that they do not all come back at once.
func Pause(attempt int) time.Duration {
	if i := max(attempt, 1) - 1; i < len(pauses) {
		return pauses[i]
	}
	return 24 * time.Hour
}

// verdict is what an answer means for a delivery.
type verdict int

const (
	taken    verdict = iota // the inbox has it
	departed                // the inbox is gone for good
	refused                 // it will never be taken
	busy                    // later, and the host is well
	unwell                  // later, and the host is not well
	puzzled                 // later once more, and the host may not read such an activity
	unread                  // it will never be taken: the host does not read such an activity
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
		return unread
	case status == http.StatusInternalServerError && !common:
		return puzzled
	}
	return unwell
}

// kindOf names what an activity is, as hosts are remembered not to read it, and reports whether every server of the
// fediverse knows it.
func kindOf(a vocab.Activity) (kind string, common bool) {
	kind = string(a.Type)
	if len(a.Object.Types) > 0 {
		kind += " " + a.Object.Types[0]
	}
	switch a.Type {
	case vocab.VerbOffer, vocab.VerbListen:
		return kind, false
	case vocab.VerbCreate, vocab.VerbUpdate:
		return kind, a.Object.Is("Note") || a.Object.Is("Person")
	}
	return kind, true
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
