package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/jobs"
	"antiphon/media/ipfs"
	"antiphon/media/seal"
	"antiphon/media/tag"
	"antiphon/media/transcode"
)

// Download is a file that buyers of a track may take away: tagged, sealed with seal.DownloadKey of its format, and
// stored as a file of many blocks.
type Download struct {
	Track TrackID `gorm:"primaryKey"`
	// Format is flac, mp3 or opus.
	Format    string `gorm:"primaryKey"`
	MediaType string
	CID       string `gorm:"column:cid"`
	// Size is that of the sealed file.
	Size int64
	// Made is the hash of what the file says of itself.
	Made      string
	CreatedAt time.Time
}

// DownloadsOf returns the downloads of a track, in the order of their formats.
func DownloadsOf(ctx context.Context, tx *gorm.DB, id TrackID) ([]Download, error) {
	var rows []Download
	if err := tx.WithContext(ctx).Where("track = ?", id).Order("format").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read downloads of %s: %w", id, err)
	}
	return rows, nil
}

// DownloadContext is what a sealed download is bound to, beside its key: the track and the format.
func DownloadContext(track, format string) []byte { return []byte(track + "\n" + format) }

type downloadJob struct{ Track TrackID }

func (downloadJob) Kind() string { return "media_download" }

func (downloadJob) Options() jobs.Options {
	return jobs.Options{Queue: jobs.Media, MaxAttempts: maxAttempts}
}

// makeDownloads makes what buyers take away, once the track is out and whenever its description has changed: the
// files say who made the music, and nobody waits for them.
func (s *Service) makeDownloads(ctx context.Context, job downloadJob, _ int) error {
	t, err := ByID(ctx, s.db.Read, job.Track)
	if errors.Is(err, ErrNotFound) || err == nil && t.State != Published {
		return nil
	}
	if err != nil {
		return err
	}
	tags, err := s.tags(ctx, t)
	if err != nil {
		return err
	}
	made := madeOf(tags, t)
	before, err := DownloadsOf(ctx, s.db.Read, t.ID)
	if err != nil || len(before) > 0 && before[0].Made == made {
		return err
	}
	// Sweep removes what a killed process leaves of it: no track has that id.
	dir := s.workDir("downloads-" + t.ID)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make work folder: %w", err)
	}
	defer os.RemoveAll(dir)
	after, blocks, err := s.sealDownloads(ctx, t, tags, dir)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for i := range after {
			after[i].Made = made
		}
		if err := Register(tx, blocks...); err != nil {
			return err
		}
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&after).Error; err != nil {
			return fmt.Errorf("write downloads: %w", err)
		}
		t.UpdatedAt = s.utc()
		if err := tx.Model(&t).Select("updated_at").Updates(&t).Error; err != nil {
			return fmt.Errorf("write track: %w", err)
		}
		for _, d := range before {
			if slices.ContainsFunc(after, func(a Download) bool { return a.CID == d.CID }) {
				continue
			}
			if err := s.jobs.Insert(ctx, tx, dropJob{Track: t.ID, CID: d.CID}); err != nil {
				return err
			}
		}
		return s.jobs.Insert(ctx, tx, TrackChanged{Track: t.ID, Updated: t.UpdatedAt})
	})
}

func (s *Service) tags(ctx context.Context, t Track) (tag.Tags, error) {
	artist, url, err := s.credit(ctx, t)
	if err != nil {
		return tag.Tags{}, err
	}
	return tag.Tags{
		Title: t.Title, Artist: artist, Album: t.Album, License: t.Licence, Date: t.PublishedAt.Format(time.DateOnly), URL: url,
	}, nil
}

// madeOf tells two descriptions apart.
func madeOf(tags tag.Tags, t Track) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", tags, t.Cover))
	return hex.EncodeToString(sum[:16])
}

