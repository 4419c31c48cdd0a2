package report

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Pair is one listener's plays of one artist in a month.
type Pair struct{ Pseudonym, Artist string }

// Carry is what is left of a listener's earlier months.
type Carry struct {
	Micro  royalty.Micro
	Months int
}

// Day is a day as the ledger has it, and its lines in the order of their bytes.
type Day struct {
	Day, Root string
	Lines     iter.Seq2[royalty.Line, error]
	// Restored are lines that were held and are paid after all; they are not in the tree. It may be nil.
	Restored iter.Seq2[royalty.Line, error]
}

// Month is everything that a month is compiled from: whoever has the same gets the same bytes.
type Month struct {
	Node   string
	Month  royalty.Month
	Policy contract.Policy
	// Payers are the pseudonyms of those who paid, in order.
	Payers iter.Seq2[string, error]
	// Carried is what was left of earlier months, by this month's pseudonym.
	Carried map[string]Carry
	Days    []Day
	// Held are pairs that nobody has decided on; the whole money of their listeners waits. Removed pairs do not count.
	Held, Removed map[Pair]bool
	// Withheld are the slices that disputes withhold, by the hash of the artist.
	Withheld map[string]royalty.Micro
	// Exclude says which lines do not count for other reasons, such as rulings; it may be nil.
	Exclude func(day string, l royalty.Line) bool
	// Tolerant counts the lines also of days that are not those that were reported: see [Month.Doubtful].
	Tolerant bool
}

// Compiled is what a month comes to.
type Compiled struct {
	Statement contract.Statement
	// Artists are the totals by actor URI, those that are withheld included.
	Artists map[string]royalty.Micro
}

// Compile computes the month. Split lines are given to emit in the order of their tree, and what is left of who heard
// nothing to carry; both may be nil. At most one listener and the totals are held in memory, and one page of lines a
// day.
func (m Month) Compile(emit func(royalty.SplitLine) error, carry func(royalty.Listener) error) (Compiled, error) {
	c := &compiling{month: m, waiting: map[string]bool{}, out: contract.Statement{Node: m.Node, Month: m.Month, Policy: m.Policy.Version}}
	for pair := range m.Held {
		c.waiting[pair.Pseudonym] = true
	}
	var days royalty.Days
	var names, roots []string
	for _, d := range m.Days {
		names, roots = append(names, d.Day), append(roots, d.Root)
		days = append(days, c.counted(d))
		if d.Restored != nil {
			days = append(days, c.chosen(d.Day, d.Restored))
		}
	}
	last := ""
	st, err := royalty.Compile(m.Policy.Royalty(), m.Month, c.listeners(), days, func(l royalty.SplitLine) error {
		if l.Pseudonym != last {
			c.out.Listeners++
			last = l.Pseudonym
		}
		if emit == nil {
			return nil
		}
		return emit(l)
	}, func(l royalty.Listener) error {
		if carry == nil {
			return nil
		}
		return carry(l)
	})
	if err != nil {
		return Compiled{}, err
	}
	return c.sum(st, contract.DaysRoot(names, roots)), nil
}

type compiling struct {
	month Month
	// waiting are listeners whose money waits, and waited is how much that is.
	waiting map[string]bool
	out     contract.Statement
	waited  royalty.Micro
}

