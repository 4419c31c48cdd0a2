package report

import (
	"context"
	"errors"
	"fmt"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// StateFinal makes the final statement of a reported month, when disputes are settled: with what was decided and ruled.
// What nobody has decided on by then is paid: the listener's doubt is the artist's benefit. It may be called again.
func (s *Service) StateFinal(ctx context.Context, month royalty.Month) error {
	if _, err := contract.Finally(ctx, s.Book, month, s.config.Node); err == nil || !errors.Is(err, contract.ErrUnknown) {
		return err
	}
	settled, err := contract.SettledAt(ctx, s.Book, month, s.config.Node)
	if err != nil {
		return err
	}
	if s.Now().Before(settled) {
		return fmt.Errorf("%w: disputes of %s are settled by %s", ErrNotYet, month, settled)
	}
	err = s.DB.Write.WithContext(ctx).Model(&Decision{}).Where("month = ? AND state = ?", month, Held).
		Updates(map[string]any{"state": Paid, "decided_by": "time", "updated_at": s.Now().UTC()}).Error
	if err != nil {
		return wrap("decide by time", err)
	}
	m, err := s.Month(ctx, month)
	if err != nil {
		return err
	}
	if err := s.applyRulings(ctx, &m); err != nil {
		return err
	}
	compiled, carries, err := s.compile(ctx, m, Final)
	if err != nil {
		return fmt.Errorf("compile %s: %w", month, err)
	}
	// Whoever is killed in between comes here again: what is carried is read when the next month is reported.
	if err := s.carryOn(ctx, compiled.Statement, carries); err != nil {
		return err
	}
	return done(s.Book.Submit(ctx, contract.FinalStatement{Statement: compiled.Statement}))
}

// applyRulings leaves out of a month what was ruled on, by the same code that those have used who ruled.
func (s *Service) applyRulings(ctx context.Context, m *Month) error {
	m.Withheld = map[string]royalty.Micro{}
	return contract.Disputes(ctx, s.Book, m.Month, s.config.Node, func(d contract.Dispute) error {
		switch {
		case d.State == contract.Withheld:
			m.Withheld[d.Artist] = d.Slice
			return nil
		case d.State != contract.Final:
			return fmt.Errorf("%w: dispute %s is %s", ErrNotYet, d.ID, d.State)
		}
		return m.apply(d)
	})
}

// apply leaves out of a month what a dispute that is final was ruled on.
func (m *Month) apply(d contract.Dispute) error {
	if d.Ruling.Verdict == contract.Keep {
		return nil
	}
	// Without a recomputation, nothing was proved of the slice.
	exclude := func(_ string, l royalty.Line) bool { return contract.Digest("payee", l.Artist) == d.Artist }
	if d.Ruling.Root != "" {
		var err error
		if exclude, err = m.Doubtful(d.Artist); err != nil {
			return err
		}
		m.Tolerant = true
	}
	before := m.Exclude
	m.Exclude = func(day string, l royalty.Line) bool { return exclude(day, l) || before != nil && before(day, l) }
	return nil
}
