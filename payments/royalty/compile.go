package royalty

import (
	"bytes"
	"cmp"
	"container/heap"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"

	"golang.org/x/mod/sumdb/tlog"
)

// Listener is somebody who paid for the month.
type Listener struct {
	Pseudonym string
	// Carried is what is left of months in which this listener heard nothing, and Months how many these were.
	Carried Micro
	Months  int
	// Lapsed is who has not paid for this month, and is here for what is left of earlier ones.
	Lapsed bool
}

// most is how much may be left of earlier months: of who listens on, or of who does not, such as the common fund.
func (l Listener) most() Micro {
	if l.Lapsed {
		return 1_000_000_000 * 1_000_000
	}
	return 1000 * Pool
}

// Statement is what a month comes to on one node. It sums: Payments × Fee = Operator + Pool, and
// Pool + CarryIn = Artists + CarryOut, the common fund included.
type Statement struct {
	Month    Month
	Policy   int
	Payments int64
	Operator Micro
	Pool     Micro
	CarryIn  Micro
	CarryOut Micro
	// Fund is what listeners who heard nothing for too long left to all artists of the month; it is in Artists. When
	// there are none to divide it among, it stays in CarryOut.
	Fund Micro
	// Artists are the totals by actor URI.
	Artists map[string]Micro
	// Splits and Root are the number of split lines and the root of their tree.
	Splits int64
	Root   tlog.Hash
}

// Days are the lines of each day's report, each in the order of their bytes, with one line for a listener and a track.
type Days []iter.Seq2[Line, error]

// Compile divides the money of all who paid, and of who is left with some from earlier months. Listeners come in the order of their pseudonyms, each once. Lines of
// somebody who is not among them are an error: a listener without a payment. Split lines are given to emit in
// the order of the tree: by pseudonym, then by rank. At most one listener and the totals are held in memory.
func Compile(policy Policy, month Month, listeners iter.Seq2[Listener, error], days Days, emit func(SplitLine) error, carry func(Listener) error) (Statement, error) {
	c := &compiler{policy: policy, emit: emit, carry: carry, out: Statement{Month: month, Policy: policy.Version, Artists: map[string]Micro{}}}
	if err := policy.Check(); err != nil {
		return c.out, err
	}
	lines, stop := newMerge(days)
	defer stop()
	last := ""
	for who, err := range listeners {
		if err != nil {
			return c.out, err
		}
		if err := checkPseudonym(who.Pseudonym); err != nil {
			return c.out, err
		}
		if who.Pseudonym <= last || who.Carried < 0 || who.Carried > who.most() || who.Months < 0 {
			return c.out, fmt.Errorf("%w: listener %s out of order, twice, or with a carried sum of %s", ErrInvalid, who.Pseudonym, who.Carried)
		}
		last = who.Pseudonym
		heard, err := lines.of(who.Pseudonym)
		if err != nil {
			return c.out, err
		}
		if who.Lapsed && (len(heard) > 0 || who.Carried == 0) {
			return c.out, fmt.Errorf("%w: %s was heard, or has nothing left, and did not pay", ErrInvalid, who.Pseudonym)
		}
		if err := c.add(who, heard); err != nil {
			return c.out, err
		}
	}
	if line, ok := lines.head(); ok {
		return c.out, fmt.Errorf("%w: %s was heard and did not pay", ErrInvalid, line.Pseudonym)
	}
	if lines.err != nil {
		return c.out, lines.err
	}
	if err := c.divideFund(); err != nil {
		return c.out, err
	}
	c.out.Splits, c.out.Root = c.tree.Size(), c.tree.Root()
	return c.out, nil
}

type compiler struct {
	policy Policy
	emit   func(SplitLine) error
	carry  func(Listener) error
	tree   Tree
	out    Statement
}

// add divides the money of one listener.
func (c *compiler) add(who Listener, heard []Heard) error {
	c.out.CarryIn += who.Carried
	if who.Lapsed {
		return c.keep(who)
	}
	c.out.Payments++
	c.out.Operator += Operator
	c.out.Pool += Pool
	parts, err := divide(c.policy, c.out.Month, who.Pseudonym, Pool+who.Carried, heard)
	if err != nil {
		return err
	}
	if len(parts) == 0 {
		return c.keep(who)
	}
	for _, part := range parts {
		c.out.Artists[part.Artist] += part.Micro
		line := SplitLine{who.Pseudonym, part.Artist, part.Micro}
		c.tree.Add(line.String())
		if err := c.emit(line); err != nil {
			return err
		}
	}
	return nil
}

