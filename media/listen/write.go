package listen

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/internal/vault"
)

// row is a play as it is written.
type row struct {
	Listener   string `gorm:"primaryKey"`
	Session    string `gorm:"primaryKey"`
	Artist     string
	Track      string
	Day        string
	StartedAt  time.Time
	ReportedAt time.Time
	Seconds    int64
	Length     int64
	Heard      string
	Bytes      int64
	Blocks     []byte
	Network    string
	Agent      string
	Source     Source
	Counted    bool
}

// TableName is gorm's name for the table.
func (row) TableName() string { return "plays" }

// trackDay is a track's plays of one day.
type trackDay struct {
	Track   string `gorm:"primaryKey"`
	Artist  string
	Day     string `gorm:"primaryKey"`
	Plays   int64
	Seconds int64
}

// TableName is gorm's name for the table.
func (trackDay) TableName() string { return "track_days" }

const (
	// together is how many plays one transaction writes, and batch how many rows one statement.
	together = 2000
	batch    = 500
	// quietFor is how long nothing is reported of a play that has ended, and unwrittenFor how long one may go on unwritten.
	quietFor     = 45 * time.Second
	unwrittenFor = 10 * time.Minute
)

// Write writes all that was reported and is not written yet. While plays go on the loop does less, because each is written
// once for all of its reports.
func (s *Service) Write(ctx context.Context) error {
	return s.write(ctx, func(*play) bool { return true })
}

// write writes the plays that are chosen, and puts what is new of the others into the journal.
func (s *Service) write(ctx context.Context, chosen func(*play) bool) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	return s.writeLocked(ctx, chosen)
}

// writeLocked is write for who holds the lock.
func (s *Service) writeLocked(ctx context.Context, chosen func(*play) bool) error {
	if err := s.replay(ctx); err != nil {
		return err
	}
	now := s.now()
	s.mu.Lock()
	var due, going []play
	for _, p := range s.plays {
		switch {
		case p.dirty && chosen(p):
			p.dirty, p.fresh = false, false
			due = append(due, *p)
		case p.fresh:
			p.fresh = false
			going = append(going, *p)
		}
	}
	s.mu.Unlock()
	failed := s.enter(ctx, going, now)
	if failed != nil {
		s.again(going)
	}
	// In the order of the indexes, neighbors are written to the same pages.
	slices.SortFunc(due, func(a, b play) int {
		return cmp.Or(strings.Compare(a.listener, b.listener), strings.Compare(a.session, b.session))
	})
	for some := range slices.Chunk(due, together) {
		if err := s.writeSome(ctx, some); err != nil {
			failed = errors.Join(failed, err)
			s.again(some)
		}
	}
	s.forget(now)
	return failed
}

// again lets plays be written at the next time.
func (s *Service) again(plays []play) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range plays {
		if mine := s.plays[p.session]; mine != nil {
			mine.dirty, mine.fresh = true, true
		}
	}
}

// writeSome writes plays, with what the table has of them already.
func (s *Service) writeSome(ctx context.Context, plays []play) error {
	now := s.now()
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		days := map[[2]string]*trackDay{}
		for i := range plays {
			if err := plays[i].put(tx, days); err != nil {
				return err
			}
		}
		return addDays(tx, days)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range plays {
		if mine := s.plays[p.session]; mine != nil {
			// What the table had from before a restart is part of the play.
			mine.heard, mine.started, mine.source, mine.written = mine.heard.add(p.heard, mine.length, 10*maxLength), p.started, p.source, now
		}
	}
	return nil
}

// put writes a play. Most are new to the table; another is joined with what it has of it: from before this process was
// started, or by another one. One row a statement: of several at once, SQLite would keep a journal for each statement
// beside that of the transaction, which costs more than reading the text again.
func (p *play) put(tx *gorm.DB, days map[[2]string]*trackDay) error {
	r := p.row()
	res := tx.Exec("INSERT INTO plays (listener, session, artist, track, day, started_at, reported_at, seconds, length, heard, bytes, blocks, network, agent,"+
		" source, counted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (listener, session) DO NOTHING",
		r.Listener, r.Session, r.Artist, r.Track, r.Day, r.StartedAt, r.ReportedAt, r.Seconds, r.Length, r.Heard, r.Bytes, r.Blocks, r.Network, r.Agent,
		r.Source, r.Counted)
	if res.Error == nil && res.RowsAffected == 0 {
		if err := p.recall(tx); err != nil {
			return err
		}
		r = p.row()
		res = tx.Exec("UPDATE plays SET reported_at = ?, seconds = ?, heard = ?, bytes = ?, blocks = ?, counted = ? WHERE listener = ? AND session = ?",
			r.ReportedAt, r.Seconds, r.Heard, r.Bytes, r.Blocks, r.Counted, r.Listener, r.Session)
	}
	if res.Error != nil {
		return fmt.Errorf("write play: %w", res.Error)
	}
	r.add(*p, days)
	return nil
}

// row is how the play stands.
func (p play) row() row {
	seconds, length := p.heard.Tenths()/10, p.length/10
	return row{
		Listener: p.listener, Session: p.session, Artist: p.artist, Track: p.track, Day: dayOf(p.started), StartedAt: p.started, ReportedAt: p.reported.UTC(),
		Seconds: seconds, Length: length, Heard: p.heard.String(), Bytes: p.bytes, Blocks: blockBytes(p.blocks), Network: p.network, Agent: p.agent, Source: p.source,
		Counted: p.source == Played && Qualified(seconds, length),
	}
}

