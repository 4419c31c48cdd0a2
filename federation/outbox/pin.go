package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab"
)

// MaxPins is how many tracks an artist can show first.
const MaxPins = 10

// ErrPins is returned when there is no place for one more pinned track.
var ErrPins = errors.New("too many pinned tracks")

// pin is a track that its artist shows first.
type pin struct {
	Actor     string `gorm:"primaryKey"`
	Track     string `gorm:"primaryKey"`
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (pin) TableName() string { return "pins" }

// Featured is the collection of what an actor shows first: the announcements of pinned tracks.
func Featured(actorURI string) string { return actorURI + "/featured" }

// Pin shows an announced track of the artist me first, or with on false no longer, and tells the followers (Add or
// Remove of the announcement, target featured). ErrPins says that MaxPins are there already, ErrNotFound that the track
// was not announced. Doing it twice tells it once.
func (o *Outbox) Pin(ctx context.Context, me, track string, on bool) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		post, err := PostOf(ctx, tx, me, track)
		if err != nil {
			return err
		}
		verb := vocab.VerbRemove
		var result *gorm.DB
		if on {
			var n int64
			if err := tx.Model(&pin{}).Where("actor = ? AND track <> ?", me, track).Count(&n).Error; err != nil {
				return fmt.Errorf("count pins of %s: %w", me, err)
			}
			if n >= MaxPins {
				return fmt.Errorf("pin %s: %w", track, ErrPins)
			}
			verb = vocab.VerbAdd
			result = tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&pin{Actor: me, Track: track, CreatedAt: o.utc()})
		} else {
			result = tx.Where("actor = ? AND track = ?", me, track).Delete(&pin{})
		}
		if result.Error != nil {
			return fmt.Errorf("pin %s: %w", track, result.Error)
		}
		if result.RowsAffected == 0 {
			return nil
		}
		return o.Tell(ctx, tx, vocab.Activity{
			ID: o.NewID("activities"), Type: verb, Actor: me, Object: vocab.Ref{ID: post.URI}, Target: vocab.Ref{ID: Featured(me)},
			To: []string{vocab.Public}, Cc: []string{Followers(me)}, Published: o.utc(),
		})
	})
}

// Pinned returns the tracks that an artist shows first, the last pinned one before the others.
func Pinned(ctx context.Context, tx *gorm.DB, artist string) ([]string, error) {
	var out []string
	err := tx.WithContext(ctx).Model(&pin{}).Where("actor = ?", artist).Order("created_at DESC, track").Limit(MaxPins).Pluck("track", &out).Error
	if err != nil {
		return nil, fmt.Errorf("read pins of %s: %w", artist, err)
	}
	return out, nil
}

// pinnedPage finds the announcements of pinned tracks: a track that was taken back has none, and is pinned again when it
// comes back.
func pinnedPage(ctx context.Context, tx *gorm.DB, owner string, _ Position, limit int) ([]entry, error) {
	var out []entry
	err := tx.WithContext(ctx).Table("pins").Joins("JOIN posts ON posts.track = pins.track AND posts.actor = pins.actor").
		Where("pins.actor = ?", owner).Select("posts.uri AS uri, pins.created_at AS at").Order("pins.created_at DESC, pins.track").Limit(limit).Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("read pins of %s: %w", owner, err)
	}
	return out, nil
}
