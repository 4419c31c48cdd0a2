package reporting_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"antiphon/federation/reporting"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/listen"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// What the rules of payments say of plays comes out of a day's lines: marked while they only report, left out when they are
// in force, and written beside the plays.
func TestLinesAreJudged(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		day := time.Date(2026, 10, 5, 0, 0, 0, 0, time.UTC)
		clock := testkit.NewClock(day.Add(26 * time.Hour))
		log := slog.New(slog.DiscardHandler)
		ok := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		database, err := db.Open(t.Context(), fresh(), log)
		ok(err)
		t.Cleanup(func() { ok(database.Close()) })
		v, err := vault.New(make([]byte, 32), rand.Reader)
		ok(err)
		n := 0
		add := func(listener, artist, track string, at time.Time, seconds int64) {
			n++
			ok(database.Write.Table("plays").Create(map[string]any{
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
		// Fay was as quiet, and plays 120 stubs: R5 says so, and R6.
		for d := range 10 {
			add("fay", "f", "f/1", day.AddDate(0, 0, -d-1).Add(20*time.Hour), 200)
		}
		for i := range 120 {
			add("fay", "f", fmt.Sprint("f/", i), day.Add(8*time.Hour+time.Duration(i)*5*time.Minute), 31)
		}
		// Gus plays one track all day.
		for d := range 10 {
			add("gus", "g", "g/1", day.AddDate(0, 0, -d-1).Add(20*time.Hour), 60)
		}
		for i := range 150 {
			add("gus", "g", "g/1", day.Add(2*time.Hour+time.Duration(i)*5*time.Minute), 60)
		}
		tally := func(change func(p *contract.Policy)) map[string][3]int64 {
			policies := func(_ context.Context, month royalty.Month) (contract.Policy, error) {
				p := contract.DefaultPolicy(month)
				change(&p)
				return p, nil
			}
			s, err := listen.New(listen.Config{}, listen.Parts{
				DB: database, Jobs: jobs.New(database, log), Vault: v, Judge: reporting.NewJudge(policies), Log: log, Now: clock.Now, Rand: rand.Reader,
				Credits: func(_ context.Context, track string) ([]listen.Credit, error) {
					if track != "x/1" {
						return nil, nil
					}
					return []listen.Credit{{Artist: "x", Share: 7000}, {Artist: "w", Share: 3000}}, nil
				},
			})
			ok(err)
			out := map[string][3]int64{}
			last := ""
			ok(s.Lines(t.Context(), day.Add(13*time.Hour), func(l listen.Line) error {
				if here := l.Listener + " " + l.Track; here <= last {
					t.Errorf("%s after %s", here, last)
				} else {
					last = here
				}
				if (l.Track == "x/1") != (len(l.Artists) == 2) {
					t.Errorf("credits of %s: %v", l.Track, l.Artists)
				}
				sum := out[l.Listener]
				out[l.Listener] = [3]int64{sum[0] + l.Plays, sum[1] + l.Dropped, sum[2] + l.HeldPlays}
				return nil
			}))
			return out
		}
		for _, c := range []struct {
			name   string
			change func(p *contract.Policy)
			want   map[string][3]int64
		}{
			{"all only tell", func(p *contract.Policy) { p.ReportOnly = p.Rules }, map[string][3]int64{"ana": {25, 5, 0}, "bob": {60, 0, 0}, "cyd": {2, 1, 0}, "dot": {1, 1, 0}, "eve": {120, 0, 0}, "fay": {120, 0, 0}, "gus": {150, 130, 0}}},
			{"as it begins", func(*contract.Policy) {}, map[string][3]int64{"ana": {20, 5, 0}, "bob": {60, 0, 0}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {120, 0, 0}, "fay": {120, 0, 0}, "gus": {20, 130, 0}}},
			{"all in force", func(p *contract.Policy) { p.ReportOnly = nil }, map[string][3]int64{"ana": {20, 5, 0}, "bob": {0, 0, 60}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {0, 0, 120}, "fay": {0, 0, 120}, "gus": {20, 130, 0}}},
			{"R5 tells and R6 holds", func(p *contract.Policy) { p.ReportOnly = []string{"R5"} }, map[string][3]int64{"ana": {20, 5, 0}, "bob": {60, 0, 0}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {0, 0, 120}, "fay": {0, 0, 120}, "gus": {20, 130, 0}}},
			{"R3 tells and R6 holds", func(p *contract.Policy) { p.ReportOnly = []string{"R3"} }, map[string][3]int64{"ana": {25, 5, 0}, "bob": {0, 0, 60}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {0, 0, 120}, "fay": {0, 0, 120}, "gus": {0, 0, 150}}},
			{"without R1, R5 and R6", func(p *contract.Policy) { p.Rules, p.ReportOnly = []string{"R0", "R2", "R3", "R4"}, nil }, map[string][3]int64{"ana": {20, 5, 0}, "bob": {60, 0, 0}, "cyd": {2, 0, 0}, "dot": {1, 0, 0}, "eve": {120, 0, 0}, "fay": {120, 0, 0}, "gus": {20, 130, 0}}},
			{"other numbers", func(p *contract.Policy) { p.DayCap, p.MinSeconds, p.ReportOnly = 10, 60, nil }, map[string][3]int64{"ana": {10, 15, 0}, "bob": {0, 60, 0}, "cyd": {1, 1, 0}, "dot": {0, 1, 0}, "eve": {0, 0, 120}, "fay": {0, 120, 0}, "gus": {10, 140, 0}}},
		} {
			if got := tally(c.change); fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
		var marks []struct {
			Rule string
			N    int
		}
		ok(database.Read.Table("play_marks").Select("rule, COUNT(*) AS n").Where("policy = 1 AND LENGTH(evidence) = 32").Group("rule").Order("rule").Scan(&marks).Error)
		if fmt.Sprint(marks) != "[{R0 180} {R1 2} {R3 155} {R6 120}]" {
			t.Errorf("%v", marks)
		}
	})
}
