package reporting

import (
	"context"
	"fmt"
	"sync"
	"time"

	"antiphon/media/listen"
	"antiphon/payments/anomaly"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// Policies gives the policy that the ledger names for a month.
type Policies func(ctx context.Context, month royalty.Month) (contract.Policy, error)

// Judge lets the rules of payments say which plays do not count, by the policy of the month in which they began. It is
// safe for concurrent use.
type Judge struct {
	policies Policies

	mu    sync.Mutex
	known map[royalty.Month]anomaly.Policy
}

// NewJudge makes a judge. Policies are asked once for a month that has one: from the moment on in which a month has
// begun, no other can be set for it.
func NewJudge(policies Policies) *Judge {
	return &Judge{policies: policies, known: map[royalty.Month]anomaly.Policy{}}
}

// Rules implements [listen.Judge]. The day has begun.
func (j *Judge) Rules(ctx context.Context, day time.Time) (listen.Rules, error) {
	month := royalty.MonthOf(day)
	j.mu.Lock()
	defer j.mu.Unlock()
	if p, ok := j.known[month]; ok {
		return rules{p}, nil
	}
	p, err := j.policies(ctx, month)
	if err != nil {
		return nil, fmt.Errorf("policy of %s: %w", month, err)
	}
	// A day's plays are judged in the month that it is in, and a while after; older months are asked for again.
	if len(j.known) >= maxKnown {
		clear(j.known)
	}
	j.known[month] = report.Rules(p)
	return rules{j.known[month]}, nil
}

const maxKnown = 12

// rules are those of one policy.
type rules struct{ policy anomaly.Policy }

// Listener implements [listen.Rules].
func (r rules) Listener(plays []listen.Play) ([]listen.Mark, error) {
	typed := make([]anomaly.Play, len(plays))
	for i, p := range plays {
		typed[i] = playOf(p)
	}
	verdicts, err := anomaly.JudgeListener(r.policy, typed)
	if err != nil {
		return nil, err
	}
	marks := make([]listen.Mark, len(verdicts))
	for i, v := range verdicts {
		marks[i] = r.mark(v)
	}
	return marks, nil
}

// Outlier implements [listen.Rules].
func (r rules) Outlier(daily []int64) (listen.Mark, bool) {
	v, held := anomaly.JudgeDay(r.policy, daily)
	return r.mark(v), held
}

// Many implements [listen.Rules].
func (r rules) Many() int64 { return r.policy.OutlierPlays }

// Days implements [listen.Rules].
func (r rules) Days() int { return int(r.policy.OutlierDays) }

func (r rules) mark(v anomaly.Verdict) listen.Mark {
	return listen.Mark{State: string(v.State), Rule: string(v.Rule), Pays: r.policy.Pays(v), Policy: v.Policy, Evidence: v.Evidence[:]}
}

func playOf(p listen.Play) anomaly.Play {
	return anomaly.Play{
		Listener: p.Listener, Artist: p.Artist, Track: p.Track, Start: p.Start, Seconds: p.Seconds, Length: p.Length, Session: p.Session,
		Network: p.Network, Agent: p.Agent,
	}
}
