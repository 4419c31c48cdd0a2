// Package anomaly says which plays do not count for money: rules R0 to R9 over typed plays and the numbers of a policy.
//
// It is arithmetic alone: it imports nothing of ours, asks no clock and keeps no state, so that every node and every
// party of a dispute comes to the same marks from the same plays. It decides nothing about people: what is dropped
// was no play of its own, what is held waits for somebody to look at it. Who divides the money is payments/royalty.
//
// Begin with [V1] and [Judge], which has all plays of a month in hand. A room that has more than fit into memory calls
// [JudgeListener] for one listener after the other, [JudgeDay] for the days that are large enough for it, and gives a
// [Crowd] what each listener heard in the month.
package anomaly

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrInvalid is returned for a play, a policy or figures that cannot be.
var ErrInvalid = errors.New("invalid")

// Play is what one listener heard of one track, once.
type Play struct {
	// Listener, Artist and Track are URIs.
	Listener, Artist, Track string
	// Start is when it began; the play belongs to the day and the month of that moment in UTC.
	Start time.Time
	// Seconds are distinct ones of the track that were heard, Length is the whole track's in seconds.
	Seconds, Length int64
	// Session tells two plays of one moment apart.
	Session string
	// Network names the part of the internet that it came from, and Agent the program, both in words that need not mean
	// anything; empty when not known.
	Network, Agent string
}

// maxLength is the longest track and the longest name that are taken.
const (
	maxLength = 24 * 60 * 60
	maxName   = 2048
)

func (p Play) check() error {
	for _, name := range []string{p.Listener, p.Artist, p.Track} {
		if name == "" || len(name) > maxName {
			return fmt.Errorf("%w: a play of %.80q by %.80q for %.80q", ErrInvalid, p.Track, p.Artist, p.Listener)
		}
	}
	if len(p.Session) > maxName || len(p.Network) > maxName || len(p.Agent) > maxName {
		return fmt.Errorf("%w: a play of %.80q with an endless name", ErrInvalid, p.Track)
	}
	if p.Seconds < 0 || p.Length < 0 || p.Length > maxLength || p.Start.IsZero() {
		return fmt.Errorf("%w: %d of %d seconds of %.80q from %v on", ErrInvalid, p.Seconds, p.Length, p.Track, p.Start)
	}
	return nil
}

// heard are the seconds that count: no more than the track has.
func (p Play) heard() int64 { return min(p.Seconds, p.Length) }

// from and until are when the play ran, in seconds since the epoch, if it was not paused.
func (p Play) from() int64  { return p.Start.Unix() }
func (p Play) until() int64 { return p.Start.Unix() + p.heard() }

// day is the number of the UTC day in which the play started.
func (p Play) day() int64 { return dayOf(p.Start) }

// dayOf counts days from the epoch, also those before it.
func dayOf(t time.Time) int64 {
	seconds := t.Unix()
	day := seconds / daySeconds
	if seconds%daySeconds < 0 {
		day--
	}
	return day
}

const daySeconds = 24 * 60 * 60

// compare is the order in which plays are judged: by listener, then by time; what is left tells apart all that are not
// the same in every word.
func compare(a, b Play) int {
	return cmp.Or(
		cmp.Compare(a.Listener, b.Listener), a.Start.Compare(b.Start), cmp.Compare(a.Session, b.Session), cmp.Compare(a.Track, b.Track),
		cmp.Compare(a.Artist, b.Artist), cmp.Compare(b.heard(), a.heard()), cmp.Compare(a.Length, b.Length), cmp.Compare(a.Seconds, b.Seconds),
		cmp.Compare(a.Network, b.Network), cmp.Compare(a.Agent, b.Agent))
}

// order returns the places of plays in the order in which they are judged.
func order(plays []Play) []int {
	at := make([]int, len(plays))
	for i := range at {
		at[i] = i
	}
	slices.SortFunc(at, func(a, b int) int { return compare(plays[a], plays[b]) })
	return at
}
