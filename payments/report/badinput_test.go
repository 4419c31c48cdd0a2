package report_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// wrong is something that is refused, with words for the admin's page.
type wrong struct {
	name string
	do   func(w *world) error
	want error
	says string
}

// refused tries each in a world of its own.
func refused(all ...wrong) func(t *testing.T) {
	return func(t *testing.T) {
		for _, c := range all {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				w := setup(t, filepath.Join(t.TempDir(), "a.db"))
				err := c.do(w)
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, want %v", err, c.want)
				}
				if says := report.Explain(err); !strings.Contains(says, c.says) {
					t.Errorf("it says %q", says)
				}
			})
		}
	}
}

// taken is what is well-formed.
func taken(do func(w *world) error) func(t *testing.T) {
	return func(t *testing.T) {
		w := setup(t, filepath.Join(t.TempDir(), "a.db"))
		w.must(do(w))
	}
}

// day reports the first of October, with a change.
func (w *world) day(change func(*contract.DayReport)) error {
	w.clock.Set(october.Day(2).Add(time.Hour))
	r := contract.DayReport{Node: node, Day: "2026-10-01", Root: contract.Root(royalty.Tree{}), Policy: 1}
	change(&r)
	return w.book.Submit(w.t.Context(), r)
}

func plain(*contract.DayReport) {}

// until reports the days of October up to one.
func (w *world) until(last int) error {
	for n := 1; n <= last; n++ {
		w.clock.Set(october.Day(n + 1).Add(2 * time.Hour))
		if err := w.service.ReportDay(w.t.Context(), october.Day(n)); err != nil {
			return err
		}
	}
	return nil
}

