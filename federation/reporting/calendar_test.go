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
		fedtest.Until(t, n.name+": "+what, func() bool { return done(n) }, n.Instance)
	}
}

// days lives the mornings from one day to another one, that one included, and lets the nodes hear of each other.
func days(t testing.TB, nodes []*node, month royalty.Month, from, to int) {
	t.Helper()
	for day := from; day <= to; day++ {
		morning(t, nodes, month.Day(day))
		exchange(t, nodes)
	}
}

// exchange lets every node send what is new, and waits until all others have it and have asked what they want to know.
func exchange(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		n.must(n.reporting.Round(t.Context()))
	}
	var all []*fedtest.Instance
	for _, n := range nodes {
		all = append(all, n.Instance)
	}
	fedtest.Until(t, "all records are everywhere", func() bool {
		for _, from := range nodes {
			if from.Count(t, "river_job", "kind = 'fetch_statement' AND state <> 'completed'") > 0 {
				return false
			}
			var last int64
			from.must(from.DB.Read.Table("report_feed").Where("name = 'sent'").Select("COALESCE(MAX(n), 0)").Scan(&last).Error)
			for _, to := range nodes {
				if to != from && last > 0 && to.Count(t, "records_heard", "node = ? AND n = ? AND state <> 'waiting'", from.Host, last) == 0 {
					return false
				}
			}
		}
		return true
	}, all...)
}
