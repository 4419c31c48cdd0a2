package contract

import (
	"context"
	"fmt"
	"regexp"

	"antiphon/payments/royalty"
)

// Correction mends what a node stated of an earlier month: nothing is ever edited. Entries below zero are netted against
// later payouts; what was paid is never taken back, so that an artist's balance may be below zero for a while, but no
// payout is.
type Correction struct {
	Node string `json:"node"`
	// ID names the correction among the node's.
	ID string `json:"id"`
	// Month is the one whose final statement is mended.
	Month royalty.Month `json:"month"`
	// In is the later month that the correction is made in; the one after Month when empty.
	In royalty.Month `json:"in,omitempty"`
	// About says why, and what the entries have to add up to: About Mistake to nothing, About Dispute to what the dispute
	// named by Subject withheld, About Chargeback to no less than minus the pool's part of the subscription of the
	// pseudonym that Subject is, and to no more than nothing.
	About   string `json:"about"`
	Subject string `json:"subject"`
	// Operator is what the node itself gives (below zero) or gets.
	Operator royalty.Micro `json:"operator"`
	// Carry is what is added to, or (below zero) taken out of what the node carries into its next month: money that no
	// artist has got yet, or that now belongs to the common fund.
	Carry royalty.Micro `json:"carry,omitempty"`
	// Entries stand in the order of the artists' hashes. There may be none where Operator or Carry is not zero.
	Entries []ArtistTotal `json:"entries"`
}

// What a correction is about.
const (
	AboutMistake    = "mistake"
	AboutDispute    = "dispute"
	AboutChargeback = "chargeback"
)

// Call implements [Command].
func (c Correction) Call() (string, any, error) { return correct, c, nil }

const correct = "correct"

var idForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func correctionKey(node, id string) string { return "correction/" + node + "/" + id }

func correctedKey(node string, month royalty.Month, about, subject string) string {
	return "corrected/" + node + "/" + string(month) + "/" + about + "/" + subject
}

func (c Correction) run(s State) error {
	if _, err := authorize(s, c.Node); err != nil {
		return err
	}
	if !idForm.MatchString(c.ID) {
		return fmt.Errorf("%w: id %.70q", ErrInvalid, c.ID)
	}
	if len(c.Entries) > 0 || c.Operator == 0 && c.Carry == 0 {
		if err := batch(len(c.Entries)); err != nil {
			return err
		}
	}
	if _, found, err := s.Get(finalKey(c.Month, c.Node)); err != nil {
		return err
	} else if !found {
		return fmt.Errorf("%w: no final statement of %s by %s", ErrUnknown, c.Month, c.Node)
	}
	this := royalty.MonthOf(s.Time())
	if this <= c.Month || c.Made() > this {
		return fmt.Errorf("%w: %s is mended in a later month", ErrEarly, c.Month)
	}
	if _, err := royalty.ParseMonth(string(c.Made())); err != nil || c.Made() <= c.Month {
		return fmt.Errorf("%w: a correction of %s in %.20q", ErrInvalid, c.Month, c.In)
	}
	// The same dispute or chargeback is settled once, under whatever id.
	keys := []string{correctionKey(c.Node, c.ID)}
	if c.About != AboutMistake {
		keys = append(keys, correctedKey(c.Node, c.Month, c.About, c.Subject))
	}
	for _, key := range keys {
		if _, twice, err := s.Get(key); err != nil {
			return err
		} else if twice {
			return fmt.Errorf("%w: %s", ErrDuplicate, key)
		}
	}
	if err := c.checkSum(s); err != nil {
		return err
	}
	for i, t := range c.Entries {
		if err := credit(s, c.Node, t); err != nil {
			return &LineError{i, err}
		}
	}
	if err := c.carryOn(s); err != nil {
		return err
	}
	if err := put(s, keys[0], c); err != nil {
		return err
	}
	for _, key := range keys[1:] {
		if err := s.Put(key, c.ID); err != nil {
			return err
		}
	}
	return emit(s, correct, notice{Node: c.Node, Month: c.Month, ID: c.ID})
}

