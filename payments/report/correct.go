package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// CorrectChargeback mends what a payment did that was charged back after its month was reported: nothing is edited, but who
// got the nine dollars is owed as much less, in this month, and the operator gives back the tenth. What was carried to later
// months is looked for where it went. What nobody has got yet is taken out of what is carried; what has gone to the common
// fund and to all artists is the operator's loss. It may be called again.
func (s *Service) CorrectChargeback(ctx context.Context, month royalty.Month, pseudonym string) error {
	made, err := contract.Corrected(ctx, s.Book, s.config.Node, month, contract.AboutChargeback, pseudonym)
	if err != nil {
		return err
	}
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); errors.Is(err, contract.ErrUnknown) {
		return fmt.Errorf("%w: %s is not final", ErrNotYet, month)
	} else if err != nil {
		return err
	}
	listener, err := s.payer(ctx, month, pseudonym)
	if err != nil {
		return err
	}
	if !made {
		c, err := s.chargeback(ctx, month, pseudonym, listener)
		if err != nil {
			return err
		}
		if err := done(s.Book.Submit(ctx, c)); err != nil {
			return err
		}
	}
	if err := s.takeBack(ctx, month, pseudonym, listener); err != nil {
		return err
	}
	// What is listed and not sent yet may be less now.
	last, open, err := contract.CanLapse(ctx, s.Book, s.config.Node)
	if err != nil || !open {
		return err
	}
	if listed, err := s.noted(ctx, listName(last)); err != nil || !listed {
		return err
	}
	return s.ListPayouts(ctx, last)
}

// payer is who had a pseudonym in a month.
func (s *Service) payer(ctx context.Context, month royalty.Month, pseudonym string) (string, error) {
	var members []string
	if err := s.Members.Members(ctx, month, func(listener string) error { members = append(members, listener); return nil }); err != nil {
		return "", err
	}
	found := ""
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, listener := range members {
			name, err := s.Pseudonyms.Of(ctx, tx, month, listener)
			if err != nil {
				return err
			}
			if name == pseudonym {
				found = listener
				return nil
			}
		}
		return fmt.Errorf("%w: nobody is known as %s in %s", ErrUnknown, pseudonym, month)
	})
	return found, err
}

// chargeback is the correction about one payment.
func (s *Service) chargeback(ctx context.Context, month royalty.Month, pseudonym, listener string) (contract.Correction, error) {
	in := royalty.MonthOf(s.Now())
	c := contract.Correction{
		Node: s.config.Node, ID: string(in) + "-back-" + pseudonym, Month: month, In: in, About: contract.AboutChargeback, Subject: pseudonym,
		Operator: -royalty.Operator, Entries: []contract.ArtistTotal{},
	}
	name := pseudonym
	for at := month; ; at = at.Next() {
		if at > month {
			row, found, err := s.carriedBy(ctx, at, listener)
			if err != nil {
				return c, err
			}
			if !found || row.Micro < royalty.Pool {
				c.Operator -= royalty.Pool // it has gone to the fund, and to all
				return c, nil
			}
			if waits, err := s.waits(ctx, at); err != nil || waits {
				c.Carry = -royalty.Pool
				return c, err
			}
			if name, err = s.nameOf(ctx, at, listener); err != nil {
				return c, err
			}
		}
		var rows []splitRow
		if err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ? AND pseudonym = ?", at, Final, name).Order("n").Find(&rows).Error; err != nil {
			return c, wrap("read splits", err)
		}
		if len(rows) > 0 {
			var err error
			c.Entries, err = takenFrom(rows)
			return c, err
		}
	}
}

// takenFrom takes the pool's part of one payment out of how a listener's money was divided.
func takenFrom(rows []splitRow) ([]contract.ArtistTotal, error) {
	shares := make([]royalty.Slice, len(rows))
	for i, r := range rows {
		shares[i] = royalty.Slice{Artist: r.Artist, Micro: r.Micro}
	}
	parts, err := royalty.Resize(royalty.Pool, shares)
	if err != nil {
		return nil, err
	}
	out := make([]contract.ArtistTotal, 0, len(parts))
	for _, p := range parts {
		if p.Micro > 0 {
			out = append(out, contract.ArtistTotal{Artist: contract.Digest("payee", p.Artist), Micro: -p.Micro})
		}
	}
	slices.SortFunc(out, func(a, b contract.ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	return out, nil
}

// waits reports whether what is carried into a month is still there: it is not reported. ErrNotYet when it is reported and not
// final.
func (s *Service) waits(ctx context.Context, month royalty.Month) (bool, error) {
	_, err := contract.Finally(ctx, s.Book, month, s.config.Node)
	if err == nil || !errors.Is(err, contract.ErrUnknown) {
		return false, err
	}
	last, open, err := contract.CanLapse(ctx, s.Book, s.config.Node)
	if err != nil {
		return false, err
	}
	if !open || last.Next() > month {
		return false, fmt.Errorf("%w: %s is reported and not final", ErrNotYet, month)
	}
	return true, nil
}

func (s *Service) carriedBy(ctx context.Context, month royalty.Month, listener string) (carryRow, bool, error) {
	var row carryRow
	err := s.DB.Read.WithContext(ctx).Where("month = ? AND listener = ?", month, listener).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, false, nil
	}
	return row, err == nil, wrap("read what is carried", err)
}

func (s *Service) nameOf(ctx context.Context, month royalty.Month, listener string) (name string, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		name, err = s.Pseudonyms.Of(ctx, tx, month, listener)
		return err
	})
	return name, err
}

