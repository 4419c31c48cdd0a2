package report_test

import (
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// What a final statement withholds because of disputes is given out when they are decided: to the artist, or to the others
// that the same listeners have heard, and to the fund where there is nobody else.
func TestReleased(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		for _, host := range []string{"b.example", "c.example", "d.example"} {
			w.must(w.book.Submit(t.Context(), contract.Node{Host: host, Caller: node + "/ledger", Owner: contract.Digest("owner", host)}))
		}
		worked(w)
		w.pay(october, "l5")
		w.hears("2026-10-09", "l5", "y", 1)
		w.days(october)
		w.report(october)
		st, _, err := contract.Reported(t.Context(), w.book, october, node)
		w.must(err)
		hash := func(name string) string { return contract.Digest("payee", artist(name)) }
		w.clock.Set(october.Next().Day(6))
		ids := map[string]string{}
		for _, name := range []string{"a", "b", "y"} {
			w.must(w.book.Submit(t.Context(), contract.OpenDispute{
				Node: node, Month: october, Artist: hash(name), Reason: "plays", Opener: contract.Digest("opener", name), OpenerNode: "d.example",
				Root: contract.Digest("root", name), RootAt: w.clock.Now(),
			}))
			ids[name] = contract.DisputeID(october, node, hash(name))
			w.must(w.book.Submit(t.Context(), contract.Evidence{Dispute: ids[name], Roots: []string{contract.Digest("evidence", name)}}))
		}
		w.clock.Set(october.Next().Day(24))
		for _, id := range ids {
			w.must(w.book.Submit(t.Context(), contract.CloseDispute{Dispute: id, Node: node}))
		}
		st = w.settle(october)
		if w.sums(st); st.Held != 4_500_000+8_700_000+9_000_000 || w.owed("c") != "10.800000" {
			t.Fatalf("withheld %s, c is owed %s", st.Held, w.owed("c"))
		}
		rulings := func() (n int) {
			t.Helper()
			due, err := w.service.Due(t.Context())
			w.must(err)
			for _, j := range due {
				if r, ok := j.(report.RulingDue); ok {
					n++
					for range 2 {
						w.must(w.service.CorrectDispute(t.Context(), r.Dispute))
					}
				}
			}
			return n
		}
		if n := rulings(); n != 0 {
			t.Errorf("%d rulings before anything is decided", n)
		}
		// The eyes keep b's slice; about the others nobody says anything for two months.
		d, err := contract.DisputeAt(t.Context(), w.book, ids["b"])
		w.must(err)
		w.clock.Set(october.Next().Day(26))
		for _, eye := range d.Eyes {
			w.must(w.book.Submit(t.Context(), contract.Vote{Dispute: d.ID, Node: eye, Verdict: contract.Keep, Root: st.SplitsRoot}))
		}
		w.clock.Set(october.Next().Next().Day(2))
		w.must(w.book.Submit(t.Context(), contract.CloseDispute{Dispute: ids["b"], Node: node}))
		if n := rulings(); n != 1 || w.owed("b") != "8.700000" || w.carried() != 0 {
			t.Errorf("%d rulings; b is owed %s, carried %s", n, w.owed("b"), w.carried())
		}
		if got := w.list(october)["b"]; got != "unclaimed 8.700000 no address was given before the 23rd" {
			t.Errorf("on the list: %q", got)
		}
		w.silence(october.Next(), "2026-12")
		w.clock.Set(time.Date(2027, 1, 25, 0, 0, 0, 0, time.UTC))
		for _, name := range []string{"a", "y"} {
			w.must(w.book.Submit(t.Context(), contract.CloseDispute{Dispute: ids[name], Node: node}))
		}
		// Without a, l1's nine dollars are b's 30 and c's 20 plays: 5.4 and 3.6 where they were 2.7 and 1.8. l5 has heard nobody else.
		if n := rulings(); n != 2 || w.owed("b") != "11.400000" || w.owed("c") != "12.600000" || w.owed("a") != "0.000000" || w.carried() != royalty.Pool {
			t.Errorf("%d rulings; b is owed %s, c %s, a %s; carried %s", n, w.owed("b"), w.owed("c"), w.owed("a"), w.carried())
		}
		said, err := w.service.Corrections(t.Context(), "2027-01")
		w.must(err)
		var sum royalty.Micro
		for _, c := range said {
			sum += c.Micro
		}
		if sum != 13_500_000 || said[0].About != contract.AboutDispute {
			t.Errorf("given out in January: %s, %+v", sum, said)
		}
		_, err = w.book.Ledger.VerifyAll(t.Context(), w.db.Read)
		w.must(err)
	})
}
