package reporting_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/evidence"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// TestMonth is October on four instances with a clock that is moved: alpha is the worked month, beta has two bots, gamma
// alters a line after it has reported the day, and delta looks on.
func TestMonth(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(october.Start().Add(time.Hour))
	nodes := town(t, clock, "alpha", "beta", "gamma", "delta")
	alpha, beta, gamma, delta := nodes[0], nodes[1], nodes[2], nodes[3]
	a, b := alpha.User(t, "a", actor.Artist).URI, beta.User(t, "b", actor.Artist).URI
	d, c, z := beta.User(t, "d", actor.Artist).URI, delta.User(t, "c", actor.Artist).URI, gamma.User(t, "z", actor.Artist).URI

	// Listeners pay and listen.
	alpha.pay("l1", "l2", "l3")
	alpha.hears(3, "l1", a, 50, 0)
	alpha.hears(4, "l1", b, 30, 0)
	alpha.hears(4, "l1", c, 20, 0)
	alpha.hears(17, "l2", b, 10, 0)
	alpha.hears(31, "l2", d, 5, 0)
	alpha.hears(1, "l3", c, 1, 0)
	beta.pay("honest", "bot1", "bot2")
	beta.hears(5, "honest", d, 4, 0)
	for _, bot := range []string{"bot1", "bot2"} {
		beta.hears(6, bot, a, 2, 0)
		beta.hears(7, bot, z, 0, 300)
	}
	gamma.pay("l4", "g1", "g2", "g3", "g4")
	gamma.hears(9, "l4", a, 41, 0)
	gamma.hears(10, "l4", b, 17, 0)
	gamma.hears(11, "l4", c, 9, 0)
	gamma.hears(17, "l4", z, 1, 0)
	for _, fan := range []string{"g1", "g2", "g3", "g4"} {
		gamma.hears(17, fan, a, 1, 0)
	}

	// Every morning each node reports the day before; others hear of it week by week.
	for at := october.Start(); at.Before(october.Next().Start()); at = at.AddDate(0, 0, 1) {
		clock.Set(at.AddDate(0, 0, 1).Add(2 * time.Hour))
		for _, n := range nodes {
			n.must(n.reports.ReportDay(t.Context(), at))
		}
		if at.Day()%7 == 0 || at.Day() == 31 {
			exchange(t, nodes)
		}
	}

	// Gamma alters a line: its own code refuses to go on.
	clock.Set(october.Next().Day(4).Add(time.Hour))
	alterLine(t, gamma, "2026-10-17", z)
	if err := gamma.reports.ReportMonth(t.Context(), october); err == nil || !strings.Contains(err.Error(), "2026-10-17") {
		t.Fatalf("an altered line was compiled: %v", err)
	}
	// A program that lies to itself comes further.
	truth, err := contract.DayAt(t.Context(), gamma.book.Embedded, gamma.Host, "2026-10-17")
	gamma.must(err)
	gamma.book.day, gamma.book.truth, gamma.book.lie = "2026-10-17", truth.Root, rootOf(t, gamma, "2026-10-17")
	for _, n := range nodes {
		n.must(n.reports.ReportMonth(t.Context(), october))
	}
	exchange(t, nodes)
	checkSums(t, nodes)
	if st := reported(t, beta, beta); st.Held != 18_000_000 {
		t.Errorf("beta holds %s", st.Held)
	}

	// Whose artists are paid by gamma see that the lines are not under the roots that gamma has reported.
	clock.Set(october.Next().Day(5).Add(time.Hour))
	exchange(t, nodes)
	fedtest.Until(t, "alpha sees what gamma has altered", func() bool { return found(alpha, gamma, "altered") }, alpha.Instance, gamma.Instance)
	for _, n := range nodes {
		if found(n, alpha, "altered") || found(n, beta, "altered") {
			t.Errorf("%s finds something in honest statements", n.name)
		}
	}

	// One dispute with a reason, one without.
	bad, err := alpha.disputes.Open(t.Context(), gamma.Host, october, z, "plays", a, alpha.Host)
	alpha.must(err)
	vain, err := delta.disputes.Open(t.Context(), alpha.Host, october, c, "plays", c, delta.Host)
	delta.must(err)
	exchange(t, nodes)
	for range 3 {
		for _, n := range nodes {
			n.must(n.disputes.Work(t.Context()))
		}
		exchange(t, nodes)
	}
	for _, n := range nodes {
		upheld, err := contract.DisputeAt(t.Context(), n.book, bad)
		n.must(err)
		if upheld.State != contract.Ruled || upheld.Ruling.Verdict != contract.Remove || len(upheld.Ruling.By) != 2 {
			t.Fatalf("%s: dispute with a reason: %+v", n.name, upheld)
		}
		kept, err := contract.DisputeAt(t.Context(), n.book, vain)
		n.must(err)
		if kept.State != contract.Ruled || kept.Ruling.Verdict != contract.Keep {
			t.Fatalf("%s: dispute without one: %+v", n.name, kept)
		}
	}

	// Beta looks at what was held and removes it; b says where to be paid; nobody appeals.
	held, err := beta.reports.Decisions(t.Context(), october, report.Held)
	beta.must(err)
	if len(held) != 2 {
		t.Fatalf("%d decisions", len(held))
	}
	for _, h := range held {
		beta.must(beta.reports.Decide(t.Context(), october, h.Pseudonym, h.Artist, report.Removed, "admin"))
	}
	clock.Set(october.Next().Day(20))
	beta.must(beta.reporting.Instruct(t.Context(), b, string(usdp), "0x52908400098527886E0F7030069857D2E4169EE7"))
	fedtest.Until(t, "alpha knows where b is paid", func() bool { return alpha.Count(t, "payout_addresses", "artist = ?", b) == 1 }, alpha.Instance, beta.Instance)

	// The 24th: final statements. Gamma tells the truth again, or nobody would take them.
	clock.Set(october.Next().Day(24).Add(time.Hour))
	gamma.book.day = ""
	for _, n := range nodes {
		n.must(n.disputes.Work(t.Context()))
		n.must(n.reports.StateFinal(t.Context(), october))
	}
	exchange(t, nodes)
	checkFinal(t, nodes)
	for name, want := range map[string][4]string{
		"alpha": {"4.500000", "8.700000", "10.800000", "3.000000"}, "beta": {"18.000000", "0.000000", "0.000000", "9.000000"},
		"gamma": {"41.507463", "2.283582", "1.208955", "0.000000"},
	} {
		for _, n := range nodes {
			if n.name != name {
				continue
			}
			// What delta has in its own ledger is what is said.
			st, err := contract.Finally(t.Context(), delta.book, october, n.Host)
			delta.must(err)
			got := [4]string{total(st, a), total(st, b), total(st, c), total(st, d)}
			if got != want || total(st, z) != "0.000000" || st.Held != 0 {
				t.Errorf("%s: %v, z %s, held %s", name, got, total(st, z), st.Held)
			}
		}
	}
	if st, err := contract.Finally(t.Context(), beta.book, october, alpha.Host); err != nil || st.Operator != 3*royalty.Operator {
		t.Errorf("alpha's operator gets %s, %v", st.Operator, err)
	}

	// What gamma has told a is proved without anybody's server, by gamma's key; and not when a figure is another one.
	alpha.must(alpha.reporting.Round(t.Context()))
	fedtest.Until(t, "alpha has beta's statement for a", func() bool {
		return alpha.Count(t, "statements_heard", "node = ? AND artist = ?", beta.Host, a) == 1
	}, alpha.Instance, beta.Instance)
	told, err := alpha.reporting.StatementsOf(t.Context(), october, a)
	alpha.must(err)
	for _, st := range told {
		checkOffline(t, st.ArtistStatement, map[string]*node{alpha.Host: alpha, beta.Host: beta, gamma.Host: gamma}[st.Node], st.Node == gamma.Host)
	}
	if len(told) != 3 {
		t.Errorf("a has %d statements", len(told))
	}

	// The 25th: the list.
	clock.Set(october.Next().Day(25))
	alpha.must(alpha.reports.ListPayouts(t.Context(), october))
	list, err := alpha.reports.Payouts(t.Context(), october)
	alpha.must(err)
	states := map[string]string{}
	for _, l := range list {
		states[l.Artist] = fmt.Sprint(l.State, " ", l.Units)
	}
	if states[b] != "ready 8700000000000000000" || states[d] != "unclaimed 3000000000000000000" || len(list) != 4 {
		t.Errorf("alpha's list: %v", states)
	}
	alpha.must(alpha.reports.Sent(t.Context(), october, []report.Transfer{{Artist: b, Provider: "manual", Ref: "bank/1"}}))
	exchange(t, nodes)
	for _, n := range nodes {
		if micro, _, err := contract.PayoutAt(t.Context(), n.book, october, alpha.Host, contract.Digest("payee", b)); err != nil || micro != 8_700_000 {
			t.Errorf("%s has a payout of %s, %v", n.name, micro, err)
		}
		if _, err := n.reporting.Ledger.VerifyAll(t.Context(), n.DB.Read); err != nil {
			t.Errorf("ledger of %s: %v", n.name, err)
		}
	}
}