// Bad input of a month: what is refused, and what the admin's page says of it.
func TestBadInput(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "G1", refused(
		wrong{"lines under the root of nothing", func(w *world) error {
			return w.day(func(r *contract.DayReport) { r.Lines, r.Plays = 1, 1 })
		}, contract.ErrSum, "sums do not come out"},
	), taken(func(w *world) error { return w.day(plain) }))

	testkit.BadInput(t, "G2", refused(
		wrong{"the fourth before the second", func(w *world) error {
			w.must(w.day(plain))
			w.clock.Set(october.Day(5).Add(2 * time.Hour))
			return w.service.ReportDay(w.t.Context(), october.Day(4))
		}, contract.ErrChain, "reported first"},
		wrong{"the month before its fourth", func(w *world) error {
			worked(w)
			w.days(october)
			return w.service.ReportMonth(w.t.Context(), october)
		}, contract.ErrEarly, "too early"},
	), taken(func(w *world) error {
		worked(w)
		w.days(october)
		w.sums(w.report(october))
		return nil
	}))

	testkit.BadInput(t, "G3", refused(
		wrong{"a listener's track twice", func(w *world) error {
			w.hears("2026-10-03", "l1", "a", 1)
			w.hears("2026-10-03", "l1", "a", 2)
			return w.until(3)
		}, report.ErrTwice, "named twice"},
	), taken(func(w *world) error {
		w.hears("2026-10-03", "l1", "a", 1)
		w.hears("2026-10-03", "l1", "b", 2)
		return w.until(3)
	}))

	testkit.BadInput(t, "G5", refused(
		wrong{"yesterday rewritten", func(w *world) error {
			w.must(w.day(plain))
			return w.day(func(r *contract.DayReport) { r.Root, r.Lines, r.Plays = contract.Digest("test", "x"), 1, 1 })
		}, contract.ErrDuplicate, "What stands on the ledger counts"},
		wrong{"another past", func(w *world) error {
			w.must(w.day(plain))
			w.clock.Set(october.Day(3).Add(time.Hour))
			return w.book.Submit(w.t.Context(), contract.DayReport{Node: node, Day: "2026-10-02", Root: contract.Root(royalty.Tree{}), Policy: 1, PrevDayRoot: contract.Digest("test", "x")})
		}, contract.ErrChain, "does not follow"},
	), taken(func(w *world) error { return w.until(3) }))

	testkit.BadInput(t, "G7", refused(
		wrong{"paid twice", func(w *world) error {
			w.pay(october, "l1")
			b := contract.Subscriptions{Node: node, Lines: []contract.Subscription{w.subscription(october, "l1")}}
			return w.book.Submit(w.t.Context(), b)
		}, contract.ErrDuplicate, "recorded before"},
		wrong{"charged back twice", func(w *world) error {
			w.pay(october, "l1")
			w.must(w.chargeBack("l1"))
			return w.chargeBack("l1")
		}, contract.ErrDuplicate, "recorded before"},
	), taken(func(w *world) error {
		w.pay(october, "l1", "l2")
		return w.chargeBack("l1")
	}))

	testkit.BadInput(t, "G8", func(t *testing.T) {
		// Five decimals cannot hold a millionth of a dollar.
		if _, err := report.New(report.Config{Node: node, Asset: usdp, Decimals: 5}, report.Parts{}); err == nil || !strings.Contains(err.Error(), "5 decimals") {
			t.Errorf("a token of 5 decimals: %v", err)
		}
		if _, err := report.New(report.Config{Node: node, Asset: "dollars", Decimals: 6}, report.Parts{}); err == nil {
			t.Error("an asset without a chain is one")
		}
	}, func(t *testing.T) {
		for _, decimals := range []int{6, 18} {
			if _, err := report.New(report.Config{Node: node, Asset: usdp, Decimals: decimals}, report.Parts{}); err != nil {
				t.Error(err)
			}
		}
	})

	testkit.BadInput(t, "G10", func(t *testing.T) { payable(t, true, "blocked") }, func(t *testing.T) { payable(t, false, "ready") })

	testkit.BadInput(t, "G11", refused(
		wrong{"more plays than there can be", func(w *world) error {
			w.hears("2026-10-03", "l1", "a", 1_000_000_000_000)
			w.hears("2026-10-03", "l2", "a", 1_000_000_000_000)
			return w.until(3)
		}, contract.ErrOverflow, "larger than one ledger counts"},
	), taken(func(w *world) error {
		w.hears("2026-10-03", "l1", "a", 1_000_000_000)
		w.hears("2026-10-03", "l2", "a", 1_000_000_000)
		return w.until(3)
	}))

	testkit.BadInput(t, "G12", refused(
		wrong{"a line altered after its day", func(w *world) error {
			worked(w)
			w.days(october)
			w.must(w.db.Write.Exec("UPDATE report_lines SET line = ? WHERE day = '2026-10-03'", []byte(pseudonym(october, listener("l1"))+"|"+artist("a")+"|"+artist("a")+"/1|9000000|10")).Error)
			w.clock.Set(october.Next().Day(4))
			return w.service.ReportMonth(w.t.Context(), october)
		}, report.ErrAltered, "Restore them from a backup"},
	), taken(func(w *world) error {
		worked(w)
		w.days(october)
		w.clock.Set(october.Next().Day(4))
		return w.service.ReportMonth(w.t.Context(), october)
	}))

	testkit.BadInput(t, "G13", refused(
		wrong{"an artist whose name no line can hold", func(w *world) error {
			w.hears("2026-10-03", "l1", "a|b", 1)
			return w.until(3)
		}, royalty.ErrInvalid, "not those of a month's listening"},
		wrong{"a track of more than all", func(w *world) error {
			w.trio(6000, 6000)
			return w.until(3)
		}, royalty.ErrInvalid, "not those of a month's listening"},
	), taken(func(w *world) error {
		w.trio(6000, 4000)
		return w.until(3)
	}))

	testkit.BadInput(t, "G14", refused(
		wrong{"an artist who is not on the list is paid", func(w *world) error {
			worked(w)
			w.days(october)
			w.report(october)
			w.settle(october)
			return w.service.Sent(w.t.Context(), october, []report.Transfer{{Artist: artist("nobody"), Provider: "manual", Ref: "1"}})
		}, report.ErrUnknown, "no such report"},
	), func(t *testing.T) { payable(t, false, "ready") })
}

// trio has somebody hear a track of two artists with these shares.
func (w *world) trio(a, b int64) {
	w.heard["2026-10-03"] = []report.Heard{{
		Listener: listener("l1"), Track: "https://x.example/1", Plays: 1,
		Artists: []royalty.Share{{Artist: artist("a"), Points: a}, {Artist: artist("b"), Points: b}},
	}}
}

