package contract

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"antiphon/payments/royalty"
)

// Lapse gives to the common fund what a node has owed to artists for longer than the policies of the months say in which
// it was earned, at most MaxLines artists in a batch, each once a statement. A payout takes the oldest money first, so what
// lapses is what is owed beyond all that is younger. The fund is in what the node carries into its next month, and is divided
// there among all artists who earn something; so a Lapse follows the last final statement and comes before the next report.
// That an artist has not said where to be paid stands on no ledger: the artist's own instance knows.
type Lapse struct {
	Node string `json:"node"`
	// Month is that of the node's last final statement.
	Month royalty.Month `json:"month"`
	Lines []Lapsing     `json:"lines"`
}

// Lapsing is what one artist is not owed any more.
type Lapsing struct {
	// Artist is Digest("payee", actor URI).
	Artist string        `json:"artist"`
	Micro  royalty.Micro `json:"micro"`
	// Totals prove totals that are owed, as in a Payout; their time has to have come as well.
	Totals []TotalProof `json:"totals,omitempty"`
}

// Call implements [Command].
func (l Lapse) Call() (string, any, error) { return lapse, l, nil }

const lapse = "lapse"

func lapsedPrefix(month royalty.Month, node string) string {
	return "lapsed/" + string(month) + "/" + node + "/"
}

func (l Lapse) run(s State) error {
	if _, err := authorize(s, l.Node); err != nil {
		return err
	}
	if err := batch(len(l.Lines)); err != nil {
		return err
	}
	carry, err := openCarry(s, l.Node)
	if err != nil {
		return err
	}
	if l.Month != carry.Month {
		return fmt.Errorf("%w: %s is the last month that is final", ErrChain, carry.Month)
	}
	young, err := youngOf(s, l.Node)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i, line := range l.Lines {
		if err := line.lapse(s, carry.Month, young, seen); err != nil {
			return &LineError{i, err}
		}
		if carry.Micro, err = add(carry.Micro, line.Micro); err != nil {
			return &LineError{i, err}
		}
	}
	if err := put(s, carryKey(l.Node), carry); err != nil {
		return err
	}
	return emit(s, lapse, notice{Node: l.Node, Month: l.Month, Lines: len(l.Lines)})
}

func (l Lapsing) lapse(s State, month royalty.Month, young *young, seen map[string]bool) error {
	if err := atLeastZero(l.Micro); err != nil {
		return err
	}
	if !hexHash.MatchString(l.Artist) || l.Micro == 0 {
		return fmt.Errorf("%w: want an artist's hash and what lapses", ErrInvalid)
	}
	key := lapsedPrefix(month, young.node) + l.Artist
	if _, twice, err := s.Get(key); err != nil {
		return err
	} else if twice || seen[key] {
		return fmt.Errorf("%w: %s", ErrDuplicate, key)
	}
	seen[key] = true
	for _, t := range l.Totals {
		if young.months[t.Month] {
			return fmt.Errorf("%w: what was earned in %s is kept", ErrEarly, t.Month)
		}
	}
	due, err := dueWith(s, young.node, l.Artist, l.Totals)
	if err != nil {
		return err
	}
	kept, err := young.of(s, l.Artist)
	switch {
	case err != nil:
		return err
	case l.Micro > due:
		return fmt.Errorf("%w: %s of %s", ErrOverdrawn, l.Micro, due)
	case l.Micro > due-kept:
		return fmt.Errorf("%w: %s of %s is kept for longer", ErrEarly, kept, due)
	}
	if err := put(s, dueKey(young.node, l.Artist), due-l.Micro); err != nil {
		return err
	}
	return put(s, key, l.Micro)
}

// openCarry is what a node carries on, unless a report has taken it over that is not final yet.
func openCarry(s State, node string) (carried, error) {
	last, found, err := get[royalty.Month](s, reportedKey(node))
	if err != nil {
		return carried{}, err
	}
	carry, closed, err := get[carried](s, carryKey(node))
	if err != nil {
		return carry, err
	}
	if !found || !closed || carry.Month != last {
		return carry, fmt.Errorf("%w: %s is reported and not final", ErrChain, last)
	}
	return carry, nil
}

// lapseDay is the day of the month after, and after the policy's months, from which money lapses: that on which it would
// have been paid for the last time.
const lapseDay = 25

func lapsesAt(month royalty.Month, unclaimed int) time.Time {
	return royalty.MonthOf(month.Start().AddDate(0, unclaimed+1, 0)).Day(lapseDay)
}

// young is what a node owes that is not old enough to lapse.
type young struct {
	node string
	// months are those whose money is kept, finals their final statements, and mended what corrections that were made in
	// them have added.
	months map[royalty.Month]bool
	finals []Statement
	mended map[string]royalty.Micro
}

