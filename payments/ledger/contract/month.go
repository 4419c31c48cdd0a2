package contract

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/royalty"
)

// Statement is what a month comes to on one node. The contract checks what can be checked without the lines:
//
//	Payments × 10,000,000 = Operator + Pool, and Payments is what the ledger has counted
//	Pool + CarryIn = Splits + Held + CarryOut, and CarryIn is the CarryOut of the final statement before
//	Splits = the sum of all artists' totals; no more listeners than payments; no more split lines than the policy allows
//	DaysRoot = the root over the days that were reported
type Statement struct {
	Node     string        `json:"node"`
	Month    royalty.Month `json:"month"`
	Policy   int           `json:"policy"`
	Payments int64         `json:"payments"`
	// Listeners are those of the payments who were heard of in the days' lines.
	Listeners int64         `json:"listeners"`
	Operator  royalty.Micro `json:"operator"`
	Pool      royalty.Micro `json:"pool"`
	CarryIn   royalty.Micro `json:"carryIn"`
	Splits    royalty.Micro `json:"splits"`
	// Held waits for somebody to look: in a report for suspicion, in a final statement for disputes without a ruling.
	Held     royalty.Micro `json:"held"`
	CarryOut royalty.Micro `json:"carryOut"`
	DaysRoot string        `json:"daysRoot"`
	// SplitsRoot is the root over SplitLines lines pseudonym|artist|micro.
	SplitsRoot string `json:"splitsRoot"`
	SplitLines int64  `json:"splitLines"`
	// Artists are the totals in the order of the artists' hashes, when there are at most MaxLines. ArtistsRoot is
	// the root over ArtistCount lines hash|micro in any case.
	Artists     []ArtistTotal `json:"artists"`
	ArtistsRoot string        `json:"artistsRoot"`
	ArtistCount int64         `json:"artistCount"`
}

