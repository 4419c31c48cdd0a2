package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
)

// Held is a subscription as the instance of its listener keeps it.
type Held struct {
	ID       string `gorm:"primaryKey"`
	Listener string
	Artist   string
	// Tier is the product's URI, Name what the seller calls it.
	Tier string
	Name string
	// Offer is the last wish, an activity's URI.
	Offer string
	// URI is the seller's; empty before the seller has answered.
	URI   string
	State State
	// Shown says that the listener wants to be seen among the subscribers.
	Shown bool
	// Period is the last month that was paid, 0 before the first; EndTime is its end, without the grace.
	Period  Period
	EndTime *time.Time
	// Units of Asset is the price of a month that the listener has agreed to.
	Units    amount.Units
	Asset    amount.Asset
	Decimals int
	// Words tell the listener what is unusual; empty when nothing is.
	Words string
	// Warned is the last reminder of this month, in days before its end; 0 for none.
	Warned    int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TableName is gorm's name for the table.
func (Held) TableName() string { return "subscriptions_held" }

// Price is what a month costs, as the listener has agreed to.
func (h Held) Price() amount.Amount { return amount.Amount{Units: h.Units, Asset: h.Asset} }

// Joining says what a listener wants to subscribe to, at the price of a month that was shown.
type Joining struct {
	Listener, Artist, Tier, Name string
	Price                        amount.Amount
	Decimals                     int
	Shown                        bool
}

// Join subscribes: the wish is sent, and the month that is to be bought now is offered for. Who subscribed before goes
// on, at the price that is shown now. The purchase is the zero value when nothing is to be bought yet.
func (s *Service) Join(ctx context.Context, j Joining) (Held, purchase.Purchase, error) {
	var h Held
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		h, err = one(db.Locked(tx).Where("listener = ? AND tier = ?", j.Listener, j.Tier))
		now, known := s.utc(), err == nil
		switch {
		case errors.Is(err, ErrNotFound):
			h = Held{ID: newID(), Listener: j.Listener, Artist: j.Artist, Tier: j.Tier, State: Asked, CreatedAt: now}
		case err != nil:
			return err
		}
		wishes := !known || h.Shown != j.Shown || h.State == Ending || h.State == Lapsed || h.State == Ended
		h.Name, h.Units, h.Asset, h.Decimals = j.Name, j.Price.Units, j.Price.Asset, j.Decimals
		h.Shown, h.Words, h.UpdatedAt = j.Shown, "", now
		next := h.State
		switch h.State {
		case Ending:
			next = Active
		case Lapsed, Ended:
			next = Asked
		}
		if wishes {
			h.Offer = s.base + "/offers/" + newID()
		}
		if known {
			err = move(tx, &h, &h.State, next)
		} else if err = tx.Create(&h).Error; err != nil {
			err = fmt.Errorf("write subscription: %w", err)
		}
		if err != nil {
			return err
		}
		// What was not renewed for its price is tried again at the price that was agreed to now.
		err = tx.Where("listener = ? AND product = ? AND words <> ''", h.Listener, h.Tier).Delete(&renewal{}).Error
		if err != nil || !wishes {
			return err
		}
		return s.Jobs.Insert(ctx, tx, Wished{h.ID, h.Offer})
	})
	if err != nil {
		return h, purchase.Purchase{}, err
	}
	period := nextOf(h.Period, s.Now())
	if period == 0 {
		return h, purchase.Purchase{}, nil
	}
	bought, err := s.buy(ctx, h, period)
	return h, bought, err
}

// Cancel ends a subscription with what was paid, and the standing order with it.
func (s *Service) Cancel(ctx context.Context, listener, id string) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		h, err := one(db.Locked(tx).Where("listener = ? AND id = ?", listener, id))
		if err != nil {
			return err
		}
		h.UpdatedAt = s.utc()
		if h.State == Ending || h.State == Ended {
			return nil
		}
		if err := move(tx, &h, &h.State, h.State.canceled()); err != nil {
			return err
		}
		if err := s.revoke(tx, h.Listener, h.Tier); err != nil {
			return err
		}
		return s.Jobs.Insert(ctx, tx, Canceled{h.ID, h.Offer})
	})
}

// Confirmed keeps the seller's name of a subscription inside tx.
func (s *Service) Confirmed(tx *gorm.DB, artist, offer, uri string) error {
	h, err := one(tx.Where("artist = ? AND offer = ?", artist, offer))
	if err != nil {
		return err
	}
	return tx.Model(&h).Updates(map[string]any{"uri": uri, "updated_at": s.utc()}).Error
}

// Refused notes inside tx that the seller does not want this listener's wish, and why.
func (s *Service) Refused(tx *gorm.DB, artist, offer, words string) error {
	h, err := one(db.Locked(tx).Where("artist = ? AND offer = ?", artist, offer))
	if err != nil {
		return err
	}
	next := h.State
	if h.State == Asked {
		next = Ended
	}
	h.Words, h.UpdatedAt = words, s.utc()
	return move(tx, &h, &h.State, next)
}

