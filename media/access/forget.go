package access

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// CloseAll takes everything of an artist who is going off sale, whatever it is sold as. What was bought stays granted.
func CloseAll(ctx context.Context, tx *gorm.DB, artist string, now time.Time) error {
	err := tx.WithContext(ctx).Model(&Product{}).Where("artist = ? AND open", artist).
		Updates(map[string]any{"open": false, "updated_at": now.UTC()}).Error
	if err != nil {
		return fmt.Errorf("close products of %s: %w", artist, err)
	}
	return nil
}

// ForgetLibrary removes the grants that a buyer holds here. Nobody can bring them back but their sellers.
func ForgetLibrary(ctx context.Context, tx *gorm.DB, buyer string) error {
	tx = tx.WithContext(ctx)
	mine := tx.Model(&keptGrant{}).Select("uri").Where("buyer = ?", buyer)
	if err := tx.Where("grant_uri IN (?)", mine).Delete(&itemRow{}).Error; err != nil {
		return fmt.Errorf("forget library of %s: %w", buyer, err)
	}
	if err := tx.Where("buyer = ?", buyer).Delete(&keptGrant{}).Error; err != nil {
		return fmt.Errorf("forget library of %s: %w", buyer, err)
	}
	return nil
}
