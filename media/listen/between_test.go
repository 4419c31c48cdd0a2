package listen_test

import (
	"fmt"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/media/listen"
)

// What a member heard of the pool between two days: plays that count, by track, also those that are not written yet.
func TestBetween(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		clock := testkit.NewClock(time.Date(2026, 9, 30, 23, 0, 0, 0, time.UTC))
		r := openRoom(t, fresh(), clock, nil)
		n := 0
		play := func(who, track string, seconds int) {
			n++
			r.play(t, session(n), r.ticket(t, who, "https://a.example/tracks/"+track, length), seconds)
			clock.Advance(time.Minute)
		}
		play(lin, "rain", 100) // in September
		clock.Set(noon)
		play(lin, "snow", 50)
		play(lin, "rain", 40)
		play(lin, "rain", 60)
		play(lin, "rain", 20) // no play
		play(lin, "own", 100) // not in the pool
		play(bob, "rain", 200)
		from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
		got, err := r.Between(t.Context(), lin, from, from.AddDate(0, 1, 0))
		must(t, err)
		want := []listen.Line{
			{Listener: lin, Artist: ada, Track: "https://a.example/tracks/rain", Plays: 2, Seconds: 100},
			{Listener: lin, Artist: ada, Track: "https://a.example/tracks/snow", Plays: 1, Seconds: 50},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v", got)
		}
		if got, err = r.Between(t.Context(), lin, from.AddDate(0, 1, 0), from.AddDate(0, 2, 0)); err != nil || len(got) != 0 {
			t.Errorf("in November %+v, %v", got, err)
		}
	})
}
