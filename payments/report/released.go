package report

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// CorrectDispute gives out, in a later month, what a final statement has withheld because of a dispute that is decided now: to
// the artist, or to those who get it when the lines are left out that were ruled on. What is nobody's then goes to the common
// fund. It may be called again.
func (s *Service) CorrectDispute(ctx context.Context, id string) error {
	d, err := contract.DisputeAt(ctx, s.Book, id)
	if err != nil {
		return err
	}
	if due, err := s.released(ctx, d); err != nil || !due {
		return err
	}
	in := royalty.MonthOf(s.Now())
	c := contract.Correction{
		Node: s.config.Node, ID: string(in) + "-rule-" + id[:32], Month: d.Month, In: in, About: contract.AboutDispute, Subject: id, Entries: []contract.ArtistTotal{},
	}
	if d.Ruling.Verdict == contract.Keep {
		c.Entries = append(c.Entries, contract.ArtistTotal{Artist: d.Artist, Micro: d.Slice})
	} else if c.Entries, err = s.without(ctx, d); err != nil {
		return fmt.Errorf("compile %s without what was ruled on: %w", d.Month, err)
	}
	if len(c.Entries) > contract.MaxLines {
		c.Entries = []contract.ArtistTotal{} // more than one correction holds: the fund divides it among all
	}
	c.Carry = d.Slice
	for _, t := range c.Entries {
		c.Carry -= t.Micro
	}
	if c.Carry != 0 {
		if _, open, err := contract.CanLapse(ctx, s.Book, s.config.Node); err != nil {
			return err
		} else if !open {
			return fmt.Errorf("%w: a month is reported and not final", ErrNotYet)
		}
	}
	return done(s.Book.Submit(ctx, c))
}

// released reports whether a dispute is final whose slice was withheld and is not given out yet.
func (s *Service) released(ctx context.Context, d contract.Dispute) (bool, error) {
	if d.Node != s.config.Node || d.State != contract.Final {
		return false, nil
	}
	if withheld, err := contract.WasWithheld(ctx, s.Book, d.Month, d.Node, d.Artist); err != nil || !withheld {
		return false, err
	}
	made, err := contract.Corrected(ctx, s.Book, d.Node, d.Month, contract.AboutDispute, d.ID)
	return !made, err
}

// without is what all others, and after a correction of the slice its artist too, get more than in the final statement when
// what was ruled on is left out.
func (s *Service) without(ctx context.Context, d contract.Dispute) ([]contract.ArtistTotal, error) {
	m, err := s.as(ctx, d.Month, Final)
	if err != nil {
		return nil, err
	}
	// As it was compiled then: with the rulings that there were.
	err = contract.Disputes(ctx, s.Book, d.Month, d.Node, func(other contract.Dispute) error {
		withheld, err := contract.WasWithheld(ctx, s.Book, d.Month, d.Node, other.Artist)
		if err != nil || withheld {
			return err
		}
		return m.apply(other)
	})
	if err != nil {
		return nil, err
	}
	before, err := m.Compile(nil, nil)
	if err != nil {
		return nil, err
	}
	if err := m.apply(d); err != nil {
		return nil, err
	}
	after, err := m.Compile(nil, nil)
	if err != nil {
		return nil, err
	}
	var out []contract.ArtistTotal
	for artist, micro := range after.Artists {
		t := contract.ArtistTotal{Artist: contract.Digest("payee", artist), Micro: micro - before.Artists[artist]}
		if t.Artist == d.Artist {
			if t.Micro = micro; d.Ruling.Verdict == contract.Remove {
				continue
			}
		}
		if t.Micro != 0 {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b contract.ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	return out, nil
}
