package listen

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Credit is an artist's share of a track, in basis points.
type Credit struct {
	Artist string
	Share  int64
}

// Line is what one member heard of one track on one day.
type Line struct {
	// Listener is the account's actor URI.
	Listener, Artist, Track string
	// Artists are those of a track that has several, with shares that sum to 10,000; nil for one alone.
	Artists []Credit
	// Plays have a part in the money, and Seconds were heard in them.
	Plays, Seconds int64
	// HeldPlays are not among these, nor is what was heard in them: Held, which holds them, wants somebody to look. They are
	// of the first rule that holds any.
	HeldPlays, HeldSeconds int64
	Held                   Mark
	// Dropped are no plays of their own. Those that a rule drops which only tells are among Plays as well.
	Dropped int64
	// Noted is the first mark of plays that count all the same; its State is empty when there is none.
	Noted Mark
}

// Play is a play as it is judged.
type Play struct {
	Listener, Artist, Track, Session string
	Start                            time.Time
	// Seconds of Length.
	Seconds, Length int64
	Network, Agent  string
}

// Mark is what the rules say of a play.
type Mark struct {
	// State is "counted", "dropped" or "held", Rule the one that says so.
	State, Rule string
	// Pays says that the play has a part in the money all the same.
	Pays     bool
	Policy   int
	Evidence []byte
}

// givesWay reports whether a mark by a later rule goes before m: m is none, or changes nothing and the other one does.
func (m Mark) givesWay(to Mark) bool { return m.State == Counted || m.Pays && !to.Pays }

// The states of marks.
const (
	Counted = "counted"
	Dropped = "dropped"
	Held    = "held"
)

// Judge knows the rules by which plays count, which change with the months.
type Judge interface {
	// Rules are those that hold for a UTC day.
	Rules(ctx context.Context, day time.Time) (Rules, error)
}

// Rules say which plays of a day do not count.
type Rules interface {
	// Listener judges the plays of one member, in any order, and returns a mark for each at its place.
	Listener(plays []Play) ([]Mark, error)
	// Outlier returns the mark of the last of daily counts, oldest first, and whether it stands out.
	Outlier(daily []int64) (Mark, bool)
	// Many is how many plays a day must have before it is asked for, and Days how many days are looked at.
	Many() int64
	Days() int
}

// markRow is a mark as it is written.
type markRow struct {
	Listener  string `gorm:"primaryKey"`
	Session   string `gorm:"primaryKey"`
	Day       string
	State     string
	Rule      string
	Policy    int64
	Evidence  []byte
	Appeal    string
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (markRow) TableName() string { return "play_marks" }

const (
	// pageRows is how many plays are read at a time.
	pageRows = 2000
	// dawn is until when a day's first play may follow from the day before, and memory how far that may reach back.
	dawn   = 3*time.Hour + 15*time.Minute
	memory = 4 * 24 * time.Hour
)

// Lines gives the lines of a UTC day to yield, by listener and then by track, of tracks in the pool alone. It holds one
// listener's plays in memory. The day should be over for as long as plays take to be written. What the rules say is
// written beside the plays; a second call for the same day finds the same.
func (s *Service) Lines(ctx context.Context, day time.Time, yield func(Line) error) error {
	d := &daily{s: s, day: dayOf(day), start: day.UTC().Truncate(24 * time.Hour), yield: yield, pooled: map[string]bool{}, credits: map[string][]Credit{}}
	if s.judge != nil {
		var err error
		if d.rules, err = s.judge.Rules(ctx, d.start); err != nil {
			return fmt.Errorf("rules of %s: %w", d.day, err)
		}
		// A play that was forgotten since an interrupted call may have been why another one was marked.
		if err := s.db.Write.WithContext(ctx).Where("day = ?", d.day).Delete(&markRow{}).Error; err != nil {
			return fmt.Errorf("clear marks of %s: %w", d.day, err)
		}
	}
	if err := d.findOutliers(ctx); err != nil {
		return err
	}
	var listener string
	var plays []Play
	for after := (row{}); ; {
		var rows []row
		err := s.db.Read.WithContext(ctx).Where("day = ? AND counted AND (listener, session) > (?, ?)", d.day, after.Listener, after.Session).
			Order("listener, session").Limit(pageRows).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read plays of %s: %w", d.day, err)
		}
		for _, r := range rows {
			if r.Listener != listener {
				if err := d.judge(ctx, plays); err != nil {
					return err
				}
				listener, plays = r.Listener, plays[:0]
			}
			plays = append(plays, r.play())
		}
		if len(rows) < pageRows {
			return d.judge(ctx, plays)
		}
		after = rows[len(rows)-1]
	}
}

