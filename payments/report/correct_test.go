package report_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// back charges a listener's payment for a month back.
func (w *world) back(month royalty.Month, name string) string {
	w.t.Helper()
	p := pseudonym(month, listener(name))
	w.must(w.book.Submit(w.t.Context(), contract.Chargeback{Node: node, Month: month, Pseudonym: p, PaymentHash: contract.Digest("test", p)}))
	return p
}

// corrections makes what is due, and tells of it.
func (w *world) corrections() int {
	w.t.Helper()
	due, err := w.service.Due(w.t.Context())
	w.must(err)
	n := 0
	for _, j := range due {
		if c, ok := j.(report.CorrectionDue); ok {
			n++
			for range 2 {
				w.must(w.service.CorrectChargeback(w.t.Context(), c.Month, c.Pseudonym))
			}
		}
	}
	return n
}

func (w *world) owed(name string) string {
	w.t.Helper()
	owed, err := w.service.Owed(w.t.Context(), artist(name))
	w.must(err)
	return owed.String()
}

func (w *world) carried() royalty.Micro {
	w.t.Helper()
	carry, err := contract.CarriedInto(w.t.Context(), w.book, node)
	w.must(err)
	return carry
}

// Payments that are charged back after their month was reported are mended in a later one, where the money went.
func TestCorrection(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		november := october.Next()
		worked(w)
		w.pay(october, "silent", "later", "fades")
		for _, name := range []string{"b", "c"} {
			w.says(name)
		}
		w.days(october)
		w.report(october)
		// Before the month is final: the statement is as it was reported, and what is carried has a name.
		w.back(october, "l1")
		w.back(october, "silent")
		w.sums(w.settle(october))
		w.clock.Set(november.Day(25))
		w.must(w.service.ListPayouts(t.Context(), october))
		w.must(w.service.Sent(t.Context(), october, []report.Transfer{{Artist: artist("c"), Provider: "manual", Ref: "bank-1"}}))
		if n := w.corrections(); n != 2 {
			t.Fatalf("%d corrections are due", n)
		}
		if n := w.corrections(); n != 0 {
			t.Errorf("%d corrections are due again", n)
		}
		// l1's nine dollars come from a, b and c, who is paid already; nothing was heard by silent.
		if got := w.owed("a") + " " + w.owed("b") + " " + w.owed("c") + " " + w.owed("d"); got != "0.000000 6.000000 -1.800000 3.000000" {
			t.Errorf("owed %s", got)
		}
		if w.carried() != 2*royalty.Pool {
			t.Errorf("carried %s", w.carried())
		}
		// What was listed and not sent is less now; nobody is asked for anything back.
		lines, err := w.service.Payouts(t.Context(), october)
		w.must(err)
		var list []string
		for _, l := range lines {
			list = append(list, fmt.Sprintf("%s %s %s", strings.TrimPrefix(l.Artist, artist("")), l.State, l.Micro))
		}
		if got := strings.Join(list, ", "); got != "b ready 6.000000, c sent 10.800000, d unclaimed 3.000000" {
			t.Errorf("the list: %s", got)
		}
		said, err := w.service.Corrections(t.Context(), november)
		w.must(err)
		sums := map[string]royalty.Micro{}
		for _, c := range said {
			if c.Of != october || c.In != november || c.About != contract.AboutChargeback {
				t.Errorf("%+v", c)
			}
			sums[strings.TrimPrefix(c.Artist, artist(""))] += c.Micro
		}
		if sums["a"] != -4_500_000 || sums["b"] != -2_700_000 || sums["c"] != -1_800_000 || sums[""] != -11_000_000 || len(sums) != 4 {
			t.Errorf("said: %v", sums)
		}
		if same, err := w.service.Corrections(t.Context(), october); err != nil || len(same) != len(said) {
			t.Errorf("of the month that is mended: %d of %d, %v", len(same), len(said), err)
		}

		// November: later's eighteen dollars go to c, who earns what was taken back first; fades hears nothing again.
		w.members = nil
		w.pay(november, "later", "fades")
		w.hears("2026-11-30", "later", "c", 1)
		for day := november.Start(); day.Before(november.Next().Start()); day = day.AddDate(0, 0, 1) {
			if morning := day.AddDate(0, 0, 1).Add(2 * time.Hour); morning.After(w.clock.Now()) {
				w.clock.Set(morning)
			}
			w.must(w.service.ReportDay(t.Context(), day))
		}
		st := w.report(november)
		if w.sums(st); st.CarryIn != 2*royalty.Pool || st.CarryOut != 2*royalty.Pool {
			t.Errorf("%+v", st)
		}
		w.members = []string{listener("l1"), listener("l2"), listener("l3"), listener("silent"), listener("later"), listener("fades")}
		back := w.back(october, "later")
		w.back(october, "fades")
		if err := w.service.CorrectChargeback(t.Context(), october, back); err == nil || !strings.Contains(err.Error(), "not yet") {
			t.Errorf("while November is reported and not final: %v", err)
		}
		w.sums(w.settle(november))
		if n := w.corrections(); n != 2 {
			t.Errorf("%d corrections", n)
		}
		if got := w.owed("c"); got != "7.200000" || w.carried() != royalty.Pool {
			t.Errorf("c is owed %s, carried %s", got, w.carried())
		}
		named := func() (micro royalty.Micro) {
			w.must(w.db.Read.Raw("SELECT micro FROM report_carries WHERE month = '2026-12' AND listener = ?", listener("fades")).Scan(&micro).Error)
			return micro
		}
		if named() != royalty.Pool {
			t.Errorf("by the name of fades %s are carried", named())
		}
		// Killed before the listener's own row was changed: it is changed by the next try, and then never again.
		w.must(w.db.Write.Exec("DELETE FROM report_feed WHERE name LIKE 'back/2026-10/%'").Error)
		w.must(w.db.Write.Exec("UPDATE report_carries SET micro = micro + 9000000 WHERE month = '2026-12'").Error)
		for range 2 {
			w.must(w.service.CorrectChargeback(t.Context(), october, pseudonym(october, listener("fades"))))
		}
		if named() != royalty.Pool {
			t.Errorf("by the name of fades %s are carried after all", named())
		}
		december := november.Next()
		w.members = nil
		w.clock.Set(december.Start())
		for month := december; month < "2027-03"; month = month.Next() {
			st = w.report(month)
			w.sums(st)
			w.sums(w.settle(month))
		}
		// By now the last nine dollars of fades are the fund's; there was no artist, and they wait for one. Its payment is
		// charged back: the operator's loss, as nobody has got it under that name.
		if st.CarryIn != royalty.Pool || st.CarryOut != royalty.Pool {
			t.Errorf("in February %s were carried in and %s out", st.CarryIn, st.CarryOut)
		}
		w.members = []string{listener("fades"), listener("later")}
		w.back(november, "fades")
		if n := w.corrections(); n != 1 {
			t.Errorf("%d corrections", n)
		}
		said, err = w.service.Corrections(t.Context(), "2027-03")
		if w.must(err); len(said) != 1 || said[0].Artist != "" || said[0].Micro != -royalty.Fee || said[0].Of != november {
			t.Errorf("%+v", said)
		}
		_, err = w.book.Ledger.VerifyAll(t.Context(), w.db.Read)
		w.must(err)
	})
}
