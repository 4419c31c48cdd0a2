package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/media/cover"
	"antiphon/media/probe"
)

// probe finds out what the file is, and takes its tags and its cover.
func (s *Service) probe(ctx context.Context, t Track) error {
	info, err := probe.Probe(ctx, s.engine, s.sourcePath(t), probe.Limits{MaxDuration: s.config.MaxLength})
	var refused *probe.Refusal
	if errors.As(err, &refused) {
		return &Refusal{Words: refused.Words}
	}
	if err != nil {
		return err
	}
	t.DurationMS = info.Duration.Milliseconds()
	t.SampleRate, t.Channels, t.BitDepth = info.SampleRate, info.Channels, info.BitDepth
	if info.Tags.Title != "" {
		t.Title = info.Tags.Title
	}
	t.Album, t.Licence = info.Tags.Album, info.Tags.License
	var images cover.Images
	if len(info.Cover) > 0 {
		// A cover that cannot be read is left out: the artist sees that, and can choose another.
		if images, err = cover.Make(bytes.NewReader(info.Cover)); err != nil {
			s.log.Info("cover of upload not taken", "track", t.ID, "error", err)
		}
	}
	blocks, err := s.putCover(ctx, &t, images)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := Register(tx, blocks...); err != nil {
			return err
		}
		if err := move(tx, &t, Probed, s.utc()); err != nil {
			return err
		}
		if err := s.end(tx, t.ID, "probe"); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, convertJob{Track: t.ID})
	})
}

// putCover stores the two sizes of a cover and names them on t.
func (s *Service) putCover(ctx context.Context, t *Track, images cover.Images) ([]Block, error) {
	if len(images.Large) == 0 {
		return nil, nil
	}
	large, err := s.store.Put(ctx, images.Large)
	if err != nil {
		return nil, fmt.Errorf("store cover: %w", err)
	}
	small, err := s.store.Put(ctx, images.Small)
	if err != nil {
		return nil, fmt.Errorf("store cover: %w", err)
	}
	t.Cover, t.CoverSmall = string(large), string(small)
	t.Accent = images.AccentLight + " " + images.AccentDark
	return []Block{
		s.block(*t, t.Cover, KindCover, len(images.Large)),
		s.block(*t, t.CoverSmall, KindCover, len(images.Small)),
	}, nil
}

// block is a block of the track that was made here.
func (s *Service) block(t Track, cid string, kind Kind, size int) Block {
	return Block{CID: cid, Owner: t.URI, Kind: kind, Size: int64(size), Held: true, CreatedAt: s.utc()}
}