// sum is the statement with what waits, and without what is withheld.
func (c *compiling) sum(st royalty.Statement, daysRoot string) Compiled {
	o := &c.out
	o.Payments += st.Payments
	o.Operator, o.Pool = royalty.Micro(o.Payments)*royalty.Operator, royalty.Micro(o.Payments)*royalty.Pool
	o.CarryIn += st.CarryIn
	o.CarryOut = st.CarryOut
	o.Held = c.waited
	o.DaysRoot, o.SplitLines = daysRoot, st.Splits
	o.SplitsRoot = fmt.Sprintf("%x", st.Root[:])
	totals := make([]contract.ArtistTotal, 0, len(st.Artists))
	for uri, micro := range st.Artists {
		t := contract.ArtistTotal{Artist: contract.Digest("payee", uri), Micro: micro}
		if slice, withheld := c.month.Withheld[t.Artist]; withheld {
			// The slice is what was reported; what was decided since then waits with it.
			o.Held += slice
			o.CarryOut += micro - slice
			continue
		}
		o.Splits += micro
		totals = append(totals, t)
	}
	slices.SortFunc(totals, func(a, b contract.ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	o.ArtistsRoot, o.ArtistCount = contract.ArtistsRoot(totals), int64(len(totals))
	o.Artists = totals
	if len(totals) > contract.MaxLines {
		o.Artists = []contract.ArtistTotal{}
	}
	return Compiled{*o, st.Artists}
}

// listeners are those who paid and those with something left, in order, without those whose money waits.
func (c *compiling) listeners() iter.Seq2[royalty.Listener, error] {
	carried := slices.Sorted(maps.Keys(c.month.Carried))
	return func(yield func(royalty.Listener, error) bool) {
		give := func(name string, lapsed bool) bool {
			left := c.month.Carried[name]
			if c.waiting[name] {
				c.out.CarryIn += left.Micro
				c.waited += left.Micro
				if !lapsed {
					c.out.Payments++
					c.out.Listeners++
					c.waited += royalty.Pool
				}
				return true
			}
			return yield(royalty.Listener{Pseudonym: name, Carried: left.Micro, Months: left.Months, Lapsed: lapsed}, nil)
		}
		i, last := 0, ""
		for name, err := range c.month.Payers {
			if err == nil && name <= last {
				err = fmt.Errorf("%w: payer %s", ErrTwice, name)
			}
			if err != nil {
				yield(royalty.Listener{}, err)
				return
			}
			last = name
			for ; i < len(carried) && carried[i] < name; i++ {
				if !give(carried[i], true) {
					return
				}
			}
			if i < len(carried) && carried[i] == name {
				i++
			}
			if !give(name, false) {
				return
			}
		}
		for ; i < len(carried); i++ {
			if !give(carried[i], true) {
				return
			}
		}
	}
}

// counted are the lines of a day that count, of those who paid. At the end it knows whether they are those of the report.
func (c *compiling) counted(d Day) iter.Seq2[royalty.Line, error] {
	return func(yield func(royalty.Line, error) bool) {
		var tree royalty.Tree
		all := func(yield func(royalty.Line, error) bool) {
			for line, err := range d.Lines {
				if err == nil {
					tree.Add(line.String())
				}
				if !yield(line, err) {
					return
				}
			}
			if root := contract.Root(tree); root != d.Root && !c.month.Tolerant {
				yield(royalty.Line{}, fmt.Errorf("%w: %s has root %s, and %s was reported", ErrAltered, d.Day, root, d.Root))
			}
		}
		c.chosen(d.Day, all)(yield)
	}
}

// chosen leaves out lines that do not count: of who did not pay or whose money waits, of removed pairs, and those that
// are excluded.
func (c *compiling) chosen(day string, lines iter.Seq2[royalty.Line, error]) iter.Seq2[royalty.Line, error] {
	return func(yield func(royalty.Line, error) bool) {
		next, stop := iter.Pull2(c.month.Payers)
		defer stop()
		payer, err, more := next()
		for line, lineErr := range lines {
			if lineErr != nil {
				yield(line, lineErr)
				return
			}
			for more && err == nil && payer < line.Pseudonym {
				payer, err, more = next()
			}
			if err != nil {
				yield(line, err)
				return
			}
			pair := Pair{line.Pseudonym, line.Artist}
			if !more || payer != line.Pseudonym || c.waiting[line.Pseudonym] || c.month.Removed[pair] || c.month.Exclude != nil && c.month.Exclude(day, line) {
				continue
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}
