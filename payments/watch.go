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
	for i, p := range s.providers {
		wg.Go(func() { s.watch(ctx, p, s.wake[i]) })
	}
	wg.Wait()
}

func (s *Service) watch(ctx context.Context, p Provider, wake <-chan struct{}) {
	// What was seen before a restart may be gone since: the first look tells.
	failures, seen := 0, true
	for {
		pause := s.config.PollIdle
		open, err := s.expire(ctx, p.Name())
		if _, patient := p.(Patient); err == nil && open && !patient {
			pause = s.config.PollOpen
		}
		more := false
		if err == nil {
			more, seen, err = s.look(ctx, p, seen)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			// A silent node is asked less and less often, up to the idle pause.
			failures++
			pause = min(s.config.PollOpen<<min(failures, 10), s.config.PollIdle)
			s.log.Warn("watching payments failed", "provider", p.Name(), "failures", failures, "error", err)
		case more:
			pause = 0
			fallthrough
		default:
			failures = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-time.After(pause):
		}
	}
}

// look takes the provider's new payments, each confirmed before the cursor passes it, and notes those that are not final
// yet. It reports whether there is more to look at right away, and whether any payment is seen and not final; seen is
// what the look before reported of that.
func (s *Service) look(ctx context.Context, p Provider, seen bool) (more, still bool, err error) {
	asset, _ := p.Asset()
	name := "payments/" + p.Name()
	if p.Name() != "raiden" {
		name += "/" + string(asset)
	}
	var c cursor
	err = s.db.Read.WithContext(ctx).Where("name = ?", name).Take(&c).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return false, seen, fmt.Errorf("read cursor: %w", err)
	}
	look, err := p.Received(ctx, c.Position)
	if err != nil {
		return false, seen, fmt.Errorf("ask for payments: %w", err)
	}
	for _, payment := range look.Final {
		if err := s.confirm(ctx, p.Name(), payment); err != nil {
			return false, seen, err
		}
	}
	still = len(look.Tentative) > 0
	if still || seen {
		if err := s.noteSeen(ctx, p, look.Tentative); err != nil {
			return false, seen, err
		}
	}
	if look.Next == c.Position {
		return false, still, nil
	}
	return look.More, still, s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Save(&cursor{Name: name, Position: look.Next}).Error
	})
}

// expire marks invoices whose time has passed and reports whether any order of the provider still waits. Orders that
// expired in the last day are watched on, because a late payment is honored.
func (s *Service) expire(ctx context.Context, provider string) (bool, error) {
	now := s.now().UTC()
	waiting := func() *gorm.DB {
		return s.db.Read.WithContext(ctx).Where("provider = ? AND state IN ?", provider, []State{Quoted, Awaiting, Underpaid})
	}
	var orders []Order
	if err := waiting().Where("expires_at < ?", now).Order("expires_at").Limit(1000).Find(&orders).Error; err != nil {
		return false, fmt.Errorf("read expired orders: %w", err)
	}
	for _, o := range orders {
		// What an underpaid order said of the money that has come stays true.
		o.Words = strings.TrimSpace(o.Words + " The invoice has expired. If the payment is still under way it will be honored.")
		err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return move(tx, &o, Expired, now) })
		if err != nil {
			return false, err
		}
	}
	// However many wait, one look serves them all: it is enough to know of one.
	var open []string
	if err := waiting().Model(&Order{}).Where("expires_at >= ?", now).Limit(1).Pluck("uri", &open).Error; err != nil {
		return false, fmt.Errorf("read open orders: %w", err)
	}
	return len(open) > 0, nil
}
