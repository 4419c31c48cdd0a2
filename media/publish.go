package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/media/cover"
	"antiphon/media/transcode"
)

// Edit is what an artist can change about a track.
type Edit struct {
	Title, Album, Licence, About string
	PreviewStart                 time.Duration
	// Price is written by the shop in the same transaction; nil leaves it.
	Price func(tx *gorm.DB) error
}

// Edit changes a track's description. A published track's followers are told. A new preview start remakes the preview.
func (s *Service) Edit(ctx context.Context, artist string, id TrackID, e Edit) (Track, error) {
	if err := e.check(); err != nil {
		return Track{}, err
	}
	var t Track
	err := s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		if t, err = ofArtist(tx, artist, id); err != nil {
			return err
		}
		moved := e.PreviewStart.Milliseconds() != t.PreviewStartMS
		if e.PreviewStart < 0 || t.DurationMS > 0 && e.PreviewStart >= t.Duration() {
			return &Refusal{Words: "The preview has to begin inside the track."}
		}
		t.Title, t.Album, t.Licence, t.About = e.Title, e.Album, e.Licence, e.About
		t.PreviewStartMS, t.UpdatedAt = e.PreviewStart.Milliseconds(), s.utc()
		if err := tx.Model(&t).Select("title", "album", "licence", "about", "preview_start_ms", "updated_at").Updates(&t).Error; err != nil {
			return fmt.Errorf("write track: %w", err)
		}
		if e.Price != nil {
			if err := e.Price(tx); err != nil {
				return err
			}
		}
		if moved && !t.State.Working() && t.State != Failed {
			if err := s.jobs.Insert(ctx, tx, previewJob{Track: id, Start: t.PreviewStartMS}); err != nil {
				return err
			}
		}
		return s.changed(ctx, tx, t)
	})
	return t, err
}

func (e *Edit) check() error {
	e.Title = strings.TrimSpace(strings.ToValidUTF8(e.Title, ""))
	for _, f := range []struct {
		name, text string
		most       int
	}{{"title", e.Title, 200}, {"album", e.Album, 200}, {"licence", e.Licence, 200}, {"text", e.About, 5000}} {
		if len([]rune(f.text)) > f.most {
			return &Refusal{Words: fmt.Sprintf("The %s is longer than %d characters.", f.name, f.most)}
		}
	}
	if e.Title == "" {
		return &Refusal{Words: "A track needs a title."}
	}
	return nil
}

// changed tells the followers of a published track.
func (s *Service) changed(ctx context.Context, tx *gorm.DB, t Track) error {
	if t.State != Published {
		return nil
	}
	return errors.Join(
		s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: t.UpdatedAt}),
		s.jobs.Insert(ctx, tx, downloadJob{Track: t.ID}))
}

// SetCover makes an image the track's cover. A file that is no image is a [*Refusal].
func (s *Service) SetCover(ctx context.Context, artist string, id TrackID, image []byte) error {
	images, err := cover.Make(bytes.NewReader(image))
	if err != nil {
		return &Refusal{Words: "This file cannot be used as a cover: choose a JPEG, PNG, GIF or WebP of at most 10 MiB."}
	}
	t, err := ofArtist(s.db.Read.WithContext(ctx), artist, id)
	if err != nil {
		return err
	}
	blocks, err := s.putCover(ctx, &t, images)
	if err != nil {
		return err
	}
	t.UpdatedAt = s.utc()
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := Register(tx, blocks...); err != nil {
			return err
		}
		if err := tx.Model(&t).Select("cover", "cover_small", "accent", "updated_at").Updates(&t).Error; err != nil {
			return fmt.Errorf("write track: %w", err)
		}
		return s.changed(ctx, tx, t)
	})
}

// Publish puts a ready track on sale and tells the artist's followers. Published twice, it is published once.
func (s *Service) Publish(ctx context.Context, artist string, id TrackID) (Track, error) {
	t, err := ofArtist(s.db.Read.WithContext(ctx), artist, id)
	if err != nil || t.State == Published {
		return t, err
	}
	first := t.PublishedAt == nil
	if t.State == Removed {
		return t, &Refusal{Words: "The administrators have taken this track down. Ask them."}
	}
	if t.State != Ready && t.State != Unpublished {
		return t, &Refusal{Words: "The track is not ready yet."}
	}
	if first {
		if t.Slug, err = s.freeSlug(ctx, artist, t); err != nil {
			return t, err
		}
		now := s.utc().Truncate(time.Second)
		t.PublishedAt = &now
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := move(tx, &t, Published, s.utc()); err != nil {
			return err
		}
		if err := s.shop.SetOpen(tx, t.URI, t.Title, true); err != nil {
			return err
		}
		if err := s.jobs.Insert(ctx, tx, downloadJob{Track: t.ID}); err != nil {
			return err
		}
		if first {
			return s.jobs.Insert(ctx, tx, TrackPublished{Track: t.ID})
		}
		return s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: t.UpdatedAt})
	})
	return t, err
}

// Unpublish takes a track out of sale; grants that were given stay.
func (s *Service) Unpublish(ctx context.Context, artist string, id TrackID) error {
	t, err := ofArtist(s.db.Read.WithContext(ctx), artist, id)
	if err != nil || t.State == Unpublished || t.State == Removed {
		return err
	}
	if on, _, err := ReleaseOf(ctx, s.db.Read, id); err == nil {
		return &Refusal{Words: fmt.Sprintf("It is on the release %q: take it off there first.", on.Title)}
	} else if !errors.Is(err, ErrNoRelease) {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := move(tx, &t, Unpublished, s.utc()); err != nil {
			return &Refusal{Words: "Only a published track can be taken back."}
		}
		if err := s.shop.SetOpen(tx, t.URI, t.Title, false); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: t.UpdatedAt})
	})
}

func (s *Service) freeSlug(ctx context.Context, artist string, t Track) (string, error) {
	base := slugOf(t.Title)
	slug := base
	for n := 2; ; n++ {
		other, err := BySlug(ctx, s.db.Read, artist, slug)
		if errors.Is(err, ErrNotFound) || err == nil && other.ID == t.ID {
			return slug, nil
		}
		if err != nil {
			return "", err
		}
		slug = fmt.Sprintf("%s-%d", base, n)
	}
}

// remakePreview cuts the preview anew from the sealed master.
func (s *Service) remakePreview(ctx context.Context, job previewJob, _ int) error {
	t, err := ByID(ctx, s.db.Read, job.Track)
	if err != nil || t.PreviewStartMS != job.Start {
		return err
	}
	dir := filepath.Join(s.config.DataDir, "work", string(t.ID))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source := filepath.Join(dir, "master")
	if err := s.unsealMaster(ctx, t, source); err != nil {
		return err
	}
	dest := filepath.Join(dir, "preview.mp3")
	if err := transcode.Preview(ctx, s.engine, source, dest, time.Duration(job.Start)*time.Millisecond); err != nil {
		return err
	}
	block, err := s.putPreview(ctx, &t, dest)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := Register(tx, block); err != nil {
			return err
		}
		t.UpdatedAt = s.utc()
		if err := tx.Model(&t).Select("preview", "updated_at").Updates(&t).Error; err != nil {
			return err
		}
		return s.changed(ctx, tx, t)
	})
}

func ofArtist(tx *gorm.DB, artist string, id TrackID) (Track, error) {
	return one(tx.Where("id = ? AND artist = ?", id, artist), string(id))
}
