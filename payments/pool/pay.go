package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/royalty"
)

// PaymentState is what became of a payment.
type PaymentState string

// What can become of a payment.
const (
	Counted  PaymentState = "counted"  // it bought the month that it names
	Credit   PaymentState = "credit"   // it waits for a month that is not paid yet
	Owed     PaymentState = "owed"     // it buys nothing: the operator has to give it back
	Returned PaymentState = "returned" // the operator has given it back
	Undone   PaymentState = "reversed" // its provider or bank took it back; it keeps the month that it had bought
)

// Payment is one that a listener made.
type Payment struct {
	// Hash names it: 64 hexadecimal digits.
	Hash     string `gorm:"primaryKey"`
	Listener string
	OrderURI string
	State    PaymentState
	// Month is the one that it bought, or empty.
	Month    royalty.Month
	Units    amount.Units
	Asset    amount.Asset
	Decimals int
	Provider string
	Batch    string
	// FinalAt is when this instance saw it as final.
	FinalAt time.Time
	// PostedAt is when it was posted to the ledger.
	PostedAt *time.Time
}

func (Payment) TableName() string { return "pool_payments" }

// Amount is what was paid.
func (p Payment) Amount() amount.Amount { return amount.Amount{Units: p.Units, Asset: p.Asset} }

var _ payments.Collector = (*Service)(nil)

// Collected implements [payments.Collector].
func (s *Service) Collected(ctx context.Context, tx *gorm.DB, o payments.Order) error {
	p := paymentOf(o, o.PaymentHash, o.Units, *o.PaidAt)
	return s.take(ctx, tx, p, o.Words)
}

// Surplus implements [payments.Collector]. A payment for a demand that was paid already counts like any other: whoever
// pays the same address each month needs no new demand. Less than a month costs is to be given back.
func (s *Service) Surplus(ctx context.Context, tx *gorm.DB, o payments.Order, extra payments.Surplus) error {
	p := paymentOf(o, extra.Hash, extra.Units, extra.At)
	if extra.Units.Cmp(o.Units) >= 0 {
		return s.take(ctx, tx, p, "")
	}
	p.State = Owed
	if err := tx.Create(&p).Error; err != nil {
		return fmt.Errorf("write payment: %w", err)
	}
	return s.say(ctx, tx, o.Buyer, fmt.Sprintf("%s came, which is less than a month costs, and nothing was asked for. It buys nothing; the operator of this server has to give it back.",
		p.Amount().Decimal(p.Decimals)))
}

// Noted implements [payments.Collector].
func (s *Service) Noted(ctx context.Context, tx *gorm.DB, o payments.Order, words string) error {
	return s.say(ctx, tx, o.Buyer, words)
}

func paymentOf(o payments.Order, hash string, units amount.Units, at time.Time) Payment {
	return Payment{
		Hash: hash, Listener: o.Buyer, OrderURI: o.URI, Units: units, Asset: o.Asset, Decimals: o.Decimals, Provider: o.Provider,
		FinalAt: at.UTC(),
	}
}

// take has a payment buy the month in which it became final, or keeps it for a later one when that is paid already.
func (s *Service) take(ctx context.Context, tx *gorm.DB, p Payment, unusual string) error {
	month := royalty.MonthOf(p.FinalAt)
	m, err := membership(db.Locked(tx), p.Listener)
	if errors.Is(err, ErrNotFound) {
		// The account is gone since it was asked to pay.
		p.State = Owed
		if err := tx.Create(&p).Error; err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	bought, err := boughtMonth(tx, p.Listener, month)
	if err != nil {
		return err
	}
	if !bought {
		if err := s.count(ctx, tx, &p, month, true); err != nil {
			return err
		}
		m.Month, m.Warned, m.OrderURI, m.Words = month, 0, "", unusual
		return s.move(tx, &m, Active)
	}
	p.State = Credit
	if err := tx.Create(&p).Error; err != nil {
		return fmt.Errorf("write payment: %w", err)
	}
	waiting, err := credits(tx, p.Listener)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%s was paid already. This payment is kept and pays for the next month that you have not paid yet", words(month))
	if waiting > 1 {
		what += fmt.Sprintf("; %d payments are kept for you now", waiting)
	}
	what += ". If you want it back instead, ask the operator of this server."
	return s.say(ctx, tx, p.Listener, strings.TrimSpace(unusual+" "+what))
}

// say keeps words on a membership and tells the member, unless it is told that already.
func (s *Service) say(ctx context.Context, tx *gorm.DB, listener, what string) error {
	result := tx.Model(&Membership{}).Where("listener = ? AND words <> ?", listener, what).
		Updates(map[string]any{"words": what, "updated_at": s.utc()})
	if result.Error != nil {
		return fmt.Errorf("note membership: %w", result.Error)
	}
	if result.RowsAffected == 0 || what == "" {
		return nil
	}
	return s.Tell(ctx, tx, listener, what)
}

// count has a payment buy a month, in a batch for the ledger; fresh says that it is not written yet.
func (s *Service) count(ctx context.Context, tx *gorm.DB, p *Payment, month royalty.Month, fresh bool) error {
	batch, err := s.batch(ctx, tx)
	if err != nil {
		return err
	}
	p.State, p.Month, p.Batch = Counted, month, batch
	if fresh {
		err = tx.Create(p).Error
	} else {
		result := tx.Model(&Payment{}).Where("hash = ? AND state = ?", p.Hash, Credit).
			Updates(map[string]any{"state": p.State, "month": month, "batch": batch})
		if err = result.Error; err == nil && result.RowsAffected != 1 {
			err = fmt.Errorf("%w: the credit is used", ErrState)
		}
	}
	if err != nil {
		return fmt.Errorf("count payment: %w", err)
	}
	return nil
}

// useCredit has the oldest credit of a member buy the present month, if that is not paid, and reports whether it did.
func (s *Service) useCredit(ctx context.Context, tx *gorm.DB, m Membership) (bool, error) {
	month := s.Month()
	if m.State == Ending || m.State == Ended {
		return false, nil
	}
	bought, err := boughtMonth(tx, m.Listener, month)
	if err != nil || bought {
		return false, err
	}
	var p Payment
	err = tx.Where("listener = ? AND state = ?", m.Listener, Credit).Order("final_at, hash").Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up credit: %w", err)
	}
	if err := s.count(ctx, tx, &p, month, false); err != nil {
		return false, err
	}
	m.Month, m.Warned, m.Words = month, 0, ""
	return true, s.move(tx, &m, Active)
}

// boughtMonth reports whether a listener's month is on its way to the ledger, or there: it can be there once.
func boughtMonth(tx *gorm.DB, listener string, month royalty.Month) (bool, error) {
	var n int64
	err := tx.Model(&Payment{}).Where("listener = ? AND month = ?", listener, month).Count(&n).Error
	if err != nil {
		return false, fmt.Errorf("look up payment: %w", err)
	}
	return n > 0, nil
}

func credits(tx *gorm.DB, listener string) (int64, error) {
	var n int64
	err := tx.Model(&Payment{}).Where("listener = ? AND state = ?", listener, Credit).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count credits: %w", err)
	}
	return n, nil
}

// Payments returns a listener's payments, the latest first, at most limit.
func (s *Service) Payments(ctx context.Context, listener string, limit int) ([]Payment, error) {
	var rows []Payment
	err := s.DB.Read.WithContext(ctx).Where("listener = ?", listener).Order("final_at DESC, hash").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read payments of %s: %w", listener, err)
	}
	return rows, nil
}
