package listen

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"time"

	"gorm.io/gorm"
)

// entry is a play as the journal has it. Times are milliseconds since the epoch.
type entry struct {
	Listener, Session, Artist, Track string
	Length, Started, Reported, Bytes int64
	Heard, Network, Agent            string
	Blocks                           []uint32
	Source                           Source
}

// page is many entries, one after the other as encoding/gob writes them: a play that goes on is entered every half minute,
// and as JSON that had taken a tenth of all that a play costs.
type page struct {
	ID        string `gorm:"primaryKey"`
	WrittenAt time.Time
	Data      []byte
}

// TableName is gorm's name for the table.
func (page) TableName() string { return "play_journal" }

// journalFor is how long a page is kept: the plays in it are written long before.
const journalFor = 2 * unwrittenFor

// enter puts plays that go on into the journal, all of them in one row, and removes pages that are of no use any more.
func (s *Service) enter(ctx context.Context, plays []play, now time.Time) error {
	if len(plays) == 0 {
		return nil
	}
	var data bytes.Buffer
	entries := gob.NewEncoder(&data)
	for _, p := range plays {
		err := entries.Encode(entry{
			Listener: p.listener, Session: p.session, Artist: p.artist, Track: p.track, Length: p.length, Started: p.started.UnixMilli(),
			Reported: p.reported.UnixMilli(), Heard: p.heard.String(), Bytes: p.bytes, Blocks: p.blocks, Network: p.network, Agent: p.agent, Source: p.source,
		})
		if err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Create(&page{ID: rand.Text(), WrittenAt: now.UTC(), Data: data.Bytes()}).Error; err != nil {
			return fmt.Errorf("write journal: %w", err)
		}
		return wrap("tidy journal", tx.Where("written_at < ?", now.UTC().Add(-journalFor)).Delete(&page{}).Error)
	})
}

// replay calls to mind, once, what a process before this one had not written when it ended. What was written all the
// same, or is still in the mind of another process, is only said twice.
func (s *Service) replay(ctx context.Context) error {
	if s.replayed {
		return nil
	}
	var pages []page
	if err := s.db.Read.WithContext(ctx).Order("written_at").Find(&pages).Error; err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	for _, one := range pages {
		entries := gob.NewDecoder(bytes.NewReader(one.Data))
		for {
			var e entry
			err := entries.Decode(&e)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				s.log.Warn("rest of a page of the journal left out", "page", one.ID, "error", err)
				break
			}
			if err := s.recall(e); err != nil {
				s.log.Warn("entry of the journal left out", "page", one.ID, "error", err)
			}
		}
	}
	s.replayed = true
	return nil
}

// recall calls one entry to mind.
func (s *Service) recall(e entry) error {
	heard, err := ParseRanges(e.Heard)
	if err != nil {
		return err
	}
	started, reported := time.UnixMilli(e.Started).UTC(), time.UnixMilli(e.Reported).UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plays[e.Session]
	if p != nil && p.listener != e.Listener {
		return fmt.Errorf("%w: session of somebody else", ErrReport)
	}
	if p == nil {
		p = &play{
			listener: e.Listener, artist: e.Artist, track: e.Track, session: e.Session, length: e.Length, reported: reported, network: e.Network, agent: e.Agent,
		}
		s.plays[e.Session] = p
		if a := s.accounts[e.Listener]; a != nil {
			a.open++
		} else {
			o := s.orphans[e.Listener]
			o.open++
			s.orphans[e.Listener] = o
		}
	}
	p.join(play{heard: heard, bytes: e.Bytes, blocks: e.Blocks, started: started, source: e.Source})
	p.dirty = true
	if reported.After(p.reported) {
		p.reported = reported
	}
	if o, ok := s.orphans[e.Listener]; ok && p.reported.After(o.settled) {
		o.settled = p.reported
		s.orphans[e.Listener] = o
	}
	return nil
}
