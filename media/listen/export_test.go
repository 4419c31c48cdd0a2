package listen

import (
	"context"

	"gorm.io/gorm"
)

// Keep does what the loop does.
func (s *Service) Keep(ctx context.Context) error { return s.keep(ctx) }

// ForgetGone is a part of what is done once a day.
func (s *Service) ForgetGone(ctx context.Context) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return forgetGone(tx, s.now()) })
}

// EndDay does what the loop does.
func (s *Service) EndDay(ctx context.Context) error { return s.endDay(ctx) }
