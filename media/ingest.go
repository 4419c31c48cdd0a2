package media

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"antiphon/media/seal"
)

// Upload is a complete file that an artist has sent.
type Upload struct {
	// ID names the upload and its file in Config.UploadDir, which the pipeline removes when it is done with it. The same
	// upload ingested twice is the same track.
	ID     string
	Artist string
	// Filename is what the artist's machine called it; only its last element is kept.
	Filename string
	Size     int64
}

// ErrQuota is returned when an upload would pass what the artist may keep here.
var ErrQuota = errors.New("over the artist's quota")

// Ingest writes the track and its first job in one transaction and returns at once; [Service.Progress] tells how it
// goes on.
func (s *Service) Ingest(ctx context.Context, u Upload) (Track, error) {
	if t, err := one(s.db.Read.WithContext(ctx).Where("upload = ?", u.ID), u.ID); err == nil || !errors.Is(err, ErrNotFound) {
		return t, err
	}
	key, err := seal.NewContentKey(s.rand)
	if err != nil {
		return Track{}, err
	}
	id := TrackID(newID())
	sealed, err := s.vault.Seal(keyPlace(id), key[:])
	if err != nil {
		return Track{}, fmt.Errorf("seal content key: %w", err)
	}
	now := s.utc()
	hash := seal.ContentKeyHash(key)
	t := Track{
		ID: id, URI: s.config.BaseURL + "/tracks/" + string(id), Artist: u.Artist, Slug: string(id), State: Received,
		Filename: cleanName(u.Filename), Upload: u.ID, UploadBytes: u.Size, SealedKey: sealed, ContentKeyHash: hash[:],
		CreatedAt: now, UpdatedAt: now,
	}
	t.Title = strings.TrimSuffix(t.Filename, filepath.Ext(t.Filename))
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&t).Error; err != nil {
			return fmt.Errorf("write track: %w", err)
		}
		for _, name := range stepNames {
			if err := tx.Create(&step{Track: id, Name: name, State: stepWaiting}).Error; err != nil {
				return fmt.Errorf("write step: %w", err)
			}
		}
		return s.jobs.Insert(ctx, tx, probeJob{Track: id})
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return one(s.db.Read.WithContext(ctx).Where("upload = ?", u.ID), u.ID)
	}
	return t, err
}

// Used is how many bytes of uploads the artist keeps here.
func (s *Service) Used(ctx context.Context, artist string) (int64, error) {
	var used int64
	err := s.db.Read.WithContext(ctx).Model(&Track{}).Where("artist = ? AND state <> ?", artist, Failed).
		Select("COALESCE(SUM(upload_bytes), 0)").Scan(&used).Error
	return used, err
}

// sourcePath is where the upload's bytes lie until the pipeline has sealed them.
func (s *Service) sourcePath(t Track) string {
	return filepath.Join(s.config.UploadDir, filepath.Base(t.Upload))
}

// cleanName keeps the last element of a name from outside, at most 200 bytes of valid text.
func cleanName(name string) string {
	name = strings.ToValidUTF8(name, "")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u202d' || r == '\u202e' { // the last two turn letters round
			return -1
		}
		return r
	}, name)
	for len(name) > 200 {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	if name == "" || name == "." || name == ".." {
		return "untitled"
	}
	return name
}
