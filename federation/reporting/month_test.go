package reporting_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

const november = royalty.Month("2026-11")

// story is October on four instances, and the November after it.
type story struct {
	*testing.T
	nodes                     []*node
	alpha, beta, gamma, delta *node
	// a to d and z are artists.
	a, b, c, d, z string
	// bad and vain are disputes.
	bad, vain string
}

// TestMonth is October on four instances with a clock that is moved: listeners pay on Raiden and play as players do, the
// calendars report. Alpha is the worked month; beta has two bots; gamma alters a line after it has reported the day; of
// delta's listeners one hears nothing and one does not go on.
func TestMonth(t *testing.T) {
	t.Parallel()
	clock := testkit.NewClock(october.Start().Add(time.Hour))
	listeners := []string{"l1", "l2", "l3", "honest", "bot1", "bot2", "l4", "g1", "g2", "g3", "g4", "silent", "gone"}
	nodes := city(t, clock, listeners, "alpha", "beta", "gamma", "delta")
	s := &story{T: t, nodes: nodes, alpha: nodes[0], beta: nodes[1], gamma: nodes[2], delta: nodes[3]}
	s.a, s.b, s.c = s.alpha.User(t, "a", actor.Artist).URI, s.beta.User(t, "b", actor.Artist).URI, s.delta.User(t, "c", actor.Artist).URI
	s.d, s.z = s.beta.User(t, "d", actor.Artist).URI, s.gamma.User(t, "z", actor.Artist).URI

	s.pay()
	s.listen()
	days(t, nodes, october, 2, 31)
	days(t, nodes, november, 1, 3)
	exchange(t, nodes)
	s.renewed()
	s.alter()
	s.dispute()
	days(t, nodes, november, 6, 20)
	s.decide()
	days(t, nodes, november, 21, 23)
	s.settle()
	s.payOut()
	days(t, nodes, november, 26, 30)
	s.nextMonth()
	checkPayments(t, nodes)
	checkPayouts(t, nodes, october)
	checkLedgers(t, nodes)
	for _, n := range nodes {
		if n.Count(t, "report_findings", "kind NOT IN ('late', 'plays') AND (kind <> 'altered' OR node <> ?)", s.gamma.Host) > 0 {
			t.Errorf("%s finds something in honest books", n.name)
		}
	}
}

// pay lets listeners pay for October, most of them on the first, and l3 when there are plays already. L1 pays the same
// invoice once more, which buys November; silent renews when that has begun.
func (s *story) pay() {
	s.alpha.pays("l1", "l2")
	s.beta.pays("honest", "bot1", "bot2")
	s.gamma.pays("l4", "g1", "g2", "g3", "g4")
	s.delta.pays("silent", "gone")
	posted(s, s.nodes)
	s.alpha.agenda.add(october.Day(9).Add(20*time.Hour), func() {
		if heard, _ := s.alpha.history("l3"); heard != 1 {
			s.Errorf("l3 has heard %d before paying", heard)
		}
		s.alpha.pays("l3")
	})
	s.alpha.agenda.add(october.Day(28).Add(20*time.Hour), func() { s.alpha.paysAgain("l1") })
	s.delta.agenda.add(november.Start().Add(30*time.Minute), func() {
		s.delta.must(s.delta.pool.Round(s.Context()))
		s.delta.pays("silent")
	})
}

// listen lets everybody listen.
func (s *story) listen() {
	s.alpha.listensTo(3, "l1", s.a, 50)
	s.alpha.listensTo(4, "l1", s.b, 30)
	s.alpha.listensTo(4, "l1", s.c, 20)
	s.alpha.listensTo(17, "l2", s.b, 10)
	s.alpha.listensTo(31, "l2", s.d, 4)
	// The last play of October ends in November.
	s.alpha.playAt(october.Next().Start().Add(-2*time.Minute), "l2", s.d, s.d+"/tracks/9", 200)
	s.alpha.listensTo(1, "l3", s.c, 1)
	s.beta.listensTo(5, "honest", s.d, 4)
	for _, bot := range []string{"bot1", "bot2"} {
		s.beta.listensTo(6, bot, s.a, 2)
		s.beta.play(7, bot, s.z, 300, 31)
	}
	s.gamma.listensTo(9, "l4", s.a, 41)
	s.gamma.listensTo(10, "l4", s.b, 17)
	s.gamma.listensTo(11, "l4", s.c, 9)
	s.gamma.listensTo(17, "l4", s.z, 1)
	for _, fan := range []string{"g1", "g2", "g3", "g4"} {
		s.gamma.listensTo(17, fan, s.a, 1)
	}
	s.delta.listensTo(12, "gone", s.c, 3)
	s.delta.playAt(november.Day(8).Add(9*time.Hour), "silent", s.d, s.d+"/tracks/0", 200)
	s.delta.playAt(november.Day(9).Add(9*time.Hour), "gone", s.c, s.c+"/tracks/0", 200)

	// What does not count: 20 seconds of a track, two tracks at once, what is not in the pool, one's own track, and what
	// somebody hears who has not paid.
	s.alpha.play(5, "l1", s.z, 3, 20)
	at := october.Day(6).Add(9 * time.Hour)
	s.alpha.playAt(at, "l1", s.a, s.a+"/for-sale", 200)
	s.alpha.playAt(at.Add(100*time.Second), "l1", s.z, s.z+"/tracks/1", 200)
	s.alpha.listensTo(7, "a", s.a, 5)
	s.alpha.listensTo(8, "stranger", s.z, 2)
}

