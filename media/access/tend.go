package access

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// batch is how much one round takes up of each kind of work.
const batch = 200

// Tend does what nobody asks for, until ctx ends: it reads what sellers have revoked, replaces proxies that are missing,
// erases what is out of use, and looks how proxies do. It returns after its goroutines have ended.
func (s *Service) Tend(ctx context.Context) {
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("tending grants failed", "error", err)
		}
		select {
		case <-ctx.Done():
			if err := s.writeTally(context.WithoutCancel(ctx)); err != nil {
				s.log.Error("re-encryptions not counted", "error", err)
			}
			return
		case <-time.After(s.config.Tend):
		}
	}
}

// Round is one round of [Service.Tend]. What fails does not keep the rest from being done.
func (s *Service) Round(ctx context.Context) error {
	var failed []error
	for _, work := range []func(context.Context) error{s.readSellers, s.expire, s.forgetLent, s.lacking, s.drop, s.forgetNonces, s.writeTally, s.probe} {
		if ctx.Err() != nil {
			break
		}
		failed = append(failed, work(ctx))
	}
	return errors.Join(failed...)
}

// forgetNonces forgets the nonces that no signature can be repeated with any more.
func (s *Service) forgetNonces(ctx context.Context) error {
	if err := s.db.Write.WithContext(ctx).Where("seen_at < ?", s.now().UTC().Add(-nonceLife)).Delete(&nonceRow{}).Error; err != nil {
		return fmt.Errorf("forget nonces: %w", err)
	}
	return nil
}
