package anomaly

import (
	"strconv"
	"strings"
)

// Judge applies all rules that look at plays, R0 to R8, to the plays of a node's month, in any order, and returns a
// verdict for each at its place. The same plays in another order have the same verdicts. Plays of before the month may
// stand among them, for what follows from them; they are of no account to R7 and R8 when they are not in the month of
// the latest play that counts. Nor are those of listeners who have not paid: nobody is paid for them.
func Judge(policy Policy, plays []Play, facts Facts) ([]Verdict, error) {
	if err := check(policy, plays); err != nil {
		return nil, err
	}
	at := order(plays)
	verdicts := make([]Verdict, len(plays))
	for _, one := range listeners(plays, at) {
		judgeListener(policy, plays, one, verdicts)
	}
	holdOutliers(policy, plays, at, verdicts)
	if err := holdCrowd(policy, plays, month(policy, plays, at, verdicts), facts, verdicts); err != nil {
		return nil, err
	}
	return verdicts, nil
}

// listeners cuts places in order into those of each listener.
func listeners(plays []Play, at []int) [][]int {
	var out [][]int
	for from := 0; from < len(at); {
		to := from + 1
		for to < len(at) && plays[at[to]].Listener == plays[at[from]].Listener {
			to++
		}
		out = append(out, at[from:to])
		from = to
	}
	return out
}

// month are the places of the plays that were not dropped and are of the last month.
func month(policy Policy, plays []Play, at []int, verdicts []Verdict) []int {
	last := ""
	of := func(i int) string { return plays[i].Start.UTC().Format("2006-01") }
	for _, i := range at {
		if !policy.gone(verdicts[i]) {
			last = max(last, of(i))
		}
	}
	var out []int
	for _, i := range at {
		if !policy.gone(verdicts[i]) && of(i) == last {
			out = append(out, i)
		}
	}
	return out
}

// holdCrowd applies R7 and R8 to the plays at places that come in order.
func holdCrowd(policy Policy, plays []Play, at []int, facts Facts, verdicts []Verdict) error {
	c, err := NewCrowd(policy)
	if err != nil {
		return err
	}
	pairs := map[[2]string][]int{}
	for _, one := range listeners(plays, at) {
		if _, paid := facts.Paid[plays[one[0]].Listener]; !paid {
			continue
		}
		heard := make([]Play, len(one))
		for n, i := range one {
			heard[n] = plays[i]
			key := [2]string{plays[i].Listener, plays[i].Artist}
			pairs[key] = append(pairs[key], i)
		}
		if err := c.Add(heard); err != nil {
			return err
		}
	}
	for _, x := range c.Suspects(facts) {
		mark(policy, Verdict{Held, x.Rule, policy.Version, x.Evidence}, pairs[[2]string{x.Listener, x.Artist}], verdicts)
	}
	return nil
}

// series writes counts as evidence.
func series(daily []int64) string {
	var out strings.Builder
	for i, n := range daily {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(strconv.FormatInt(n, 10))
	}
	return out.String()
}