// checkOffline judges a statement with the key of the node's ledger alone. What gamma says of the day that it has altered
// does not hold.
func checkOffline(t *testing.T, st report.ArtistStatement, n *node, broken bool) {
	t.Helper()
	raw, err := json.Marshal(st)
	n.must(err)
	keys, err := json.Marshal(map[string]any{"notes": []string{n.key}})
	n.must(err)
	ring := evidence.NewRing()
	n.must(ring.Give(keys))
	f, err := evidence.CheckPoolStatement(raw, ring)
	if broken {
		if !errors.Is(err, evidence.ErrBroken) {
			t.Errorf("%s: an altered line holds: %+v", n.name, f)
		}
		return
	}
	if err != nil || f.Trust.By != evidence.Ledger {
		t.Errorf("%s: %+v, %v", n.name, f, err)
	}
	other := strings.Replace(string(raw), `"micro":`+strconv.FormatInt(int64(st.Micro), 10), `"micro":99000000`, 1)
	if _, err := evidence.CheckPoolStatement([]byte(other), ring); !errors.Is(err, evidence.ErrBroken) {
		t.Errorf("%s: another total holds: %v", n.name, err)
	}
}

func found(n, about *node, kind string) bool {
	all, err := n.reporting.Findings(n.t.Context(), string(october))
	n.must(err)
	for _, f := range all {
		if f.Node == about.Host && f.Kind == kind {
			return true
		}
	}
	return false
}

