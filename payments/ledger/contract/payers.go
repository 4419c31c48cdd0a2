package contract

import (
	"context"
	"time"

	"antiphon/payments/royalty"
)

// Payers calls fn with the pseudonyms of those who paid a node for a month, in order, each once: the ones that its
// statement counts. Who was charged back before the month was reported is not among them. An error of fn ends it and
// is returned.
func Payers(ctx context.Context, r Reader, month royalty.Month, node string, fn func(pseudonym string) error) error {
	s := view{ctx, r}
	prefix := subscriptionKey(month, "")
	start, end := under(prefix)
	gone := map[string]bool{}
	from, until := under(chargebackPrefix(month, node))
	err := s.Range(from, until, func(key, value string) error {
		back, err := read[reversed]([]byte(value))
		if err == nil && !back.Late {
			gone[key[len(from):]] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.Range(start, end, func(key, value string) error {
		p, err := read[paid]([]byte(value))
		if err != nil || p.Node != node || gone[key[len(prefix):]] {
			return err
		}
		return fn(key[len(prefix):])
	})
}

// Day is a day's report as it stands on the ledger.
type Day struct {
	Day, Root                            string
	Lines, Plays, Seconds, Dropped, Held int64
	Policy                               int
	Late                                 bool
}

// Days calls fn with a node's reports of the days of a month, in order.
func Days(ctx context.Context, r Reader, month royalty.Month, node string, fn func(Day) error) error {
	prefix := dayPrefix(node)
	return r.Range(ctx, prefix+string(month)+"-", prefix+string(month)+".", func(key, value string) error {
		h, err := read[heard]([]byte(value))
		if err != nil {
			return err
		}
		return fn(Day{key[len(prefix):], h.Root, h.Lines, h.Plays, h.Seconds, h.Dropped, h.Held, h.Policy, h.Late})
	})
}

// DayAt is a node's report of one day; ErrUnknown when there is none.
func DayAt(ctx context.Context, r Reader, node, day string) (Day, error) {
	h, err := known(get[heard](view{ctx, r}, dayKey(node, day)))
	return Day{day, h.Root, h.Lines, h.Plays, h.Seconds, h.Dropped, h.Held, h.Policy, h.Late}, err
}

// Nodes are the instances that take part, in the order of their hosts.
func Nodes(ctx context.Context, r Reader) ([]Node, error) {
	var nodes []Node
	start, end := under("node/")
	err := r.Range(ctx, start, end, func(_, value string) error {
		n, err := read[Node]([]byte(value))
		nodes = append(nodes, n)
		return err
	})
	return nodes, err
}

// PayoutAt is what a node has sent to an artist on a month's final statement, and the provider's name of the transfer;
// ErrUnknown when it has sent nothing.
func PayoutAt(ctx context.Context, r Reader, month royalty.Month, node, artist string) (royalty.Micro, string, error) {
	p, err := known(get[sent](view{ctx, r}, payoutKey(month, node, artist)))
	return p.Micro, p.Ref, err
}

// Total is what a statement gives an artist, by hash; false when it names the artist not, or only under its root.
func (m Statement) Total(artist string) (royalty.Micro, bool) {
	for _, t := range m.Artists {
		if t.Artist == artist {
			return t.Micro, true
		}
	}
	return 0, false
}

// SettledAt is when the disputes of a reported month are to be over, and its final statement is made; ErrUnknown when
// there is no report.
func SettledAt(ctx context.Context, r Reader, month royalty.Month, node string) (time.Time, error) {
	m, err := known(get[reported](view{ctx, r}, monthKey(month, node)))
	return m.Settled, err
}

// Credited reports whether an artist's total of a statement with a root alone was proved, and so is in [Due].
func Credited(ctx context.Context, r Reader, month royalty.Month, node, artist string) (bool, error) {
	_, found, err := r.Get(ctx, creditedKey(month, node, artist))
	return found, err
}

// HasPaid reports whether somebody has paid a node for a month, and was not charged back before it was reported.
func HasPaid(ctx context.Context, r Reader, month royalty.Month, node, pseudonym string) (bool, error) {
	s := view{ctx, r}
	p, ok, err := get[paid](s, subscriptionKey(month, pseudonym))
	if err != nil || !ok || p.Node != node {
		return false, err
	}
	back, gone, err := get[reversed](s, chargebackPrefix(month, node)+pseudonym)
	return !gone || back.Late, err
}
