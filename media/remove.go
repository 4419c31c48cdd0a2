package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/media/ipfs"
)

// Remove takes a track down by an admin's decision: it is out of sale, with the releases that it is on, its followers are
// told that it is gone, and its artist cannot publish it again. also is written in the same transaction. Grants that were given stay. A track that is
// being worked on is a [*Refusal]; one that was removed before stays as it is, and also is written all the same.
func (s *Service) Remove(ctx context.Context, id TrackID, also func(ctx context.Context, tx *gorm.DB, t Track) error) error {
	return s.decide(ctx, id, Removed, "A file that is being worked on cannot be taken down yet: wait until that has ended.", also)
}

// Restore lets the artist of a track that was removed publish it again; blocks that were denied stay denied.
func (s *Service) Restore(ctx context.Context, id TrackID, also func(ctx context.Context, tx *gorm.DB, t Track) error) error {
	return s.decide(ctx, id, Unpublished, "This track was not taken down.", also)
}

func (s *Service) decide(ctx context.Context, id TrackID, next State, words string, also func(context.Context, *gorm.DB, Track) error) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		t, err := ByID(ctx, tx, id)
		if err != nil {
			return err
		}
		if t.State != next {
			public := t.State == Published
			if err := t.State.To(next); err != nil {
				return &Refusal{Words: words}
			}
			if err := move(tx, &t, next, s.utc()); err != nil {
				return err
			}
			if public {
				if err := s.shop.SetOpen(tx, t.URI, t.Title, false); err != nil {
					return err
				}
				if err := s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: t.UpdatedAt}); err != nil {
					return err
				}
				if err := s.withdrawReleasesOf(ctx, tx, t.ID); err != nil {
					return err
				}
			}
		}
		return also(ctx, tx, t)
	})
}

// deniedBlock is a block that is not kept, fetched or served any more.
type deniedBlock struct {
	CID       string `gorm:"column:cid;primaryKey"`
	Track     string
	CreatedAt time.Time
}

func (deniedBlock) TableName() string { return "denied_blocks" }

// Deny makes this instance never serve again what a local track consists of, but for blocks that it shares with another
// local track. Whoever bought the track cannot play it from here any more. Drop deletes the blocks once tx is committed.
func Deny(ctx context.Context, tx *gorm.DB, track string, now time.Time) error {
	tx = tx.WithContext(ctx)
	others := tx.Model(&Block{}).Select("cid").Where("owner <> ? AND owner IN (?)", track, tx.Model(&Track{}).Select("uri"))
	var cids []string
	if err := tx.Model(&Block{}).Where("owner = ? AND cid NOT IN (?)", track, others).Pluck("cid", &cids).Error; err != nil {
		return fmt.Errorf("find blocks of %s: %w", track, err)
	}
	rows := make([]deniedBlock, len(cids))
	for i, c := range cids {
		rows[i] = deniedBlock{c, track, now.UTC()}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(rows, 200).Error; err != nil {
		return fmt.Errorf("deny blocks of %s: %w", track, err)
	}
	return nil
}

// Drop deletes blocks that were denied from the store; those that are not there are no error.
func (s *Service) Drop(ctx context.Context, track string) error {
	var cids []string
	if err := s.db.Read.WithContext(ctx).Model(&deniedBlock{}).Where("track = ?", track).Pluck("cid", &cids).Error; err != nil {
		return fmt.Errorf("read denied blocks: %w", err)
	}
	for _, c := range cids {
		if err := s.store.Delete(ctx, ipfs.CID(c)); err != nil && !errors.Is(err, ipfs.ErrNotFound) {
			return fmt.Errorf("delete block %s: %w", c, err)
		}
	}
	return nil
}
