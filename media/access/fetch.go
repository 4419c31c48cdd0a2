package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/media"
	"antiphon/media/hls"
	"antiphon/media/ipfs"
)

// fetchTrack brings the sealed blocks of a granted track home.
type fetchTrack struct {
	Grant string `json:"grant"`
	Track string `json:"track"`
}

// Kind names the job.
func (fetchTrack) Kind() string { return "fetch_track" }

// maxTrackBytes bounds what one grant's track may lead to.
const maxTrackBytes = 16 << 30

// Register registers this room's jobs.
func (s *Service) Register(q *jobs.Queue) {
	s.registerSets(q)
	s.registerGrowth(q)
	jobs.Handle(q, jobs.Handler[fetchTrack]{
		Work: s.fetchAll, Timeout: time.Hour,
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
}

// fetchAll walks from the manifest to the last segment; what is here already is passed over.
func (s *Service) fetchAll(ctx context.Context, job fetchTrack, _ int) error {
	var item itemRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND track = ?", job.Grant, job.Track).Take(&item).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	queue := []media.Block{{CID: item.Manifest, Kind: media.KindManifest}}
	files, err := s.files(ctx, job.Track)
	if err != nil {
		// The music plays without them.
		s.log.Warn("downloads of a granted track not known", "track", job.Track, "error", err)
	}
	if err := s.register(ctx, files, job.Grant, originOf(job.Grant)); err != nil {
		return err
	}
	queue = append(queue, files...)
	var total int64
	for len(queue) > 0 {
		next := queue[0]
		queue = queue[1:]
		c, err := ipfs.ParseCID(next.CID)
		if err != nil {
			return fmt.Errorf("block of %s: %w", job.Track, err)
		}
		block, err := s.Block(ctx, c)
		if err != nil {
			return fmt.Errorf("fetch %s of %s: %w", c, job.Track, err)
		}
		if total += int64(len(block)); total > maxTrackBytes {
			return fmt.Errorf("track %s is larger than it may be", job.Track)
		}
		children, err := names(next.Kind, c, block)
		if err != nil {
			return fmt.Errorf("block %s of %s: %w", c, job.Track, err)
		}
		if err := s.register(ctx, children, job.Grant, originOf(job.Grant)); err != nil {
			return err
		}
		queue = append(queue, children...)
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&item).Update("state", itemKept).Error
	})
}

// Block returns a block that this instance answers for: one that it published, or one that a user's grant leads to,
// which is fetched from its origin when it is not here yet. Anything else is [ipfs.ErrNotFound].
func (s *Service) Block(ctx context.Context, c ipfs.CID) ([]byte, error) {
	row, err := media.BlockByCID(ctx, s.db.Read, string(c))
	if err != nil {
		return nil, err
	}
	block, err := s.store.Get(ctx, c)
	if err == nil {
		return block, nil
	}
	if !errors.Is(err, ipfs.ErrNotFound) || row.Origin == "" {
		return nil, err
	}
	url := row.Origin + "/ipfs/" + string(c)
	if c.Codec() == ipfs.DagPB {
		// Without it, the answer is the whole file.
		url += "?format=raw"
	}
	block, err = s.fetch.Block(ctx, url, ipfs.MaxBlock)
	if err != nil {
		return nil, fmt.Errorf("fetch block: %w", err)
	}
	if !c.Matches(block) {
		return nil, fmt.Errorf("block %s from %s: %w", c, row.Origin, ipfs.ErrDamaged)
	}
	children, err := names(row.Kind, c, block)
	if err != nil {
		return nil, fmt.Errorf("block %s from %s: %w", c, row.Origin, err)
	}
	// Whoever finds a playlist in the store may ask for what it names, so that is registered before.
	if err := s.register(ctx, children, row.Owner, row.Origin); err != nil {
		return nil, err
	}
	if _, err := s.store.Put(ctx, block); err != nil {
		return nil, fmt.Errorf("keep block: %w", err)
	}
	return block, s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return media.SetHeld(tx, string(c), int64(len(block)))
	})
}

