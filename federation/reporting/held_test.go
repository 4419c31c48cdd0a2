package reporting_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/reporting"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/listen"
	"antiphon/payments/amount"
	"antiphon/payments/anomaly"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// home is one instance from its plays to its reports, with the judge between them. Who has paid, and with what, is said by
// the test.
type home struct {
	t       testing.TB
	clock   *testkit.Clock
	db      *db.DB
	book    ledger.Embedded
	reports *report.Service
	facts   anomaly.Facts
	members map[royalty.Month][]string
	// asked are the listeners of whom facts were asked for.
	asked []string
	plays int
}

const (
	homeHost  = "home.example"
	homeAsset = amount.Asset("eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1")
)

func who(name string) string { return "https://" + homeHost + "/users/" + name }

func openHome(t testing.TB, dsn string, first contract.Policy) *home {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	h := &home{t: t, clock: testkit.NewClock(first.From.Start()), facts: anomaly.Facts{Paid: map[string]string{}}, members: map[royalty.Month][]string{}}
	var err error
	h.db, err = db.Open(t.Context(), dsn, log)
	h.must(err)
	t.Cleanup(func() { h.must(h.db.Close()) })
	l, err := ledger.New(ledger.Config{Origin: homeHost + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: h.clock.Now})
	h.must(err)
	h.book = ledger.Embedded{Ledger: l, DB: h.db}
	v, err := vault.New(make([]byte, 32), rand.Reader)
	h.must(err)
	policies := func(ctx context.Context, month royalty.Month) (contract.Policy, error) {
		return contract.PolicyFor(ctx, h.book, month)
	}
	queue := jobs.New(h.db, log)
	listens, err := listen.New(listen.Config{}, listen.Parts{
		DB: h.db, Jobs: queue, Vault: v, Judge: reporting.NewJudge(policies), Log: log, Now: h.clock.Now, Rand: rand.Reader,
		Pooled: func(_ context.Context, track string) (bool, error) { return track != "sold", nil },
		Credits: func(_ context.Context, track string) ([]listen.Credit, error) {
			if track != who("duo")+"/1" {
				return nil, nil
			}
			return []listen.Credit{{Artist: who("duo"), Share: 5000}, {Artist: who("friend"), Share: 5000}}, nil
		},
	})
	h.must(err)
	suspects := reporting.Suspects{
		Listens: listens, Members: h, Policies: policies,
		Facts: func(_ context.Context, _ royalty.Month, listeners, _ []string) (anomaly.Facts, error) {
			h.asked = listeners
			return h.facts, nil
		},
	}
	h.reports, err = report.New(report.Config{Node: homeHost, Asset: homeAsset, Decimals: 18}, report.Parts{
		DB: h.db, Jobs: queue, Book: h.book, Listens: reporting.Heard(listens), Members: h, Pseudonyms: h, Suspect: suspects.Suspect, Log: log, Now: h.clock.Now,
	})
	h.must(err)
	h.must(h.book.Submit(t.Context(), first))
	h.must(h.book.Submit(t.Context(), contract.Node{Host: homeHost, Caller: homeHost + "/ledger", Owner: contract.Digest("owner", homeHost)}))
	return h
}

func (h *home) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