// blockBytes are blocks as the table has them, four bytes each; blocksOf reads them.
func blockBytes(blocks []uint32) []byte {
	out := make([]byte, 0, 4*len(blocks))
	for _, b := range blocks {
		out = binary.BigEndian.AppendUint32(out, b)
	}
	return out
}

func blocksOf(raw []byte) []uint32 {
	out := make([]uint32, 0, len(raw)/4)
	for one := range slices.Chunk(raw[:len(raw)/4*4], 4) {
		out = append(out, binary.BigEndian.Uint32(one))
	}
	return out
}

// add adds to the track's day what the play has become more.
func (r row) add(p play, days map[[2]string]*trackDay) {
	if !r.Counted {
		return
	}
	d := days[[2]string{r.Track, r.Day}]
	if d == nil {
		d = &trackDay{Track: r.Track, Artist: r.Artist, Day: r.Day}
		days[[2]string{r.Track, r.Day}] = d
	}
	if p.stored.counted {
		d.Seconds += r.Seconds - p.stored.seconds
	} else {
		d.Plays, d.Seconds = d.Plays+1, d.Seconds+r.Seconds
	}
}

// recall joins a play with what the table has of it.
func (p *play) recall(tx *gorm.DB) error {
	var r row
	if err := tx.Where("listener = ? AND session = ?", p.listener, p.session).Take(&r).Error; err != nil {
		return fmt.Errorf("read play: %w", err)
	}
	before, err := r.recalled()
	if err != nil {
		return err
	}
	p.join(before)
	p.stored = counts{r.Counted, r.Seconds}
	return nil
}

// join adds to a play what was known of it elsewhere; it began when that says.
func (p *play) join(before play) {
	p.heard = before.heard.add(p.heard, p.length, 10*maxLength)
	p.bytes = max(p.bytes, before.bytes)
	p.started, p.source = before.started, before.source
	if len(before.blocks) > len(p.blocks) {
		p.blocks = before.blocks
	}
}

// recalled is a play as the table has it.
func (r row) recalled() (play, error) {
	heard, err := ParseRanges(r.Heard)
	if err != nil {
		return play{}, fmt.Errorf("play %s: %w", r.Session, err)
	}
	return play{
		listener: r.Listener, artist: r.Artist, track: r.Track, session: r.Session, length: 10 * r.Length, started: r.StartedAt.UTC(),
		reported: r.ReportedAt.UTC(), heard: heard, bytes: r.Bytes, blocks: blocksOf(r.Blocks), network: r.Network, agent: r.Agent, source: r.Source,
	}, nil
}

// addDays adds plays and seconds to the days of tracks.
func addDays(tx *gorm.DB, days map[[2]string]*trackDay) error {
	for _, d := range days {
		err := tx.Exec("INSERT INTO track_days (track, artist, day, plays, seconds) VALUES (?, ?, ?, ?, ?)"+
			" ON CONFLICT (track, day) DO UPDATE SET plays = track_days.plays + excluded.plays, seconds = track_days.seconds + excluded.seconds",
			d.Track, d.Artist, d.Day, d.Plays, d.Seconds).Error
		if err != nil {
			return fmt.Errorf("count plays: %w", err)
		}
	}
	return nil
}

// networkKey is the key that networks are hashed with in one month.
type networkKey struct {
	month string
	key   [32]byte
}

// keyRow is a month's key, sealed.
type keyRow struct {
	Month  string `gorm:"primaryKey"`
	Sealed []byte
}

// TableName is gorm's name for the table.
func (keyRow) TableName() string { return "listen_keys" }

// keyMonths is for how many months a key is kept.
const keyMonths = 13

func (s *Service) networkKey(ctx context.Context, now time.Time) ([32]byte, error) {
	month := now.UTC().Format("2006-01")
	s.mu.Lock()
	have := s.network
	s.mu.Unlock()
	if have.month == month {
		return have.key, nil
	}
	place := vault.Place{Table: "listen_keys", ID: month, Version: 1}
	var fresh [32]byte
	if _, err := s.rand.Read(fresh[:]); err != nil {
		return fresh, fmt.Errorf("draw key of %s: %w", month, err)
	}
	sealed, err := s.vault.Seal(place, fresh[:])
	if err != nil {
		return fresh, err
	}
	var r keyRow
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&keyRow{month, sealed}).Error; err != nil {
			return err
		}
		return tx.Where("month = ?", month).Take(&r).Error
	})
	if err != nil {
		return fresh, fmt.Errorf("key of %s: %w", month, err)
	}
	plain, err := s.vault.Open(place, r.Sealed)
	if err != nil || len(plain) != len(fresh) {
		return fresh, fmt.Errorf("key of %s: %w", month, errors.Join(err, vault.ErrOpen))
	}
	s.mu.Lock()
	s.network = networkKey{month, [32]byte(plain)}
	s.mu.Unlock()
	return [32]byte(plain), nil
}

// forgetKeys removes keys whose months are long gone: what was hashed with them can no longer be told.
func forgetKeys(ctx context.Context, tx *gorm.DB, now time.Time) error {
	oldest := now.UTC().AddDate(0, -keyMonths, 0).Format("2006-01")
	return wrap("forget keys", tx.WithContext(ctx).Where("month < ?", oldest).Delete(&keyRow{}).Error)
}
