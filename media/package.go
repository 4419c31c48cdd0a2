package media

import (
	"context"
	"fmt"
	"os"
	"time"

	"gorm.io/gorm"

	"antiphon/media/hls"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// rendition is one encoding of a track, from the smallest on.
type rendition struct{ name, codecs string }

var renditions = []rendition{
	{transcode.AAC64, hls.CodecAAC}, {transcode.AAC128, hls.CodecAAC}, {transcode.AAC256, hls.CodecAAC}, {transcode.FLAC, hls.CodecFLAC},
}

// segment is a sealed segment; its rows let a killed run go on where it was.
type segment struct {
	Track     TrackID `gorm:"primaryKey"`
	Rendition string  `gorm:"primaryKey"`
	Number    int     `gorm:"primaryKey"`
	CID       string  `gorm:"column:cid"`
	IV        []byte  `gorm:"column:iv"`
	Size      int64
	Micros    int64
}

// batch is how many segments are sealed before their rows are written.
const batch = 32

// seal cuts and encrypts every rendition, stores the segments and the playlists, and seals the master.
func (s *Service) seal(ctx context.Context, t Track) error {
	key, err := contentKey(s.vault, t)
	if err != nil {
		return err
	}
	var (
		blocks  []Block
		master  hls.Master
		sealed  int64
		advance = s.advance(ctx, t.ID, "seal")
	)
	for i, r := range renditions {
		playlist, err := s.sealRendition(ctx, t, key, r.name)
		if err != nil {
			return fmt.Errorf("rendition %s: %w", r.name, err)
		}
		text, err := playlist.Marshal()
		if err != nil {
			return fmt.Errorf("playlist %s: %w", r.name, err)
		}
		cid, err := s.store.Put(ctx, text)
		if err != nil {
			return fmt.Errorf("store playlist %s: %w", r.name, err)
		}
		master.Variants = append(master.Variants, playlist.Variant(string(cid), r.codecs))
		sealed += playlist.Size()
		blocks = append(blocks, s.block(t, string(cid), KindPlaylist, len(text)))
		for _, name := range playlist.CIDs() {
			blocks = append(blocks, s.block(t, name, KindSegment, 0))
		}
		advance(float64(i+1) / float64(len(renditions)+1))
	}
	manifest, err := master.Marshal()
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	cid, err := s.store.Put(ctx, manifest)
	if err != nil {
		return fmt.Errorf("store manifest: %w", err)
	}
	if err := s.sealMaster(ctx, t); err != nil {
		return err
	}
	t.Manifest, t.ManifestBytes, t.SealedBytes = string(cid), int64(len(manifest)), sealed
	blocks = append(blocks, s.block(t, t.Manifest, KindManifest, len(manifest)))
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := Register(tx, blocks...); err != nil {
			return err
		}
		if err := move(tx, &t, Packaged, s.utc()); err != nil {
			return err
		}
		if err := s.end(tx, t.ID, "seal"); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, finishJob{Track: t.ID})
	})
}

// sealRendition seals what of a rendition is not sealed yet, and returns its playlist.
func (s *Service) sealRendition(ctx context.Context, t Track, content seal.ContentKey, name string) (hls.Media, error) {
	f, err := os.Open(s.renditionPath(t.ID, name))
	if err != nil {
		return hls.Media{}, err
	}
	defer f.Close()
	head, cut, err := hls.Cut(f, hls.Limits{})
	if err != nil {
		return hls.Media{}, err
	}
	init, err := s.store.Put(ctx, head)
	if err != nil {
		return hls.Media{}, fmt.Errorf("store init section: %w", err)
	}
	var rows []segment
	err = s.db.Read.WithContext(ctx).Where("track = ? AND rendition = ?", t.ID, name).Order("number").Find(&rows).Error
	if err != nil {
		return hls.Media{}, fmt.Errorf("read segments: %w", err)
	}
	done, number := len(rows), 0
	key := seal.Key(content, name)
	for clear, err := range cut {
		if err != nil {
			return hls.Media{}, err
		}
		if number++; number <= done {
			continue
		}
		row, err := s.sealSegment(ctx, key, clear)
		if err != nil {
			return hls.Media{}, fmt.Errorf("segment %d: %w", number, err)
		}
		row.Track, row.Rendition, row.Number = t.ID, name, number
		rows = append(rows, row)
		if len(rows)-done >= batch {
			if err := s.keepSegments(ctx, rows[done:]); err != nil {
				return hls.Media{}, err
			}
			done = len(rows)
		}
	}
	if err := s.keepSegments(ctx, rows[done:]); err != nil {
		return hls.Media{}, err
	}
	playlist := hls.Media{Rendition: name, Init: string(init)}
	for _, row := range rows {
		playlist.Segments = append(playlist.Segments, hls.MediaSegment{
			CID: row.CID, IV: [16]byte(row.IV), Duration: time.Duration(row.Micros) * time.Microsecond, Size: row.Size,
		})
	}
	return playlist, nil
}

func (s *Service) sealSegment(ctx context.Context, key seal.SegmentKey, clear hls.Segment) (segment, error) {
	iv, err := seal.NewIV(s.rand)
	if err != nil {
		return segment{}, err
	}
	ciphertext := seal.Encrypt(nil, key, iv, clear.Data)
	cid, err := s.store.Put(ctx, ciphertext)
	if err != nil {
		return segment{}, fmt.Errorf("store: %w", err)
	}
	return segment{CID: string(cid), IV: iv[:], Size: int64(len(ciphertext)), Micros: clear.Duration.Microseconds()}, nil
}

func (s *Service) keepSegments(ctx context.Context, rows []segment) error {
	if len(rows) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Create(&rows).Error; err != nil {
			return fmt.Errorf("write segments: %w", err)
		}
		return nil
	})
}
