package reporting_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// liar is a book in which a day has another root than the one that was reported, while it lies.
type liar struct {
	ledger.Embedded
	mu              sync.Mutex
	day, lie, truth string
}

// tell makes it lie about a day; no day is the truth.
func (l *liar) tell(day, lie, truth string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.day, l.lie, l.truth = day, lie, truth
}

func (l *liar) told() (day, lie, truth string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.day, l.lie, l.truth
}

func (l *liar) Range(ctx context.Context, start, end string, fn func(key, value string) error) error {
	day, lie, truth := l.told()
	return l.Embedded.Range(ctx, start, end, func(key, value string) error {
		if day != "" && strings.HasSuffix(key, "/"+day) {
			value = strings.ReplaceAll(value, truth, lie)
		}
		return fn(key, value)
	})
}

// Submit tells the truth about the days, which everybody has.
func (l *liar) Submit(ctx context.Context, c contract.Command) error {
	if m, ok := c.(contract.MonthReport); ok {
		days, err := report.Days(ctx, l.Embedded, m.Month, m.Node)
		if err != nil {
			return err
		}
		m.DaysRoot = daysRoot(days)
		c = m
	}
	return l.Embedded.Submit(ctx, c)
}

func daysRoot(days []contract.Day) string {
	var names, roots []string
	for _, d := range days {
		names, roots = append(names, d.Day), append(roots, d.Root)
	}
	return contract.DaysRoot(names, roots)
}

// alterLine makes 400 plays of the one that an artist has on a day.
func alterLine(t *testing.T, n *node, day, artist string) {
	t.Helper()
	var lines []string
	n.must(n.DB.Read.Table("report_lines").Where("day = ? AND artist = ?", day, artist).Pluck("line", &lines).Error)
	if len(lines) != 1 {
		t.Fatalf("lines %q", lines)
	}
	altered := strings.Replace(lines[0], "|10000|", "|4000000|", 1)
	res := n.DB.Write.Exec("UPDATE report_lines SET line = ? WHERE day = ? AND artist = ?", []byte(altered), day, artist)
	if n.must(res.Error); res.RowsAffected != 1 || altered == lines[0] {
		t.Fatalf("altered %d lines, %q", res.RowsAffected, lines)
	}
}

// rootOf is the root of a day's lines as they are now.
func rootOf(t *testing.T, n *node, day string) string {
	t.Helper()
	var lines []string
	n.must(n.DB.Read.Table("report_lines").Where("day = ? AND held = ?", day, false).Order("line").Pluck("line", &lines).Error)
	var tree royalty.Tree
	for _, l := range lines {
		tree.Add(l)
	}
	return contract.Root(tree)
}
