package listen

import (
	"context"
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

const (
	// batch is how many plays one transaction writes, and recallAtOnce how many one statement looks for: SQLite's driver
	// looks for each parameter among all of them.
	batch        = 500
	recallAtOnce = 25
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
	for len(due) > 0 {
		n := min(len(due), batch)
		if err := s.writeSome(ctx, due[:n]); err != nil {
			failed = errors.Join(failed, err)
			s.again(due[:n])
		}
		due = due[n:]
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
	err := s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		days := map[[2]string]*trackDay{}
		for n := 0; n < len(plays); n += recallAtOnce {
			if err := recall(ctx, tx, plays[n:min(n+recallAtOnce, len(plays))]); err != nil {
				return err
			}
		}
		for _, p := range plays {
			r := p.row()
			r.add(p, days)
			if err := r.put(tx); err != nil {
				return err
			}
		}
		return addDays(ctx, tx, days)
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

// put writes the row. One row a statement: of several at once, SQLite would keep a journal for each statement beside that
// of the transaction, which costs more than reading the text again.
func (r row) put(tx *gorm.DB) error {
	err := tx.Exec("INSERT INTO plays (listener, session, artist, track, day, started_at, reported_at, seconds, length, heard, bytes, blocks, network, agent,"+
		" source, counted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (listener, session) DO UPDATE SET"+
		" reported_at = excluded.reported_at, seconds = excluded.seconds, heard = excluded.heard, bytes = excluded.bytes, blocks = excluded.blocks,"+
		" counted = excluded.counted",
		r.Listener, r.Session, r.Artist, r.Track, r.Day, r.StartedAt, r.ReportedAt, r.Seconds, r.Length, r.Heard, r.Bytes, r.Blocks, r.Network, r.Agent,
		r.Source, r.Counted).Error
	return wrap("write play", err)
}

// row is how the play stands.
func (p play) row() row {
	seconds, length := p.heard.Tenths()/10, p.length/10
	return row{
		Listener: p.listener, Session: p.session, Artist: p.artist, Track: p.track, Day: dayOf(p.started), StartedAt: p.started, ReportedAt: p.reported.UTC(),
		Seconds: seconds, Length: length, Heard: p.heard.String(), Bytes: p.bytes, Blocks: append([]byte{}, p.blocks...), Network: p.network, Agent: p.agent, Source: p.source,
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

// recall joins plays with what the table has of them: from before this process was started, or by another one.
func recall(ctx context.Context, tx *gorm.DB, plays []play) error {
	keys := make([][]any, len(plays))
	place := map[[2]string]int{}
	for i, p := range plays {
		keys[i] = []any{p.listener, p.session}
		place[[2]string{p.listener, p.session}] = i
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
		p.join(before)
		p.stored = counts{r.Counted, r.Seconds}
	}
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
		reported: r.ReportedAt.UTC(), heard: heard, bytes: r.Bytes, blocks: r.Blocks, network: r.Network, agent: r.Agent, source: r.Source,
	}, nil
}

// addDays adds plays and seconds to the days of tracks.
func addDays(ctx context.Context, tx *gorm.DB, days map[[2]string]*trackDay) error {
	for _, d := range days {
		err := tx.WithContext(ctx).Exec("INSERT INTO track_days (track, artist, day, plays, seconds) VALUES (?, ?, ?, ?, ?)"+
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
