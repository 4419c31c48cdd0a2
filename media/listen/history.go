package listen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Audience says who may know what somebody hears.
type Audience string

// The audiences.
const (
	// Nobody is the usual one.
	Nobody Audience = "nobody"
	// ToArtist tells artists elsewhere how often they were heard, without names and together with others.
	ToArtist Audience = "artist"
	// ToFollowers tells followers and the artist, once a day and track.
	ToFollowers Audience = "followers"
)

// Settings are what a member has chosen.
type Settings struct {
	// Recording lets plays be recorded at all.
	Recording bool
	Audience  Audience
}

type settingsRow struct {
	Actor     string `gorm:"primaryKey"`
	Recording bool
	Audience  Audience
}

// TableName is gorm's name for the table.
func (settingsRow) TableName() string { return "listen_settings" }

// ErrAudience is returned for an audience that there is not.
var ErrAudience = errors.New("unknown audience")

// SettingsOf returns what a member has chosen, or what holds for who has chosen nothing.
func SettingsOf(ctx context.Context, tx *gorm.DB, actor string) (Settings, error) {
	var r settingsRow
	err := tx.WithContext(ctx).Where("actor = ?", actor).Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Settings{Recording: true, Audience: Nobody}, nil
	}
	return Settings{r.Recording, r.Audience}, wrap("read settings of listens", err)
}

// Choose writes what a member has chosen. What is no longer recorded is forgotten at once, also what was not written yet.
func (s *Service) Choose(ctx context.Context, actor string, c Settings) error {
	if c.Audience != Nobody && c.Audience != ToArtist && c.Audience != ToFollowers {
		return fmt.Errorf("%w: %.40q", ErrAudience, c.Audience)
	}
	r := settingsRow{actor, c.Recording, c.Audience}
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "actor"}}, UpdateAll: true}).Create(&r).Error
	})
	if err != nil {
		return fmt.Errorf("write settings of listens: %w", err)
	}
	s.mu.Lock()
	if a := s.accounts[actor]; a != nil {
		a.off = !c.Recording
	}
	s.mu.Unlock()
	if c.Recording {
		return nil
	}
	return s.clear(ctx, actor, "", func(context.Context, *gorm.DB) error { return nil })
}

// clear drops plays of a member, of one session or of all, from mind and from the journal, with what else is done in the
// same transaction.
func (s *Service) clear(ctx context.Context, listener, session string, also func(ctx context.Context, tx *gorm.DB) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.replay(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.drop(listener, session)
	s.mu.Unlock()
	// The journal goes as a whole, so what it has of others is written before.
	if err := s.writeLocked(ctx, func(*play) bool { return true }); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Where("1 = 1").Delete(&page{}).Error; err != nil {
			return fmt.Errorf("clear journal: %w", err)
		}
		return also(ctx, tx)
	})
}

// drop forgets plays in mind, of one session or of all; the caller holds mu.
func (s *Service) drop(listener, session string) {
	for name, p := range s.plays {
		if p.listener == listener && (session == "" || name == session) {
			s.lose(name, p)
		}
	}
}

// Heard is a play in somebody's history.
type Heard struct {
	Session, Artist, Track string
	StartedAt              time.Time
	// Seconds of Length were heard.
	Seconds, Length int64
	// Counted says that it was a play, and not less.
	Counted bool
	Source  Source
}

// History returns a member's plays, the latest first, after one of them; the zero value is before the first. Of it, only
// StartedAt and Session are looked at.
func (s *Service) History(ctx context.Context, listener string, after Heard, limit int) ([]Heard, error) {
	if err := s.write(ctx, func(p *play) bool { return p.listener == listener }); err != nil {
		return nil, err
	}
	q := s.db.Read.WithContext(ctx).Model(&row{}).Where("listener = ?", listener)
	if !after.StartedAt.IsZero() {
		at := after.StartedAt.UTC()
		q = q.Where("started_at < ? OR started_at = ? AND session > ?", at, at, after.Session)
	}
	var out []Heard
	err := q.Order("started_at DESC, session").Limit(limit).Find(&out).Error
	return out, wrap("read history", err)
}

