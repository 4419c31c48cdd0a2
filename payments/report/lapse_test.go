package report_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// says lets an artist say where to be paid.
func (w *world) says(name string) {
	w.t.Helper()
	w.must(w.db.Tx(w.t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return w.service.SetAddress(ctx, tx, artist(name), string(usdp), "0x01", []byte(name))
	}))
}

// list lists a month's payouts, and gives them as text by the artist's name.
func (w *world) list(month royalty.Month) map[string]string {
	w.t.Helper()
	w.must(w.service.ListPayouts(w.t.Context(), month))
	lines, err := w.service.Payouts(w.t.Context(), month)
	w.must(err)
	out := map[string]string{}
	for _, l := range lines {
		_, name, _ := strings.Cut(l.Artist, "/users/")
		out[name] = fmt.Sprintf("%s %s %s", l.State, l.Micro, l.Remark)
	}
	return out
}

// silence reports months in which nobody was in the pool, up to and without one.
func (w *world) silence(from, until royalty.Month) {
	w.t.Helper()
	for month := from; month < until; month = month.Next() {
		w.report(month)
		w.settle(month)
	}
}

// What nobody has claimed for two years goes to all artists of the next month. Who says where to be paid one evening before is
// paid; so is nobody's little money taken who has said it, nor that of an instance that is blocked here.
func TestLapse(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		worked(w)
		w.pay(october, "l4")
		w.hears("2026-10-09", "l4", "c", 999) // and e a little
		w.hears("2026-10-09", "l4", "e", 1)
		w.hears("2026-10-09", "l4", "f", 80)
		w.days(october)
		w.report(october)
		w.settle(october)
		w.says("e")
		w.blocked[artist("f")] = true
		w.clock.Set(october.Next().Day(25))
		got := w.list(october)
		for name, want := range map[string]string{
			"a": "unclaimed 4.500000 no address was given before the 23rd; the oldest of it is kept until 2028-11-25",
			"e": "small 0.008333 less than 1.000000 is not sent; it adds up", "f": "small 0.666667", "d": "unclaimed 3.000000",
		} {
			if !strings.HasPrefix(got[name], want) {
				t.Errorf("%s: %q, want %q", name, got[name], want)
			}
		}
		w.must(w.service.LapseUnclaimed(t.Context(), october))

		last := royalty.Month("2028-10")
		w.silence(october.Next(), last)
		w.report(last)
		w.settle(last)
		w.clock.Set(last.Next().Day(25).Add(-time.Minute))
		w.says("d")
		w.must(w.service.LapseUnclaimed(t.Context(), last))
		if lost, err := w.service.Lapsed(t.Context(), last); err != nil || len(lost) != 0 {
			t.Fatalf("lapsed a minute too early: %+v, %v", lost, err)
		}
		w.clock.Set(last.Next().Day(25))
		w.must(w.service.ListPayouts(t.Context(), last))
		for range 2 { // as when it was killed before it was written down
			w.must(w.service.LapseUnclaimed(t.Context(), last))
		}
		lost, err := w.service.Lapsed(t.Context(), last)
		w.must(err)
		sum, names := royalty.Micro(0), map[string]string{}
		for _, l := range lost {
			sum += l.Micro
			names[l.Artist] = l.Micro.String()
		}
		if len(lost) != 3 || names[artist("a")] != "4.500000" || names[artist("b")] != "8.700000" || names[artist("c")] != "19.125000" {
			t.Errorf("lapsed: %v", names)
		}
		// Those are off the list; d is on it, but its address came after the 23rd.
		if got = w.list(last); len(got) != 3 || !strings.HasPrefix(got["d"], "unclaimed 3.000000") {
			t.Errorf("the list after it: %v", got)
		}

		// November's artists get it by weight, d what is owed.
		november := last.Next()
		w.pay(november, "l9")
		w.hears("2028-11-30", "l9", "b", 2)
		w.hears("2028-11-30", "l9", "g", 1)
		for day := november.Start(); day.Before(november.Next().Start()); day = day.AddDate(0, 0, 1) {
			if morning := day.AddDate(0, 0, 1).Add(2 * time.Hour); morning.After(w.clock.Now()) {
				w.clock.Set(morning)
			}
			w.must(w.service.ReportDay(t.Context(), day))
		}
		st := w.report(november)
		if w.sums(st); st.CarryIn != sum || w.total(st, "b") != "27.550000" || w.total(st, "g") != "13.775000" {
			t.Errorf("carried in %s of %s, b %s, g %s", st.CarryIn, sum, w.total(st, "b"), w.total(st, "g"))
		}
		w.sums(w.settle(november))
		w.clock.Set(november.Next().Day(25))
		if got = w.list(november); !strings.HasPrefix(got["d"], "ready 3.000000") || !strings.HasPrefix(got["e"], "small 0.008333") || !strings.HasPrefix(got["b"], "unclaimed 27.550000") {
			t.Errorf("a month later: %v", got)
		}
		w.must(w.service.Sent(t.Context(), november, []report.Transfer{{Artist: artist("d"), Provider: "manual", Ref: "bank-1"}}))
		w.must(w.service.LapseUnclaimed(t.Context(), november))
		if lost, err := w.service.Lapsed(t.Context(), november); err != nil || len(lost) != 0 {
			t.Errorf("lapsed a month later: %+v, %v", lost, err)
		}
		_, err = w.book.Ledger.VerifyAll(t.Context(), w.db.Read)
		w.must(err)
	})
}

// A month that nobody reported leaves what it was to carry to the next one, under the names that it had.
func TestCarryOverAGap(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		w.pay(october, "silent")
		w.report(october)
		w.settle(october)
		december := royalty.Month("2026-12")
		w.clock.Set(december.Start())
		w.members = nil
		w.pay(december, "silent")
		w.hears("2026-12-01", "silent", "a", 1)
		w.clock.Set(december.Day(2).Add(2 * time.Hour))
		w.must(w.service.ReportDay(t.Context(), december.Start()))
		st := w.report(december)
		if w.sums(st); w.total(st, "a") != "18.000000" {
			t.Errorf("a gets %s", w.total(st, "a"))
		}
	})
}

// Money that is carried by name can never be more than the ledger carries: such a month is not reported.
func TestCarriedByName(t *testing.T) {
	t.Parallel()
	w := setup(t, t.TempDir()+"/a.db")
	w.pay(october, "silent")
	w.report(october)
	w.settle(october)
	w.must(w.db.Write.Exec("UPDATE report_carries SET micro = micro + 1").Error)
	w.clock.Set(october.Next().Next().Day(4))
	if err := w.service.ReportMonth(t.Context(), october.Next()); !errors.Is(err, report.ErrNotYet) {
		t.Errorf("a micro out of nowhere: %v", err)
	}
	if _, _, err := contract.Reported(t.Context(), w.book, october.Next(), node); !errors.Is(err, contract.ErrUnknown) {
		t.Errorf("reported: %v", err)
	}
}

func TestOldestOwed(t *testing.T) {
	t.Parallel()
	earned := []report.Earned{{Month: "2027-01", Micro: 5}, {Month: "2026-12", Micro: 7}, {Month: "2026-10", Micro: 2}}
	for owed, want := range map[royalty.Micro]royalty.Month{-1: "", 0: "", 1: "2027-01", 5: "2027-01", 6: "2026-12", 12: "2026-12", 13: "2026-10", 99: "2026-10"} {
		if got := report.OldestOwed(owed, earned); got != want {
			t.Errorf("of %d: %q, want %q", owed, got, want)
		}
	}
}
