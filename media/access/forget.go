package access

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

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
