package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/payments"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

// Names are the pseudonyms of listeners; *pseudonym.Service is one.
type Names interface {
	Of(ctx context.Context, tx *gorm.DB, month royalty.Month, listener string) (string, error)
}

// Leave removes inside tx the membership of a listener who is going, and what was asked for it. Payments stay, because
// others are owed a part of them, and so does what may have to be given back: under the pseudonym that the ledger has for the
// month. What was credit has nobody to pay for any more, and waits for the operator. It returns the pseudonyms by the months
// that were paid.
func Leave(ctx context.Context, tx *gorm.DB, names Names, listener string, now time.Time) (map[royalty.Month]string, error) {
	tx = tx.WithContext(ctx)
	for _, table := range []any{&Membership{}, &Question{}, &admitted{}} {
		if err := tx.Where("listener = ?", listener).Delete(table).Error; err != nil {
			return nil, fmt.Errorf("end membership of %s: %w", listener, err)
		}
	}
	var rows []Payment
	if err := tx.Where("listener = ?", listener).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read payments of %s: %w", listener, err)
	}
	paid := map[royalty.Month]string{}
	for _, p := range rows {
		month := p.Month
		if month == "" {
			month = royalty.MonthOf(p.FinalAt)
		}
		name, err := names.Of(ctx, tx, month, listener)
		if errors.Is(err, pseudonym.ErrForgotten) {
			name, err = "", nil // nobody can tell any more whose it was
		}
		if err != nil {
			return nil, err
		}
		if p.Month != "" && name != "" {
			paid[month] = name
		}
		state := p.State
		if state == Credit {
			state = Owed
		}
		err = tx.Model(&Payment{}).Where("hash = ?", p.Hash).Updates(map[string]any{"listener": name, "state": state}).Error
		if err != nil {
			return nil, fmt.Errorf("keep payment: %w", err)
		}
	}
	return paid, leaveDemands(ctx, tx, names, listener, now)
}

// leaveDemands takes the name out of what was asked to be paid: what comes for it all the same is to be given back.
func leaveDemands(ctx context.Context, tx *gorm.DB, names Names, listener string, now time.Time) error {
	demands := tx.Model(&payments.Order{}).Where("purpose = ? AND buyer = ?", payments.Dues, listener).Session(&gorm.Session{})
	var n int64
	if err := demands.Count(&n).Error; err != nil || n == 0 {
		return err
	}
	name, err := names.Of(ctx, tx, royalty.MonthOf(now), listener)
	if err != nil {
		return err
	}
	if err := demands.Update("buyer", name).Error; err != nil {
		return fmt.Errorf("keep demands: %w", err)
	}
	return nil
}