// renewed looks at who goes on: l1 by what was paid before, silent by a payment of the first; the others are late, and gone
// has lapsed when the grace is over.
func (s *story) renewed() {
	posted(s, s.nodes)
	for _, c := range []struct {
		of    *node
		name  string
		state pool.State
		month royalty.Month
	}{{s.alpha, "l1", pool.Active, november}, {s.alpha, "l2", pool.Late, october}, {s.delta, "silent", pool.Active, november}, {s.delta, "gone", pool.Late, october}} {
		m, err := c.of.pool.Of(s.Context(), c.of.listener(c.name))
		if c.of.must(err); m.State != c.state || m.Month != c.month {
			s.Errorf("%s is %s, and has paid for %s", c.name, m.State, m.Month)
		}
	}
	if !s.delta.hasTold("gone", "November 2026 has begun") || s.delta.hasTold("silent", "lapsed") {
		s.Errorf("delta has told %q", s.delta.told)
	}
	if known, counted := s.alpha.history("l1"); known != 105 || counted != 102 {
		s.Errorf("l1 has heard %d, and %d are plays", known, counted)
	}
	if _, counted := s.alpha.history("l2"); counted != 15 {
		s.Errorf("l2 has %d plays", counted)
	}
	day, err := contract.DayAt(s.Context(), s.gamma.book, s.alpha.Host, "2026-10-06")
	if s.alpha.must(err); day.Dropped != 1 || day.Lines != 0 {
		s.Errorf("alpha's sixth: %+v", day)
	}
	day, err = contract.DayAt(s.Context(), s.gamma.book, s.beta.Host, "2026-10-07")
	if s.beta.must(err); day.Held != 600 || day.Lines != 0 {
		s.Errorf("beta's seventh: %+v", day)
	}
}

// alter lets gamma alter a line: its own code refuses to go on. A program that lies to itself comes further.
func (s *story) alter() {
	alterLine(s.T, s.gamma, "2026-10-17", s.z)
	morning(s, s.nodes, november.Day(4))
	fedtest.Until(s, "gamma refuses to compile an altered line", func() bool {
		return strings.Contains(strings.Join(s.gamma.Errors(), "\n"), "lines are not those that were reported: 2026-10-17")
	})
	truth, err := contract.DayAt(s.Context(), s.gamma.book.Embedded, s.gamma.Host, "2026-10-17")
	s.gamma.must(err)
	s.gamma.book.tell("2026-10-17", rootOf(s.T, s.gamma, "2026-10-17"), truth.Root)
	each(s, s.nodes, "October is reported", func(n *node) bool {
		_, _, err := contract.Reported(s.Context(), n.book, october, n.Host)
		return err == nil
	})
	exchange(s, s.nodes)
	checkStatements(s.T, s.nodes, october, reported)
	for n, held := range map[*node]royalty.Micro{s.alpha: 0, s.beta: 18_000_000, s.gamma: 0, s.delta: 0} {
		if st := reported(s, s.alpha, n, october); st.Held != held {
			s.Errorf("%s holds %s", n.name, st.Held)
		}
	}
	if m, err := s.delta.pool.Of(s.Context(), s.delta.listener("gone")); err != nil || m.State != pool.Lapsed {
		s.Errorf("gone is %s, %v", m.State, err)
	}
}

