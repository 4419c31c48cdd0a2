package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
)

// postReversal: a payment that stands on the ledger was taken back; the ledger is to say so.
type postReversal struct {
	Hash string `json:"hash"`
}

// Kind names the job.
func (postReversal) Kind() string { return "post_pool_reversal" }

// Options keep it going for as long as a ledger may be away.
func (postReversal) Options() jobs.Options { return jobs.Options{MaxAttempts: 100} }

// Reverse notes that a payment was taken back by its provider or bank. If it had bought a month, the membership ends at
// once: nothing new is opened, and the month cannot be bought again. Twice is once.
func (s *Service) Reverse(ctx context.Context, hash string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		p, err := payment(tx, hash)
		if err != nil || p.State == Undone {
			return err
		}
		if p.State == Returned {
			return fmt.Errorf("%w: it was given back already", ErrState)
		}
		bought := p.State == Counted
		if err := s.settle(tx, p, Undone); err != nil {
			return err
		}
		if err := s.Jobs.Insert(ctx, tx, postReversal{Hash: hash}); err != nil || !bought {
			return err
		}
		m, err := membership(db.Locked(tx), p.Listener)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || p.Month != m.Month {
			return err
		}
		m.Words = fmt.Sprintf("Your payment for %s was taken back by the way it was paid, so the month does not count. A new payment pays for the next month.", words(p.Month))
		m.OrderURI = ""
		if m.State != Reversed {
			if err := s.move(tx, &m, Reversed); err != nil {
				return err
			}
		}
		return s.Tell(ctx, tx, m.Listener, m.Words)
	})
}

// GiveBack notes that the operator has given back, by other means, a payment that bought no month.
func (s *Service) GiveBack(ctx context.Context, hash string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		p, err := payment(tx, hash)
		if err != nil || p.State == Returned {
			return err
		}
		if p.State != Credit && p.State != Owed {
			return fmt.Errorf("%w: the payment is %s", ErrState, p.State)
		}
		if err := s.settle(tx, p, Returned); err != nil {
			return err
		}
		return s.say(ctx, tx, p.Listener, fmt.Sprintf("The operator says that %s was given back to you.", p.Amount().Decimal(p.Decimals)))
	})
}

func (s *Service) settle(tx *gorm.DB, p Payment, next PaymentState) error {
	result := tx.Model(&Payment{}).Where("hash = ? AND state = ?", p.Hash, p.State).Update("state", next)
	if result.Error != nil {
		return fmt.Errorf("settle payment: %w", result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("%w: the payment was settled by someone else", ErrState)
	}
	return nil
}

func payment(tx *gorm.DB, hash string) (Payment, error) {
	var p Payment
	err := tx.Where("hash = ?", hash).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fmt.Errorf("%w: payment %s", ErrNotFound, hash)
	}
	return p, err
}

// reverse tells the ledger of a payment that was taken back, once its batch is there; one that never came there is
// passed over.
func (s *Service) reverse(ctx context.Context, job postReversal) error {
	p, err := payment(s.DB.Read.WithContext(ctx), job.Hash)
	if errors.Is(err, ErrNotFound) || err == nil && p.Month == "" {
		return nil
	}
	if err != nil {
		return err
	}
	var b batchRow
	if err := s.DB.Read.WithContext(ctx).Where("id = ?", p.Batch).Take(&b).Error; err != nil {
		return fmt.Errorf("batch of %s: %w", job.Hash, err)
	}
	if b.State != batchPosted {
		return jobs.Later(time.Second)
	}
	var name string
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		name, err = s.Pseudonyms.Of(ctx, tx, p.Month, p.Listener)
		return err
	})
	if err != nil {
		return err
	}
	stands, err := contract.Subscribed(ctx, s.Ledger, p.Month, name)
	if errors.Is(err, contract.ErrUnknown) {
		return nil
	}
	if err != nil || stands != p.Hash {
		return err
	}
	err = s.Ledger.Submit(ctx, contract.Chargeback{Node: s.config.Host, Month: p.Month, Pseudonym: name, PaymentHash: p.Hash})
	if errors.Is(err, contract.ErrDuplicate) {
		return nil
	}
	return err
}

// Unsettled are the payments that the operator may have to give back: credits, and what bought nothing. The oldest come
// first.
func (s *Service) Unsettled(ctx context.Context, limit int) ([]Payment, error) {
	var rows []Payment
	err := s.DB.Read.WithContext(ctx).Where("state IN ?", []PaymentState{Credit, Owed}).Order("final_at, hash").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read credits: %w", err)
	}
	return rows, nil
}

// Counts are how many memberships are in each state.
func (s *Service) Counts(ctx context.Context) (map[State]int64, error) {
	var rows []struct {
		State State
		N     int64
	}
	if err := s.DB.Read.WithContext(ctx).Model(&Membership{}).Select("state, COUNT(*) AS n").Group("state").Scan(&rows).Error; err != nil {
		return nil, fmt.Errorf("count members: %w", err)
	}
	counts := map[State]int64{}
	for _, row := range rows {
		counts[row.State] = row.N
	}
	return counts, nil
}
