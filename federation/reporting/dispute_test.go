package reporting_test

import (
	"slices"
	"strings"

	"antiphon/federation/fedtest"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

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
