package report

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// ErrFile is returned for what is not the file of a month.
var ErrFile = errors.New("not the file of a month")

// firstLine begins every file of a month.
const firstLine = "antiphon month 1"

const (
	// maxText bounds one line of a file, and maxPairs the carried sums and the decisions of one.
	maxText  = 64 << 10
	maxPairs = 1 << 20
	// maxDays are the days of a month.
	maxDays = 31
)

// Write writes what a month is compiled from as text, a line for each thing: evidence for those who judge a dispute, and
// what anybody compiles the month from again ([Read]). payers are left out where the reader has a ledger to take them
// from.
func (m Month) Write(w io.Writer, payers bool) error {
	b := bufio.NewWriter(w)
	policy, err := json.Marshal(m.Policy)
	if err != nil {
		return err
	}
	fmt.Fprintf(b, "%s\nnode %s\nmonth %s\npolicy %s\n", firstLine, m.Node, m.Month, policy)
	if payers {
		for name, err := range m.Payers {
			if err != nil {
				return err
			}
			fmt.Fprintf(b, "payer %s\n", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Carried)) {
		fmt.Fprintf(b, "carry %s %d %d\n", name, int64(m.Carried[name].Micro), m.Carried[name].Months)
	}
	for _, part := range []struct {
		word  string
		pairs map[Pair]bool
	}{{"held", m.Held}, {"removed", m.Removed}} {
		pairs := slices.SortedFunc(maps.Keys(part.pairs), func(x, y Pair) int {
			if c := strings.Compare(x.Pseudonym, y.Pseudonym); c != 0 {
				return c
			}
			return strings.Compare(x.Artist, y.Artist)
		})
		for _, p := range pairs {
			fmt.Fprintf(b, "%s %s %s\n", part.word, p.Pseudonym, p.Artist)
		}
	}
	for _, d := range m.Days {
		fmt.Fprintf(b, "day %s %s\n", d.Day, d.Root)
		for line, err := range d.Lines {
			if err != nil {
				return err
			}
			fmt.Fprintln(b, line)
		}
		if d.Restored == nil {
			continue
		}
		for line, err := range d.Restored {
			if err != nil {
				return err
			}
			fmt.Fprintln(b, "restored "+line.String())
		}
	}
	fmt.Fprintln(b, "end")
	return b.Flush()
}

// Read reads a file that [Month.Write] wrote, strictly. The lines of its days stay where they are: r is read again when
// the month is compiled, as often as that is done.
func Read(r io.ReaderAt, size int64) (Month, error) {
	m := Month{Carried: map[string]Carry{}, Held: map[Pair]bool{}, Removed: map[Pair]bool{}}
	f := &file{r: r, size: size}
	if err := f.index(&m); err != nil {
		return Month{}, err
	}
	m.Payers = func(yield func(string, error) bool) {
		for _, p := range f.payers {
			if !yield(hex.EncodeToString(p[:]), nil) {
				return
			}
		}
	}
	return m, nil
}

// file is a month on disk.
type file struct {
	r      io.ReaderAt
	size   int64
	payers [][16]byte
}

// index reads the file once.
func (f *file) index(m *Month) error {
	var at int64
	n, from := 0, int64(0)
	ended := false
	section := func() {
		if len(m.Days) > 0 {
			d := &m.Days[len(m.Days)-1]
			d.Lines, d.Restored = f.section(from, at, false), f.section(from, at, true)
		}
	}
	scanner := bufio.NewScanner(io.NewSectionReader(f.r, 0, f.size))
	scanner.Buffer(make([]byte, 4096), maxText)
	for scanner.Scan() {
		text := scanner.Text()
		word, rest, _ := strings.Cut(text, " ")
		n++
		switch {
		case ended:
			return fmt.Errorf("%w: line %d is behind the end", ErrFile, n)
		case n == 1 && text != firstLine:
			return fmt.Errorf("%w: it does not begin with %q", ErrFile, firstLine)
		case word == "day" || text == "end":
			section()
			ended = text == "end"
			if !ended {
				if err := m.addDay(rest); err != nil {
					return fmt.Errorf("line %d: %w", n, err)
				}
				from = at + int64(len(text)) + 1
			}
		case n > 1 && len(m.Days) == 0:
			if err := f.head(m, word, rest); err != nil {
				return fmt.Errorf("line %d: %w", n, err)
			}
		}
		at += int64(len(text)) + 1
	}
	if err := scanner.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrFile, err)
	}
	if !ended || at != f.size {
		return fmt.Errorf("%w: it is cut off, or its lines do not end as they should", ErrFile)
	}
	if err := m.Policy.Royalty().Check(); err != nil || m.Node == "" || m.Month == "" {
		return fmt.Errorf("%w: node, month or policy is missing", ErrFile)
	}
	return nil
}

