package purchase

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Inherit puts heir, an account of this instance, in the place of a guest in all purchases, inside tx.
func Inherit(ctx context.Context, tx *gorm.DB, guest, heir string) error {
	if err := tx.WithContext(ctx).Model(&Purchase{}).Where("buyer = ?", guest).Update("buyer", heir).Error; err != nil {
		return fmt.Errorf("hand purchases of %s on: %w", guest, err)
	}
	return nil
}

// Holder is whose purchase an agreement with an artist belongs to now, or [ErrNotFound].
func (s *Service) Holder(tx *gorm.DB, artist, agreement string) (string, error) {
	p, err := one(tx.Where("agreement = ? AND artist = ?", agreement, artist), agreement)
	return p.Buyer, err
}
