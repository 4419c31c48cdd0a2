package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/listen"
	"antiphon/payments/anomaly"
)

// What the rules of payments say of plays comes out of a day's lines: marked while they only report, left out when they are
// in force, and written beside the plays.
func TestLinesAreJudged(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		day := time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)
		clock := testkit.NewClock(day.Add(26 * time.Hour))
		log := slog.New(slog.DiscardHandler)
		database, err := db.Open(t.Context(), fresh(), log)
		must(t, err)
		t.Cleanup(func() { must(t, database.Close()) })
		v, err := vault.New(make([]byte, 32), rand.Reader)
		must(t, err)
		n := 0
		add := func(listener, artist, track string, at time.Time, seconds int64) {
			n++
			must(t, database.Write.Table("plays").Create(map[string]any{
				"listener": listener, "session": fmt.Sprintf("%022d", n), "artist": artist, "track": track, "day": at.Format(time.DateOnly), "started_at": at,
				"reported_at": at, "seconds": seconds, "length": 211, "heard": "", "bytes": 0, "blocks": []byte{}, "network": "n", "agent": "a", "source": "played", "counted": true,
			}).Error)
		}
		// Ana hears one track 25 times, Bob 60 stubs, Cyd two at once, Dot goes on from the day before, and Eve is quiet for ten
		// days and then hears one artist 120 times.
		for i := range 25 {
			add("ana", "x", "x/1", day.Add(time.Duration(i)*30*time.Minute), 200)
		}
		for i := range 60 {
			add("bob", "y", fmt.Sprint("y/", i), day.Add(10*time.Hour+time.Duration(i)*time.Minute), 31)
		}
		add("cyd", "x", "x/2", day.Add(9*time.Hour), 200)
		add("cyd", "y", "y/2", day.Add(9*time.Hour+100*time.Second), 200)
		add("dot", "x", "x/2", day.Add(-100*time.Second), 200)
		add("dot", "y", "y/2", day, 200)
		for d := range 10 {
			add("eve", "z", "z/1", day.AddDate(0, 0, -d-1).Add(20*time.Hour), 200)
		}
		for i := range 120 {
			add("eve", "z", fmt.Sprint("z/", i), day.Add(8*time.Hour+time.Duration(i)*5*time.Minute), 200)
		}
		tally := func(reportOnly bool) map[string][3]int64 {
			policy := anomaly.V1()
			policy.ReportOnly = reportOnly
			s, err := listen.New(listen.Config{}, listen.Parts{
				DB: database, Jobs: jobs.New(database, log), Vault: v, Judge: judge{policy}, Log: log, Now: clock.Now, Rand: rand.Reader,
				Credits: func(_ context.Context, track string) ([]listen.Credit, error) {
					if track != "x/1" {
						return nil, nil
					}
					return []listen.Credit{{Artist: "x", Share: 7000}, {Artist: "w", Share: 3000}}, nil
				},
			})
			must(t, err)
			out := map[string][3]int64{}
			last := ""
			must(t, s.Lines(t.Context(), day.Add(13*time.Hour), func(l listen.Line) error {
				if here := l.Listener + " " + l.Track; here <= last {
					t.Errorf("%s after %s", here, last)
				} else {
					last = here
				}
				if (l.Track == "x/1") != (len(l.Artists) == 2) {
					t.Errorf("credits of %s: %v", l.Track, l.Artists)
				}
				sum := out[l.Listener]
				out[l.Listener] = [3]int64{sum[0] + l.Plays, sum[1] + l.Dropped, sum[2] + l.Held}
				return nil
			}))
			return out
		}
		watched := map[string][3]int64{"ana": {25, 5, 0}, "bob": {60, 0, 60}, "cyd": {2, 1, 0}, "dot": {1, 1, 0}, "eve": {120, 0, 120}}
		if got := tally(true); fmt.Sprint(got) != fmt.Sprint(watched) {
			t.Errorf("while watching %v, want %v", got, watched)
		}
		strict := map[string][3]int64{"ana": {20, 5, 0}, "bob": {0, 0, 60}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {0, 0, 120}}
		if got := tally(false); fmt.Sprint(got) != fmt.Sprint(strict) {
			t.Errorf("in force %v, want %v", got, strict)
		}
		var marks []struct {
			Rule string
			N    int
		}
		must(t, database.Read.Table("play_marks").Select("rule, COUNT(*) AS n").Where("policy = 1 AND LENGTH(evidence) = 32").Group("rule").Order("rule").Scan(&marks).Error)
		if fmt.Sprint(marks) != "[{R1 2} {R3 5} {R5 60} {R6 120}]" {
			t.Errorf("%v", marks)
		}
	})
}
