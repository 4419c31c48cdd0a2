package main

import (
	"context"
	"fmt"
	"html"
	"net/url"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/moderation"
	"antiphon/payments/subscription"
)

// restockEvery is the pause between two looks for tracks that subscribers are to have.
const restockEvery = 30 * time.Second

// restock brings new tracks to subscribers until ctx ends.
func (h *house) restock(ctx context.Context) {
	for {
		if err := h.access.Restock(ctx, int(subscription.PeriodOf(time.Now()))); err != nil && ctx.Err() == nil {
			h.log.Error("tiers not restocked", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(restockEvery):
		}
	}
}

// listenerKeys are the public keys that a listener's next month is granted to; a guest's are kept here.
func (h *house) listenerKeys(ctx context.Context, listener string) (receiving, requesting string, err error) {
	if !h.actors.Own(listener) {
		keys, err := h.accounts.KeysOfGuest(ctx, listener)
		return keys.ReceivingKey, keys.RequestingKey, err
	}
	who, err := h.actors.Local(ctx, listener)
	return who.ReceivingKey, who.RequestingKey, err
}

// remind tells a member that a subscription ends, inside tx.
func remind(ctx context.Context, tx *gorm.DB, s subscription.Held, days int, words string) error {
	return moderation.Tell(ctx, tx, s.Listener, moderation.TidingSubscription, s.Name, s.Reminder(days, words), time.Now())
}

// remindWords is the message to a guest whose subscription ends.
func (h *house) remindWords(s subscription.Held, days int, words string) string {
	page := h.config.Server.BaseURL + "/subscribe?tier=" + url.QueryEscape(s.Tier)
	return fmt.Sprintf(`<p>Your subscription “%s”: %s</p><p><a href="%s">%s</a></p>`,
		html.EscapeString(s.Name), html.EscapeString(s.Reminder(days, words)), html.EscapeString(page), html.EscapeString(page))
}