func (w *world) chargeBack(name string) error {
	p := pseudonym(october, listener(name))
	return w.book.Submit(w.t.Context(), contract.Chargeback{Node: node, Month: october, Pseudonym: p, PaymentHash: contract.Digest("test", p)})
}

// payable sees what becomes of the money of an artist with an address, whose instance is blocked or is not. Ready money can
// be sent.
func payable(t *testing.T, blocked bool, want string) {
	t.Helper()
	w := setup(t, filepath.Join(t.TempDir(), "a.db"))
	worked(w)
	w.days(october)
	w.report(october)
	w.blocked[artist("b")] = blocked
	w.must(w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return w.service.SetAddress(ctx, tx, artist("b"), string(usdp), "0x01", []byte("signed"))
	}))
	w.settle(october)
	w.clock.Set(october.Next().Day(25))
	w.must(w.service.ListPayouts(t.Context(), october))
	lines, err := w.service.Payouts(t.Context(), october)
	w.must(err)
	at := slices.IndexFunc(lines, func(l report.PayoutLine) bool { return l.Artist == artist("b") })
	if at < 0 || string(lines[at].State) != want || lines[at].Micro != 8_700_000 {
		t.Fatalf("%+v", lines)
	}
	err = w.service.Sent(t.Context(), october, []report.Transfer{{Artist: artist("b"), Provider: "manual", Ref: "1"}})
	if (err != nil) != blocked {
		t.Errorf("sent: %v", err)
	}
	if owed, err := w.service.Owed(t.Context(), artist("b")); err != nil || (owed == 0) == blocked {
		t.Errorf("%s is still owed, %v", owed, err)
	}
}

// What is unusual and no mistake: a listener who is charged back, one who hears nothing, artists who have moved, are
// blocked, or are owed little; and what was held.
func TestUnusualMonth(t *testing.T) {
	t.Parallel()
	w := setup(t, filepath.Join(t.TempDir(), "a.db"))
	november := october.Next()
	worked(w)
	w.pay(october, "silent", "gone", "suspect")
	w.must(w.book.Submit(t.Context(), contract.Chargeback{
		Node: node, Month: october, Pseudonym: pseudonym(october, listener("gone")), PaymentHash: contract.Digest("test", pseudonym(october, listener("gone"))),
	}))
	w.hears("2026-10-02", "gone", "a", 7)
	w.hears("2026-10-02", "suspect", "a", 3)
	w.suspects = []report.Suspicion{
		{Listener: listener("suspect"), Artist: artist("a"), Rule: "R6", Evidence: "e"},
		{Listener: listener("l1"), Artist: artist("a"), Rule: "R4", Evidence: "only tells"},
	}
	// A track of three, and the last second of the month: a play belongs to the month in which it started.
	w.heard["2026-10-31"] = append(w.heard["2026-10-31"], report.Heard{
		Listener: listener("suspect"), Track: "https://x.example/trio", Plays: 1, Seconds: 100,
		Artists: []royalty.Share{{Artist: artist("b"), Points: 3334}, {Artist: artist("c"), Points: 3333}, {Artist: artist("e"), Points: 3333}},
	})
	w.hears("2026-11-01", "suspect", "d", 100)
	w.days(october)
	st := w.report(october)
	w.sums(st)
	if st.Payments != 5 || st.Held != royalty.Pool || st.CarryOut != royalty.Pool {
		t.Fatalf("%+v", st)
	}
	notes, err := w.service.Decisions(t.Context(), october, report.Noted)
	if w.must(err); len(notes) != 1 || notes[0].Rule != "R4" {
		t.Errorf("a rule that only tells: %+v", notes)
	}
	suspect := pseudonym(october, listener("suspect"))
	w.must(w.service.Appeal(t.Context(), october, suspect, artist("a"), "I was ill in bed."))
	w.must(w.service.Decide(t.Context(), october, suspect, artist("a"), report.Removed, "admin"))
	st = w.settle(october)
	w.sums(st)
	// The money of the suspect goes to the others that were heard: 3334, 3333 and 3333 of 10,000.
	if got := w.total(st, "b") + " " + w.total(st, "c") + " " + w.total(st, "e") + " " + w.total(st, "a"); got != "11.700600 13.799700 2.999700 4.500000" {
		t.Error(got)
	}
	if err := w.service.Decide(t.Context(), october, suspect, artist("a"), report.Paid, "admin"); !errors.Is(err, contract.ErrLate) {
		t.Errorf("decided after the final statement: %v", err)
	}

	share, err := w.service.ShareOf(t.Context(), october, listener("l1"))
	if w.must(err); len(share.Portions) != 3 || share.Portions[0].Micro != 4_500_000 || share.Stage != report.Final {
		t.Errorf("%+v", share)
	}
	if share, err = w.service.ShareOf(t.Context(), october, listener("silent")); err != nil || share.Carried != royalty.Pool {
		t.Errorf("%+v, %v", share, err)
	}
	if _, err = w.service.ShareOf(t.Context(), october, listener("gone")); !errors.Is(err, report.ErrUnknown) {
		t.Errorf("charged back: %v", err)
	}

	// November: who was silent has 18 dollars for one artist; a has moved, d is blocked, e has little.
	w.members = nil
	w.pay(november, "silent")
	w.hears("2026-11-09", "silent", "d", 1)
	w.heard["2026-11-01"] = nil
	w.days(november)
	st = w.report(november)
	if w.sums(st); st.CarryIn != royalty.Pool || w.total(st, "d") != "18.000000" {
		t.Errorf("%+v", st)
	}
	w.settle(november)
	w.moved[artist("a")], w.blocked[artist("d")] = "https://new.example/users/a", true
	w.must(w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		w.clock.Set(november.Next().Day(22))
		for _, who := range []string{"https://new.example/users/a", artist("d")} {
			if err := w.service.SetAddress(ctx, tx, who, string(usdp), "0x01", []byte(who)); err != nil {
				return err
			}
		}
		return nil
	}))
	w.clock.Set(november.Next().Day(25))
	w.must(w.service.ListPayouts(t.Context(), november))
	lines, err := w.service.Payouts(t.Context(), november)
	w.must(err)
	got := map[string]string{}
	for _, l := range lines {
		got[l.Artist] = string(l.State) + " " + l.Micro.String() + " " + l.Remark
	}
	for who, want := range map[string]string{
		"a": "ready 4.500000 the artist has moved", "b": "unclaimed 11.700600", "d": "blocked 21.000000 the artist's instance is blocked", "e": "unclaimed 2.999700",
	} {
		if !strings.HasPrefix(got[artist(who)], want) {
			t.Errorf("%s: %q, want %q", who, got[artist(who)], want)
		}
	}
	var out strings.Builder
	w.must(report.WriteCSV(&out, lines))
	if !strings.Contains(out.String(), "2026-11,https://new.example/users/a,new.example,0x01,"+string(usdp)+",4500000000000000000,4.500000,ready,the artist has moved") {
		t.Error(out.String())
	}
}

