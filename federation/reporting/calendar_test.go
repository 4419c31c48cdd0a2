package reporting_test

import (
	"testing"
	"time"

	"antiphon/federation/fedtest"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// early is when the calendars of a town look at a day: two hours after midnight.
const early = 2 * time.Hour

// morning goes to the early morning of a day: what players have reported is written, memberships and calendars are looked at
// by the clock, and the jobs that are due report the day before.
func morning(t testing.TB, nodes []*node, day time.Time) {
	t.Helper()
	each(t, nodes, "no question is on its way", func(n *node) bool {
		return n.Count(t, "river_job", "kind LIKE 'fetch_statement%' AND state IN ('available', 'running', 'retryable')") == 0
	})
	nodes[0].agenda.until(day.Add(early))
	for _, n := range nodes {
		n.must(n.listens.Write(t.Context()))
		n.must(n.pool.Round(t.Context()))
		n.must(n.disputes.Work(t.Context()))
		n.must(n.reports.Tick(t.Context()))
	}
	yesterday := day.AddDate(0, 0, -1).Format(time.DateOnly)
	each(t, nodes, yesterday+" is reported", func(n *node) bool {
		_, err := contract.DayAt(t.Context(), n.book, n.Host, yesterday)
		return err == nil
	})
}

// each waits until done holds of every node.
func each(t testing.TB, nodes []*node, what string, done func(n *node) bool) {
	t.Helper()
	for _, n := range nodes {
		fedtest.Until(t, n.name+": "+what, retried(nodes, func() bool { return done(n) }), n.Instance)
	}
}

// days lives the mornings from one day to another one, that one included; the nodes hear of each other week by week.
func days(t testing.TB, nodes []*node, month royalty.Month, from, to int) {
	t.Helper()
	for day := from; day <= to; day++ {
		morning(t, nodes, month.Day(day))
		if day%7 == 0 {
			exchange(t, nodes)
		}
	}
}

// exchange lets every node send what is new, and waits until all others have it.
func exchange(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		n.must(n.reporting.Round(t.Context()))
	}
	var all []*fedtest.Instance
	for _, n := range nodes {
		all = append(all, n.Instance)
	}
	fedtest.Until(t, "all records are everywhere", retried(nodes, func() bool {
		for _, from := range nodes {
			var last int64
			from.must(from.DB.Read.Table("report_feed").Where("name = 'sent'").Select("COALESCE(MAX(n), 0)").Scan(&last).Error)
			for _, to := range nodes {
				if to != from && last > 0 && to.Count(t, "records_heard", "node = ? AND n = ? AND state <> 'waiting'", from.Host, last) == 0 {
					return false
				}
			}
		}
		return true
	}), all...)
}

// retryAfter is when what was not delivered is tried again: on a busy machine a request may time out, and the clock by which
// it would be tried again stands still.
const retryAfter = 3 * time.Second

// lookAfter is the pause between two looks: each asks several databases, which have other work to do.
const lookAfter = 25 * time.Millisecond

// retried is done, which now and then has everything delivered that waits.
func retried(nodes []*node, done func() bool) func() bool {
	last := time.Now()
	var looked time.Time
	return func() bool {
		if time.Since(looked) < lookAfter {
			return false
		}
		defer func() { looked = time.Now() }()
		if time.Since(last) > retryAfter {
			last = time.Now()
			for _, from := range nodes {
				for _, to := range nodes {
					from.must(from.Outbox.RetryNow(from.t.Context(), to.Host))
				}
			}
		}
		return done()
	}
}