// sealDownloads makes, tags, seals and stores the files. Nothing is registered yet.
func (s *Service) sealDownloads(ctx context.Context, t Track, tags tag.Tags, dir string) (rows []Download, blocks []Block, err error) {
	key, err := contentKey(s.vault, t)
	if err != nil {
		return nil, nil, err
	}
	source := filepath.Join(dir, "master")
	if err := s.unsealMaster(ctx, t, source); err != nil {
		return nil, nil, err
	}
	files, err := transcode.Downloads(ctx, s.engine, transcode.Job{
		Source: source, Dir: dir, SampleRate: t.SampleRate, Channels: t.Channels, BitDepth: t.BitDepth,
	})
	if err != nil {
		return nil, nil, err
	}
	var image []byte
	if t.Cover != "" {
		if image, err = s.store.Get(ctx, ipfs.CID(t.Cover)); err != nil {
			return nil, nil, fmt.Errorf("read cover: %w", err)
		}
	}
	for _, f := range files {
		if err := tag.Write(f.Path, tags, image); err != nil {
			return nil, nil, err
		}
		cid, size, err := s.sealFile(ctx, f.Path, seal.DownloadKey(key, f.Format), DownloadContext(t.URI, f.Format))
		if err != nil {
			return nil, nil, err
		}
		rows = append(rows, Download{Track: t.ID, Format: f.Format, MediaType: f.MediaType, CID: string(cid), Size: size, CreatedAt: s.utc()})
		tree, err := s.tree(ctx, t, cid)
		if err != nil {
			return nil, nil, err
		}
		blocks = append(blocks, tree...)
	}
	return rows, blocks, nil
}

// sealFile encrypts a file into the store.
func (s *Service) sealFile(ctx context.Context, path string, key seal.FileKey, aad []byte) (ipfs.CID, int64, error) {
	source, err := os.Open(path)
	if err != nil {
		return "", 0, fmt.Errorf("open download: %w", err)
	}
	defer source.Close()
	r, w := io.Pipe()
	go func() {
		sealed, err := seal.NewWriter(w, key, aad, s.rand)
		if err == nil {
			_, err = io.Copy(sealed, source)
		}
		if err == nil {
			err = sealed.Close()
		}
		w.CloseWithError(err)
	}()
	defer r.Close()
	cid, size, err := s.store.AddFile(ctx, r)
	if err != nil {
		return "", 0, fmt.Errorf("store download: %w", err)
	}
	return cid, size, nil
}

// tree is every block of a stored file.
func (s *Service) tree(ctx context.Context, t Track, root ipfs.CID) ([]Block, error) {
	var blocks []Block
	queue := []ipfs.CID{root}
	for len(queue) > 0 {
		c := queue[0]
		queue = queue[1:]
		if c.Codec() == ipfs.Raw {
			blocks = append(blocks, s.block(t, string(c), KindSegment, 0))
			continue
		}
		node, err := s.store.Get(ctx, c)
		if err != nil {
			return nil, fmt.Errorf("read download: %w", err)
		}
		links, err := ipfs.Links(c, node)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, s.block(t, string(c), KindFile, len(node)))
		queue = append(queue, links...)
	}
	return blocks, nil
}

// dropJob lets go of a download that was replaced.
type dropJob struct {
	Track TrackID
	CID   string
}

func (dropJob) Kind() string { return "media_download_drop" }

// dropDownload removes a file that was replaced; buyers' instances keep what they have fetched of it.
func (s *Service) dropDownload(ctx context.Context, job dropJob, _ int) error {
	t, err := ByID(ctx, s.db.Read, job.Track)
	if err != nil {
		return err
	}
	blocks, err := s.tree(ctx, t, ipfs.CID(job.CID))
	if errors.Is(err, ipfs.ErrNotFound) {
		return nil // an earlier run got as far
	}
	if err != nil {
		return err
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for _, b := range blocks {
			if err := tx.Where("owner = ? AND cid = ?", t.URI, b.CID).Delete(&Block{}).Error; err != nil {
				return fmt.Errorf("let go of block: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := s.store.Delete(ctx, ipfs.CID(job.CID)); err != nil {
		return fmt.Errorf("let go of download: %w", err)
	}
	return nil
}