func youngOf(s State, node string) (*young, error) {
	y := &young{node: node, months: map[royalty.Month]bool{}, mended: map[string]royalty.Micro{}}
	now := s.Time()
	all, longest, err := policies(s)
	if err != nil {
		return nil, err
	}
	for back := 0; back <= longest+1; back++ {
		month := royalty.MonthOf(royalty.MonthOf(now).Start().AddDate(0, -back, 0))
		kept := -1
		for _, p := range all {
			if p.From <= month {
				kept = p.UnclaimedMonths
			}
		}
		if kept < 0 || !now.Before(lapsesAt(month, kept)) {
			continue
		}
		y.months[month] = true
		final, found, err := get[Statement](s, finalKey(month, node))
		if err != nil {
			return nil, err
		}
		if found {
			y.finals = append(y.finals, final)
		}
	}
	start, end := under(correctionKey(node, ""))
	err = s.Range(start, end, func(_, value string) error {
		c, err := read[Correction]([]byte(value))
		if err != nil || !y.months[c.Made()] {
			return err
		}
		for _, t := range c.Entries {
			if t.Micro > 0 {
				if y.mended[t.Artist], err = add(y.mended[t.Artist], t.Micro); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return y, err
}

// of is how much of what an artist is owed is kept for longer.
func (y *young) of(s State, artist string) (royalty.Micro, error) {
	sum := y.mended[artist]
	for _, final := range y.finals {
		micro, named := final.Total(artist)
		if !named && int64(len(final.Artists)) < final.ArtistCount {
			// Under its root alone a total is owed from when it was proved.
			var err error
			if micro, _, err = get[royalty.Micro](s, creditedKey(final.Month, y.node, artist)); err != nil {
				return 0, err
			}
		}
		var err error
		if sum, err = add(sum, micro); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// Aging tells how old is what a node owes.
type Aging struct {
	r     Reader
	young *young
}

// AgingAt looks at a node's books as they are, with the clock at an instant.
func AgingAt(ctx context.Context, r Reader, node string, at time.Time) (*Aging, error) {
	y, err := youngOf(timed{view{ctx, r}, at}, node)
	return &Aging{r, y}, err
}

// Old is how much of what the ledger owes an artist could lapse: see [Due], and [Lapse]. Proved is what totals of months
// that are not kept would add. It is never below zero.
func (a *Aging) Old(ctx context.Context, artist string, proved royalty.Micro) (royalty.Micro, error) {
	due, err := Due(ctx, a.r, a.young.node, artist)
	if err == nil {
		due, err = add(due, proved)
	}
	if err != nil {
		return 0, err
	}
	kept, err := a.young.of(view{ctx, a.r}, artist)
	return max(0, due-kept), err
}

// Kept reports whether what was earned in a month is too young to lapse.
func (a *Aging) Kept(month royalty.Month) bool { return a.young.months[month] }

// timed is a view at an instant.
type timed struct {
	view
	at time.Time
}

func (t timed) Time() time.Time { return t.at.UTC() }

// LapsesAt is when what was earned in a month lapses, if nobody has claimed it; ErrUnknown when no policy holds for it.
func LapsesAt(ctx context.Context, r Reader, month royalty.Month) (time.Time, error) {
	p, err := PolicyFor(ctx, r, month)
	return lapsesAt(month, p.UnclaimedMonths), err
}

// LapsedAt is what an artist has lost to the common fund after a month's final statement; 0 when nothing.
func LapsedAt(ctx context.Context, r Reader, month royalty.Month, node, artist string) (royalty.Micro, error) {
	micro, _, err := get[royalty.Micro](view{ctx, r}, lapsedPrefix(month, node)+artist)
	return micro, err
}

// Lapses calls fn with what artists have lost to the common fund after a month's final statement, in the order of their
// hashes. An error of fn ends it and is returned.
func Lapses(ctx context.Context, r Reader, month royalty.Month, node string, fn func(ArtistTotal) error) error {
	start, end := under(lapsedPrefix(month, node))
	return r.Range(ctx, start, end, func(key, value string) error {
		micro, err := read[royalty.Micro]([]byte(value))
		if err != nil {
			return err
		}
		return fn(ArtistTotal{key[len(start):], micro})
	})
}

// CanLapse reports whether a node's books are between a final statement and the next report, when money can lapse and a
// Correction can change what is carried, and of which month that statement is.
func CanLapse(ctx context.Context, r Reader, node string) (royalty.Month, bool, error) {
	carry, err := openCarry(view{ctx, r}, node)
	if errors.Is(err, ErrChain) {
		return "", false, nil
	}
	return carry.Month, err == nil, err
}

// LapsesOf calls fn with what one artist has lost to the common funds of all nodes: with the node, and the month whose final
// statement was the last one then. An error of fn ends it and is returned.
func LapsesOf(ctx context.Context, r Reader, artist string, fn func(month royalty.Month, node string, micro royalty.Micro) error) error {
	start, end := under("lapsed/")
	return r.Range(ctx, start, end, func(key, value string) error {
		month, rest, _ := strings.Cut(key[len(start):], "/")
		node, whose, _ := strings.Cut(rest, "/")
		if whose != artist {
			return nil
		}
		micro, err := read[royalty.Micro]([]byte(value))
		if err != nil {
			return err
		}
		return fn(royalty.Month(month), node, micro)
	})
}