// head reads a line from before the first day.
func (f *file) head(m *Month, word, rest string) (err error) {
	bad := fmt.Errorf("%w: %.80q", ErrFile, word+" "+rest)
	parts := strings.Split(rest, " ")
	switch {
	case word == "node" && m.Node == "" && len(parts) == 1:
		m.Node = rest
	case word == "month" && m.Month == "":
		m.Month, err = royalty.ParseMonth(rest)
	case word == "policy" && m.Policy.Version == 0:
		if err = json.Unmarshal([]byte(rest), &m.Policy); err != nil {
			err = fmt.Errorf("%w: %w", ErrFile, err)
		}
	case word == "payer":
		var raw []byte
		if raw, err = hex.DecodeString(rest); err != nil || len(raw) != 16 || hex.EncodeToString(raw) != rest {
			return bad
		}
		f.payers = append(f.payers, [16]byte(raw))
	case word == "carry" && len(parts) == 3 && len(m.Carried) < maxPairs:
		micro, microErr := strconv.ParseInt(parts[1], 10, 64)
		months, monthsErr := strconv.Atoi(parts[2])
		if _, twice := m.Carried[parts[0]]; twice || microErr != nil || monthsErr != nil || micro < 1 || months < 0 {
			return bad
		}
		m.Carried[parts[0]] = Carry{royalty.Micro(micro), months}
	case (word == "held" || word == "removed") && len(parts) == 2 && len(m.Held)+len(m.Removed) < maxPairs:
		pairs := m.Held
		if word == "removed" {
			pairs = m.Removed
		}
		pairs[Pair{parts[0], parts[1]}] = true
	default:
		return bad
	}
	return err
}

func (m *Month) addDay(rest string) error {
	day, root, _ := strings.Cut(rest, " ")
	if len(m.Days) >= maxDays || !strings.HasPrefix(day, string(m.Month)+"-") || len(m.Days) > 0 && m.Days[len(m.Days)-1].Day >= day || len(root) != 64 {
		return fmt.Errorf("%w: day %.80q", ErrFile, rest)
	}
	m.Days = append(m.Days, Day{Day: day, Root: root})
	return nil
}

// section are the lines of a day, of the tree or restored.
func (f *file) section(from, to int64, restored bool) iter.Seq2[royalty.Line, error] {
	return func(yield func(royalty.Line, error) bool) {
		scanner := bufio.NewScanner(io.NewSectionReader(f.r, from, to-from))
		scanner.Buffer(make([]byte, 4096), maxText)
		for scanner.Scan() {
			text, isRestored := strings.CutPrefix(scanner.Text(), "restored ")
			if isRestored != restored {
				continue
			}
			line, err := royalty.ParseLine(text)
			if !yield(line, err) || err != nil {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield(royalty.Line{}, err)
		}
	}
}

// WithLedger returns the month with what the reader's own ledger says of it: the node's payers, the days that were
// reported with their roots, and the policy. Lines of days that were not reported are left out; a day that was reported
// and is not in the file has no lines.
func (m Month) WithLedger(policy contract.Policy, days []contract.Day, payers iter.Seq2[string, error]) Month {
	have := map[string]Day{}
	for _, d := range m.Days {
		have[d.Day] = d
	}
	m.Policy, m.Payers, m.Days = policy, payers, nil
	for _, d := range days {
		one := have[d.Day]
		if one.Lines == nil {
			one.Lines = func(func(royalty.Line, error) bool) {}
		}
		m.Days = append(m.Days, Day{Day: d.Day, Root: d.Root, Lines: one.Lines, Restored: one.Restored})
	}
	return m
}
