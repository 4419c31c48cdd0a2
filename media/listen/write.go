package listen

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
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

// batch is how many plays one transaction writes.
const batch = 500

// Write writes what was reported and is not written yet. The loop calls it; so does who wants to see it at once.
func (s *Service) Write(ctx context.Context) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	var dirty []play
	for _, p := range s.plays {
		if p.dirty {
			p.dirty = false
			dirty = append(dirty, *p)
		}
	}
	s.mu.Unlock()
	var failed error
	for len(dirty) > 0 {
		n := min(len(dirty), batch)
		if err := s.writeSome(ctx, dirty[:n]); err != nil {
			failed = errors.Join(failed, err)
			s.again(dirty[:n])
		}
		dirty = dirty[n:]
	}
	s.forget(s.now())
	return failed
}

// again lets plays be written at the next time.
func (s *Service) again(plays []play) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range plays {
		if mine := s.plays[p.session]; mine != nil {
			mine.dirty = true
		}
	}
}

// writeSome writes plays, whose ranges nobody else changes: a play in mind gets new ones.
func (s *Service) writeSome(ctx context.Context, plays []play) error {
	rows := make([]row, len(plays))
	days := map[[2]string]*trackDay{}
	err := s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		clear(days)
		if err := recall(ctx, tx, plays); err != nil {
			return err
		}
		for i, p := range plays {
			rows[i] = p.row()
			rows[i].add(p, days)
		}
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "listener"}, {Name: "session"}},
			DoUpdates: clause.AssignmentColumns([]string{"reported_at", "seconds", "heard", "bytes", "blocks", "counted"}),
		}).Create(&rows).Error
		if err != nil {
			return fmt.Errorf("write %d plays: %w", len(rows), err)
		}
		return addDays(ctx, tx, days)
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range plays {
		if mine := s.plays[p.session]; mine != nil {
			mine.known, mine.stored = true, counts{rows[i].Counted, rows[i].Seconds}
			// What the table knew from before a restart is part of the play.
			mine.heard, mine.started, mine.source = mine.heard.add(p.heard, mine.length, 10*maxLength), p.started, p.source
		}
	}
	return nil
}

// row is how the play stands.
func (p play) row() row {
	blocks := make([]byte, 0, 4*len(p.blocks))
	for _, b := range p.blocks {
		blocks = binary.BigEndian.AppendUint32(blocks, b)
	}
	seconds, length := p.heard.Tenths()/10, p.length/10
	return row{
		Listener: p.listener, Session: p.session, Artist: p.artist, Track: p.track, Day: dayOf(p.started), StartedAt: p.started, ReportedAt: p.reported.UTC(),
		Seconds: seconds, Length: length, Heard: p.heard.String(), Bytes: p.bytes, Blocks: blocks, Network: p.network, Agent: p.agent, Source: p.source,
		Counted: p.source == Played && Qualified(seconds, length),
	}
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

// recall joins plays that this process has not written yet with what the table has of them, from before it was started.
func recall(ctx context.Context, tx *gorm.DB, plays []play) error {
	var keys [][]any
	place := map[[2]string]int{}
	for i, p := range plays {
		if !p.known {
			keys = append(keys, []any{p.listener, p.session})
			place[[2]string{p.listener, p.session}] = i
		}
	}
	if len(keys) == 0 {
		return nil
	}
	var found []row
	if err := tx.WithContext(ctx).Where("(listener, session) IN ?", keys).Find(&found).Error; err != nil {
		return fmt.Errorf("read plays: %w", err)
	}
	for _, r := range found {
		p := &plays[place[[2]string{r.Listener, r.Session}]]
		before, err := r.recalled()
		if err != nil {
			return err
		}
		before.heard = before.heard.add(p.heard, p.length, 10*maxLength)
		before.bytes += p.bytes
		before.blocks = append(before.blocks, p.blocks...)
		before.blocks = before.blocks[:min(len(before.blocks), maxBlocks)]
		before.reported = p.reported
		*p = before
	}
	return nil
}

// recalled is a play as the table has it.
func (r row) recalled() (play, error) {
	heard, err := ParseRanges(r.Heard)
	if err != nil {
		return play{}, fmt.Errorf("play %s: %w", r.Session, err)
	}
	p := play{
		listener: r.Listener, artist: r.Artist, track: r.Track, session: r.Session, length: 10 * r.Length, started: r.StartedAt.UTC(),
		reported: r.ReportedAt.UTC(), heard: heard, bytes: r.Bytes, network: r.Network, agent: r.Agent, source: r.Source,
		known: true, stored: counts{r.Counted, r.Seconds},
	}
	for b := r.Blocks; len(b) >= 4; b = b[4:] {
		p.blocks = append(p.blocks, binary.BigEndian.Uint32(b))
	}
	return p, nil
}

// addDays adds plays and seconds to the days of tracks.
func addDays(ctx context.Context, tx *gorm.DB, days map[[2]string]*trackDay) error {
	if len(days) == 0 {
		return nil
	}
	rows := make([]trackDay, 0, len(days))
	for _, d := range days {
		rows = append(rows, *d)
	}
	err := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "track"}, {Name: "day"}},
		DoUpdates: clause.Assignments(map[string]any{
			"plays": gorm.Expr("track_days.plays + excluded.plays"), "seconds": gorm.Expr("track_days.seconds + excluded.seconds"),
		}),
	}).Create(&rows).Error
	return wrap("count plays", err)
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