// dispute lets those whose artists gamma pays see that the lines are not under the roots that it has reported; one dispute
// with a reason, and one without.
func (s *story) dispute() {
	morning(s, s.nodes, november.Day(5))
	exchange(s, s.nodes)
	fedtest.Until(s, "alpha sees what gamma has altered", func() bool { return hasFound(s.alpha, s.gamma, "altered") }, s.alpha.Instance, s.gamma.Instance)
	for _, n := range s.nodes {
		if hasFound(n, s.alpha, "altered") || hasFound(n, s.beta, "altered") || hasFound(n, s.delta, "altered") {
			s.Errorf("%s finds something in honest statements", n.name)
		}
	}
	var err error
	s.bad, err = s.alpha.disputes.Open(s.Context(), s.gamma.Host, october, s.z, "plays", s.a, s.alpha.Host)
	s.alpha.must(err)
	s.vain, err = s.delta.disputes.Open(s.Context(), s.alpha.Host, october, s.c, "plays", s.c, s.delta.Host)
	s.delta.must(err)
	exchange(s, s.nodes)
	for range 3 {
		for _, n := range s.nodes {
			n.must(n.disputes.Work(s.Context()))
		}
		exchange(s, s.nodes)
	}
	for _, n := range s.nodes {
		upheld, err := contract.DisputeAt(s.Context(), n.book, s.bad)
		n.must(err)
		if upheld.State != contract.Ruled || upheld.Ruling.Verdict != contract.Remove || len(upheld.Ruling.By) != 2 {
			s.Fatalf("%s: dispute with a reason: %+v", n.name, upheld)
		}
		kept, err := contract.DisputeAt(s.Context(), n.book, s.vain)
		n.must(err)
		if kept.State != contract.Ruled || kept.Ruling.Verdict != contract.Keep {
			s.Fatalf("%s: dispute without one: %+v", n.name, kept)
		}
		s.checkDelta(n, upheld.Ruling.By)
	}
}

// checkDelta looks at what those who were heeded say that changes when z's plays are removed: l4's money goes to the others.
func (s *story) checkDelta(n *node, heeded []string) {
	votes, err := contract.Votes(s.Context(), n.book, s.bad, false)
	n.must(err)
	names := map[string]string{}
	for name, uri := range map[string]string{"a": s.a, "b": s.b, "c": s.c, "z": s.z} {
		names[contract.Digest("payee", uri)] = name
	}
	for _, node := range heeded {
		var got []string
		var sum royalty.Micro
		for _, d := range votes[node].Delta {
			got = append(got, names[d.Artist]+" "+d.Micro.String())
			sum += d.Micro
		}
		slices.Sort(got)
		if want := "a 4.717313, b 1.955959, c 1.035507, z -7.708779"; strings.Join(got, ", ") != want || sum != 0 {
			s.Errorf("%s says that %q changes, %s in all", node, got, sum)
		}
	}
}

// hasFound reports whether a node has found something about another one.
func hasFound(n, about *node, kind string) bool {
	all, err := n.reporting.Findings(n.t.Context(), string(october))
	n.must(err)
	for _, f := range all {
		if f.Node == about.Host && f.Kind == kind {
			return true
		}
	}
	return false
}