// Forget removes one play of a member, or with an empty session all of them. What a track's days have counted stays:
// nobody can be told from it.
func (s *Service) Forget(ctx context.Context, listener, session string) error {
	return s.clear(ctx, listener, session, func(ctx context.Context, tx *gorm.DB) error { return remove(ctx, tx, listener, session) })
}

func remove(ctx context.Context, tx *gorm.DB, listener, session string) error {
	for _, table := range []any{&row{}, &markRow{}} {
		q := tx.WithContext(ctx).Where("listener = ?", listener)
		if session != "" {
			q = q.Where("session = ?", session)
		}
		if err := q.Delete(table).Error; err != nil {
			return fmt.Errorf("remove plays: %w", err)
		}
	}
	return nil
}

// Leave removes all that is kept of a member who leaves, inside tx. What was heard in months that are not divided yet stays
// for who divides them, under the name that paid gives for the month: artists are owed a part for it. It goes with them.
func Leave(ctx context.Context, tx *gorm.DB, actor string, paid map[string]string) error {
	tx = tx.WithContext(ctx)
	for month, name := range paid {
		for _, table := range []any{&row{}, &markRow{}} {
			if err := tx.Model(table).Where("listener = ? AND day LIKE ?", actor, month+"-%").Update("listener", name).Error; err != nil {
				return fmt.Errorf("keep plays: %w", err)
			}
		}
	}
	if err := remove(ctx, tx, actor, ""); err != nil {
		return err
	}
	return wrap("remove settings of listens", tx.Where("actor = ?", actor).Delete(&settingsRow{}).Error)
}

// keptOfGone is for how many months after its own what was heard by members who have left is kept.
const keptOfGone = 2

// forgetGone removes what was heard by members who have left, once its month is divided.
func forgetGone(tx *gorm.DB, now time.Time) error {
	now = now.UTC()
	oldest := dayOf(time.Date(now.Year(), now.Month()-keptOfGone, 1, 0, 0, 0, 0, time.UTC))
	for _, table := range []any{&row{}, &markRow{}} {
		// Members are known by the URIs of their actors.
		if err := tx.Where("day < ? AND listener NOT LIKE ?", oldest, "%:%").Delete(table).Error; err != nil {
			return fmt.Errorf("forget plays of who is gone: %w", err)
		}
	}
	return nil
}

// Few is how many listeners a track must have for its artist to see more of it than a sum: with fewer, one could guess
// who they are.
const Few = 5

// Tally is what an artist sees of a track.
type Tally struct {
	Track          string
	Plays, Seconds int64
	// Listeners is how many members of this instance heard it.
	Listeners int64
}

// Tallies returns what members here heard of an artist from a day on, the most heard first. Tracks with fewer than [Few]
// listeners are one entry at the end without a name, whose sums are exact.
func (s *Service) Tallies(ctx context.Context, artist string, from time.Time) ([]Tally, error) {
	var rows []Tally
	err := s.db.Read.WithContext(ctx).Model(&row{}).Where("artist = ? AND day >= ? AND counted", artist, dayOf(from)).
		Select("track, COUNT(*) AS plays, SUM(seconds) AS seconds, COUNT(DISTINCT listener) AS listeners").Group("track").
		Order("plays DESC, track").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count plays of %s: %w", artist, err)
	}
	var out []Tally
	var rest Tally
	for _, r := range rows {
		if r.Listeners >= Few {
			out = append(out, r)
			continue
		}
		rest.Plays, rest.Seconds = rest.Plays+r.Plays, rest.Seconds+r.Seconds
	}
	if rest.Plays > 0 {
		out = append(out, rest)
	}
	return out, nil
}
