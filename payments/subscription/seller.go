package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
)

// Wish is a listener's offer to subscribe, its sender already known.
type Wish struct {
	Offer, Tier, Artist, Listener string
	Shown                         bool
}

// Ask takes a listener's wish inside tx: who is new is asked to pay, and who has canceled goes on. The same wish twice
// is once.
func (s *Service) Ask(ctx context.Context, tx *gorm.DB, w Wish) error {
	row, err := s.seller(db.Locked(tx), w.Tier, w.Listener)
	if errors.Is(err, ErrNotFound) {
		row = s.fresh(w.Tier, w.Artist, w.Listener)
		row.Offer, row.Shown = w.Offer, w.Shown
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write subscription: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, Answered{row.URI, w.Offer})
	}
	if err != nil || row.Offer == w.Offer {
		return err
	}
	next := row.State
	switch row.State {
	case Ending:
		next = Active
	case Lapsed, Ended:
		next = Asked
	}
	row.Offer, row.Shown, row.UpdatedAt = w.Offer, w.Shown, s.utc()
	if err := move(tx, &row, &row.State, next); err != nil {
		return err
	}
	return s.Jobs.Insert(ctx, tx, Answered{row.URI, w.Offer})
}

// Withdraw takes a listener's wish back inside tx: what was paid runs to its end. A wish that is not the last one, or
// that was taken back before, changes nothing.
func (s *Service) Withdraw(ctx context.Context, tx *gorm.DB, listener, offer string) error {
	var row Subscription
	err := db.Locked(tx).Where("listener = ? AND offer = ?", listener, offer).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look up subscription: %w", err)
	}
	next := row.State.canceled()
	if row.State.To(next) != nil {
		return nil
	}
	stood := row.State.Stands()
	row.UpdatedAt = s.utc()
	if err := move(tx, &row, &row.State, next); err != nil || next != Ended || !stood {
		return err
	}
	return s.Jobs.Insert(ctx, tx, Removed{row.URI, row.Period})
}

// Payment is a month that was paid, or given for nothing.
type Payment struct {
	Tier, Artist, Listener, Agreement string
	Period                            Period
}

// Paid notes inside tx, which also writes the grant, that a month was paid. Who subscribed by paying alone is a
// subscriber too. A month that was noted before changes nothing.
func (s *Service) Paid(ctx context.Context, tx *gorm.DB, p Payment) error {
	if !p.Period.Valid() {
		return fmt.Errorf("paid: %d is no month", p.Period)
	}
	row, err := s.seller(db.Locked(tx), p.Tier, p.Listener)
	if errors.Is(err, ErrNotFound) {
		row = s.fresh(p.Tier, p.Artist, p.Listener)
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write subscription: %w", err)
		}
	} else if err != nil {
		return err
	}
	if p.Period <= row.Period {
		return nil
	}
	now, end := s.utc(), p.Period.End()
	if row.StartTime == nil || !row.State.Stands() {
		row.StartTime = &now
	}
	row.Period, row.Agreement, row.EndTime, row.UpdatedAt = p.Period, p.Agreement, &end, now
	if err := move(tx, &row, &row.State, Active); err != nil {
		return err
	}
	return s.Jobs.Insert(ctx, tx, Added{row.URI, row.Period})
}

// Next is the month that a listener buys of a tier now: this one, or from [Ahead] of its beginning the next one. It is 0
// when nothing is to be bought yet; held is the last month that was paid, and goes whether the listener goes on without a
// gap, and so pays the whole of a month that has begun.
func (s *Service) Next(ctx context.Context, tier, listener string) (next, held Period, goes bool, err error) {
	row, err := s.seller(s.DB.Read.WithContext(ctx), tier, listener)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return 0, 0, false, err
	}
	now := s.utc()
	goes = row.State.Stands() && row.EndTime != nil && now.Before(row.EndTime.Add(Grace))
	return nextOf(row.Period, now), row.Period, goes, nil
}

func nextOf(held Period, now time.Time) Period {
	current := PeriodOf(now)
	switch {
	case held < current:
		return current
	case held == current && !now.Before(current.End().Add(-Ahead)):
		return current.Next()
	}
	return 0
}

// runOut moves the seller's subscriptions whose month or grace is over.
func (s *Service) runOut(ctx context.Context) error {
	now := s.utc()
	return runOut(ctx, s, now, func(ctx context.Context, tx *gorm.DB, row Subscription) error {
		err := fall(tx, &row, &row.State, &row.UpdatedAt, *row.EndTime, now)
		if err == nil && !row.State.Stands() {
			err = s.Jobs.Insert(ctx, tx, Removed{row.URI, row.Period})
		}
		return err
	})
}

func (s *Service) fresh(tier, artist, listener string) Subscription {
	now := s.utc()
	return Subscription{
		URI: s.base + "/subscriptions/" + newID(), Tier: tier, Artist: artist, Listener: listener, State: Asked, CreatedAt: now, UpdatedAt: now,
	}
}

func (s *Service) seller(tx *gorm.DB, tier, listener string) (Subscription, error) {
	var row Subscription
	err := tx.Where("tier = ? AND listener = ?", tier, listener).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fmt.Errorf("%w: of %s to %s", ErrNotFound, listener, tier)
	}
	return row, err
}

// ByURI returns the seller's record of a subscription, or [ErrNotFound].
func (s *Service) ByURI(ctx context.Context, uri string) (Subscription, error) {
	var row Subscription
	err := s.DB.Read.WithContext(ctx).Where("uri = ?", uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fmt.Errorf("%w: %s", ErrNotFound, uri)
	}
	return row, err
}

// Of returns an artist's subscribers, those who joined last first.
func (s *Service) Of(ctx context.Context, artist string, offset, limit int) ([]Subscription, error) {
	var rows []Subscription
	err := s.DB.Read.WithContext(ctx).Where("artist = ?", artist).Order("created_at DESC, uri").Offset(offset).Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read subscribers of %s: %w", artist, err)
	}
	return rows, nil
}

// Counts are how many subscriptions to each tier of an artist stand.
func (s *Service) Counts(ctx context.Context, artist string) (map[string]int64, error) {
	var rows []struct {
		Tier string
		N    int64
	}
	err := s.DB.Read.WithContext(ctx).Model(&Subscription{}).Select("tier, COUNT(*) AS n").
		Where("artist = ? AND state IN ?", artist, []State{Active, Ending, Late}).Group("tier").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count subscribers of %s: %w", artist, err)
	}
	counts := map[string]int64{}
	for _, row := range rows {
		counts[row.Tier] = row.N
	}
	return counts, nil
}
