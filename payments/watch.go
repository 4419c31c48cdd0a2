package payments

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
)

type cursor struct {
	Name     string `gorm:"primaryKey"`
	Position string
}

// Watch looks at every provider until ctx ends: often while an order is open, seldom otherwise. One look serves all
// open orders. It returns after its goroutines have ended.
func (s *Service) Watch(ctx context.Context) {
	var wg sync.WaitGroup
	for _, p := range s.providers {
		wg.Go(func() { s.watch(ctx, p) })
	}
	wg.Wait()
}

func (s *Service) watch(ctx context.Context, p Provider) {
	failures := 0
	for {
		pause := s.config.PollIdle
		open, err := s.expire(ctx, p.Name())
		if err == nil && open {
			pause = s.config.PollOpen
		}
		if err == nil {
			err = s.look(ctx, p)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// A silent node is asked less and less often, up to the idle pause.
			failures++
			pause = min(s.config.PollOpen<<min(failures, 10), s.config.PollIdle)
			s.log.Warn("watching payments failed", "provider", p.Name(), "failures", failures, "error", err)
		default:
			failures = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-time.After(pause):
		}
	}
}

// look takes the provider's new payments, each confirmed before the cursor passes it.
func (s *Service) look(ctx context.Context, p Provider) error {
	name := "payments/" + p.Name()
	var c cursor
	err := s.db.Read.WithContext(ctx).Where("name = ?", name).Take(&c).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read cursor: %w", err)
	}
	payments, next, err := p.Received(ctx, c.Position)
	if err != nil {
		return fmt.Errorf("ask for payments: %w", err)
	}
	for _, payment := range payments {
		if err := s.confirm(ctx, p.Name(), payment); err != nil {
			return err
		}
	}
	if next == c.Position {
		return nil
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Save(&cursor{Name: name, Position: next}).Error
	})
}

// expire marks invoices whose time has passed and reports whether any order of the provider still waits. Orders that
// expired in the last day are watched on, because a late payment is honored.
func (s *Service) expire(ctx context.Context, provider string) (bool, error) {
	now := s.now().UTC()
	var orders []Order
	err := s.db.Read.WithContext(ctx).Where("provider = ? AND state IN ?", provider, []State{Awaiting, Underpaid}).
		Order("expires_at").Limit(1000).Find(&orders).Error
	if err != nil {
		return false, fmt.Errorf("read open orders: %w", err)
	}
	open := false
	for _, o := range orders {
		if !now.After(o.ExpiresAt) {
			open = true
			continue
		}
		// What an underpaid order said of the money that has come stays true.
		o.Words = strings.TrimSpace(o.Words + " The invoice has expired. If the payment is still under way it will be honored.")
		err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return move(tx, &o, Expired, now) })
		if err != nil {
			return false, err
		}
	}
	return open, nil
}
