package report

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/anomaly"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

func parseRoot(text string) (tlog.Hash, error) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != tlog.HashSize {
		return tlog.Hash{}, fmt.Errorf("%w: root %.70q", ErrFile, text)
	}
	return tlog.Hash(raw), nil
}

// books is what a statement is held against.
type books struct {
	statement contract.Statement
	// day is the root that was reported of a day, and how many lines it has; -1 when that is not known.
	day func(day string) (root string, lines int64, err error)
	// paid reports whether a pseudonym has paid; nil when nobody can tell.
	paid func(pseudonym string) (bool, error)
}

func altered(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrAltered}, args...)...)
}

// Check holds a statement against the reader's own ledger: the roots are those that the node has reported, every line is
// under its root and of the artist, who is paid for was heard and has paid, and the lines come to the total. The error
// wraps ErrAltered when they do not.
func (a ArtistStatement) Check(ctx context.Context, r contract.Reader) error {
	st, err := contract.Finally(ctx, r, a.Month, a.Node)
	if a.Stage != Final || errors.Is(err, contract.ErrUnknown) {
		st, _, err = contract.Reported(ctx, r, a.Month, a.Node)
	}
	if err != nil {
		return err
	}
	return a.check(books{
		statement: st,
		day: func(day string) (string, int64, error) {
			d, err := contract.DayAt(ctx, r, a.Node, day)
			return d.Root, d.Lines, err
		},
		paid: func(p string) (bool, error) { return contract.HasPaid(ctx, r, a.Month, a.Node, p) },
	})
}

// CheckAlone holds a statement against the record of the node's ledger that it brings, without any other ledger. Whether
// that record stands in the ledger is for who calls to see, with its proof; and nobody can tell from it who has paid.
func (a ArtistStatement) CheckAlone() error {
	if a.Record == nil {
		return altered("the statement brings no record of the ledger")
	}
	st, final, err := ledger.ReadStatement(a.Record.Record)
	if err != nil {
		return altered("%v", err)
	}
	if st.Node != a.Node || st.Month != a.Month || final != (a.Stage == Final) {
		return altered("the record is of %s by %s", st.Month, st.Node)
	}
	roots := map[string]string{}
	var names, all []string
	for _, d := range a.AllDays {
		roots[d.Day], names, all = d.Root, append(names, d.Day), append(all, d.Root)
	}
	if contract.DaysRoot(names, all) != st.DaysRoot {
		return altered("the days are not those that were reported")
	}
	return a.check(books{statement: st, day: func(day string) (string, int64, error) {
		root, ok := roots[day]
		if !ok {
			return "", 0, altered("%.20q was not reported", day)
		}
		return root, -1, nil
	}})
}

func (a ArtistStatement) check(b books) error {
	st := b.statement
	if a.ArtistsRoot != st.ArtistsRoot || a.SplitsRoot != st.SplitsRoot {
		return altered("the statement's roots are not those on the ledger")
	}
	want := contract.ArtistLine(contract.ArtistTotal{Artist: contract.Digest("payee", a.Artist), Micro: a.Micro})
	if a.Total.Line != want || a.Total.Size != st.ArtistCount || a.Total.Check(st.ArtistsRoot) != nil {
		return altered("the total of %s is not under the root of totals", a.Micro)
	}
	heard, err := a.checkDays(b)
	if err != nil {
		return err
	}
	var sum royalty.Micro
	for _, p := range a.Splits {
		line, err := royalty.ParseSplitLine(p.Line)
		switch {
		case err != nil:
			return altered("%v", err)
		case p.Size != st.SplitLines || p.Check(st.SplitsRoot) != nil:
			return altered("a split line is not under the root of splits")
		case line.Artist != a.Artist:
			return altered("a split line is another artist's")
		case !heard[line.Pseudonym] && !a.More:
			return altered("%s is paid for by a listener who was not reported", line.Micro)
		}
		if b.paid != nil {
			paid, err := b.paid(line.Pseudonym)
			if err != nil {
				return err
			}
			if !paid {
				return altered("%s is paid for by a listener who has not paid", line.Micro)
			}
		}
		sum += line.Micro
	}
	if len(a.Splits) > 0 && sum > a.Micro {
		return altered("the lines come to %s, and the total is %s", sum, a.Micro)
	}
	return nil
}