// Totals fills in Splits and what is said of the artists, from their totals: by hash, or by actor URI when it holds a
// colon. Beyond MaxLines artists only their root is said; who keeps the books proves each total with TotalProof.
func (m *Statement) Totals(artists map[string]royalty.Micro) []ArtistTotal {
	var all []ArtistTotal
	m.Splits = 0
	for artist, micro := range artists {
		if strings.Contains(artist, ":") {
			artist = Digest("payee", artist)
		}
		all = append(all, ArtistTotal{artist, micro})
		m.Splits += micro
	}
	slices.SortFunc(all, func(a, b ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	m.Artists, m.ArtistsRoot, m.ArtistCount = []ArtistTotal{}, ArtistsRoot(all), int64(len(all))
	if len(all) <= MaxLines {
		m.Artists = append(m.Artists, all...)
	}
	return all
}

// ArtistTotal is what one artist gets; in corrections and in what votes change it may be below zero.
type ArtistTotal struct {
	// Artist is Digest("payee", actor URI).
	Artist string        `json:"artist"`
	Micro  royalty.Micro `json:"micro"`
}

// TotalProof shows an artist's total under the ArtistsRoot of a month's statement.
type TotalProof struct {
	Month  royalty.Month    `json:"month"`
	N      int64            `json:"n"`
	Micro  royalty.Micro    `json:"micro"`
	Hashes tlog.RecordProof `json:"hashes"`
}

// ArtistLine is a total as it stands in the tree of ArtistsRoot.
func ArtistLine(t ArtistTotal) string { return fmt.Sprintf("%s|%d", t.Artist, int64(t.Micro)) }

// ArtistsRoot is the root over totals, which stand in the order of the artists' hashes.
func ArtistsRoot(totals []ArtistTotal) string {
	var t royalty.Tree
	for _, total := range totals {
		t.Add(ArtistLine(total))
	}
	return Root(t)
}

// MonthReport is a node's statement of a month that is over, from the fourth day of the next one on. After the fifth it
// is late. It can be disputed until the end of the twelfth, and for a week at least.
type MonthReport struct{ Statement }

// Call implements [Command].
func (m MonthReport) Call() (string, any, error) { return reportMonth, m, nil }

const reportMonth = "report_month"

// The days of the month after, from 1; each names the beginning of the day.
const (
	monthReportFrom = 4
	monthReportLate = 6
	windowFrom      = 5
	windowEnd       = 13
	leastWindow     = 7 * 24 * time.Hour
	settling        = 11 // days from the window's end to the 24th
)

func monthKey(month royalty.Month, node string) string { return "month/" + string(month) + "/" + node }

func finalKey(month royalty.Month, node string) string { return "final/" + string(month) + "/" + node }

func carryKey(node string) string { return "carry/" + node }

func reportedKey(node string) string { return "reported/" + node }

// reported is a report as it stands on the ledger.
type reported struct {
	Statement
	Late bool `json:"late"`
	// Until is the end of the time for disputes, Settled when they are to be over.
	Until   time.Time `json:"until"`
	Settled time.Time `json:"settled"`
}

// carried is what the last final statement of a node left.
type carried struct {
	Month royalty.Month `json:"month"`
	Micro royalty.Micro `json:"micro"`
}

func (m MonthReport) run(s State) error {
	if _, err := authorize(s, m.Node); err != nil {
		return err
	}
	if _, err := royalty.ParseMonth(string(m.Month)); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	now, after := s.Time(), m.Month.Next()
	if now.Before(after.Day(monthReportFrom)) {
		return fmt.Errorf("%w: %s can be reported from the fourth on", ErrEarly, m.Month)
	}
	if _, twice, err := s.Get(monthKey(m.Month, m.Node)); err != nil {
		return err
	} else if twice {
		return fmt.Errorf("%w: %s of %s", ErrDuplicate, m.Month, m.Node)
	}
	if err := m.check(s); err != nil {
		return err
	}
	if err := m.followsMonth(s); err != nil {
		return err
	}
	until := after.Day(windowEnd)
	if week := now.Add(leastWindow); week.After(until) {
		until = week
	}
	out := reported{m.Statement, !now.Before(after.Day(monthReportLate)), until, until.AddDate(0, 0, settling)}
	if err := put(s, monthKey(m.Month, m.Node), out); err != nil {
		return err
	}
	if err := put(s, reportedKey(m.Node), m.Month); err != nil {
		return err
	}
	return emit(s, reportMonth, notice{Node: m.Node, Month: m.Month})
}

// followsMonth checks the chain of months: what was carried out of the last one comes into this one.
func (m MonthReport) followsMonth(s State) error {
	last, found, err := get[royalty.Month](s, reportedKey(m.Node))
	if err != nil {
		return err
	}
	carry, closed, err := get[carried](s, carryKey(m.Node))
	if err != nil {
		return err
	}
	if found && (m.Month <= last || !closed || carry.Month != last) {
		return fmt.Errorf("%w: %s comes first, with its final statement", ErrChain, last)
	}
	if m.CarryIn != carry.Micro {
		return fmt.Errorf("%w: %s was carried, not %s", ErrSum, carry.Micro, m.CarryIn)
	}
	return nil
}

// check holds a statement against itself and against what the ledger has counted.
func (m Statement) check(s State) error {
	policy, err := checkPolicy(s, m.Month, m.Policy)
	if err != nil {
		return err
	}
	if err := counted(m.Payments, m.Listeners, m.SplitLines, m.ArtistCount); err != nil {
		return err
	}
	if err := atLeastZero(m.Operator, m.Pool, m.CarryIn, m.Splits, m.Held, m.CarryOut); err != nil {
		return err
	}
	if m.Payments > int64(MaxMicro/royalty.Fee) {
		return fmt.Errorf("%w: %d payments", ErrOverflow, m.Payments)
	}
	paid, err := payments(s, m.Month, m.Node)
	if err != nil {
		return err
	}
	days, err := daysRoot(s, m.Month, m.Node)
	if err != nil {
		return err
	}
	in, err := add(m.Pool, m.CarryIn)
	if err != nil {
		return err
	}
	out, err := add(m.Splits, m.Held, m.CarryOut)
	if err != nil {
		return err
	}
	switch n := royalty.Micro(m.Payments); {
	case m.Payments != paid:
		return fmt.Errorf("%w: %d payments on the ledger, not %d", ErrSum, paid, m.Payments)
	case m.Operator != n*royalty.Operator || m.Pool != n*royalty.Pool:
		return fmt.Errorf("%w: %d payments are not %s and %s", ErrSum, m.Payments, m.Operator, m.Pool)
	case in != out:
		return fmt.Errorf("%w: %s came in and %s went out", ErrSum, in, out)
	case m.Listeners > m.Payments:
		return fmt.Errorf("%w: %d listeners and %d payments", ErrSum, m.Listeners, m.Payments)
	case m.SplitLines > m.Listeners*int64(policy.Top):
		return fmt.Errorf("%w: %d split lines of %d listeners", ErrSum, m.SplitLines, m.Listeners)
	case m.DaysRoot != days:
		return fmt.Errorf("%w: the days' root is %s", ErrSum, days)
	}
	return m.checkArtists()
}

func (m Statement) checkArtists() error {
	if !hexHash.MatchString(m.SplitsRoot) || !hexHash.MatchString(m.ArtistsRoot) {
		return fmt.Errorf("%w: want roots of 64 hexadecimal digits", ErrInvalid)
	}
	empty := Root(royalty.Tree{})
	// Where disputes withhold every slice, there are lines and no totals.
	nobody := m.ArtistCount == 0
	if (m.SplitLines == 0) != (m.SplitsRoot == empty) || m.SplitLines == 0 && !nobody || m.SplitLines > 0 && nobody && m.Held == 0 || nobody != (m.Splits == 0) {
		return fmt.Errorf("%w: %d split lines, %d artists and %s", ErrSum, m.SplitLines, m.ArtistCount, m.Splits)
	}
	if m.ArtistCount > m.SplitLines {
		return fmt.Errorf("%w: %d artists in %d split lines", ErrSum, m.ArtistCount, m.SplitLines)
	}
	if m.ArtistCount > MaxLines && len(m.Artists) == 0 {
		return nil // by root alone; each is proved when it is paid
	}
	if int64(len(m.Artists)) != m.ArtistCount || len(m.Artists) > MaxLines {
		return fmt.Errorf("%w: %d of %d artists", ErrInvalid, len(m.Artists), m.ArtistCount)
	}
	sum, err := sumOf(m.Artists, 0)
	switch {
	case err != nil:
		return err
	case sum != m.Splits:
		return fmt.Errorf("%w: artists get %s, not %s", ErrSum, sum, m.Splits)
	case ArtistsRoot(m.Artists) != m.ArtistsRoot:
		return fmt.Errorf("%w: the artists' root is %s", ErrSum, ArtistsRoot(m.Artists))
	}
	return nil
}

// sumOf sums totals, each at least least, that stand in the order of the artists' hashes, each once.
func sumOf(totals []ArtistTotal, least royalty.Micro) (royalty.Micro, error) {
	var sum royalty.Micro
	for i, t := range totals {
		switch {
		case !hexHash.MatchString(t.Artist):
			return 0, &LineError{i, fmt.Errorf("%w: want an artist's hash", ErrInvalid)}
		case i > 0 && strings.Compare(totals[i-1].Artist, t.Artist) >= 0:
			return 0, &LineError{i, fmt.Errorf("%w: artists stand in the order of their hashes, each once", ErrInvalid)}
		case t.Micro < least:
			return 0, &LineError{i, fmt.Errorf("%w: %s", ErrInvalid, t.Micro)}
		}
		var err error
		if sum, err = add(sum, t.Micro); err != nil {
			return 0, &LineError{i, err}
		}
	}
	return sum, nil
}

// total is what the statement gives an artist; a proof is needed when it has only the root.
func (m Statement) total(artist string, p *TotalProof) (royalty.Micro, error) {
	if !hexHash.MatchString(artist) {
		return 0, fmt.Errorf("%w: want an artist's hash", ErrInvalid)
	}
	for _, t := range m.Artists {
		if t.Artist == artist {
			return t.Micro, nil
		}
	}
	if int64(len(m.Artists)) == m.ArtistCount {
		return 0, fmt.Errorf("%w: the artist has no part in %s", ErrUnknown, m.Month)
	}
	if p == nil || p.Month != m.Month {
		return 0, fmt.Errorf("%w: want a proof of the artist's total in %s", ErrInvalid, m.Month)
	}
	if err := atLeastZero(p.Micro); err != nil {
		return 0, err
	}
	root, err := tlogHash(m.ArtistsRoot)
	if err != nil {
		return 0, err
	}
	if err := royalty.CheckLine(p.Hashes, m.ArtistCount, root, p.N, ArtistLine(ArtistTotal{artist, p.Micro})); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return p.Micro, nil
}
