package contract

import (
	"encoding/hex"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/royalty"
)

// FinalStatement is the month as it is paid: the report after what was held has been looked at and disputes have been
// ruled on. Its invariants are the report's; Held is exactly what disputes without a ruling withhold, whose artists
// are not among its totals. Every dispute of the month is final or withheld by then: see CloseDispute.
type FinalStatement struct{ Statement }

// Call implements [Command].
func (f FinalStatement) Call() (string, any, error) { return stateFinal, f, nil }

const stateFinal = "state_final"

func withheldKey(month royalty.Month, node, artist string) string {
	return "withheld/" + string(month) + "/" + node + "/" + artist
}

func dueKey(node, artist string) string { return "due/" + node + "/" + artist }

func (f FinalStatement) run(s State) error {
	if _, err := authorize(s, f.Node); err != nil {
		return err
	}
	report, found, err := get[reported](s, monthKey(f.Month, f.Node))
	switch {
	case err != nil:
		return err
	case !found:
		return fmt.Errorf("%w: no report of %s by %s", ErrUnknown, f.Month, f.Node)
	case s.Time().Before(report.Settled):
		return fmt.Errorf("%w: disputes of %s are settled by %s", ErrEarly, f.Month, report.Settled)
	}
	if _, twice, err := s.Get(finalKey(f.Month, f.Node)); err != nil {
		return err
	} else if twice {
		return fmt.Errorf("%w: final statement of %s by %s", ErrDuplicate, f.Month, f.Node)
	}
	// What came in is settled: a chargeback since the report waits for a correction.
	if err := counted(f.Payments, f.Listeners, f.SplitLines, f.ArtistCount); err != nil {
		return err
	}
	if f.Policy != report.Policy || f.Payments != report.Payments || f.Listeners > report.Listeners || f.CarryIn != report.CarryIn {
		return fmt.Errorf("%w: what came in is not what was reported", ErrSum)
	}
	policy, err := checkPolicy(s, f.Month, f.Policy)
	if err != nil {
		return err
	}
	if f.SplitLines > f.Listeners*int64(policy.Top) {
		return fmt.Errorf("%w: %d split lines of %d listeners", ErrSum, f.SplitLines, f.Listeners)
	}
	if err := f.balanced(report.Statement); err != nil {
		return err
	}
	if err := f.rulings(s, report.Statement); err != nil {
		return err
	}
	for _, t := range f.Artists {
		if err := credit(s, f.Node, t); err != nil {
			return err
		}
	}
	if err := put(s, finalKey(f.Month, f.Node), f.Statement); err != nil {
		return err
	}
	if err := put(s, carryKey(f.Node), carried{f.Month, f.CarryOut}); err != nil {
		return err
	}
	return emit(s, stateFinal, notice{Node: f.Node, Month: f.Month})
}

// balanced holds the statement against itself, and its income against the report's.
func (f FinalStatement) balanced(report Statement) error {
	if err := atLeastZero(f.Operator, f.Pool, f.CarryIn, f.Splits, f.Held, f.CarryOut); err != nil {
		return err
	}
	out, err := add(f.Splits, f.Held, f.CarryOut)
	if err != nil {
		return err
	}
	switch {
	case f.Operator != report.Operator || f.Pool != report.Pool || f.DaysRoot != report.DaysRoot:
		return fmt.Errorf("%w: what came in is not what was reported", ErrSum)
	case f.Pool+f.CarryIn != out:
		return fmt.Errorf("%w: %s came in and %s went out", ErrSum, f.Pool+f.CarryIn, out)
	}
	return f.checkArtists()
}

// rulings holds the statement against the disputes of the month.
func (f FinalStatement) rulings(s State, report Statement) error {
	var withheld royalty.Micro
	changed := map[string]bool{}
	start, end := under(disputesPrefix(f.Month, f.Node))
	err := s.Range(start, end, func(_, id string) error {
		d, err := disputeOf(s, id)
		if err != nil {
			return err
		}
		switch d.State {
		case Withheld:
			if withheld, err = add(withheld, d.Slice); err != nil {
				return err
			}
			for _, t := range f.Artists {
				if t.Artist == d.Artist {
					return fmt.Errorf("%w: %s is withheld by dispute %s", ErrSum, d.Slice, d.ID)
				}
			}
			if err := s.Put(withheldKey(f.Month, f.Node, d.Artist), d.ID); err != nil {
				return err
			}
		case Final:
			if d.Ruling.Verdict != Keep {
				changed[d.Ruling.Root] = true
			}
		default:
			return fmt.Errorf("%w: dispute %s is %s; close it first", ErrState, d.ID, d.State)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if f.Held != withheld {
		return fmt.Errorf("%w: disputes withhold %s, not %s", ErrSum, withheld, f.Held)
	}
	switch {
	case len(changed) == 1 && !changed[""] && report.Held == 0:
		// One recomputation was agreed on, and nothing else was decided since the report.
		if !changed[f.SplitsRoot] {
			return fmt.Errorf("%w: the ruling has another root of the splits", ErrSum)
		}
	case len(changed) > 0:
		// Several rulings, or one without evidence: nobody has recomputed all of it yet.
		if f.SplitsRoot == report.SplitsRoot {
			return fmt.Errorf("%w: rulings have changed the splits", ErrSum)
		}
	case withheld == 0 && report.Held == 0 && f.SplitsRoot != report.SplitsRoot:
		return fmt.Errorf("%w: nothing has changed the splits that were reported", ErrSum)
	}
	return nil
}

// credit adds to what a node owes an artist.
func credit(s State, node string, t ArtistTotal) error {
	due, _, err := get[royalty.Micro](s, dueKey(node, t.Artist))
	if err != nil {
		return err
	}
	if due, err = add(due, t.Micro); err != nil {
		return err
	}
	return put(s, dueKey(node, t.Artist), due)
}

func tlogHash(text string) (tlog.Hash, error) {
	var h tlog.Hash
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(h) {
		return h, fmt.Errorf("%w: root %.70q", ErrInvalid, text)
	}
	return tlog.Hash(raw), nil
}