// carryOn changes what the node carries.
func (c Correction) carryOn(s State) error {
	if c.Carry == 0 {
		return nil
	}
	carry, err := openCarry(s, c.Node)
	if err != nil {
		return err
	}
	if carry.Micro, err = add(carry.Micro, c.Carry); err != nil {
		return err
	}
	if carry.Micro < 0 {
		return fmt.Errorf("%w: %s of what is carried", ErrOverdrawn, -c.Carry)
	}
	return put(s, carryKey(c.Node), carry)
}

func (c Correction) checkSum(s State) error {
	sum, err := sumOf(c.Entries, -MaxMicro)
	if err != nil {
		return err
	}
	if sum, err = add(sum, c.Operator, c.Carry); err != nil {
		return err
	}
	var least, most royalty.Micro
	switch c.About {
	case AboutMistake:
		if c.Subject != "" {
			return fmt.Errorf("%w: a mistake has no subject", ErrInvalid)
		}
	case AboutDispute:
		d, err := disputeOf(s, c.Subject)
		if err != nil {
			return err
		}
		_, withheld, err := s.Get(withheldKey(c.Month, c.Node, d.Artist))
		if err != nil {
			return err
		}
		if d.Node != c.Node || d.Month != c.Month || d.State != Final || !withheld {
			return fmt.Errorf("%w: dispute %s withheld nothing, or is not final", ErrState, d.ID)
		}
		for _, t := range c.Entries {
			if kept := d.Ruling.Verdict == Keep; (kept && t.Artist != d.Artist) || (d.Ruling.Verdict == Remove && t.Artist == d.Artist) {
				return fmt.Errorf("%w: the ruling is to %s", ErrState, d.Ruling.Verdict)
			}
		}
		least, most = d.Slice, d.Slice
	case AboutChargeback:
		r, found, err := get[reversed](s, chargebackPrefix(c.Month, c.Node)+c.Subject)
		if err != nil {
			return err
		}
		if !found || !r.Late {
			return fmt.Errorf("%w: no chargeback after the report", ErrUnknown)
		}
		least = -royalty.Fee
	default:
		return fmt.Errorf("%w: a correction is about a mistake, a dispute or a chargeback", ErrInvalid)
	}
	if sum < least || sum > most {
		return fmt.Errorf("%w: entries add up to %s, not to %s to %s", ErrSum, sum, least, most)
	}
	return nil
}

// Made is the month that the correction is made in: In, or the one after Month.
func (c Correction) Made() royalty.Month {
	if c.In == "" {
		return c.Month.Next()
	}
	return c.In
}

// Corrections calls fn with all corrections of a node, in the order of their ids. An error of fn ends it and is returned.
func Corrections(ctx context.Context, r Reader, node string, fn func(Correction) error) error {
	start, end := under(correctionKey(node, ""))
	return r.Range(ctx, start, end, func(_, value string) error {
		c, err := read[Correction]([]byte(value))
		if err != nil {
			return err
		}
		return fn(c)
	})
}

// Corrected reports whether a node has made the correction about a dispute or a chargeback of a month.
func Corrected(ctx context.Context, r Reader, node string, month royalty.Month, about, subject string) (bool, error) {
	_, found, err := r.Get(ctx, correctedKey(node, month, about, subject))
	return found, err
}

// LateChargebacks calls fn with the pseudonyms of a node's month that were charged back after it was reported, in order. An
// error of fn ends it and is returned.
func LateChargebacks(ctx context.Context, r Reader, month royalty.Month, node string, fn func(pseudonym string) error) error {
	start, end := under(chargebackPrefix(month, node))
	return r.Range(ctx, start, end, func(key, value string) error {
		back, err := read[reversed]([]byte(value))
		if err != nil || !back.Late {
			return err
		}
		return fn(key[len(start):])
	})
}

// WasWithheld reports whether a month's final statement has left an artist's slice out because of a dispute.
func WasWithheld(ctx context.Context, r Reader, month royalty.Month, node, artist string) (bool, error) {
	_, found, err := r.Get(ctx, withheldKey(month, node, artist))
	return found, err
}
