package anomaly

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
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

// Suspicion is what a rule says of a listener's plays of an artist in a month.
type Suspicion struct {
	Listener, Artist string
	Rule             Rule
	Evidence         [sha256.Size]byte
}

// Crowd applies the rules that look at many listeners, R7 and R8, to a month that comes one listener after the other. It
// keeps a line for each artist, and one for each listener who hears little but one artist; of all others nothing.
type Crowd struct {
	policy Policy
	fans   []fan
	// clusters lead to the last one of each place and artist in members, which lead to the one before.
	clusters map[[16]byte]int32
	members  []member
	artists  map[string]*following
}

// fan is a listener who hears little but one artist.
type fan struct {
	listener, artist string
	plays            int64
	digest           [sha256.Size]byte
}

// member is a fan in a cluster, and the place of the member before, from 1; 0 for none.
type member struct{ fan, before int32 }

// following is what an artist was heard in the month, and the places of those who hear hardly anybody else: no more than
// the rule looks at, the one with the most plays first.
type following struct {
	plays   int64
	devoted []int32
}

// NewCrowd makes one for a month.
func NewCrowd(policy Policy) (*Crowd, error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	return &Crowd{policy: policy, clusters: map[[16]byte]int32{}, artists: map[string]*following{}}, nil
}

// Add adds a listener who has paid for the month, with all plays of the month that no rule has dropped, in any order. Each
// listener is added once, in any order.
func (c *Crowd) Add(plays []Play) error {
	byArtist := map[string][]Play{}
	for _, p := range plays {
		if err := p.check(); err != nil {
			return err
		}
		if p.Listener != plays[0].Listener {
			return fmt.Errorf("%w: plays of %.80q among those of %.80q", ErrInvalid, p.Listener, plays[0].Listener)
		}
		byArtist[p.Artist] = append(byArtist[p.Artist], p)
	}
	all := int64(len(plays))
	top := ""
	for artist, heard := range byArtist {
		if n, most := len(heard), len(byArtist[top]); n > most || n == most && artist < top {
			top = artist
		}
		c.following(artist).plays += int64(len(heard))
	}
	for artist, heard := range byArtist {
		n := int64(len(heard)) * whole
		inCluster, isDevoted := artist == top && n >= all*c.policy.ClusterBP, n >= all*c.policy.DevotionBP
		if !inCluster && !isDevoted {
			continue
		}
		at := int32(len(c.fans))
		c.fans = append(c.fans, fan{plays[0].Listener, artist, int64(len(heard)), digest(heard)})
		if inCluster {
			c.gather(at, plays)
		}
		if isDevoted {
			c.follow(at)
		}
	}
	return nil
}

func (c *Crowd) following(artist string) *following {
	f := c.artists[artist]
	if f == nil {
		f = &following{}
		c.artists[artist] = f
	}
	return f
}

// gather puts a fan into the clusters of the places that it was seen at.
func (c *Crowd) gather(at int32, plays []Play) {
	seen := map[[16]byte]bool{}
	for _, p := range plays {
		if p.Network == "" || p.Agent == "" {
			continue
		}
		key := clusterOf(p.Network, p.Agent, c.fans[at].artist)
		if seen[key] {
			continue
		}
		seen[key] = true
		c.members = append(c.members, member{at, c.clusters[key]})
		c.clusters[key] = int32(len(c.members))
	}
}

func clusterOf(network, agent, artist string) [16]byte {
	h := sha256.New()
	for _, s := range []string{network, agent, artist} {
		word(h, s)
	}
	return [16]byte(h.Sum(nil))
}

// follow puts a fan among those who live for an artist, if it is one of the first.
func (c *Crowd) follow(at int32) {
	f := c.following(c.fans[at].artist)
	place, _ := slices.BinarySearchFunc(f.devoted, at, func(a, b int32) int {
		return cmp.Or(cmp.Compare(c.fans[b].plays, c.fans[a].plays), cmp.Compare(c.fans[a].listener, c.fans[b].listener))
	})
	f.devoted = slices.Insert(f.devoted, place, at)
	f.devoted = f.devoted[:min(int64(len(f.devoted)), c.policy.DealingSize-1)]
}

// Asked are the listeners and the artists of whom [Crowd.Suspects] wants to know facts: those whom R8 could concern.
func (c *Crowd) Asked() (listeners, artists []string) {
	for artist, f := range c.artists {
		if !c.concerns(f) {
			continue
		}
		artists = append(artists, artist)
		for _, at := range f.devoted {
			listeners = append(listeners, c.fans[at].listener)
		}
	}
	slices.Sort(listeners)
	return slices.Compact(listeners), slices.Sorted(slices.Values(artists))
}

// concerns reports whether a few listeners make an artist's month.
func (c *Crowd) concerns(f *following) bool {
	var heard int64
	for _, at := range f.devoted {
		heard += c.fans[at].plays
	}
	return len(f.devoted) > 0 && heard*whole >= f.plays*c.policy.DealingBP && c.policy.Applies(R8Dealing)
}

// Suspects are the suspicions of the month, each listener and artist once, by listener and then by artist: R7 before R8, but
// a rule that changes something before one that only tells. The same month gives the same, in whatever order it came.
func (c *Crowd) Suspects(facts Facts) []Suspicion {
	type pair struct{ listener, artist string }
	found := map[pair]Suspicion{}
	add := func(rule Rule, which []int32, words ...string) {
		slices.SortFunc(which, func(a, b int32) int { return cmp.Compare(c.fans[a].listener, c.fans[b].listener) })
		for _, at := range which {
			words = append(words, string(c.fans[at].digest[:]))
		}
		hash := evidence(rule, c.policy, nil, words...)
		for _, at := range which {
			key := pair{c.fans[at].listener, c.fans[at].artist}
			if old, known := found[key]; !known || c.policy.Tells(old.Rule) && !c.policy.Tells(rule) {
				found[key] = Suspicion{key.listener, key.artist, rule, hash}
			}
		}
	}
	// A school or a concert hall with one address for all looks the same as a cluster, so nothing is dropped.
	for _, key := range slices.SortedFunc(maps.Keys(c.clusters), func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }) {
		var which []int32
		for at := c.clusters[key]; at > 0; at = c.members[at-1].before {
			which = append(which, c.members[at-1].fan)
		}
		if int64(len(which)) >= c.policy.ClusterSize && c.policy.Applies(R7Cluster) {
			add(R7Cluster, which, string(key[:]))
		}
	}
	for artist, f := range c.artists {
		if !c.concerns(f) {
			continue
		}
		if tie := c.connected(artist, f, facts); tie != "" {
			add(R8Dealing, slices.Clone(f.devoted), artist, tie)
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Suspicion) int {
		return cmp.Or(cmp.Compare(a.Listener, b.Listener), cmp.Compare(a.Artist, b.Artist))
	})
}

// connected says what ties an artist's few listeners to each other or to the artist; empty when nothing does.
func (c *Crowd) connected(artist string, f *following, facts Facts) string {
	if facts.Owned[artist] {
		return "owner"
	}
	seen := map[string]bool{facts.Payout[artist]: true}
	for _, at := range f.devoted {
		instrument := facts.Paid[c.fans[at].listener]
		if instrument != "" && seen[instrument] {
			return "instrument " + instrument
		}
		seen[instrument] = true
	}
	return ""
}
