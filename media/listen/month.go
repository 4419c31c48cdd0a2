package listen

import (
	"context"
	"fmt"
	"time"
)

// poolMemory is how many tracks are kept in mind with whether they are in the pool.
const poolMemory = 100_000

// Tastes reads what members hear over longer than a day, one after the other, for rules that compare them. It is not safe
// for concurrent use.
type Tastes struct {
	s       *Service
	pooled  map[string]bool
	credits map[string][]Credit
}

// Tastes begins to read.
func (s *Service) Tastes() *Tastes {
	return &Tastes{s: s, pooled: map[string]bool{}, credits: map[string][]Credit{}}
}

// Plays are a member's plays that began from an instant on and before another one, of tracks in the pool alone, by time.
// Those that one of the dropping rules has dropped are none.
func (t *Tastes) Plays(ctx context.Context, listener string, from, until time.Time, dropping []string) ([]Play, error) {
	var rows []row
	q := t.s.db.Read.WithContext(ctx).Where("listener = ? AND started_at >= ? AND started_at < ? AND counted", listener, from.UTC(), until.UTC())
	if len(dropping) > 0 {
		q = q.Where("NOT EXISTS (SELECT 1 FROM play_marks m WHERE m.listener = plays.listener AND m.session = plays.session AND m.state = ? AND m.rule IN ?)",
			Dropped, dropping)
	}
	if err := q.Order("started_at, session").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read plays of %s: %w", listener, err)
	}
	var out []Play
	for _, r := range rows {
		in, err := t.in(ctx, r.Track)
		if err != nil {
			return nil, err
		}
		if in {
			out = append(out, r.play())
		}
	}
	return out, nil
}

// in reports whether a track is in the pool.
func (t *Tastes) in(ctx context.Context, track string) (bool, error) {
	if t.s.pooled == nil {
		return true, nil
	}
	in, known := t.pooled[track]
	if known {
		return in, nil
	}
	in, err := t.s.pooled(ctx, track)
	if err != nil {
		return false, fmt.Errorf("pool of %s: %w", track, err)
	}
	if len(t.pooled) >= poolMemory {
		clear(t.pooled)
	}
	t.pooled[track] = in
	return in, nil
}

// Artists are those who share what a play earns.
func (t *Tastes) Artists(ctx context.Context, p Play) ([]string, error) {
	if t.s.credits == nil {
		return []string{p.Artist}, nil
	}
	shares, known := t.credits[p.Track]
	if !known {
		var err error
		if shares, err = t.s.credits(ctx, p.Track); err != nil {
			return nil, fmt.Errorf("credits of %s: %w", p.Track, err)
		}
		if len(t.credits) >= poolMemory {
			clear(t.credits)
		}
		t.credits[p.Track] = shares
	}
	if len(shares) == 0 {
		return []string{p.Artist}, nil
	}
	out := make([]string, len(shares))
	for i, c := range shares {
		out[i] = c.Artist
	}
	return out, nil
}