// takeBack takes out of a listener's carried money, once, what a correction has taken out of it on the ledger.
func (s *Service) takeBack(ctx context.Context, month royalty.Month, pseudonym, listener string) error {
	var carry royalty.Micro
	err := contract.Corrections(ctx, s.Book, s.config.Node, func(c contract.Correction) error {
		if c.About == contract.AboutChargeback && c.Month == month && c.Subject == pseudonym {
			carry = c.Carry
		}
		return nil
	})
	if err != nil || carry == 0 {
		return err
	}
	last, _, err := contract.CanLapse(ctx, s.Book, s.config.Node)
	if err != nil {
		return err
	}
	name := "back/" + string(month) + "/" + pseudonym
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var n int64
		if err := tx.Table("report_feed").Where("name = ?", name).Count(&n).Error; err != nil || n > 0 {
			return wrap("read what is done", err)
		}
		row := tx.Model(&carryRow{}).Where("month >= ? AND listener = ?", last.Next(), listener)
		if err := row.Update("micro", gorm.Expr("micro + ?", int64(carry))).Error; err != nil {
			return wrap("take back what is carried", err)
		}
		if err := tx.Where("month >= ? AND micro = 0", last.Next()).Delete(&carryRow{}).Error; err != nil {
			return wrap("clear what is carried", err)
		}
		return note(tx, name, 1)
	})
}

// mending are the corrections that are still to be made of months that are final: for payments that were charged back, while
// it is known who paid, and for disputes that are decided.
func (s *Service) mending(ctx context.Context) ([]jobs.Args, error) {
	now := s.Now().UTC()
	var due []jobs.Args
	for back := correctMonths; back > 0; back-- {
		month := royalty.MonthOf(royalty.MonthOf(now).Start().AddDate(0, -back, 0))
		if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); errors.Is(err, contract.ErrUnknown) {
			continue
		} else if err != nil {
			return nil, err
		}
		err := contract.LateChargebacks(ctx, s.Book, month, s.config.Node, func(pseudonym string) error {
			made, err := contract.Corrected(ctx, s.Book, s.config.Node, month, contract.AboutChargeback, pseudonym)
			if err == nil && !made {
				due = append(due, CorrectionDue{month, pseudonym, tries(now, month.Next().Day(payoutsFrom))})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		err = contract.Disputes(ctx, s.Book, month, s.config.Node, func(d contract.Dispute) error {
			released, err := s.released(ctx, d)
			if released {
				due = append(due, RulingDue{d.ID, tries(now, month.Next().Day(payoutsFrom))})
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return due, nil
}

// correctMonths is for how many months back it is known who paid.
const correctMonths = 13

// CorrectionLine is what a correction changes for one artist, or, without one, for the operator and what is carried.
type CorrectionLine struct {
	// Of is the month that is mended, In the one that it is done in.
	Of, In royalty.Month
	About  string
	Artist string
	Micro  royalty.Micro
}

// Corrections are those of the own node that are made in a month, or mend it.
func (s *Service) Corrections(ctx context.Context, month royalty.Month) ([]CorrectionLine, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []CorrectionLine
	err = contract.Corrections(ctx, s.Book, s.config.Node, func(c contract.Correction) error {
		if c.Month != month && c.Made() != month {
			return nil
		}
		one := CorrectionLine{Of: c.Month, In: c.Made(), About: c.About}
		for _, t := range c.Entries {
			one.Artist, one.Micro = names[t.Artist], t.Micro
			if one.Artist == "" {
				one.Artist = t.Artist
			}
			out = append(out, one)
		}
		if own := c.Operator + c.Carry; own != 0 {
			one.Artist, one.Micro = "", own
			out = append(out, one)
		}
		return nil
	})
	return out, err
}
