package anomaly_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"antiphon/payments/anomaly"
)

// A month that comes one listener after the other, in any order, has the suspicions that the words of R7 and R8 give when
// all plays are in hand.
func TestCrowd(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plays, facts := drawn(t)
		policy := small()
		policy.DealingSize, policy.ClusterBP = 3, 4000
		if rapid.Bool().Draw(t, "R7 holds") {
			policy.ReportOnly = []anomaly.Rule{anomaly.R8Dealing}
		}
		of := map[string][]anomaly.Play{}
		for _, p := range plays {
			of[p.Listener] = append(of[p.Listener], p)
		}
		var names []string
		for name := range of {
			names = append(names, name)
		}
		suspects := func() []anomaly.Suspicion {
			c, err := anomaly.NewCrowd(policy)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				if err := c.Add(of[name]); err != nil {
					t.Fatal(err)
				}
			}
			listeners, artists := c.Asked()
			known := anomaly.Facts{Paid: map[string]string{}, Owned: map[string]bool{}}
			for _, l := range listeners {
				known.Paid[l] = facts.Paid[l]
			}
			for _, a := range artists {
				known.Owned[a] = facts.Owned[a]
			}
			return c.Suspects(known)
		}
		slices.Sort(names)
		got := suspects()
		slices.Reverse(names)
		if again := suspects(); !slices.Equal(got, again) {
			t.Fatalf("in another order %v, before %v", again, got)
		}
		var words []string
		for _, x := range got {
			words = append(words, fmt.Sprint(x.Listener, " ", x.Artist, " ", x.Rule))
		}
		if want := suspected(policy, of, facts); !slices.Equal(words, want) {
			t.Fatalf("%v, want %v", words, want)
		}
	})
}

// suspected is R7 and R8, word for word.
func suspected(policy anomaly.Policy, of map[string][]anomaly.Play, facts anomaly.Facts) []string {
	count := func(listener, artist string) (n int64) {
		for _, p := range of[listener] {
			if p.Artist == artist {
				n++
			}
		}
		return n
	}
	var listeners, artists []string
	for listener, plays := range of {
		listeners = append(listeners, listener)
		for _, p := range plays {
			artists = append(artists, p.Artist)
		}
	}
	slices.Sort(listeners)
	slices.Sort(artists)
	artists = slices.Compact(artists)
	most := func(listener string) (top string) {
		for _, a := range artists {
			if count(listener, a) > count(listener, top) {
				top = a
			}
		}
		return top
	}
	r7, r8 := map[string]bool{}, map[string]bool{}
	for _, network := range []string{"https://a.example/n0", "https://a.example/n1"} {
		for _, agent := range []string{"https://a.example/g0", "https://a.example/g1"} {
			for _, artist := range artists {
				var same []string
				for _, l := range listeners {
					there := slices.ContainsFunc(of[l], func(p anomaly.Play) bool { return p.Network == network && p.Agent == agent })
					if there && most(l) == artist && count(l, artist)*10_000 >= int64(len(of[l]))*policy.ClusterBP {
						same = append(same, l+" "+artist)
					}
				}
				for _, s := range same {
					r7[s] = r7[s] || int64(len(same)) >= policy.ClusterSize
				}
			}
		}
	}
	for _, artist := range artists {
		var all, few int64
		var fans []string
		for _, l := range listeners {
			all += count(l, artist)
			if count(l, artist)*10_000 >= int64(len(of[l]))*policy.DevotionBP {
				fans = append(fans, l)
			}
		}
		slices.SortStableFunc(fans, func(a, b string) int { return int(count(b, artist) - count(a, artist)) })
		fans = fans[:min(len(fans), int(policy.DealingSize)-1)]
		tied := facts.Owned[artist]
		for i, f := range fans {
			few += count(f, artist)
			for _, other := range fans[:i] {
				tied = tied || facts.Paid[f] != "" && facts.Paid[f] == facts.Paid[other]
			}
		}
		for _, f := range fans {
			r8[f+" "+artist] = tied && few*10_000 >= all*policy.DealingBP
		}
	}
	var out []string
	for _, l := range listeners {
		for _, a := range artists {
			key := l + " " + a
			switch {
			case r7[key] && !(policy.Tells(anomaly.R7Cluster) && r8[key] && !policy.Tells(anomaly.R8Dealing)):
				out = append(out, key+" R7")
			case r8[key]:
				out = append(out, key+" R8")
			}
		}
	}
	return out
}

// What cannot be is refused; who heard nothing is nobody.
func TestCrowdRefuses(t *testing.T) {
	t.Parallel()
	bad := anomaly.V1()
	bad.ClusterSize = 0
	if _, err := anomaly.NewCrowd(bad); err == nil {
		t.Error("clusters of nobody")
	}
	c, err := anomaly.NewCrowd(anomaly.V1())
	if err != nil {
		t.Fatal(err)
	}
	for name, plays := range map[string][]anomaly.Play{
		"two as one": {play(0), play(9, by("bob"))}, "no artist": {play(0, of("", "x"), func(p *anomaly.Play) { p.Artist = "" })},
	} {
		if err := c.Add(plays); err == nil {
			t.Errorf("%s: added", name)
		}
	}
	if err := c.Add(nil); err != nil {
		t.Error(err)
	}
}
