package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
	"antiphon/payments/purchase"
)

// tryAgain is the pause after the own node could not pay.
const tryAgain = time.Hour

// due is a subscription whose next month is to be renewed without asking.
type due struct {
	Held
	Purchase string
}

// renew begins the purchases of months that have begun and pays their invoices, one at a time: of what is free, and of
// what a standing order covers. Whatever the order does not cover is told to the listener once.
func (s *Service) renew(ctx context.Context) error {
	now := s.utc()
	current := PeriodOf(now)
	var rows []due
	err := s.DB.Read.WithContext(ctx).Table("subscriptions_held AS h").
		Select("h.*, COALESCE(r.purchase, '') AS purchase").
		Joins("LEFT JOIN standing_orders o ON o.listener = h.listener AND o.product = h.tier AND o.revoked_at IS NULL").
		Joins("LEFT JOIN renewals r ON r.listener = h.listener AND r.product = h.tier AND r.period = ?", current).
		Joins("LEFT JOIN purchases p ON p.id = r.purchase").
		Where("h.state IN ? AND h.period > 0 AND h.period < ? AND (h.units = '0' OR o.product IS NOT NULL)", []State{Active, Late}, current).
		// Where it is the seller's turn, or the node's, nothing is to be done, and nobody else waits for that.
		Where("r.purchase IS NULL OR r.try_at <= ? AND p.state IN ?", now, []purchase.State{purchase.Invoiced, purchase.Refused}).Order("h.end_time, h.id").Limit(batch).Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("look for renewals: %w", err)
	}
	paying, err := s.paying(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, d := range rows {
		if ctx.Err() != nil {
			break
		}
		began, err := s.renewOne(ctx, d, current, paying)
		paying = paying || began
		if err != nil {
			failed = append(failed, fmt.Errorf("renew %s of %s: %w", d.Tier, d.Listener, err))
		}
	}
	return errors.Join(failed...)
}

// paying reports whether a renewal is with the own node at this moment: it makes one payment at a time.
func (s *Service) paying(ctx context.Context) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Table("purchases").Joins("JOIN renewals r ON r.purchase = purchases.id").
		Where("purchases.state = ? AND r.try_at > ?", purchase.Paying, s.utc()).Count(&n).Error
	if err != nil {
		return false, fmt.Errorf("look for payments under way: %w", err)
	}
	return n > 0, nil
}

// renewOne does the next step of one renewal, and reports whether a payment has begun.
func (s *Service) renewOne(ctx context.Context, d due, period Period, paying bool) (bool, error) {
	if d.Purchase == "" {
		_, err := s.buy(ctx, d.Held, period)
		return false, err
	}
	p, err := s.Purchases.ByID(ctx, d.Purchase)
	if err != nil {
		return false, err
	}
	switch p.State {
	case purchase.Refused:
		return false, s.give(ctx, d, period, p.Words)
	case purchase.Invoiced:
		return s.pay(ctx, d, period, p, paying)
	default:
		return false, nil // it has moved on meanwhile
	}
}

// pay pays an invoice that the standing order covers at this moment, and tells the listener of one that it does not.
func (s *Service) pay(ctx context.Context, d due, period Period, p purchase.Purchase, paying bool) (bool, error) {
	invoice, ok := p.Invoiced()
	if !ok {
		return false, nil
	}
	order, ok, err := s.StandingOf(ctx, d.Listener, d.Tier)
	if err != nil || !ok {
		return false, err
	}
	price := amount.Amount{Units: invoice.Units, Asset: invoice.Asset}
	switch {
	case !order.Covers(price, s.Now()):
		return false, s.give(ctx, d, period, "The standing order does not cover it.")
	case price.Units.Cmp(d.Units) > 0:
		return false, s.give(ctx, d, period, "The price has gone up.")
	case s.spent(p):
		_, err := s.buy(ctx, d.Held, period)
		return false, err
	case paying || !s.Purchases.CanPay(p):
		return false, nil
	}
	// Were it to fail, the purchase would come back with an invoice and words: then the node is given time.
	if err := s.postpone(ctx, d, period); err != nil {
		return false, err
	}
	return true, s.Purchases.Pay(ctx, p.ID)
}

func (s *Service) postpone(ctx context.Context, d due, period Period) error {
	return s.DB.Write.WithContext(ctx).Model(&renewal{}).Where("listener = ? AND product = ? AND period = ?", d.Listener, d.Tier, period).
		Update("try_at", s.utc().Add(tryAgain)).Error
}

// give leaves a renewal to the listener, who is told why, once.
func (s *Service) give(ctx context.Context, d due, period Period, words string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		result := tx.Model(&renewal{}).Where("listener = ? AND product = ? AND period = ? AND words = ''", d.Listener, d.Tier, period).
			Updates(map[string]any{"words": words, "try_at": period.End()})
		if result.Error != nil {
			return fmt.Errorf("give up renewal: %w", result.Error)
		}
		if result.RowsAffected == 0 {
			return nil
		}
		err := tx.Model(&Held{}).Where("id = ?", d.ID).Updates(map[string]any{"words": words, "updated_at": s.utc()}).Error
		if err != nil {
			return fmt.Errorf("note subscription: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, Warned{Held: d.ID, Words: words})
	})
}

// reminders are the days before the end on which listeners are reminded, the last one first.
var reminders = []int{1, 7}

// warn reminds those whose month ends soon and is not going to be renewed by itself.
func (s *Service) warn(ctx context.Context) error {
	now := s.utc()
	for _, days := range reminders {
		var rows []Held
		err := s.DB.Read.WithContext(ctx).Where("state = ? AND units <> '0' AND end_time > ? AND end_time <= ?", Active, now, now.AddDate(0, 0, days)).
			Where("warned = 0 OR warned > ?", days).Order("end_time").Limit(batch).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("look for months that end: %w", err)
		}
		if len(rows) == 0 {
			continue
		}
		err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for _, h := range rows {
				if err := s.remind(ctx, tx, h, days); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) remind(ctx context.Context, tx *gorm.DB, h Held, days int) error {
	noted := tx.Model(&Held{}).Where("id = ? AND period = ? AND warned = ?", h.ID, h.Period, h.Warned).Update("warned", days)
	if noted.Error != nil {
		return fmt.Errorf("note reminder: %w", noted.Error)
	}
	order, ok, err := standing(tx, h.Listener, h.Tier)
	if err != nil || noted.RowsAffected == 0 || ok && order.Covers(h.Price(), *h.EndTime) {
		return err
	}
	return s.Jobs.Insert(ctx, tx, Warned{Held: h.ID, Days: days})
}
