package moderation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/jobs"
	"antiphon/media"
)

// Takedown says why a local track was taken down.
type Takedown struct {
	Track, Artist, Reason string
	// Denied says that its blocks are not served any more either.
	Denied    bool
	CreatedAt time.Time
}

// dropBlocks is the job that deletes the blocks of a track that was denied.
type dropBlocks struct {
	Track string `json:"track"`
}

// Kind names the job.
func (dropBlocks) Kind() string { return "drop_blocks" }

// Options make the job one of its kind, until a day after it has ended.
func (dropBlocks) Options() jobs.Options { return jobs.Options{Once: true} }

// TakeDown takes a track off sale and off every page, tells other servers that it is gone, and tells its artist why.
// Those who bought it keep it, unless deny is set: then its blocks are deleted and never served again.
func (s *Service) TakeDown(ctx context.Context, admin string, id media.TrackID, why string, deny bool) error {
	why, err := reason(why)
	if err != nil {
		return err
	}
	return s.Tracks.Remove(ctx, id, func(ctx context.Context, tx *gorm.DB, t media.Track) error {
		row := Takedown{Track: t.URI, Artist: t.Artist, Reason: why, Denied: deny, CreatedAt: s.utc()}
		err := tx.Clauses(clause.OnConflict{
			Columns: []clause.Column{{Name: "track"}}, DoUpdates: clause.AssignmentColumns([]string{"reason", "denied"}),
		}).Create(&row).Error
		if err != nil {
			return fmt.Errorf("write takedown of %s: %w", t.URI, err)
		}
		act := "takedown"
		if deny {
			act = "takedown and deny"
			if err := media.Deny(ctx, tx, t.URI, s.utc()); err != nil {
				return err
			}
			if err := s.Jobs.Insert(ctx, tx, dropBlocks{t.URI}); err != nil {
				return err
			}
		}
		if err := Tell(ctx, tx, t.Artist, TidingTakedown, t.Title, why, s.utc()); err != nil {
			return err
		}
		return Record(ctx, tx, admin, act, t.URI, why, s.Now())
	})
}

// PutBack lets the artist of a track that was taken down publish it again, and says so.
func (s *Service) PutBack(ctx context.Context, admin string, id media.TrackID, why string) error {
	why, err := reason(why)
	if err != nil {
		return err
	}
	return s.Tracks.Restore(ctx, id, func(ctx context.Context, tx *gorm.DB, t media.Track) error {
		if err := tx.Where("track = ?", t.URI).Delete(&Takedown{}).Error; err != nil {
			return fmt.Errorf("lift takedown of %s: %w", t.URI, err)
		}
		if err := Tell(ctx, tx, t.Artist, TidingRestored, t.Title, why, s.utc()); err != nil {
			return err
		}
		return Record(ctx, tx, admin, "put back", t.URI, why, s.Now())
	})
}

// TakedownOf returns why a track was taken down, or ErrNotFound.
func TakedownOf(ctx context.Context, tx *gorm.DB, track string) (Takedown, error) {
	var row Takedown
	err := tx.WithContext(ctx).Where("track = ?", track).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fmt.Errorf("%w: takedown of %s", ErrNotFound, track)
	}
	if err != nil {
		return row, fmt.Errorf("read takedown of %s: %w", track, err)
	}
	return row, nil
}
