package reporting_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	"antiphon/media/listen"
)

const (
	// length is that of every track, in seconds.
	length = 211
	// pause is between two plays.
	pause = 20 * time.Second
	// tracks is how many an artist has: a day counts no more than 20 plays of one of them.
	tracks = 20
	// firefox is what players say that they are.
	firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
)

// listensTo lets somebody hear an artist so often on a day of October, from eight in the morning on or from where the plays
// before it end.
func (n *node) listensTo(day int, name, artist string, plays int) {
	n.play(day, name, artist, plays, 200)
}

// play lets somebody hear so many seconds of an artist's tracks, one after the other.
func (n *node) play(day int, name, artist string, plays, seconds int) {
	at := october.Day(day).Add(8 * time.Hour)
	if free := n.free[name]; free.After(at) {
		at = free
	}
	for i := range plays {
		n.playAt(at, name, artist, fmt.Sprintf("%s/tracks/%d", artist, i%tracks), seconds)
		at = at.Add(time.Duration(seconds)*time.Second + pause)
	}
	n.free[name] = at
}

// playAt lets a player play a track from an instant on, and report it as players do.
func (n *node) playAt(start time.Time, name, artist, track string, seconds int) {
	n.sessions++
	session, ticket, listener := fmt.Sprintf("%022d", n.sessions), "", n.listener(name)
	n.agenda.add(start, func() {
		var err error
		ticket, err = n.listens.Ticket(n.t.Context(), listener, artist, track, length)
		n.must(err)
		n.take(session+" "+ticket+" 0 ", name)
	})
	for heard := 0; heard < seconds; {
		heard = min(heard+30, seconds)
		n.agenda.add(start.Add(time.Duration(heard)*time.Second), func() {
			n.take(fmt.Sprintf("%s %s %d 0-%d", session, ticket, heard, 10*heard), name)
		})
	}
}

// take takes what somebody's player reports. What was reported is written every ten minutes of the moved clock; the room's
// own loop goes by a clock that nobody moves.
func (n *node) take(report, name string) {
	n.must(n.listens.Take(n.t.Context(), report, address(name), firefox))
	if now := n.Clock.Now(); now.Sub(n.written) >= 10*time.Minute {
		n.must(n.listens.Write(n.t.Context()))
		n.written = now
	}
}

// address is where somebody lives in the internet, each in another network.
func address(name string) string {
	h := sha256.Sum256([]byte(name))
	return fmt.Sprintf("10.%d.%d.7:40000", h[0], h[1])
}

// history is how many of somebody's plays are known, and how many of these are plays.
func (n *node) history(name string) (known, counted int) {
	all, err := n.listens.History(n.t.Context(), n.listener(name), listen.Heard{}, 1000)
	n.must(err)
	for _, h := range all {
		if h.Counted {
			counted++
		}
	}
	return len(all), counted
}
