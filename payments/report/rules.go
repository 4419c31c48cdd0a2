package report

import (
	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
)

// Rules are the numbers of the rules against fraud under a policy of the ledger: what it says of them, and for all of
// which it says nothing those of the first policy. A track that is shorter than twice MinSeconds needs half of it, and
// a play that ends within five seconds of MinSeconds is a stub.
func Rules(p contract.Policy) anomaly.Policy {
	out := anomaly.V1()
	stub := out.StubTo - out.StubFrom
	out.Version, out.Rules, out.ReportOnly = p.Version, rules(p.Rules), rules(p.ReportOnly)
	out.MinSeconds, out.ShortTrack = int64(p.MinSeconds), 2*int64(p.MinSeconds)
	out.StubFrom, out.StubTo = out.MinSeconds, out.MinSeconds+stub
	out.PerTrackDay = int64(p.DayCap)
	return out
}

func rules(names []string) []anomaly.Rule {
	var out []anomaly.Rule
	for _, name := range names {
		out = append(out, anomaly.Rule(name))
	}
	return out
}