// decide looks at what beta held, and removes it; a and b say where to be paid; nobody appeals.
func (s *story) decide() {
	held, err := s.beta.reports.Decisions(s.Context(), october, report.Held)
	s.beta.must(err)
	if len(held) != 2 {
		s.Fatalf("%d decisions", len(held))
	}
	for _, h := range held {
		if h.Artist != s.z || h.Rule != "R5" {
			s.Errorf("held: %+v", h)
		}
		s.beta.must(s.beta.reports.Decide(s.Context(), october, h.Pseudonym, h.Artist, report.Removed, "admin"))
	}
	asset := string(s.alpha.bank.network.Asset())
	s.alpha.must(s.alpha.reporting.Instruct(s.Context(), s.a, asset, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"))
	s.beta.must(s.beta.reporting.Instruct(s.Context(), s.b, asset, "0x52908400098527886E0F7030069857D2E4169EE7"))
	each(s, s.nodes, "it is known where a and b are paid", func(n *node) bool { return n.Count(s, "payout_addresses", "") == 2 })
}

// settle makes the final statements on the 24th. Gamma tells the truth again, or nobody would take them.
func (s *story) settle() {
	s.gamma.book.tell("", "", "")
	morning(s, s.nodes, november.Day(24))
	each(s, s.nodes, "October is final", func(n *node) bool {
		_, err := contract.Finally(s.Context(), n.book, october, n.Host)
		return err == nil
	})
	exchange(s, s.nodes)
	checkStatements(s.T, s.nodes, october, finally)
	for n, want := range map[*node]string{
		s.alpha: "3.000000: 4.500000 8.700000 10.800000 3.000000 0.000000, 0.000000 left",
		s.beta:  "3.000000: 18.000000 0.000000 0.000000 9.000000 0.000000, 0.000000 left",
		s.gamma: "5.000000: 41.507463 2.283582 1.208955 0.000000 0.000000, 0.000000 left",
		s.delta: "2.000000: 0.000000 0.000000 9.000000 0.000000 0.000000, 9.000000 left",
	} {
		// What beta has in its own ledger is what is said.
		st := finally(s, s.beta, n, october)
		got := fmt.Sprintf("%s: %s %s %s %s %s, %s left", st.Operator, total(st, s.a), total(st, s.b), total(st, s.c), total(st, s.d), total(st, s.z), st.CarryOut)
		if got != want || st.Held != 0 {
			s.Errorf("%s: %s, held %s", n.name, got, st.Held)
		}
	}

	// What gamma has told a is proved without anybody's server, by gamma's key; and not when a figure is another one.
	exchange(s, s.nodes)
	fedtest.Until(s, "alpha has beta's statement for a", func() bool {
		return s.alpha.Count(s, "statements_heard", "node = ? AND artist = ?", s.beta.Host, s.a) == 1
	}, s.alpha.Instance, s.beta.Instance)
	told, err := s.alpha.reporting.StatementsOf(s.Context(), october, s.a)
	s.alpha.must(err)
	for _, st := range told {
		checkOffline(s.T, st.ArtistStatement, map[string]*node{s.alpha.Host: s.alpha, s.beta.Host: s.beta, s.gamma.Host: s.gamma}[st.Node], st.Node == s.gamma.Host)
	}
	if len(told) != 3 {
		s.Errorf("a has %d statements", len(told))
	}
}

// payOut lists on the 25th who is paid, and records what was sent.
func (s *story) payOut() {
	morning(s, s.nodes, november.Day(25))
	lists := map[*node]string{}
	for n, want := range map[*node]string{
		s.alpha: "a ready 4500000000000000000, b ready 8700000000000000000, c unclaimed 10800000000000000000, d unclaimed 3000000000000000000",
		s.beta:  "a ready 18000000000000000000, d unclaimed 9000000000000000000",
		s.gamma: "a ready 41507463000000000000, b ready 2283582000000000000, c unclaimed 1208955000000000000",
		s.delta: "c unclaimed 9000000000000000000",
	} {
		var list []report.PayoutLine
		fedtest.Until(s, n.name+" lists who is paid", func() bool {
			var err error
			list, err = n.reports.Payouts(s.Context(), october)
			n.must(err)
			return len(list) > 0
		}, n.Instance)
		var got []string
		var ready []report.Transfer
		for _, l := range list {
			got = append(got, fmt.Sprint(l.Artist[strings.LastIndex(l.Artist, "/")+1:], " ", l.State, " ", l.Units))
			if l.State == report.Ready {
				ready = append(ready, report.Transfer{Artist: l.Artist, Provider: "manual", Ref: "bank/1"})
			}
		}
		slices.Sort(got)
		if lists[n] = strings.Join(got, ", "); lists[n] != want {
			s.Errorf("%s's list: %s", n.name, lists[n])
		}
		n.must(n.reports.Sent(s.Context(), october, ready))
		if len(ready) > 0 && n.reports.Sent(s.Context(), october, ready[:1]) == nil {
			s.Errorf("%s pays twice", n.name)
		}
	}
	exchange(s, s.nodes)
}

// nextMonth reports November, into which was carried what silent had left.
func (s *story) nextMonth() {
	december := november.Next()
	days(s, s.nodes, december, 1, 3)
	exchange(s, s.nodes)
	days(s, s.nodes, december, 4, 4)
	each(s, s.nodes, "November is reported", func(n *node) bool {
		_, _, err := contract.Reported(s.Context(), n.book, november, n.Host)
		return err == nil
	})
	exchange(s, s.nodes)
	checkStatements(s.T, s.nodes, november, reported)
	for n, want := range map[*node]string{
		s.alpha: "1 paid, 0.000000 carried in, 0.000000 divided, 9.000000 carried out", s.beta: "0 paid, 0.000000 carried in, 0.000000 divided, 0.000000 carried out",
		s.gamma: "0 paid, 0.000000 carried in, 0.000000 divided, 0.000000 carried out", s.delta: "1 paid, 9.000000 carried in, 18.000000 divided, 0.000000 carried out",
	} {
		st := reported(s, s.alpha, n, november)
		if got := fmt.Sprintf("%d paid, %s carried in, %s divided, %s carried out", st.Payments, st.CarryIn, st.Splits, st.CarryOut); got != want {
			s.Errorf("%s's November: %s", n.name, got)
		}
	}
	if got := total(reported(s, s.alpha, s.delta, november), s.d); got != "18.000000" {
		s.Errorf("d gets %s of silent's two months", got)
	}
}
