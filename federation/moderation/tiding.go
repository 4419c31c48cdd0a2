package moderation

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// The kinds of tidings.
const (
	TidingTakedown = "takedown" // About is the track's title, Words the reason
	TidingRestored = "restored" // About is the track's title
	TidingMoved    = "moved"    // About is the old account's URI, Words the new one's
	TidingNewKeys  = "newkeys"  // About is the URI of a buyer whose new keys no earlier key vouches for
	TidingOutcome  = "outcome"  // About is who was reported, Words what came of it

	TidingPool = "pool" // Words what a member of the listening pool should know

	TidingSubscription = "subscription" // About is the tier's name, Words what is to be done
)

// Tiding is something that the house tells a member.
type Tiding struct {
	ID                 string `gorm:"primaryKey"`
	Owner              string
	Kind, About, Words string
	CreatedAt          time.Time
	SeenAt             *time.Time
}

// Tell writes a tiding for a local actor, inside the transaction that makes it true.
func Tell(ctx context.Context, tx *gorm.DB, owner, kind, about, words string, now time.Time) error {
	row := Tiding{ID: newID(), Owner: owner, Kind: kind, About: short(about, 500), Words: short(words, maxWords), CreatedAt: now.UTC()}
	if err := tx.WithContext(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("tell %s: %w", owner, err)
	}
	return nil
}

// Tidings returns what a member was told, the last first, at most limit; with unseen only what was not seen yet.
func Tidings(ctx context.Context, tx *gorm.DB, owner string, unseen bool, limit int) ([]Tiding, error) {
	q := tx.WithContext(ctx).Where("owner = ?", owner)
	if unseen {
		q = q.Where("seen_at IS NULL")
	}
	var rows []Tiding
	if err := q.Order("created_at DESC, id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read tidings of %s: %w", owner, err)
	}
	return rows, nil
}

// Seen marks all tidings of a member as seen.
func Seen(ctx context.Context, tx *gorm.DB, owner string, now time.Time) error {
	err := tx.WithContext(ctx).Model(&Tiding{}).Where("owner = ? AND seen_at IS NULL", owner).Update("seen_at", now.UTC()).Error
	if err != nil {
		return fmt.Errorf("mark tidings of %s: %w", owner, err)
	}
	return nil
}
