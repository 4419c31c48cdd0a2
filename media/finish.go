package media

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"gorm.io/gorm"
)

// finish seals the content key to the track's product and makes the track ready. The clear files go first: nothing
// needs them any more, and a crash after the commit must not leave them behind.
func (s *Service) finish(ctx context.Context, t Track) error {
	key, err := contentKey(s.vault, t)
	if err != nil {
		return err
	}
	write, err := s.shop.Encapsulate(ctx, t, key)
	if err != nil {
		return err
	}
	if err := s.clear(t); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := write(tx); err != nil {
			return err
		}
		if err := move(tx, &t, Ready, s.utc()); err != nil {
			return err
		}
		return s.end(tx, t.ID, "finish")
	})
}

// clear removes the files of a track that are not encrypted.
func (s *Service) clear(t Track) error {
	err := os.RemoveAll(s.workDir(t.ID))
	for _, path := range []string{s.sourcePath(t), s.sourcePath(t) + ".info", s.sourcePath(t) + ".lock"} {
		if e := os.Remove(path); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	if err != nil {
		return fmt.Errorf("clear files of track %s: %w", t.ID, err)
	}
	return nil
}

// Sweep removes what a killed process left of tracks that the pipeline is done with. It runs once at start.
func (s *Service) Sweep(ctx context.Context) error {
	entries, err := os.ReadDir(filepath.Join(s.config.DataDir, "work"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, e := range entries {
		t, err := ByID(ctx, s.db.Read, TrackID(e.Name()))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err != nil || !t.State.Working() {
			if err := os.RemoveAll(filepath.Join(s.config.DataDir, "work", e.Name())); err != nil {
				return fmt.Errorf("sweep: %w", err)
			}
		}
	}
	uploads, err := os.ReadDir(s.config.UploadDir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("sweep: %w", err)
	}
	for _, e := range uploads {
		t, err := one(s.db.Read.WithContext(ctx).Where("upload = ?", e.Name()), e.Name())
		if err == nil && !t.State.Working() {
			err = s.clear(t)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return nil
}
