package media

import (
	"context"
	"errors"
	"fmt"
	"os"

	"gorm.io/gorm"

	"antiphon/media/ipfs"
)

// Discard removes a track that was never published, with everything that was made of it. While the pipeline works on it,
// and once it was published, that is a [*Refusal].
func (s *Service) Discard(ctx context.Context, artist string, id TrackID) error {
	t, err := ofArtist(s.db.Read.WithContext(ctx), artist, id)
	if err != nil {
		return err
	}
	if t.State.Working() {
		return &Refusal{Words: "The file is being worked on: it can be deleted as soon as that has ended."}
	}
	if t.PublishedAt != nil {
		return &Refusal{Words: "A track that was out cannot be deleted, because it may have been bought. It can be taken back."}
	}
	var alone []string
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		result := tx.Where("id = ? AND state = ?", t.ID, t.State).Delete(&Track{})
		if result.Error != nil {
			return fmt.Errorf("delete track: %w", result.Error)
		}
		if result.RowsAffected != 1 {
			return fmt.Errorf("delete track %s: it was moved by someone else", t.ID)
		}
		others := tx.Model(&Block{}).Select("cid").Where("owner <> ?", t.URI)
		if err := tx.Model(&Block{}).Where("owner = ? AND cid NOT IN (?)", t.URI, others).Pluck("cid", &alone).Error; err != nil {
			return fmt.Errorf("find blocks: %w", err)
		}
		return errors.Join(
			tx.Where("owner = ?", t.URI).Delete(&Block{}).Error,
			tx.Where("track = ?", t.ID).Delete(&segment{}).Error,
			tx.Where("track = ?", t.ID).Delete(&step{}).Error)
	})
	if err != nil {
		return err
	}
	for _, cid := range alone {
		if e := s.store.Delete(ctx, ipfs.CID(cid)); e != nil {
			err = errors.Join(err, fmt.Errorf("delete block: %w", e))
		}
	}
	if e := os.Remove(s.masterPath(t.ID)); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("delete master: %w", e))
	}
	return errors.Join(err, s.clear(t))
}
