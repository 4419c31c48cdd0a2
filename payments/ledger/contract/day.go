package contract

import (
	"encoding/hex"
	"fmt"
	"time"

	"antiphon/payments/royalty"
)

// DayReport says what was heard on a node on one day. The lines stay on the node; their root is here. Each report
// follows the one of the day before; a day can be reported until the third of the next month, and is flagged as late
// from six o'clock of the next morning on. What nobody reported by then stays a gap for ever, that all can see.
type DayReport struct {
	Node string `json:"node"`
	// Day is like 2026-10-31, in UTC.
	Day string `json:"day"`
	// Root is the root of royalty.Tree over the day's lines, as 64 hexadecimal digits: of a day without any, too.
	Root  string `json:"root"`
	Lines int64  `json:"lines"`
	// Plays and Seconds are those in the lines; Dropped and Held are plays that are not: by rule, and until looked at.
	Plays   int64 `json:"plays"`
	Seconds int64 `json:"seconds"`
	Dropped int64 `json:"dropped"`
	Held    int64 `json:"held"`
	Policy  int   `json:"policy"`
	// PrevDayRoot is the root of the report before, and empty in a node's first.
	PrevDayRoot string `json:"prevDayRoot"`
}

// Call implements [Command].
func (d DayReport) Call() (string, any, error) { return reportDay, d, nil }

const reportDay = "report_day"

func dayPrefix(node string) string { return "day/" + node + "/" }

func dayKey(node, day string) string { return dayPrefix(node) + day }

func lastDayKey(node string) string { return "days/" + node }

// heard is a day's report as it stands on the ledger.
type heard struct {
	Root    string `json:"root"`
	Lines   int64  `json:"lines"`
	Plays   int64  `json:"plays"`
	Seconds int64  `json:"seconds"`
	Dropped int64  `json:"dropped"`
	Held    int64  `json:"held"`
	Policy  int    `json:"policy"`
	Late    bool   `json:"late"`
}

// lastDay is the newest of a node's reports.
type lastDay struct {
	Day  string `json:"day"`
	Root string `json:"root"`
}

// Root is a tree's root as reports have it.
func Root(t royalty.Tree) string {
	h := t.Root()
	return hex.EncodeToString(h[:])
}

// dayReportHour is the hour of the next morning by which a report is in time.
const dayReportHour = 6

func (d DayReport) run(s State) error {
	if _, err := authorize(s, d.Node); err != nil {
		return err
	}
	if err := d.check(); err != nil {
		return err
	}
	day, err := time.Parse(time.DateOnly, d.Day)
	if err != nil || day.Format(time.DateOnly) != d.Day {
		return fmt.Errorf("%w: day %.20q is not like 2026-10-31", ErrInvalid, d.Day)
	}
	month := royalty.MonthOf(day)
	now, over := s.Time(), day.AddDate(0, 0, 1)
	if now.Before(over) {
		return fmt.Errorf("%w: %s is not over", ErrEarly, d.Day)
	}
	if _, twice, err := s.Get(dayKey(d.Node, d.Day)); err != nil {
		return err
	} else if twice {
		return fmt.Errorf("%w: %s of %s", ErrDuplicate, d.Day, d.Node)
	}
	if !now.Before(reportsClose(month)) {
		return fmt.Errorf("%w: %s is closed", ErrLate, month)
	}
	if _, err := checkPolicy(s, month, d.Policy); err != nil {
		return err
	}
	if err := d.follows(s, day, now); err != nil {
		return err
	}
	late := now.After(over.Add(dayReportHour * time.Hour))
	if err := put(s, dayKey(d.Node, d.Day), heard{d.Root, d.Lines, d.Plays, d.Seconds, d.Dropped, d.Held, d.Policy, late}); err != nil {
		return err
	}
	if err := put(s, lastDayKey(d.Node), lastDay{d.Day, d.Root}); err != nil {
		return err
	}
	return emit(s, reportDay, notice{Node: d.Node, Day: d.Day})
}

func (d DayReport) check() error {
	if err := counted(d.Lines, d.Plays, d.Seconds, d.Dropped, d.Held); err != nil {
		return err
	}
	empty := d.Lines == 0
	switch {
	case !hexHash.MatchString(d.Root) || d.PrevDayRoot != "" && !hexHash.MatchString(d.PrevDayRoot):
		return fmt.Errorf("%w: want roots of 64 hexadecimal digits", ErrInvalid)
	case empty != (d.Root == Root(royalty.Tree{})):
		return fmt.Errorf("%w: %d lines under root %s", ErrSum, d.Lines, d.Root)
	case empty != (d.Plays == 0) || empty && d.Seconds != 0:
		return fmt.Errorf("%w: %d plays and %d seconds in %d lines", ErrSum, d.Plays, d.Seconds, d.Lines)
	}
	return nil
}

// follows checks the chain: the report before is of the day before, or the days between can be reported no longer.
func (d DayReport) follows(s State, day, now time.Time) error {
	last, found, err := get[lastDay](s, lastDayKey(d.Node))
	if err != nil {
		return err
	}
	if last.Root != d.PrevDayRoot {
		return fmt.Errorf("%w: the root before is %q", ErrChain, last.Root)
	}
	if !found {
		return nil
	}
	before, err := time.Parse(time.DateOnly, last.Day)
	if err != nil {
		return fmt.Errorf("stored day of %s: %w", d.Node, err)
	}
	if !day.After(before) {
		return fmt.Errorf("%w: %s was reported already", ErrChain, last.Day)
	}
	yesterday := day.AddDate(0, 0, -1)
	if before.Before(yesterday) && now.Before(reportsClose(royalty.MonthOf(yesterday))) {
		return fmt.Errorf("%w: %s was the last day reported", ErrChain, last.Day)
	}
	return nil
}

// DaysRoot is the root over the days of a month that were reported: lines day|root, in order.
func DaysRoot(days []string, roots []string) string {
	var t royalty.Tree
	for i, day := range days {
		t.Add(day + "|" + roots[i])
	}
	return Root(t)
}

// daysRoot computes it from the ledger.
func daysRoot(s State, month royalty.Month, node string) (string, error) {
	var t royalty.Tree
	prefix := dayPrefix(node)
	err := s.Range(prefix+string(month)+"-", prefix+string(month)+".", func(key, value string) error {
		day, err := read[heard]([]byte(value))
		t.Add(key[len(prefix):] + "|" + day.Root)
		return err
	})
	return Root(t), err
}
