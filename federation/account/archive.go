package account

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
)

// The states of an archive.
const (
	Packing = "packing"
	Ready   = "ready"
	Failed  = "failed"
)

const (
	// archiveLife is how long an archive is kept, archivePause how long a member waits for the next one.
	archiveLife  = 7 * 24 * time.Hour
	archivePause = time.Hour
	// maxListed bounds the lists in an archive.
	maxListed = 100_000
)

// ErrTooSoon is returned when the last archive was asked for a short time ago.
var ErrTooSoon = errors.New("the last archive is still fresh")

// Archive is everything that a member made and owns here, in one ZIP file.
type Archive struct {
	ID    string `gorm:"primaryKey"`
	Owner string
	// State is Packing, Ready or Failed; Done of Total files are in it.
	State       string
	Done, Total int64
	// Size is in bytes.
	Size      int64
	CreatedAt time.Time
}

// Expires is when the archive is deleted.
func (a Archive) Expires() time.Time { return a.CreatedAt.Add(archiveLife) }

// pack is the job that makes an archive.
type pack struct {
	Archive string `json:"archive"`
}

// Kind names the job.
func (pack) Kind() string { return "pack_archive" }

// Options bound the attempts.
func (pack) Options() jobs.Options { return jobs.Options{Queue: jobs.Media, MaxAttempts: packAttempts} }

const packAttempts = 5

func (s *Service) path(id string) string { return filepath.Join(s.Dir, id+".zip") }

// MakeArchive begins an archive for a member, or returns ErrTooSoon.
func (s *Service) MakeArchive(ctx context.Context, owner string) (Archive, error) {
	if err := s.Sweep(ctx); err != nil {
		return Archive{}, err
	}
	a := Archive{ID: newID(), Owner: owner, State: Packing, CreatedAt: s.utc()}
	return a, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var n int64
		err := tx.Model(&Archive{}).Where("owner = ? AND state <> ? AND created_at > ?", owner, Failed, s.utc().Add(-archivePause)).Count(&n).Error
		if err != nil {
			return fmt.Errorf("count archives: %w", err)
		}
		if n > 0 {
			return ErrTooSoon
		}
		if err := tx.Create(&a).Error; err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, pack{a.ID})
	})
}

// Archives returns a member's archives, the last first.
func (s *Service) Archives(ctx context.Context, owner string) ([]Archive, error) {
	var rows []Archive
	err := s.DB.Read.WithContext(ctx).Where("owner = ? AND created_at > ?", owner, s.utc().Add(-archiveLife)).
		Order("created_at DESC, id").Limit(20).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read archives: %w", err)
	}
	return rows, nil
}

// OpenArchive opens a member's archive that is ready, or returns ErrNotFound. The caller closes it.
func (s *Service) OpenArchive(ctx context.Context, owner, id string) (*os.File, error) {
	var a Archive
	err := s.DB.Read.WithContext(ctx).Where("id = ? AND owner = ? AND state = ?", id, owner, Ready).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: %.40s", ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	f, err := os.Open(s.path(a.ID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return f, err
}

// Sweep deletes archives that are too old. Call it at start.
func (s *Service) Sweep(ctx context.Context) error {
	var old []Archive
	if err := s.DB.Read.WithContext(ctx).Where("created_at <= ?", s.utc().Add(-archiveLife)).Limit(1000).Find(&old).Error; err != nil {
		return fmt.Errorf("read archives: %w", err)
	}
	for _, a := range old {
		if err := os.Remove(s.path(a.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete archive: %w", err)
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.Delete(&a).Error })
		if err != nil {
			return fmt.Errorf("delete archive: %w", err)
		}
	}
	return nil
}

// pack makes an archive. It is written beside its place and moved there when it is whole.
func (s *Service) pack(ctx context.Context, job pack, attempt int) error {
	var a Archive
	err := s.DB.Read.WithContext(ctx).Where("id = ? AND state = ?", job.Archive, Packing).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read archive: %w", err)
	}
	size, err := s.fill(ctx, a)
	if err != nil {
		if attempt < packAttempts {
			return err
		}
		s.Log.Error("archive not made", "archive", a.ID, "error", err)
		return s.update(ctx, a.ID, map[string]any{"state": Failed})
	}
	return s.update(ctx, a.ID, map[string]any{"state": Ready, "size": size})
}

func (s *Service) update(ctx context.Context, id string, change map[string]any) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Model(&Archive{}).Where("id = ?", id).Updates(change).Error; err != nil {
			return fmt.Errorf("write archive: %w", err)
		}
		return nil
	})
}
