package inbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

const (
	// maxTold is how many Listens and Views a host may send in a day; what is more is answered and forgotten.
	maxTold = 2000
	// maxHosts is how many hosts are counted at a time.
	maxHosts = 10_000
	// maxViews is how many Views wait to be written.
	maxViews = 10_000
	// viewsEvery is how often they are.
	viewsEvery = 10 * time.Second
	// personPlays and instancePlays are the most that one actor may tell of one track and day: a person, and an instance of
	// all its listeners.
	personPlays, instancePlays = 100, 100_000
	// lateDays is how old a day may be that somebody tells of.
	lateDays = 3
)

// heardRow is what an actor elsewhere says was heard or seen of a track of here on a day.
type heardRow struct {
	Track     string `gorm:"primaryKey"`
	Day       string `gorm:"primaryKey"`
	Actor     string `gorm:"primaryKey"`
	Verb      string `gorm:"primaryKey"`
	Host      string
	Plays     int64
	Seconds   int64
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (heardRow) TableName() string { return "heard_elsewhere" }

// Elsewhere is how often a track of here was heard or seen, as other servers say.
type Elsewhere struct {
	Track        string
	Plays, Views int64
}

// HeardElsewhere sums up what other servers say of an artist's tracks from a day on, such as "2026-11-01". Nobody pays for
// it.
func HeardElsewhere(ctx context.Context, tx *gorm.DB, artist, from string) (map[string]Elsewhere, error) {
	var rows []heardRow
	err := tx.WithContext(ctx).Model(&heardRow{}).Where("track IN (SELECT uri FROM tracks WHERE artist = ?) AND day >= ?", artist, from).
		Select("track, verb, SUM(plays) AS plays").Group("track, verb").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what was heard elsewhere: %w", err)
	}
	out := map[string]Elsewhere{}
	for _, r := range rows {
		e := out[r.Track]
		e.Track = r.Track
		if r.Verb == string(vocab.VerbView) {
			e.Views += r.Plays
		} else {
			e.Plays += r.Plays
		}
		out[r.Track] = e
	}
	return out, nil
}

// tellers count what hosts tell in a day.
type tellers struct {
	mu   sync.Mutex
	day  string
	told map[string]int
	// views wait to be written.
	views map[heardRow]struct{}
}

// admits reports whether a host may tell one thing more today.
func (t *tellers) admits(host, day string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.day != day || len(t.told) >= maxHosts {
		t.day, t.told = day, map[string]int{}
	}
	t.told[host]++
	return t.told[host] <= maxTold
}

// listened looks at a Listen or a View, and reports whether nothing is left to be done with it. Views are many and small:
// they are written together without being stored first, and one of an actor counts for a track and a day.
func (i *Inbox) listened(a vocab.Activity) bool {
	if a.Type != vocab.VerbListen && a.Type != vocab.VerbView {
		return false
	}
	if !strings.HasPrefix(a.Object.ID, i.config.BaseURL+"/tracks/") {
		return true
	}
	host, day := actor.HostOf(a.Actor), i.now().UTC().Format(time.DateOnly)
	if !i.tellers.admits(host, day) {
		return true
	}
	if a.Type == vocab.VerbListen {
		return false
	}
	i.tellers.mu.Lock()
	defer i.tellers.mu.Unlock()
	if i.tellers.views == nil {
		i.tellers.views = map[heardRow]struct{}{}
	}
	if len(i.tellers.views) < maxViews {
		i.tellers.views[heardRow{Track: a.Object.ID, Day: day, Actor: a.Actor, Verb: string(vocab.VerbView), Host: host, Plays: min(a.Count(), instancePlays)}] = struct{}{}
	}
	return true
}

// watchViews writes what was seen, until ctx ends.
func (i *Inbox) watchViews(ctx context.Context) {
	tick := time.NewTicker(viewsEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			i.writeViews(last)
			return
		}
		i.writeViews(ctx)
	}
}

// writeViews writes what was seen of tracks that are here. What fails is not tried again: nothing depends on it.
func (i *Inbox) writeViews(ctx context.Context) {
	i.tellers.mu.Lock()
	views := i.tellers.views
	i.tellers.views = nil
	i.tellers.mu.Unlock()
	if len(views) == 0 {
		return
	}
	latest := map[heardRow]int64{}
	for v := range views {
		n := v.Plays
		v.Plays = 0
		latest[v] = max(latest[v], n)
	}
	byTrack := map[string][]heardRow{}
	for v, n := range latest {
		v.Plays, v.CreatedAt = n, i.utc()
		byTrack[v.Track] = append(byTrack[v.Track], v)
	}
	err := i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for track, rows := range byTrack {
			x, err := outbox.ObjectByURI(ctx, tx, track)
			if errors.Is(err, outbox.ErrNotFound) || err == nil && !heardHere(x) {
				continue
			}
			if err == nil {
				err = putHeard(tx, rows)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		i.log.Warn("views not written", "views", len(views), "error", err)
	}
}

func heardHere(x outbox.Object) bool { return x.Local && x.Deleted.IsZero() && x.Kind == kindTrack }

// putHeard writes what actors tell of a track; what they tell again replaces it.
func putHeard(tx *gorm.DB, rows []heardRow) error {
	err := tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "track"}, {Name: "day"}, {Name: "actor"}, {Name: "verb"}},
		DoUpdates: clause.AssignmentColumns([]string{"plays", "seconds"}),
	}).CreateInBatches(rows, 500).Error
	if err != nil {
		return fmt.Errorf("write what was heard elsewhere: %w", err)
	}
	return nil
}

// hear records a Listen of a track of here: of one listener, or of an instance for those whom it does not name. One counts
// for an actor, a track and a day.
func (i *Inbox) hear(ctx context.Context, in Incoming) error {
	track := in.Activity.Object.ID
	x, err := outbox.ObjectByURI(ctx, i.db.Read, track)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && !heardHere(x) || in.Actor.Local {
		// Members of this instance are counted where they listen.
		return errNoEffect
	}
	if err != nil {
		return err
	}
	if !x.Readable(in.Actor.URI) {
		return Refuse("%s is not for %s", track, in.Actor.URI)
	}
	now := i.utc()
	row := heardRow{Track: track, Day: now.Format(time.DateOnly), Actor: in.Actor.URI, Verb: string(vocab.VerbListen), Host: in.Actor.Host, Plays: 1, CreatedAt: now}
	// Others tell less than we do: a Listen without its times is one play of today.
	if l, err := vocab.ReadListen(in.Raw); err == nil {
		most := int64(personPlays)
		if in.Actor.Kind == "Application" || in.Actor.Kind == "Service" {
			most = instancePlays
		}
		row.Plays = min(max(l.Plays, 1), most)
		row.Seconds = int64(l.Duration/time.Second) * row.Plays
		if l.StartTime.Before(now) && now.Sub(l.StartTime) < lateDays*24*time.Hour {
			row.Day = l.StartTime.UTC().Format(time.DateOnly)
		}
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var told int64
		if err := tx.WithContext(ctx).Model(&heardRow{}).Where("host = ? AND day = ?", row.Host, row.Day).Count(&told).Error; err != nil {
			return fmt.Errorf("count what %s tells: %w", row.Host, err)
		}
		if told >= maxTold {
			return errNoEffect
		}
		return putHeard(tx, []heardRow{row})
	})
}
