package discover

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// unreadFor is how long a kind of activity is not sent to a host that could not read it.
	unreadFor = 30 * 24 * time.Hour
	// maxUnread bounds how many such kinds are kept, of all hosts together; more are not remembered.
	maxUnread = 10_000
)

// unreadKind says that a host's software answered a kind of activity with a failure of its own. Software names its
// version: the next one may read it.
type unreadKind struct {
	Host     string `gorm:"primaryKey"`
	Software string `gorm:"primaryKey"`
	Kind     string `gorm:"primaryKey"`
	Until    time.Time
}

// TableName is gorm's name for the table.
func (unreadKind) TableName() string { return "unread_kinds" }

// unread is the whole table in memory, read anew every sightAge.
type unread struct {
	mu    sync.Mutex
	known map[unreadKind]time.Time
	at    time.Time
}

// Reads reports whether a kind of activity, any text that names one, may be sent to a host: it is false for a month
// after Unread, unless the host has other software by then.
func (h *Hosts) Reads(ctx context.Context, host, kind string) (bool, error) {
	row, err := h.Standing(ctx, host)
	if err != nil {
		return false, err
	}
	h.unread.mu.Lock()
	defer h.unread.mu.Unlock()
	now := h.now()
	if age := now.Sub(h.unread.at); h.unread.known == nil || age < 0 || age >= sightAge {
		var rows []unreadKind
		if err := h.db.Read.WithContext(ctx).Limit(maxUnread).Find(&rows).Error; err != nil {
			return false, fmt.Errorf("read what hosts do not read: %w", err)
		}
		h.unread.known, h.unread.at = make(map[unreadKind]time.Time, len(rows)), now
		for _, r := range rows {
			h.unread.known[unreadKind{Host: r.Host, Software: r.Software, Kind: r.Kind}] = r.Until
		}
	}
	until, ok := h.unread.known[unreadKind{Host: row.Host, Software: row.Software, Kind: kind}]
	return !ok || !now.Before(until), nil
}

// Unread records that a host's software failed over a kind of activity, twice.
func (h *Hosts) Unread(ctx context.Context, host, kind string) error {
	row, err := h.Standing(ctx, host)
	if err != nil {
		return err
	}
	now := h.now().UTC().Truncate(time.Second)
	err = h.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("until <= ?", now).Delete(&unreadKind{}).Error; err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&unreadKind{}).Count(&n).Error; err != nil || n >= maxUnread {
			return err
		}
		return tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "host"}, {Name: "software"}, {Name: "kind"}},
			DoUpdates: clause.AssignmentColumns([]string{"until"}),
		}).Create(&unreadKind{row.Host, row.Software, kind, now.Add(unreadFor)}).Error
	})
	h.unread.mu.Lock()
	h.unread.known = nil
	h.unread.mu.Unlock()
	if err != nil {
		return fmt.Errorf("write what %s does not read: %w", row.Host, err)
	}
	return nil
}