// Everything that is due is done by the clock alone, also after a stop of some days.
func TestCalendar(t *testing.T) {
	t.Parallel()
	w := setup(t, filepath.Join(t.TempDir(), "a.db"))
	due := func(at time.Time) string {
		w.clock.Set(at)
		all, err := w.service.Due(t.Context())
		w.must(err)
		var names []string
		for _, j := range all {
			names = append(names, j.Kind())
		}
		return strings.Join(names, " ")
	}
	if got := due(october.Day(2).Add(30 * time.Minute)); got != "" {
		t.Errorf("half an hour after midnight: %s", got)
	}
	if got := due(october.Day(2).Add(2 * time.Hour)); got != "report_day" {
		t.Errorf("in the morning: %s", got)
	}
	w.days(october)
	for _, c := range []struct {
		day  int
		then func() error
		want string
	}{
		// November's own first days are due first, in their order.
		{4, func() error { return w.service.ReportMonth(t.Context(), october) }, "report_month report_day"},
		{5, nil, "report_day"},
		{24, func() error { return w.service.StateFinal(t.Context(), october) }, "state_final report_day"},
		{25, func() error { return w.service.ListPayouts(t.Context(), october) }, "list_payouts report_day"},
		{26, func() error { return w.service.LapseUnclaimed(t.Context(), october) }, "lapse_unclaimed report_day"},
		{27, nil, "report_day"},
	} {
		if got := due(october.Next().Day(c.day).Add(time.Hour)); got != c.want {
			t.Errorf("on the %d.: %q, want %q", c.day, got, c.want)
		}
		if c.then != nil {
			w.must(c.then())
		}
	}
}
