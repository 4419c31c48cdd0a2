package anomaly

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Facts are what is known of payments in a month. They come from whoever holds the money, and are words that are
// compared and need not mean anything, such as hashes.
type Facts struct {
	// Paid has every listener who paid for the month, with what it was paid with: a card, an address; empty when that is
	// not known.
	Paid map[string]string
	// Payout is where an artist's money goes, in the same words as Paid.
	Payout map[string]string
	// Owned are the artists of those who run the node.
	Owned map[string]bool
}

// Judge applies all rules that look at plays, R0 to R8, to the plays of a node's month, in any order, and returns a
// verdict for each at its place. The same plays in another order have the same verdicts. Plays of before the month may
// stand among them, for what follows from them; they are of no account to R7 and R8 when they are not in the month of
// the latest play that was not dropped.
func Judge(policy Policy, plays []Play, facts Facts) ([]Verdict, error) {
	if err := check(policy, plays); err != nil {
		return nil, err
	}
	at := order(plays)
	verdicts := make([]Verdict, len(plays))
	for from := 0; from < len(at); {
		to := from + 1
		for to < len(at) && plays[at[to]].Listener == plays[at[from]].Listener {
			to++
		}
		judgeListener(policy, plays, at[from:to], verdicts)
		from = to
	}
	holdOutliers(policy, plays, at, verdicts)
	tastes := tastesOf(plays, month(policy, plays, at, verdicts))
	holdClusters(policy, plays, tastes, facts, verdicts)
	holdDealing(policy, plays, tastes, facts, verdicts)
	return verdicts, nil
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

// taste is what one listener heard in a month.
type taste struct {
	listener string
	plays    int64
	artists  map[string][]int
	// places are the networks with the agents that the listener was seen with.
	places map[[2]string]bool
}

// top is the artist that was heard most; of two the first by name, so that all nodes see the same.
func (t taste) top() (artist string, plays int64) {
	for a, which := range t.artists {
		if n := int64(len(which)); n > plays || n == plays && a < artist {
			artist, plays = a, n
		}
	}
	return artist, plays
}

// tastesOf returns the listeners of the plays at the given places, which come in order.
func tastesOf(plays []Play, at []int) []taste {
	var out []taste
	for _, i := range at {
		p := plays[i]
		if len(out) == 0 || out[len(out)-1].listener != p.Listener {
			out = append(out, taste{listener: p.Listener, artists: map[string][]int{}, places: map[[2]string]bool{}})
		}
		t := &out[len(out)-1]
		t.plays++
		t.artists[p.Artist] = append(t.artists[p.Artist], i)
		if p.Network != "" && p.Agent != "" {
			t.places[[2]string{p.Network, p.Agent}] = true
		}
	}
	return out
}

// holdClusters applies R7. A school or a concert hall with one address for all looks the same, so nothing is dropped.
func holdClusters(policy Policy, plays []Play, tastes []taste, facts Facts, verdicts []Verdict) {
	type cluster struct{ network, agent, artist string }
	found := map[cluster][]int{}
	sizes := map[cluster]int64{}
	for _, t := range tastes {
		if _, paid := facts.Paid[t.listener]; !paid {
			continue
		}
		artist, n := t.top()
		if n*whole < t.plays*policy.ClusterBP {
			continue
		}
		for place := range t.places {
			c := cluster{place[0], place[1], artist}
			sizes[c]++
			found[c] = append(found[c], t.artists[artist]...)
		}
	}
	held := make([]cluster, 0, len(found))
	for c := range found {
		if sizes[c] >= policy.ClusterSize {
			held = append(held, c)
		}
	}
	slices.SortFunc(held, func(a, b cluster) int {
		return cmp.Or(cmp.Compare(a.network, b.network), cmp.Compare(a.agent, b.agent), cmp.Compare(a.artist, b.artist))
	})
	for _, c := range held {
		hold(policy, R7Cluster, plays, found[c], verdicts, c.network, c.agent, c.artist)
	}
}

// holdDealing applies R8.
func holdDealing(policy Policy, plays []Play, tastes []taste, facts Facts, verdicts []Verdict) {
	all := map[string]int64{}
	devoted := map[string][]taste{}
	for _, t := range tastes {
		for artist, which := range t.artists {
			all[artist] += int64(len(which))
			if int64(len(which))*whole >= t.plays*policy.DevotionBP {
				devoted[artist] = append(devoted[artist], t)
			}
		}
	}
	for artist, fans := range devoted {
		slices.SortFunc(fans, func(a, b taste) int {
			return cmp.Or(cmp.Compare(len(b.artists[artist]), len(a.artists[artist])), cmp.Compare(a.listener, b.listener))
		})
		fans = fans[:min(int64(len(fans)), policy.DealingSize-1)]
		var heard []int
		for _, t := range fans {
			heard = append(heard, t.artists[artist]...)
		}
		if int64(len(heard))*whole < all[artist]*policy.DealingBP {
			continue
		}
		if tie := connected(artist, fans, facts); tie != "" {
			hold(policy, R8Dealing, plays, heard, verdicts, artist, tie)
		}
	}
}

// connected says what ties an artist's few listeners to each other or to the artist; empty when nothing does.
func connected(artist string, fans []taste, facts Facts) string {
	if facts.Owned[artist] {
		return "owner"
	}
	seen := map[string]bool{facts.Payout[artist]: true}
	for _, t := range fans {
		instrument := facts.Paid[t.listener]
		if instrument != "" && seen[instrument] {
			return "instrument " + instrument
		}
		seen[instrument] = true
	}
	return ""
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
