package listen

import (
	"context"
	"fmt"
	"time"
)

// Between returns what a member has heard of tracks in the pool from one UTC day until another, which is not among them:
// one line a track, in the order of tracks. Nothing is judged, and nothing is written of it: what the rules say of plays
// is said when their day is told.
func (s *Service) Between(ctx context.Context, listener string, from, until time.Time) ([]Line, error) {
	if err := s.write(ctx, func(p *play) bool { return p.listener == listener }); err != nil {
		return nil, err
	}
	var rows []struct {
		Artist, Track  string
		Plays, Seconds int64
	}
	err := s.db.Read.WithContext(ctx).Model(&row{}).Where("listener = ? AND day >= ? AND day < ? AND counted", listener, dayOf(from), dayOf(until)).
		Select("MIN(artist) AS artist, track, COUNT(*) AS plays, SUM(seconds) AS seconds").Group("track").Order("track").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("count what %s heard: %w", listener, err)
	}
	var out []Line
	d := &daily{s: s, pooled: map[string]bool{}, credits: map[string][]Credit{}, yield: func(l Line) error {
		out = append(out, l)
		return nil
	}}
	for _, r := range rows {
		if err := d.give(ctx, Line{Listener: listener, Artist: r.Artist, Track: r.Track, Plays: r.Plays, Seconds: r.Seconds}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
