package subscription

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Reminder says in plain words, for the listener, that a month ends in so many days and what to do; with 0 days, why it
// was not renewed.
func (h Held) Reminder(days int, why string) string {
	if h.EndTime == nil {
		return why
	}
	end := h.EndTime.UTC().Format("2 January 2006")
	last := h.EndTime.Add(Grace).UTC().Format("2 January")
	switch {
	case days == 0:
		return fmt.Sprintf("It was not renewed: %s It plays on until %s, unless you renew it.", why, last)
	case days == 1:
		return fmt.Sprintf("What you have paid for ends tomorrow, on %s. It plays on until %s, unless you renew it.", end, last)
	default:
		return fmt.Sprintf("What you have paid for ends in %d days, on %s. You can pay for the next month now.", days, end)
	}
}

// Leave removes inside tx what a listener who is going subscribes to, and what the own node was allowed to pay for it.
// Sellers have it run out.
func Leave(ctx context.Context, tx *gorm.DB, listener string) error {
	for _, table := range []any{&Standing{}, &renewal{}, &Held{}} {
		if err := tx.WithContext(ctx).Where("listener = ?", listener).Delete(table).Error; err != nil {
			return fmt.Errorf("end subscriptions of %s: %w", listener, err)
		}
	}
	return nil
}

// Inherit puts heir, an account of this instance, in the place of a guest in all subscriptions, inside tx.
func Inherit(ctx context.Context, tx *gorm.DB, guest, heir string) error {
	for _, table := range []string{"subscriptions_held", "renewals"} {
		if err := tx.WithContext(ctx).Table(table).Where("listener = ?", guest).Update("listener", heir).Error; err != nil {
			return fmt.Errorf("hand subscriptions of %s on: %w", guest, err)
		}
	}
	return nil
}
