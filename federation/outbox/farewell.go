package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// PublicOf returns the public activities of a local actor as they were sent, the newest first, at most limit.
func PublicOf(ctx context.Context, tx *gorm.DB, actorURI string, limit int) ([]json.RawMessage, error) {
	var rows []sent
	err := tx.WithContext(ctx).Where("actor = ? AND public", actorURI).Order("created_at DESC, uri").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read activities of %s: %w", actorURI, err)
	}
	out := make([]json.RawMessage, len(rows))
	for i, row := range rows {
		out[i] = row.Raw
	}
	return out, nil
}

// WithdrawAllOf marks everything public that a local actor made as deleted, so that it is answered with 410. Receipts and
// grants, which are private, stay readable to those whom they are for.
func WithdrawAllOf(ctx context.Context, tx *gorm.DB, owner string, now time.Time) error {
	err := tx.WithContext(ctx).Model(&objectRow{}).Where("owner = ? AND local AND audience = ? AND deleted_at IS NULL", owner, Everyone).
		Update("deleted_at", now.UTC()).Error
	if err != nil {
		return fmt.Errorf("withdraw what %s made: %w", owner, err)
	}
	return nil
}
