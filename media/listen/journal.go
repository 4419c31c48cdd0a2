package listen

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// entry is a play as the journal has it.
type entry struct {
	Listener string    `json:"l"`
	Session  string    `json:"s"`
	Artist   string    `json:"a"`
	Track    string    `json:"t"`
	Length   int64     `json:"d"`
	Started  time.Time `json:"b"`
	Reported time.Time `json:"r"`
	Heard    string    `json:"h"`
	Bytes    int64     `json:"n,omitempty"`
	Blocks   []byte    `json:"k,omitempty"`
	Network  string    `json:"w,omitempty"`
	Agent    string    `json:"g,omitempty"`
	Source   Source    `json:"o"`
}

// page is many entries.
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
	lines := json.NewEncoder(&data)
	for _, p := range plays {
		err := lines.Encode(entry{
			Listener: p.listener, Session: p.session, Artist: p.artist, Track: p.track, Length: p.length, Started: p.started, Reported: p.reported.UTC(),
			Heard: p.heard.String(), Bytes: p.bytes, Blocks: p.blocks, Network: p.network, Agent: p.agent, Source: p.source,
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
		for line := range bytes.Lines(one.Data) {
			if err := s.recall(line); err != nil {
				s.log.Warn("entry of the journal left out", "page", one.ID, "error", err)
			}
		}
	}
	s.replayed = true
	return nil
}

// recall calls one entry to mind.
func (s *Service) recall(line []byte) error {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return err
	}
	heard, err := ParseRanges(e.Heard)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.plays[e.Session]
	if p != nil && p.listener != e.Listener {
		return fmt.Errorf("%w: session of somebody else", ErrReport)
	}
	if p == nil {
		p = &play{
			listener: e.Listener, artist: e.Artist, track: e.Track, session: e.Session, length: e.Length, reported: e.Reported, network: e.Network, agent: e.Agent,
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
	p.join(play{heard: heard, bytes: e.Bytes, blocks: e.Blocks, started: e.Started, source: e.Source})
	p.dirty = true
	if e.Reported.After(p.reported) {
		p.reported = e.Reported
	}
	if o, ok := s.orphans[e.Listener]; ok && p.reported.After(o.settled) {
		o.settled = p.reported
		s.orphans[e.Listener] = o
	}
	return nil
}
