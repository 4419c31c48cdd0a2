package outbox

import "time"

const (
	// laneDepth is how many deliveries to one host are claimed at a time, running or next.
	laneDepth = 8
	// lateAfter is the age at which a delivery counts as late.
	lateAfter = time.Minute
)

// parcel is a claimed delivery with its letter.
type parcel struct {
	delivery delivery
	letter   *letter
	// late ones go one after the other, so that a host that was away gets what it has missed in order.
	late bool
	// probe is the one delivery that is tried at a host that is down.
	probe bool
}

// lane is what one process delivers to one host at present. It is guarded by the dispatcher's lock.
type lane struct {
	queue   []parcel
	running int
	// alone says that a late one is running.
	alone bool
	// suspect says that the host had failed when the lane was opened.
	suspect bool
}

// late reports whether a delivery is not the first attempt at something new.
func (o *Outbox) late(d delivery) bool { return d.Attempts > 0 || o.now().Sub(d.CreatedAt) > lateAfter }

func (l *lane) size() int { return len(l.queue) + l.running }

// next takes the parcel that may go now.
func (l *lane) next(width int) (parcel, bool) {
	if len(l.queue) == 0 {
		return parcel{}, false
	}
	p := l.queue[0]
	if l.running > 0 && (l.alone || p.late || l.running >= width) {
		return parcel{}, false
	}
	l.queue = l.queue[1:]
	l.running++
	l.alone = p.late
	return p, true
}

func (l *lane) ended() {
	l.running--
	l.alone = l.alone && l.running > 0
}