func (h *home) Members(_ context.Context, month royalty.Month, yield func(string) error) error {
	for _, m := range h.members[month] {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (h *home) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return royalty.Pseudonym([32]byte{7}, month, listener), nil
}

func (h *home) pseudonym(month royalty.Month, name string) string {
	return royalty.Pseudonym([32]byte{7}, month, who(name))
}

func (h *home) pay(month royalty.Month, names ...string) {
	h.t.Helper()
	units, err := royalty.Fee.Tokens(18)
	h.must(err)
	paid, err := amount.Parse(units.String(), string(homeAsset))
	h.must(err)
	batch := contract.Subscriptions{Node: homeHost}
	for _, name := range names {
		p := h.pseudonym(month, name)
		batch.Lines = append(batch.Lines, contract.Subscription{
			Pseudonym: p, Month: month, Micro: royalty.Fee, Paid: paid, Provider: "manual", PaymentHash: contract.Digest("test", p),
		})
		h.members[month] = append(h.members[month], who(name))
	}
	h.must(h.book.Submit(h.t.Context(), batch))
}

// hear writes n plays of as many tracks of an artist, one every ten minutes.
func (h *home) hear(at time.Time, name, artist string, n int, seconds int64, change ...func(play map[string]any)) {
	h.t.Helper()
	for i := range n {
		h.plays++
		start := at.Add(time.Duration(i) * 10 * time.Minute)
		play := map[string]any{
			"listener": who(name), "session": fmt.Sprintf("%022d", h.plays), "artist": who(artist), "track": fmt.Sprint(who(artist), "/", 1+i), "day": start.Format(time.DateOnly),
			"started_at": start, "reported_at": start, "seconds": seconds, "length": 211, "heard": "", "bytes": 0, "blocks": []byte{}, "network": "network of " + name,
			"agent": "firefox on linux", "source": "played", "counted": true,
		}
		for _, c := range change {
			c(play)
		}
		h.must(h.db.Write.Table("plays").Create(play).Error)
	}
}

// report reports all days of a month and the month.
func (h *home) report(month royalty.Month) contract.Statement {
	h.t.Helper()
	for at := month.Start(); at.Before(month.Next().Start()); at = at.AddDate(0, 0, 1) {
		h.clock.Set(at.AddDate(0, 0, 1).Add(2 * time.Hour))
		h.must(h.reports.ReportDay(h.t.Context(), at))
	}
	h.clock.Set(month.Next().Day(4).Add(time.Hour))
	h.must(h.reports.ReportMonth(h.t.Context(), month))
	st, _, err := contract.Reported(h.t.Context(), h.book, month, homeHost)
	h.must(err)
	return st
}

func (h *home) settle(month royalty.Month) contract.Statement {
	h.t.Helper()
	h.clock.Set(month.Next().Day(24))
	h.must(h.reports.StateFinal(h.t.Context(), month))
	st, err := contract.Finally(h.t.Context(), h.book, month, homeHost)
	h.must(err)
	return st
}

// total is what a statement gives an artist, in dollars.
func (h *home) total(st contract.Statement, artist string) string {
	micro, _ := st.Total(contract.Digest("payee", artist))
	return micro.String()
}

func (h *home) decisions(month royalty.Month) []report.Decision {
	h.t.Helper()
	all, err := h.reports.Decisions(h.t.Context(), month)
	h.must(err)
	return all
}

// strict is a policy under which all rules are in force.
func strict(from royalty.Month) contract.Policy {
	p := contract.DefaultPolicy(from)
	p.ReportOnly = []string{}
	return p
}

// Sixty stubs in a day hold the whole money of a listener until somebody has decided, in either way; while the rule only
// tells, nothing waits.
func TestStubsAreHeld(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		for _, c := range []struct {
			name       string
			reportOnly []string
			decide     report.DecisionState
			dayHeld    int64
			held       royalty.Micro
			state      report.DecisionState
			// reported and final are what stubs, music and other are paid.
			reported, final [3]string
		}{
			{"paid", nil, report.Paid, 60, royalty.Pool, report.Held, [3]string{"0.000000", "0.000000", "9.000000"}, [3]string{"7.714286", "1.285714", "9.000000"}},
			{"removed", nil, report.Removed, 60, royalty.Pool, report.Held, [3]string{"0.000000", "0.000000", "9.000000"}, [3]string{"0.000000", "9.000000", "9.000000"}},
			{"nobody decides", nil, "", 60, royalty.Pool, report.Held, [3]string{"0.000000", "0.000000", "9.000000"}, [3]string{"7.714286", "1.285714", "9.000000"}},
			{"only told", []string{"R5"}, "", 0, 0, report.Noted, [3]string{"7.714286", "1.285714", "9.000000"}, [3]string{"7.714286", "1.285714", "9.000000"}},
		} {
			policy := strict(october)
			if c.reportOnly != nil {
				policy.ReportOnly = c.reportOnly
			}
			h := openHome(t, fresh(), policy)
			h.pay(october, "lin", "bob")
			h.hear(october.Day(3).Add(8*time.Hour), "lin", "stubs", 60, 31)
			h.hear(october.Day(5).Add(8*time.Hour), "lin", "music", 10, 200)
			h.hear(october.Day(5).Add(8*time.Hour), "bob", "other", 3, 200)
			st := h.report(october)
			day, err := contract.DayAt(t.Context(), h.book, homeHost, "2026-10-03")
			h.must(err)
			if day.Held != c.dayHeld || day.Plays != 60-c.dayHeld || st.Held != c.held {
				t.Errorf("%s: the day has %+v, the month holds %s", c.name, day, st.Held)
			}
			totals := func(st contract.Statement) [3]string {
				return [3]string{h.total(st, who("stubs")), h.total(st, who("music")), h.total(st, who("other"))}
			}
			if got := totals(st); got != c.reported {
				t.Errorf("%s: reported %v, want %v", c.name, got, c.reported)
			}
			all := h.decisions(october)
			if len(all) != 1 || all[0].Rule != "R5" || all[0].State != c.state || all[0].Policy != 1 || len(all[0].Evidence) != 64 || all[0].Artist != who("stubs") {
				t.Errorf("%s: %+v", c.name, all)
			}
			if c.decide != "" {
				h.must(h.reports.Decide(t.Context(), october, h.pseudonym(october, "lin"), who("stubs"), c.decide, "admin"))
			}
			if got := totals(h.settle(october)); got != c.final {
				t.Errorf("%s: finally %v, want %v", c.name, got, c.final)
			}
		}
	})
}

