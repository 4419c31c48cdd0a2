package reporting_test

import (
	"fmt"
	"slices"
	"strings"

	"antiphon/federation/fedtest"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
)

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
		if got := strings.Join(got, ", "); got != want {
			s.Errorf("%s's list: %s", n.name, got)
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
