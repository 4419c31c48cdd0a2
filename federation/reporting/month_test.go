package reporting_test

import (
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/internal/testkit"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
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
	exchange(s, s.nodes)
	checkPayments(s.T, s.nodes)
	for _, n := range s.nodes {
		checkTwice(s.T, n)
	}
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