// keep carries the money of somebody who heard nothing, or gives it to the fund when that has gone on for too long.
func (c *compiler) keep(who Listener) error {
	if !who.Lapsed {
		who.Carried += Pool
	}
	who.Months++
	if who.Months > c.policy.CarryMonths {
		c.out.Fund += who.Carried
		return nil
	}
	c.out.CarryOut += who.Carried
	return c.carry(who)
}

// divideFund divides the fund among the artists of the month by what each earned in it; ties go by SHA-256("fund1|"
// month "|" artist).
func (c *compiler) divideFund() error {
	if c.out.Fund == 0 {
		return nil
	}
	names := slices.SortedFunc(maps.Keys(c.out.Artists), func(a, b string) int {
		x, y := sha256.Sum256([]byte("fund1|"+string(c.out.Month)+"|"+a)), sha256.Sum256([]byte("fund1|"+string(c.out.Month)+"|"+b))
		return bytes.Compare(x[:], y[:])
	})
	weights := make([]uint64, len(names))
	for i, name := range names {
		weights[i] = uint64(c.out.Artists[name])
	}
	parts, err := apportion(uint64(c.out.Fund), weights)
	if err != nil {
		return err
	}
	if parts == nil {
		c.out.CarryOut += c.out.Fund
		return nil
	}
	for i, part := range parts {
		c.out.Artists[names[i]] += Micro(part)
	}
	return nil
}

// merge reads the lines of all days, listener after listener.
type merge struct {
	days []*day
	err  error
	// heard and at, artist to its place in heard, are of one listener, and used again for the next.
	heard []Heard
	at    map[string]int
}

type day struct {
	line Line
	next func() (Line, error, bool)
}

func newMerge(days Days) (*merge, func()) {
	m := &merge{at: map[string]int{}}
	var stops []func()
	for _, lines := range days {
		next, stop := iter.Pull2(lines)
		stops = append(stops, stop)
		if d := (&day{next: next}); m.read(d) {
			heap.Push(m, d)
		}
	}
	return m, func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// read goes on to a day's next line; false at the end, and at an error.
func (m *merge) read(d *day) bool {
	line, err, ok := d.next()
	if !ok {
		return false
	}
	if err == nil {
		err = line.check()
	}
	if err == nil && compareLines(d.line, line) >= 0 {
		err = fmt.Errorf("%w: line %q is out of order", ErrInvalid, line)
	}
	if err != nil {
		m.err = cmp.Or(m.err, err)
		return false
	}
	d.line = line
	return true
}

func (m *merge) head() (Line, bool) {
	if len(m.days) == 0 || m.err != nil {
		return Line{}, false
	}
	return m.days[0].line, true
}

// of takes the lines of a listener and sums them by artist. The result is good until the next call.
func (m *merge) of(pseudonym string) ([]Heard, error) {
	m.heard = m.heard[:0]
	clear(m.at)
	for line, ok := m.head(); ok; line, ok = m.head() {
		if line.Pseudonym != pseudonym {
			if line.Pseudonym < pseudonym {
				return nil, fmt.Errorf("%w: %s was heard and did not pay", ErrInvalid, line.Pseudonym)
			}
			break
		}
		i, known := m.at[line.Artist]
		if !known {
			i = len(m.heard)
			m.at[line.Artist] = i
			m.heard = append(m.heard, Heard{Artist: line.Artist})
		}
		sum := &m.heard[i]
		sum.Units += line.Units
		sum.Seconds += line.Seconds
		if sum.Units < 0 || sum.Seconds < 0 {
			return nil, fmt.Errorf("%w: plays of %s sum beyond 2^63", ErrInvalid, line.Artist)
		}
		if m.read(m.days[0]) {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
	}
	return m.heard, m.err
}

// Len, Less, Swap, Push and Pop are heap.Interface.
func (m *merge) Len() int           { return len(m.days) }
func (m *merge) Less(a, b int) bool { return m.days[a].line.Pseudonym < m.days[b].line.Pseudonym }
func (m *merge) Swap(a, b int)      { m.days[a], m.days[b] = m.days[b], m.days[a] }
func (m *merge) Push(x any)         { m.days = append(m.days, x.(*day)) }
func (m *merge) Pop() any {
	last := m.days[len(m.days)-1]
	m.days = m.days[:len(m.days)-1]
	return last
}
