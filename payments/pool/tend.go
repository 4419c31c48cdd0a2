package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments"
	"antiphon/payments/royalty"
)

// Tend lets months begin and end, reminds, and forgets what is long past, until ctx ends.
func (s *Service) Tend(ctx context.Context) {
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("tending the pool failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.config.Pause):
		}
	}
}

// round is how many memberships are moved in one transaction.
const round = 500

// Round is one round of [Service.Tend]. What fails does not keep the rest from being done.
func (s *Service) Round(ctx context.Context) error {
	var failed []error
	for _, work := range []func(context.Context) error{s.spend, s.begin, s.lapse, s.warn, s.forget} {
		if ctx.Err() != nil {
			break
		}
		failed = append(failed, work(ctx))
	}
	return errors.Join(failed...)
}

// each calls fn with the memberships that query selects, some hundred in a transaction, until there are none left: fn moves
// what it is given out of the query.
func (s *Service) each(ctx context.Context, query func(tx *gorm.DB) *gorm.DB, fn func(ctx context.Context, tx *gorm.DB, m Membership) error) error {
	look := func(tx *gorm.DB) ([]Membership, error) {
		var rows []Membership
		if err := query(tx).Order("listener").Limit(round).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("look for memberships: %w", err)
		}
		return rows, nil
	}
	for ctx.Err() == nil {
		if rows, err := look(s.DB.Read.WithContext(ctx)); err != nil || len(rows) == 0 {
			return err
		}
		moved := 0
		err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			// Who has paid meanwhile is not among them any more.
			rows, err := look(db.Locked(tx))
			if err != nil {
				return err
			}
			for _, m := range rows {
				err := fn(ctx, tx, m)
				if errors.Is(err, ErrState) {
					continue // somebody else was faster
				}
				if err != nil {
					return err
				}
				moved++
			}
			return nil
		})
		if err != nil || moved == 0 {
			return err
		}
	}
	return ctx.Err()
}

// spend has the credit of members pay for the present month.
func (s *Service) spend(ctx context.Context) error {
	return s.each(ctx, func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state NOT IN ?", []State{Ending, Ended}).
			Where("EXISTS (SELECT 1 FROM pool_payments p WHERE p.listener = pool_members.listener AND p.state = ?)", Credit).
			Where("NOT EXISTS (SELECT 1 FROM pool_payments p WHERE p.listener = pool_members.listener AND p.month = ?)", s.Month())
	}, func(ctx context.Context, tx *gorm.DB, m Membership) error {
		used, err := s.useCredit(ctx, tx, m)
		if err == nil && !used {
			err = ErrState
		}
		return err
	})
}

// begin moves those whose paid month is over into the present one, which they have not paid: they are late, or, if they have
// canceled, members no more.
func (s *Service) begin(ctx context.Context) error {
	month := s.Month()
	return s.each(ctx, func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state IN ? AND month < ?", []State{Active, Ending}, month)
	}, func(ctx context.Context, tx *gorm.DB, m Membership) error {
		if m.State == Ending {
			m.Words = ""
			return s.move(tx, &m, Ended)
		}
		m.Words, m.Warned, m.OrderURI = "", 0, ""
		if err := s.move(tx, &m, Late); err != nil {
			return err
		}
		until := month.Start().Add(Grace)
		if !s.Now().Before(until) {
			return nil // the server was down; the next step says it
		}
		return s.Tell(ctx, tx, m.Listener, fmt.Sprintf("%s has begun. Pay for it in the listening pool; what you have opened plays on until %s, and what you hear before you pay counts too.",
			words(month), until.Format("2 January")))
	})
}

// lapse moves those whose grace is over.
func (s *Service) lapse(ctx context.Context) error {
	month := s.Month()
	before := month
	if s.Now().Before(month.Start().Add(Grace)) {
		before = royalty.MonthOf(month.Start().AddDate(0, -1, 0))
	}
	return s.each(ctx, func(tx *gorm.DB) *gorm.DB { return tx.Where("state = ? AND month < ?", Late, before) },
		func(ctx context.Context, tx *gorm.DB, m Membership) error {
			m.OrderURI = ""
			if err := s.move(tx, &m, Lapsed); err != nil {
				return err
			}
			return s.Tell(ctx, tx, m.Listener, "Your membership in the listening pool has lapsed: no new music is opened. Pay at any time to go on.")
		})
}

// warn reminds members of the end of their month, 7 days and 1 day before.
func (s *Service) warn(ctx context.Context) error {
	month := s.Month()
	left := month.Next().Start().Sub(s.Now())
	days := 0
	for _, d := range []int{7, 1} {
		if left <= time.Duration(d)*24*time.Hour {
			days = d
		}
	}
	if days == 0 {
		return nil
	}
	return s.each(ctx, func(tx *gorm.DB) *gorm.DB {
		return tx.Where("state = ? AND month = ? AND (warned = 0 OR warned > ?)", Active, month, days)
	}, func(ctx context.Context, tx *gorm.DB, m Membership) error {
		m.Warned = days
		if err := s.move(tx, &m, Active); err != nil {
			return err
		}
		waiting, err := credits(tx, m.Listener)
		if err != nil || waiting > 0 {
			return err
		}
		when := "in seven days"
		if days == 1 {
			when = "tomorrow"
		}
		return s.Tell(ctx, tx, m.Listener, fmt.Sprintf("%s ends %s. A payment buys the month in which it arrives, so pay for %s from its first day on; what you have opened plays on for three days.",
			words(month), when, words(month.Next())))
	})
}

// keptMonths is for how many months it is known who paid: as long as the key of their pseudonyms.
const keptMonths = 13

// forget erases who paid for months that are long past, so that nothing here leads from a payment on the ledger to a
// listener. What is still owed to somebody stays.
func (s *Service) forget(ctx context.Context) error {
	oldest := royalty.MonthOf(s.Month().Start().AddDate(0, -keptMonths, 0))
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		// Who heard whom is forgotten as soon as the month's grants have ended.
		past := royalty.MonthOf(s.Month().Start().AddDate(0, -1, 0))
		for _, table := range []any{&Question{}, &admission{}, &admitted{}, &entry{}} {
			if err := tx.Where("month < ?", past).Delete(table).Error; err != nil {
				return fmt.Errorf("forget a past month: %w", err)
			}
		}
		var rows []Payment
		err := tx.Where("(month <> '' AND month < ?) OR (state = ? AND final_at < ?)", oldest, Returned, oldest.Start()).Limit(round).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, p := range rows {
			if err := tx.Delete(&p).Error; err != nil {
				return fmt.Errorf("forget payment: %w", err)
			}
		}
		// A demand whose address is paid each month is known by as long as one of its payments is.
		unknown := "NOT EXISTS (SELECT 1 FROM pool_payments p WHERE p.order_uri = %s)"
		old := tx.Model(&payments.Order{}).Select("uri").Where("purpose = ? AND paid_at < ?", payments.Dues, oldest.Start()).
			Where(fmt.Sprintf(unknown, "orders.uri"))
		if err := tx.Exec("DELETE FROM payments WHERE order_uri IN (?)", old).Error; err != nil {
			return fmt.Errorf("forget payments: %w", err)
		}
		err = tx.Where("purpose = ? AND paid_at < ?", payments.Dues, oldest.Start()).Where(fmt.Sprintf(unknown, "orders.uri")).
			Delete(&payments.Order{}).Error
		if err != nil {
			return fmt.Errorf("forget orders: %w", err)
		}
		return nil
	})
}
