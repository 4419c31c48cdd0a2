package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/jobs"
	"antiphon/media/listen"
	"antiphon/vocab"
)

// Listens says what may be told of what members heard; *listen.Service does.
type Listens interface {
	Tell(ctx context.Context, day string, yield func(listen.Told) error) error
}

// registerListens registers what is told of a day.
func (o *Outbox) registerListens(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[listen.DayEnded]{
		Work: func(ctx context.Context, f listen.DayEnded, _ int) error { return o.tellDay(ctx, f.Day) }, Timeout: 10 * time.Minute,
	})
}

// tellDay tells what members heard on a day, as each of them wishes: followers and the artist one Listen for a track, or
// the artist alone how often it was, in a Listen of the instance for all of them together. Run again, it tells nothing
// twice.
func (o *Outbox) tellDay(ctx context.Context, day string) error {
	start, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return jobs.Cancel(fmt.Errorf("day %q: %w", day, err))
	}
	return o.listens.Tell(ctx, day, func(x listen.Told) error {
		a, err := o.listenOf(ctx, x, day, start)
		if err != nil || a == nil {
			return err
		}
		if _, err := Sent(ctx, o.db.Read, a.id); err == nil {
			return nil
		} else if !errors.Is(err, ErrNotFound) {
			return err
		}
		return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return o.Send(ctx, tx, a.Activity) })
	})
}

// named is an activity with its id.
type named struct {
	Activity
	id string
}

// listenOf makes the activity, or none if there is nobody to tell.
func (o *Outbox) listenOf(ctx context.Context, x listen.Told, day string, start time.Time) (*named, error) {
	from, to, cc := x.Listener, []string(nil), []string(nil)
	if from == "" {
		from = o.actors.Instance()
	} else {
		cc = []string{Followers(from)}
	}
	// Who made the music here sees what was heard here; and only servers that know what a Listen is are told.
	if !o.actors.Own(x.Artist) {
		artist, err := o.actors.Known(ctx, x.Artist)
		if err != nil && !errors.Is(err, actor.ErrNotFound) {
			return nil, err
		}
		if err == nil && artist.Music {
			to = []string{x.Artist}
		}
	}
	if x.Plays < 1 || len(to)+len(cc) == 0 {
		return nil, nil
	}
	sum := sha256.Sum256([]byte(x.Track))
	name := day + "-" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
	l := vocab.Listen{
		ID: from + "/listens/" + name, Actor: from, Track: x.Track, Published: start.AddDate(0, 0, 1), StartTime: start, EndTime: start.AddDate(0, 0, 1),
		Duration: max(time.Duration(x.Seconds/x.Plays)*time.Second, time.Second), Plays: x.Plays, To: to, Cc: cc,
	}
	raw, err := json.Marshal(l.Object())
	if err != nil {
		return nil, fmt.Errorf("write listen of %s: %w", x.Track, err)
	}
	return &named{Activity{From: from, To: append(to, cc...), Raw: raw, Music: true}, l.ID}, nil
}
