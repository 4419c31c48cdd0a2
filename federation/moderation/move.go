package moderation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ErrMove is returned for a move that comes too soon, leads in a circle, or is one of too many.
var ErrMove = errors.New("account cannot move now")

// Move is that an account became another one.
type Move struct {
	Source string `gorm:"primaryKey"`
	Target string
	// Site is the registrable domain that the source lies on.
	Site    string
	MovedAt time.Time
}

// MoveLimits bound moves: nobody moves again within Pause, neither who moved nor who was moved to, and in that time at
// most PerTarget accounts move to one, and PerSite away from one site.
type MoveLimits struct {
	Pause              time.Duration
	PerTarget, PerSite int64
}

// TakeMove writes a move down inside tx, or returns an ErrMove that says why not.
func TakeMove(ctx context.Context, tx *gorm.DB, m Move, limits MoveLimits) error {
	tx = tx.WithContext(ctx)
	since := m.MovedAt.UTC().Add(-limits.Pause)
	for _, rule := range []struct {
		words string
		most  int64
		query string
		arg   string
	}{
		{"it has just moved", 0, "source = ?", m.Source},
		{"others have just moved to it", 0, "target = ?", m.Source},
		{"its new account has just moved itself", 0, "source = ?", m.Target},
		{"too many accounts move there", limits.PerTarget - 1, "target = ?", m.Target},
		{"too many accounts move away from its site", limits.PerSite - 1, "site = ?", m.Site},
	} {
		var n int64
		if err := tx.Model(&Move{}).Where(rule.query+" AND moved_at > ?", rule.arg, since).Count(&n).Error; err != nil {
			return fmt.Errorf("count moves: %w", err)
		}
		if n > rule.most {
			return fmt.Errorf("%w: %s to %s: %s", ErrMove, m.Source, m.Target, rule.words)
		}
	}
	m.MovedAt = m.MovedAt.UTC()
	err := tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "source"}}, DoUpdates: clause.AssignmentColumns([]string{"target", "site", "moved_at"}),
	}).Create(&m).Error
	if err != nil {
		return fmt.Errorf("write move of %s: %w", m.Source, err)
	}
	return nil
}