func reported(t *testing.T, at, of *node) contract.Statement {
	t.Helper()
	st, _, err := contract.Reported(t.Context(), at.book, october, of.Host)
	at.must(err)
	return st
}

// checkSums sees that everybody has the same reports, and that they come out.
func checkSums(t *testing.T, nodes []*node) {
	t.Helper()
	for _, of := range nodes {
		own := reported(t, of, of)
		sums(t, of.name, own)
		for _, at := range nodes {
			if st := reported(t, at, of); st.SplitsRoot != own.SplitsRoot || st.DaysRoot == "" {
				t.Errorf("%s has another report of %s", at.name, of.name)
			}
		}
	}
}

func checkFinal(t *testing.T, nodes []*node) {
	t.Helper()
	for _, of := range nodes {
		own, err := contract.Finally(t.Context(), of.book, october, of.Host)
		of.must(err)
		sums(t, of.name, own)
		for _, at := range nodes {
			st, err := contract.Finally(t.Context(), at.book, october, of.Host)
			at.must(err)
			if st.SplitsRoot != own.SplitsRoot {
				t.Errorf("%s has another final statement of %s", at.name, of.name)
			}
		}
	}
}

// sums are the invariants of a statement.
func sums(t *testing.T, name string, st contract.Statement) {
	t.Helper()
	var artists royalty.Micro
	for _, a := range st.Artists {
		artists += a.Micro
	}
	if royalty.Micro(st.Payments)*royalty.Fee != st.Operator+st.Pool || st.Pool+st.CarryIn != st.Splits+st.Held+st.CarryOut || artists != st.Splits {
		t.Errorf("%s: %+v", name, st)
	}
}

// alterLine makes 400 plays of the one that an artist has on a day.
func alterLine(t *testing.T, n *node, day, artist string) {
	t.Helper()
	var lines []string
	n.must(n.DB.Read.Table("report_lines").Where("day = ? AND artist = ?", day, artist).Pluck("line", &lines).Error)
	line := lines[0]
	altered := strings.Replace(line, "|10000|", "|4000000|", 1)
	res := n.DB.Write.Exec("UPDATE report_lines SET line = ? WHERE day = ? AND artist = ?", []byte(altered), day, artist)
	if n.must(res.Error); res.RowsAffected != 1 || altered == line {
		t.Fatalf("altered %d lines, %q", res.RowsAffected, line)
	}
}

// rootOf is the root of a day's lines as they are now.
func rootOf(t *testing.T, n *node, day string) string {
	t.Helper()
	var lines []string
	n.must(n.DB.Read.Table("report_lines").Where("day = ? AND held = ?", day, false).Order("line").Pluck("line", &lines).Error)
	var tree royalty.Tree
	for _, l := range lines {
		tree.Add(l)
	}
	return contract.Root(tree)
}