// Another policy holds from its month on: in October 31 seconds are a play and the rules only tell; in November a play needs
// a minute, and the rules hold.
func TestPolicyOfTheMonth(t *testing.T) {
	t.Parallel()
	h := openHome(t, filepath.Join(t.TempDir(), "a.db"), contract.DefaultPolicy(october))
	november := october.Next()
	second := strict(november)
	second.Version, second.MinSeconds, second.DayCap = 2, 60, 2
	h.must(h.book.Submit(t.Context(), second))
	for _, month := range []royalty.Month{october, november} {
		// The evening before is of the month before: it is judged by that one's policy.
		h.hear(month.Start().Add(-time.Hour), "lin", "stubs", 1, 31)
		h.hear(month.Day(3).Add(8*time.Hour), "lin", "stubs", 55, 31)
		h.hear(month.Day(4).Add(8*time.Hour), "lin", "music", 55, 62)
		h.hear(month.Day(5).Add(8*time.Hour), "lin", "again", 5, 200, func(p map[string]any) { p["track"] = "again" })
	}
	h.pay(october, "lin")
	st := h.report(october)
	// 55 stubs and one of the last evening, 55 of a minute, 5 of one track.
	if got := h.total(st, who("stubs")) + " " + h.total(st, who("music")) + " " + h.total(st, who("again")); st.Held != 0 || got != "4.344828 4.267241 0.387931" {
		t.Errorf("October: %s, held %s", got, st.Held)
	}
	if all := h.decisions(october); len(all) != 1 || all[0].State != report.Noted || all[0].Policy != 1 || all[0].Artist != who("stubs") {
		t.Errorf("October: %+v", all)
	}
	h.settle(october)
	h.pay(november, "lin")
	st = h.report(november)
	all := h.decisions(november)
	if len(all) != 1 || all[0].State != report.Held || all[0].Policy != 2 || all[0].Artist != who("music") || st.Held != royalty.Pool {
		t.Errorf("November: %+v, held %s", all, st.Held)
	}
	for day, want := range map[string][3]int64{"2026-11-03": {0, 55, 0}, "2026-11-04": {0, 0, 55}, "2026-11-05": {2, 3, 0}} {
		d, err := contract.DayAt(t.Context(), h.book, homeHost, day)
		if h.must(err); [3]int64{d.Plays, d.Dropped, d.Held} != want || d.Policy != 2 {
			t.Errorf("%s: %+v, want %v", day, d, want)
		}
	}
}

// Five accounts of one network that live for one artist, and two that pay with the address that the artist is paid at.
func TestMonthIsJudged(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		policy := strict(october)
		policy.ReportOnly = []string{"R8"}
		h := openHome(t, fresh(), policy)
		same := func(p map[string]any) { p["network"] = "one network" }
		var names []string
		for i := range 6 {
			name := fmt.Sprint("bot", i)
			// The last one has not paid, and is of no account to anything.
			h.hear(october.Day(3).Add(8*time.Hour), name, "farm", 6, 200, same)
			h.hear(october.Day(4).Add(8*time.Hour), name, fmt.Sprint("star", i), 4, 200)
			// What is sold is not paid for by the pool, and hides nothing.
			h.hear(october.Day(5).Add(8*time.Hour), name, fmt.Sprint("star", i), 20, 200, func(p map[string]any) { p["track"] = "sold" })
			names = append(names, name)
		}
		h.pay(october, names[:5]...)
		h.pay(october, "duo1", "duo2", "lin")
		for _, name := range []string{"duo1", "duo2"} {
			h.hear(october.Day(3).Add(8*time.Hour), name, "duo", 19, 200, func(p map[string]any) { p["track"] = who("duo") + "/1" })
		}
		h.hear(october.Day(3).Add(8*time.Hour), "lin", "star0", 50, 200)
		h.hear(october.Day(3).Add(8*time.Hour), "lin", "duo", 1, 200)
		h.facts.Paid[who("duo1")], h.facts.Paid[who("lin")] = "0xaa", "0xbb"
		h.facts.Payout = map[string]string{who("duo"): "0xaa", who("star0"): "0xcc"}
		st := h.report(october)
		if st.Held != 5*royalty.Pool || h.total(st, who("duo")) == "0.000000" || h.total(st, who("farm")) != "0.000000" {
			t.Errorf("held %s: %+v", st.Held, st)
		}
		got := map[string]int{}
		for _, d := range h.decisions(october) {
			got[fmt.Sprint(d.Rule, " ", d.State, " ", d.Artist)]++
		}
		want := map[string]int{"R7 held " + who("farm"): 5, "R8 noted " + who("duo"): 2, "R8 noted " + who("friend"): 2}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
		if fmt.Sprint(h.asked) != fmt.Sprint([]string{who("duo1"), who("duo2"), who("lin")}) {
			t.Errorf("asked for %v", h.asked)
		}
		for i := range 5 {
			h.must(h.reports.Decide(t.Context(), october, h.pseudonym(october, names[i]), who("farm"), report.Removed, "admin"))
		}
		if st := h.settle(october); st.Held != 0 || h.total(st, who("farm")) != "0.000000" || h.total(st, who("star1")) != "9.000000" {
			t.Errorf("finally %+v", st)
		}
	})
}