func (r row) play() Play {
	return Play{
		Listener: r.Listener, Artist: r.Artist, Track: r.Track, Session: r.Session, Start: r.StartedAt.UTC(), Seconds: r.Seconds, Length: r.Length,
		Network: r.Network, Agent: r.Agent,
	}
}

// daily is the work on one day.
type daily struct {
	s     *Service
	day   string
	start time.Time
	yield func(Line) error
	// rules is nil when all plays count.
	rules Rules
	// loud are tracks of which the day stands out.
	loud    map[string]Mark
	pooled  map[string]bool
	credits map[string][]Credit
}

// findOutliers looks for tracks of which the day stands out.
func (d *daily) findOutliers(ctx context.Context) error {
	d.loud = map[string]Mark{}
	if d.rules == nil {
		return nil
	}
	var tracks []string
	err := d.s.db.Read.WithContext(ctx).Model(&trackDay{}).Where("day = ? AND plays >= ?", d.day, d.rules.Many()).Order("track").Pluck("track", &tracks).Error
	if err != nil {
		return fmt.Errorf("read days of tracks: %w", err)
	}
	for _, track := range tracks {
		series, err := d.series(ctx, d.s.db.Read.Model(&trackDay{}).Select("day, plays").Where("track = ?", track))
		if err != nil {
			return err
		}
		if mark, out := d.rules.Outlier(series); out {
			d.loud[track] = mark
		}
	}
	return nil
}

// series reads counts by day, up to the day, from the first that there is, with zeros between.
func (d *daily) series(ctx context.Context, q *gorm.DB) ([]int64, error) {
	days := d.rules.Days()
	var rows []trackDay
	err := q.WithContext(ctx).Where("day > ? AND day <= ?", dayOf(d.start.AddDate(0, 0, -days)), d.day).Order("day").Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, wrap("read days", err)
	}
	counts := map[string]int64{}
	for _, r := range rows {
		counts[r.Day] = r.Plays
	}
	var out []int64
	for at := d.start.AddDate(0, 0, 1-days); !at.After(d.start); at = at.AddDate(0, 0, 1) {
		if day := dayOf(at); day >= rows[0].Day {
			out = append(out, counts[day])
		}
	}
	return out, nil
}

// judge judges one listener's plays of the day and yields the lines.
func (d *daily) judge(ctx context.Context, plays []Play) error {
	if len(plays) == 0 {
		return nil
	}
	marks, err := d.marks(ctx, plays)
	if err != nil {
		return err
	}
	if err := d.write(ctx, plays, marks); err != nil {
		return err
	}
	lines := map[string]*Line{}
	var tracks []string
	for i, p := range plays {
		l := lines[p.Track]
		if l == nil {
			l = &Line{Listener: p.Listener, Artist: p.Artist, Track: p.Track}
			lines[p.Track] = l
			tracks = append(tracks, p.Track)
		}
		l.count(p, marks[i])
	}
	for _, track := range sorted(tracks) {
		if err := d.give(ctx, *lines[track]); err != nil {
			return err
		}
	}
	return nil
}

func (l *Line) count(p Play, m Mark) {
	if m.State == Dropped {
		l.Dropped++
	}
	switch {
	case m.Pays:
		l.Plays, l.Seconds = l.Plays+1, l.Seconds+p.Seconds
		if m.State != Counted {
			l.Noted = m.first(l.Noted)
		}
	case m.State == Held:
		l.HeldPlays, l.HeldSeconds = l.HeldPlays+1, l.HeldSeconds+p.Seconds
		l.Held = m.first(l.Held)
	}
}

