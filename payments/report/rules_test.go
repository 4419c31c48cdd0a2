package report_test

import (
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

func TestRules(t *testing.T) {
	t.Parallel()
	// The ledger's first policy is the first one of the rules.
	if got := report.Rules(contract.DefaultPolicy(october)); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", anomaly.V1()) {
		t.Errorf("%+v, want %+v", got, anomaly.V1())
	}
	p := contract.DefaultPolicy(october)
	p.Version, p.MinSeconds, p.DayCap, p.Rules, p.ReportOnly = 7, 45, 5, []string{"R0", "R5", "R9"}, []string{"R5"}
	got := report.Rules(p)
	want := anomaly.V1()
	want.Version, want.MinSeconds, want.ShortTrack, want.StubFrom, want.StubTo, want.PerTrackDay = 7, 45, 90, 45, 50, 5
	want.Rules, want.ReportOnly = []anomaly.Rule{anomaly.R0Short, anomaly.R5Stubs, anomaly.R9Node}, []anomaly.Rule{anomaly.R5Stubs}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) || got.Check() != nil {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !got.Applies(anomaly.R5Stubs) || got.Applies(anomaly.R4Sleepless) || !got.Tells(anomaly.R5Stubs) || got.Tells(anomaly.R0Short) {
		t.Error("rules are not those of the policy")
	}
}

// Eyes leave out a day that stands out where the policy of the month names R6, and nothing where it does not.
func TestEyesUseThePolicy(t *testing.T) {
	t.Parallel()
	name := pseudonym(october, listener("l1"))
	var days []report.Day
	for n := 1; n <= 12; n++ {
		line := royalty.Line{Pseudonym: name, Artist: artist("z"), Track: artist("z") + "/1", Units: 3 * royalty.Unit, Seconds: 600}
		if n == 12 {
			line.Units = 400 * royalty.Unit
		}
		var tree royalty.Tree
		tree.Add(line.String())
		days = append(days, report.Day{
			Day: october.Day(n).Format(time.DateOnly), Root: contract.Root(tree),
			Lines: iter.Seq2[royalty.Line, error](func(yield func(royalty.Line, error) bool) { yield(line, nil) }),
		})
	}
	for _, c := range []struct {
		name string
		set  func(p *contract.Policy)
		want string
	}{
		{"as it begins: R6 only tells, but somebody has asked", func(*contract.Policy) {}, "[2026-10-12]"},
		{"R6 holds", func(p *contract.Policy) { p.ReportOnly = nil }, "[2026-10-12]"},
		{"no R6", func(p *contract.Policy) {
			p.Rules = slices.DeleteFunc(p.Rules, func(r string) bool { return r == "R6" })
		}, "[]"},
	} {
		m := report.Month{Node: node, Month: october, Policy: contract.DefaultPolicy(october), Days: days}
		c.set(&m.Policy)
		out, err := m.Doubtful(contract.Digest("payee", artist("z")))
		if err != nil {
			t.Fatal(err)
		}
		left := []string{}
		for _, d := range days {
			for line := range d.Lines {
				if out(d.Day, line) {
					left = append(left, d.Day)
				}
			}
		}
		if fmt.Sprint(left) != c.want {
			t.Errorf("%s: %v are left out, want %s", c.name, left, c.want)
		}
	}
}

// A note of a rule that only tells gives way to a rule that holds, on the same day or a later one; and neither changes what
// people have decided.
func TestNotesGiveWay(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		w.pay(october, "l1", "l2")
		mark := func(day, name, of, note string, held int64, rule string) {
			w.hears(day, name, of, 5)
			h := &w.heard[day][len(w.heard[day])-1]
			h.Note, h.NoteEvidence, h.HeldPlays, h.HeldSeconds, h.Rule, h.Evidence = note, "n"+day, held, 40*held, rule, "h"+day
		}
		mark("2026-10-02", "l1", "a", "R4", 0, "")
		mark("2026-10-02", "l1", "b", "R4", 0, "")
		mark("2026-10-02", "l2", "c", "R4", 7, "R5")
		mark("2026-10-03", "l1", "b", "", 60, "R5")
		mark("2026-10-04", "l1", "b", "R4", 60, "R6")
		decisions := func() string {
			all, err := w.service.Decisions(t.Context(), october)
			w.must(err)
			var out []string
			for _, d := range all {
				out = append(out, fmt.Sprint(d.Artist[len(artist("")):], " ", d.Rule, " ", d.State, " ", d.Evidence))
			}
			slices.Sort(out)
			return fmt.Sprint(out)
		}
		for n := 1; n <= 3; n++ {
			w.clock.Set(october.Day(n + 1).Add(2 * time.Hour))
			w.must(w.service.ReportDay(t.Context(), october.Day(n)))
		}
		want := "[a R4 noted n2026-10-02 b R5 held h2026-10-03 c R5 held h2026-10-02]"
		if got := decisions(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		w.must(w.service.Decide(t.Context(), october, pseudonym(october, listener("l1")), artist("b"), report.Paid, "admin"))
		w.days(october)
		w.suspects = []report.Suspicion{{Listener: listener("l1"), Artist: artist("b"), Rule: "R7", Evidence: "e"}, {Listener: listener("l1"), Artist: artist("a"), Rule: "R8", Evidence: "e"}}
		st := w.report(october)
		if got, want := decisions(), "[a R8 held e b R5 paid h2026-10-03 c R5 held h2026-10-02]"; got != want || st.Held != 2*royalty.Pool {
			t.Errorf("%s, want %s; held %s", got, want, st.Held)
		}
	})
}