// register makes this instance answer for what a playlist of owner leads to.
func (s *Service) register(ctx context.Context, blocks []media.Block, owner, origin string) error {
	if len(blocks) == 0 {
		return nil
	}
	for i := range blocks {
		blocks[i].Owner, blocks[i].Origin, blocks[i].CreatedAt = owner, origin, s.utc()
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return media.Register(tx, blocks...) })
}

// Refetch brings home what a changed track leads to, for each grant of it that is kept here; the job goes with tx.
func (s *Service) Refetch(ctx context.Context, tx *gorm.DB, track string) error {
	var items []itemRow
	if err := tx.WithContext(ctx).Where("track = ? AND state <> ?", track, itemLent).Find(&items).Error; err != nil {
		return fmt.Errorf("read grants of %s: %w", track, err)
	}
	for _, item := range items {
		if err := s.jobs.Insert(ctx, tx, fetchTrack{Grant: item.GrantURI, Track: track}); err != nil {
			return err
		}
	}
	return nil
}

// files are the downloads of a granted track.
func (s *Service) files(ctx context.Context, track string) ([]media.Block, error) {
	if s.downloads == nil {
		return nil, nil
	}
	cids, err := s.downloads(ctx, track)
	if err != nil {
		return nil, err
	}
	var files []media.Block
	for _, cid := range cids {
		c, err := ipfs.ParseCID(cid)
		if err != nil {
			return nil, err
		}
		files = append(files, fileBlock(c))
	}
	return files, nil
}

// Allow makes this instance answer for files that a grant kept here leads to, before the job that brings them home has run.
func (s *Service) Allow(ctx context.Context, grant string, cids []string) error {
	var missing []media.Block
	for _, cid := range cids {
		c, err := ipfs.ParseCID(cid)
		if err != nil {
			return err
		}
		_, err = media.BlockByCID(ctx, s.db.Read, cid)
		if errors.Is(err, ipfs.ErrNotFound) {
			missing = append(missing, fileBlock(c))
		} else if err != nil {
			return err
		}
	}
	return s.register(ctx, missing, grant, originOf(grant))
}

// fileBlock is a block of a file: one of its nodes, or the bytes of it.
func fileBlock(c ipfs.CID) media.Block {
	if c.Codec() == ipfs.Raw {
		return media.Block{CID: string(c), Kind: media.KindSegment}
	}
	return media.Block{CID: string(c), Kind: media.KindFile}
}

// File opens a file of many blocks that this instance answers for; what is not here yet is fetched as it is read.
func (s *Service) File(ctx context.Context, c ipfs.CID) (io.ReadSeekCloser, error) {
	return ipfs.OpenFile(ctx, s.Block, c)
}

// names are the blocks that a playlist or a file's node leads to; a segment leads nowhere.
func names(kind media.Kind, c ipfs.CID, block []byte) ([]media.Block, error) {
	switch kind {
	case media.KindFile:
		links, err := ipfs.Links(c, block)
		if err != nil {
			return nil, err
		}
		var children []media.Block
		for _, link := range links {
			children = append(children, fileBlock(link))
		}
		return children, nil
	case media.KindManifest:
		master, err := hls.ParseMaster(bytes.NewReader(block))
		if err != nil {
			return nil, err
		}
		var children []media.Block
		for _, v := range master.Variants {
			children = append(children, media.Block{CID: v.CID, Kind: media.KindPlaylist})
		}
		return children, nil
	case media.KindPlaylist:
		playlist, err := hls.ParseMedia(bytes.NewReader(block))
		if err != nil {
			return nil, err
		}
		var children []media.Block
		for _, cid := range playlist.CIDs() {
			children = append(children, media.Block{CID: cid, Kind: media.KindSegment})
		}
		return children, nil
	default:
		return nil, nil
	}
}
