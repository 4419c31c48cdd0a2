package media

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gorm.io/gorm"
)

// Leave takes everything of an artist who is going off sale and deletes what nobody has bought: the originals, and what
// was never out. The sealed blocks of what was out stay, for those who bought it. Run again, it goes on where it was.
func (s *Service) Leave(ctx context.Context, artist string) error {
	for {
		var tracks []Track
		err := s.db.Read.WithContext(ctx).Where("artist = ? AND state NOT IN ?", artist, []State{Removed, Failed}).Limit(100).Find(&tracks).Error
		if err != nil {
			return fmt.Errorf("read tracks of %s: %w", artist, err)
		}
		if len(tracks) == 0 {
			break
		}
		for _, t := range tracks {
			if err := s.leave(ctx, t); err != nil {
				return err
			}
		}
	}
	var releases []Release
	if err := s.db.Read.WithContext(ctx).Where("artist = ? AND state = ?", artist, ReleasePublished).Find(&releases).Error; err != nil {
		return fmt.Errorf("read releases of %s: %w", artist, err)
	}
	for _, r := range releases {
		err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			if err := tx.Model(&r).Update("state", ReleaseWithdrawn).Error; err != nil {
				return fmt.Errorf("withdraw release %s: %w", r.ID, err)
			}
			return s.bundler.OpenBundle(tx, r, false)
		})
		if err != nil {
			return err
		}
	}
	var out []Track
	if err := s.db.Read.WithContext(ctx).Where("artist = ?", artist).Find(&out).Error; err != nil {
		return fmt.Errorf("read tracks of %s: %w", artist, err)
	}
	for _, t := range out {
		if err := os.Remove(s.masterPath(t.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete master: %w", err)
		}
	}
	return nil
}

// leave takes one track away. What the pipeline works on is waited for: the caller tries again.
func (s *Service) leave(ctx context.Context, t Track) error {
	if t.PublishedAt == nil {
		return s.Discard(ctx, t.Artist, t.ID)
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		open := t.State == Published
		if err := move(tx, &t, Removed, s.utc()); err != nil {
			return err
		}
		if !open {
			return nil
		}
		return s.shop.SetOpen(tx, t.URI, t.Title, false)
	})
}