// Stands notes inside tx that the seller has a month as paid, whose end it is: the one that the purchase of the agreement
// was made for, or a later one.
func (s *Service) Stands(ctx context.Context, tx *gorm.DB, artist, listener, agreement string, end time.Time) error {
	h, bought, err := s.of(ctx, tx, artist, listener, agreement)
	if err != nil {
		return err
	}
	// Who has paid late may have been given a later month than was asked for.
	period := PeriodOf(end.Add(-time.Second))
	if !end.Equal(period.End()) || period < Period(bought.Period) || period > PeriodOf(s.Now()).Next() {
		return &purchase.Refusal{Words: fmt.Sprintf("The month ends at %s, and %d was bought.", end, bought.Period)}
	}
	if period <= h.Period {
		return nil
	}
	ends := period.End()
	h.Period, h.EndTime, h.Warned, h.Words, h.UpdatedAt = period, &ends, 0, "", s.utc()
	next := Active
	if h.State == Ending {
		next = Ending // it was canceled while it was paid
	}
	return move(tx, &h, &h.State, next)
}

// Over notes inside tx that the seller has ended a subscription.
func (s *Service) Over(ctx context.Context, tx *gorm.DB, artist, listener, agreement string) error {
	h, bought, err := s.of(ctx, tx, artist, listener, agreement)
	if err != nil || Period(bought.Period) < h.Period || !h.State.Stands() {
		return err
	}
	h.UpdatedAt = s.utc()
	path := map[State][]State{Active: {Late, Lapsed}, Late: {Lapsed}, Ending: {Ended}}
	for _, next := range path[h.State] {
		if err := move(tx, &h, &h.State, next); err != nil {
			return err
		}
	}
	return nil
}

// of is the subscription that an agreement of a listener is about, and what was bought by it.
func (s *Service) of(ctx context.Context, tx *gorm.DB, artist, listener, agreement string) (Held, purchase.Purchase, error) {
	bought, err := s.Purchases.ByAgreement(ctx, artist, agreement)
	if errors.Is(err, purchase.ErrNotFound) || err == nil && bought.Buyer != listener {
		return Held{}, bought, fmt.Errorf("%w: of agreement %s", ErrNotFound, agreement)
	}
	if err != nil {
		return Held{}, bought, err
	}
	h, err := one(db.Locked(tx).Where("listener = ? AND tier = ?", listener, bought.Product))
	return h, bought, err
}

// runOutHeld moves the listeners' subscriptions whose month or grace is over.
func (s *Service) runOutHeld(ctx context.Context) error {
	now := s.utc()
	return runOut(ctx, s, now, func(_ context.Context, tx *gorm.DB, h Held) error {
		return fall(tx, &h, &h.State, &h.UpdatedAt, *h.EndTime, now)
	})
}

// ByID returns a listener's subscription, or [ErrNotFound].
func (s *Service) ByID(ctx context.Context, id string) (Held, error) {
	return one(s.DB.Read.WithContext(ctx).Where("id = ?", id))
}

// HeldOf returns a listener's subscription to a tier, or [ErrNotFound].
func (s *Service) HeldOf(ctx context.Context, listener, tier string) (Held, error) {
	return one(s.DB.Read.WithContext(ctx).Where("listener = ? AND tier = ?", listener, tier))
}

// Subscribed reports whether an actor is a listener of this instance who subscribes to anything.
func (s *Service) Subscribed(ctx context.Context, actor string) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Model(&Held{}).Where("listener = ?", actor).Count(&n).Error
	return n > 0, err
}

// maxHeld bounds the list of one listener's subscriptions.
const maxHeld = 500

// List returns a listener's subscriptions, the latest first.
func (s *Service) List(ctx context.Context, listener string) ([]Held, error) {
	var rows []Held
	err := s.DB.Read.WithContext(ctx).Where("listener = ?", listener).Order("created_at DESC, id").Limit(maxHeld).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read subscriptions of %s: %w", listener, err)
	}
	return rows, nil
}

func one(q *gorm.DB) (Held, error) {
	var h Held
	err := q.Take(&h).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return h, ErrNotFound
	}
	return h, err
}

// NextMonth is the month that a listener buys now, or 0 when nothing is to be bought yet; h may be the zero value.
func NextMonth(h Held, now time.Time) Period { return nextOf(h.Period, now) }

// UnderWay returns the purchase of the month that a listener buys now, if it was begun and waits for something, or
// [ErrNotFound].
func (s *Service) UnderWay(ctx context.Context, h Held) (purchase.Purchase, error) {
	var row renewal
	err := s.DB.Read.WithContext(ctx).Where("listener = ? AND product = ? AND period = ?", h.Listener, h.Tier, NextMonth(h, s.Now())).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return purchase.Purchase{}, ErrNotFound
	}
	if err != nil {
		return purchase.Purchase{}, fmt.Errorf("read renewal: %w", err)
	}
	p, err := s.Purchases.ByID(ctx, row.Purchase)
	if err == nil && (!p.State.Open() || s.spent(p)) {
		err = ErrNotFound
	}
	return p, err
}
