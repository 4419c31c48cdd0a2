package media

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// SetPooled puts the artist's track into the listening pool, or takes it out. Followers of a published track are told.
func (s *Service) SetPooled(ctx context.Context, artist string, id TrackID, in bool) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		t, err := ofArtist(tx, artist, id)
		if err != nil || t.Pooled == in {
			return err
		}
		t.Pooled, t.UpdatedAt = in, s.utc()
		if err := tx.Model(&t).Select("pooled", "updated_at").Updates(&t).Error; err != nil {
			return fmt.Errorf("write track: %w", err)
		}
		return s.changed(ctx, tx, t)
	})
}
