package actor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// maxLinks is how many of a listener's key links are published, the newest ones.
const maxLinks = 8

// linkRow is a row of key_links.
type linkRow struct {
	Actor     string `gorm:"primaryKey"`
	Number    int64  `gorm:"primaryKey"`
	Raw       []byte
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (linkRow) TableName() string { return "key_links" }

// keepLink keeps the link to a local listener's keys of that number.
func keepLink(tx *gorm.DB, actor string, number int64, link json.RawMessage, now time.Time) error {
	if len(link) == 0 {
		return nil
	}
	if err := tx.Create(&linkRow{Actor: actor, Number: number, Raw: link, CreatedAt: now}).Error; err != nil {
		return fmt.Errorf("keep key link of %s: %w", actor, err)
	}
	return nil
}

// links are the links to a local listener's keys, the oldest first.
func (r *Registry) links(ctx context.Context, stored row) ([]json.RawMessage, error) {
	var rows []linkRow
	err := r.db.Read.WithContext(ctx).Where("actor = ?", stored.URI).Order("number DESC").Limit(maxLinks).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read key links of %s: %w", stored.URI, err)
	}
	var all []json.RawMessage
	for i := len(rows) - 1; i >= 0; i-- {
		all = append(all, rows[i].Raw)
	}
	if len(all) == 0 && len(stored.Raw) > 0 {
		all = []json.RawMessage{stored.Raw} // from before there was a table of them
	}
	return all, nil
}
