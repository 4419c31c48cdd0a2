package listen

import (
	"context"
	"fmt"
	"slices"
)

func sorted(list []string) []string { return slices.Sorted(slices.Values(list)) }

// Told is what others may be told of a day: what one member who wants followers to know heard of a track, or without a
// Listener what all who let artists know heard of it together.
type Told struct {
	Listener, Artist, Track string
	Plays, Seconds          int64
}

// Tell gives what may be told of a day to yield, by the listeners' own wishes as they are now.
func (s *Service) Tell(ctx context.Context, day string, yield func(Told) error) error {
	for _, c := range []struct{ audience, listener string }{{string(ToFollowers), "plays.listener"}, {string(ToArtist), "''"}} {
		var rows []Told
		group := "plays.track, plays.artist"
		if Audience(c.audience) == ToFollowers {
			group += ", plays.listener"
		}
		// A day of those who have chosen to tell; the others, who are most, are not among them.
		q := s.db.Read.WithContext(ctx).Table("plays").Joins("JOIN listen_settings ON listen_settings.actor = plays.listener AND listen_settings.audience = ?", c.audience).
			Where("plays.day = ? AND plays.counted", day).Group(group).Order(group).
			Select(c.listener + " AS listener, plays.track, plays.artist, COUNT(*) AS plays, SUM(plays.seconds) AS seconds")
		if err := q.Scan(&rows).Error; err != nil {
			return fmt.Errorf("read what may be told of %s: %w", day, err)
		}
		for _, r := range rows {
			if err := yield(r); err != nil {
				return err
			}
		}
	}
	return nil
}