// first is the one of two marks whose rule comes first; other may be none.
func (m Mark) first(other Mark) Mark {
	if other.State == "" || cmp.Or(strings.Compare(m.Rule, other.Rule), bytes.Compare(m.Evidence, other.Evidence)) < 0 {
		return m
	}
	return other
}

// marks are what the rules say of the plays.
func (d *daily) marks(ctx context.Context, plays []Play) ([]Mark, error) {
	if d.rules == nil {
		marks := make([]Mark, len(plays))
		for i := range marks {
			marks[i] = Mark{State: Counted, Pays: true}
		}
		return marks, nil
	}
	all, err := d.before(ctx, plays)
	if err != nil {
		return nil, err
	}
	marks, err := d.rules.Listener(all)
	if err != nil {
		return nil, fmt.Errorf("judge plays of %s: %w", plays[0].Listener, err)
	}
	marks = marks[:len(plays)]
	byArtist := map[string]int64{}
	for i, p := range plays {
		if mark, ok := d.loud[p.Track]; ok && marks[i].givesWay(mark) {
			marks[i] = mark
		}
		if marks[i].State != Dropped || marks[i].Pays {
			byArtist[p.Artist]++
		}
	}
	for artist, n := range byArtist {
		if n < d.rules.Many() {
			continue
		}
		q := d.s.db.Read.Model(&row{}).Select("day, COUNT(*) AS plays").Where("listener = ? AND artist = ? AND counted", plays[0].Listener, artist).Group("day")
		series, err := d.series(ctx, q)
		if err != nil {
			return nil, err
		}
		if mark, out := d.rules.Outlier(series); out {
			for i, p := range plays {
				if p.Artist == artist && marks[i].givesWay(mark) {
					marks[i] = mark
				}
			}
		}
	}
	return marks, nil
}

// before appends the listener's plays of the days before, if the day began in the middle of something.
func (d *daily) before(ctx context.Context, plays []Play) ([]Play, error) {
	first := plays[0].Start
	for _, p := range plays {
		if p.Start.Before(first) {
			first = p.Start
		}
	}
	if first.Sub(d.start) > dawn {
		return plays, nil
	}
	var rows []row
	err := d.s.db.Read.WithContext(ctx).
		Where("listener = ? AND started_at >= ? AND started_at < ? AND counted", plays[0].Listener, d.start.Add(-memory), d.start).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read plays of the days before %s: %w", d.day, err)
	}
	all := append([]Play{}, plays...)
	for _, r := range rows {
		all = append(all, r.play())
	}
	return all, nil
}

// write writes the marks of plays that do not simply count.
func (d *daily) write(ctx context.Context, plays []Play, marks []Mark) error {
	var rows []markRow
	now := d.s.now().UTC()
	for i, m := range marks {
		if m.State != Counted {
			rows = append(rows, markRow{
				Listener: plays[i].Listener, Session: plays[i].Session, Day: d.day, State: m.State, Rule: m.Rule, Policy: int64(m.Policy), Evidence: m.Evidence, CreatedAt: now,
			})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return d.s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "listener"}, {Name: "session"}},
			DoUpdates: clause.AssignmentColumns([]string{"state", "rule", "policy", "evidence"}),
		}).CreateInBatches(&rows, batch).Error
		return wrap("write marks", err)
	})
}

// give yields a line of a track in the pool.
func (d *daily) give(ctx context.Context, l Line) error {
	in, known := d.pooled[l.Track]
	if !known {
		in = true
		var err error
		if d.s.pooled != nil {
			if in, err = d.s.pooled(ctx, l.Track); err != nil {
				return fmt.Errorf("pool of %s: %w", l.Track, err)
			}
		}
		if d.s.credits != nil && in {
			if d.credits[l.Track], err = d.s.credits(ctx, l.Track); err != nil {
				return fmt.Errorf("credits of %s: %w", l.Track, err)
			}
		}
		d.pooled[l.Track] = in
	}
	if !in {
		return nil
	}
	l.Artists = d.credits[l.Track]
	return d.yield(l)
}