// checkDays checks the lines of days, and returns who was heard in them.
func (a ArtistStatement) checkDays(b books) (map[string]bool, error) {
	heard := map[string]bool{}
	for _, d := range a.Days {
		if !strings.HasPrefix(d.Day, string(a.Month)+"-") {
			return nil, altered("%.20q is not a day of %s", d.Day, a.Month)
		}
		root, lines, err := b.day(d.Day)
		if err != nil {
			return nil, fmt.Errorf("day %s: %w", d.Day, err)
		}
		for _, p := range d.Lines {
			line, err := royalty.ParseLine(p.Line)
			if err != nil || line.Artist != a.Artist || lines >= 0 && p.Size != lines || p.Check(root) != nil {
				return nil, altered("a line of %s is not under the root that was reported for the day", d.Day)
			}
			heard[line.Pseudonym] = true
		}
	}
	return heard, nil
}

// Finding is something that does not come out in what a node has reported.
type Finding struct {
	// Kind is a word, such as "late", "missing", "more-listeners", "plays" or "refused".
	Kind string
	// Subject is what it is about: a day, an artist, or nothing.
	Subject string
	Words   string
}

// Examine looks at a node's month from roots and counts alone, as any other node can: days that were not reported or too
// late, more listeners than payments, and plays far beyond what others report (R9). The contract has checked the sums
// when the reports came.
func Examine(ctx context.Context, r contract.Reader, month royalty.Month, node string, now time.Time) ([]Finding, error) {
	var found []Finding
	say := func(kind, subject, format string, args ...any) {
		found = append(found, Finding{kind, subject, fmt.Sprintf(format, args...)})
	}
	days, err := Days(ctx, r, month, node)
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, d := range days {
		have[d.Day] = true
		if d.Late {
			say("late", d.Day, "%s was reported late.", d.Day)
		}
	}
	for at := month.Start(); at.Before(month.Next().Start()); at = at.AddDate(0, 0, 1) {
		day := at.Format(time.DateOnly)
		if !have[day] && now.After(at.AddDate(0, 0, 1).Add(6*time.Hour)) {
			say("missing", day, "%s was not reported. What was heard on it is not paid for.", day)
		}
	}
	st, _, err := contract.Reported(ctx, r, month, node)
	if errors.Is(err, contract.ErrUnknown) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	if st.Listeners > st.Payments {
		say("more-listeners", "", "%d listeners were reported, and %d have paid.", st.Listeners, st.Payments)
	}
	mine, others, err := figures(ctx, r, month, node, st)
	if err != nil {
		return nil, err
	}
	policy, err := contract.PolicyFor(ctx, r, month)
	if err != nil {
		return nil, err
	}
	reasons, err := anomaly.JudgeNode(Rules(policy), mine, others)
	if err != nil {
		return nil, err
	}
	for _, words := range reasons {
		say("plays", "", "%s", words)
	}
	return found, nil
}

// figures are what R9 compares.
func figures(ctx context.Context, r contract.Reader, month royalty.Month, node string, st contract.Statement) (mine anomaly.Node, others []anomaly.Node, err error) {
	nodes, err := contract.Nodes(ctx, r)
	if err != nil {
		return mine, nil, err
	}
	for _, n := range nodes {
		theirs := st
		if n.Host != node {
			if theirs, _, err = contract.Reported(ctx, r, month, n.Host); errors.Is(err, contract.ErrUnknown) {
				continue
			} else if err != nil {
				return mine, nil, err
			}
		}
		one := anomaly.Node{Listeners: theirs.Listeners, Payments: theirs.Payments}
		days, err := Days(ctx, r, month, n.Host)
		if err != nil {
			return mine, nil, err
		}
		for _, d := range days {
			one.Plays += d.Plays
		}
		if n.Host == node {
			mine = one
		} else {
			others = append(others, one)
		}
	}
	return mine, others, nil
}
