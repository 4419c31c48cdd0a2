package media

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/media/transcode"
)

// convert makes the renditions, the preview, the loudness and the peaks, all in one run over the file.
func (s *Service) convert(ctx context.Context, t Track) error {
	dir := s.workDir(t.ID)
	// What a killed run left is of no use: FFmpeg cannot go on in the middle.
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("clear work folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	result, err := transcode.Convert(ctx, s.engine, transcode.Job{
		Source: s.sourcePath(t), Dir: dir, Duration: t.Duration(), SampleRate: t.SampleRate, Channels: t.Channels, BitDepth: t.BitDepth,
		PreviewStart: time.Duration(t.PreviewStartMS) * time.Millisecond,
	}, s.advance(ctx, t.ID, "convert"))
	if err != nil {
		return err
	}
	t.Peaks = result.Peaks
	t.DurationMS = result.Duration.Milliseconds()
	t.Loudness = fmt.Sprintf("%.1f %.1f", result.LoudnessLUFS, result.TruePeak)
	block, err := s.putPreview(ctx, &t, result.Preview)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := Register(tx, block); err != nil {
			return err
		}
		if err := move(tx, &t, Converted, s.utc()); err != nil {
			return err
		}
		if err := s.end(tx, t.ID, "convert"); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, sealJob{Track: t.ID})
	})
}

// putPreview stores the public preview from a file and names it on t.
func (s *Service) putPreview(ctx context.Context, t *Track, path string) (Block, error) {
	mp3, err := os.ReadFile(path)
	if err != nil {
		return Block{}, fmt.Errorf("read preview: %w", err)
	}
	cid, err := s.store.Put(ctx, mp3)
	if err != nil {
		return Block{}, fmt.Errorf("store preview: %w", err)
	}
	t.Preview = string(cid)
	return s.block(*t, t.Preview, KindPreview, len(mp3)), nil
}

// renditionPath is where convert leaves a rendition for seal.
func (s *Service) renditionPath(id TrackID, name string) string {
	return filepath.Join(s.workDir(id), name+".mp4")
}
