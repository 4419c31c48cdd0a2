package reporting_test

import (
	"slices"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
)

// What crosses on its way comes out in the end: who looks on hears the evidence and the votes before it hears of the dispute,
// and the final statement before it has closed the dispute by its own clock.
func TestRecordsThatCross(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(october.Start().Add(time.Hour))
	nodes := town(t, clock, "alpha", "beta", "gamma", "delta", "epsilon")
	alpha, beta := nodes[0], nodes[1]
	b := beta.User(t, "b", actor.Artist).URI
	alpha.pay("l1")
	alpha.hears(1, "l1", b, 5, 0)
	clock.Set(october.Day(2).Add(early))
	alpha.must(alpha.reports.ReportDay(t.Context(), october.Start()))
	exchange(t, nodes)
	clock.Set(october.Next().Day(5))
	alpha.must(alpha.reports.ReportMonth(t.Context(), october))
	exchange(t, nodes)

	vain, err := beta.disputes.Open(t.Context(), alpha.Host, october, b, "plays", b, beta.Host)
	beta.must(err)
	opened, err := contract.DisputeAt(t.Context(), beta.book, vain)
	beta.must(err)
	// One of three is not drawn.
	last := 2 + slices.IndexFunc(nodes[2:], func(n *node) bool { return !slices.Contains(opened.Eyes, n.Host) })
	onlooker, others := nodes[last], slices.Delete(slices.Clone(nodes), last, last+1)
	beta.must(beta.Outbox.Pause(t.Context(), onlooker.Host, true))
	exchange(t, others)
	refused := func(n *node) bool { return n.Count(t, "report_findings", "kind = 'refused'") > 0 }
	ruled := func(n *node) contract.DisputeState {
		d, err := contract.DisputeAt(t.Context(), n.book, vain)
		if err != nil {
			return contract.DisputeState(err.Error())
		}
		return d.State
	}
	alpha.must(alpha.disputes.Work(t.Context())) // it hands in evidence
	exchange(t, others)
	for _, n := range others {
		n.must(n.disputes.Work(t.Context())) // it votes
	}
	// The votes of those who were drawn are everywhere before alpha's own is.
	for _, n := range others[1:] {
		n.must(n.reporting.Round(t.Context()))
	}
	each(t, others, "knows the ruling", func(n *node) bool { return ruled(n) == contract.Ruled })
	exchange(t, others)
	each(t, []*node{onlooker}, "has heard what it cannot understand", func(n *node) bool {
		return n.Count(t, "records_heard", "state = 'refused' AND function IN ('give_evidence', 'vote')") >= 3
	})
	if !refused(onlooker) {
		t.Error("evidence without a dispute is no finding")
	}
	beta.must(beta.Outbox.Pause(t.Context(), onlooker.Host, false))
	each(t, []*node{onlooker}, "knows the ruling", func(n *node) bool { return ruled(n) == contract.Ruled })

	clock.Set(october.Next().Day(24))
	for _, n := range others {
		n.must(n.disputes.Work(t.Context()))
	}
	alpha.must(alpha.reports.StateFinal(t.Context(), october))
	exchange(t, nodes)
	if _, err := contract.Finally(t.Context(), onlooker.book, october, alpha.Host); err == nil || !refused(onlooker) {
		t.Errorf("a final statement over an open dispute: %v", err)
	}
	onlooker.must(onlooker.disputes.Work(t.Context()))
	onlooker.must(onlooker.reporting.Round(t.Context()))
	if st, err := contract.Finally(t.Context(), onlooker.book, october, alpha.Host); err != nil || total(st, b) != "9.000000" {
		t.Errorf("the onlooker has no final statement: %v", err)
	}
	for _, n := range nodes {
		if refused(n) {
			t.Errorf("%s finds that honest records do not come out", n.name)
		}
	}
	checkLedgers(t, nodes)
}
