package anomaly

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"slices"
)

// State is what becomes of a play.
type State string

// The states.
const (
	Counted State = "counted"
	// Dropped is no play of its own, by arithmetic that needs nobody's opinion.
	Dropped State = "dropped"
	// Held is left out of the first statement and looked at by people, who pay or remove it.
	Held State = "held"
)

// Rule is the name of a rule, "R0" to "R9"; empty for a play that none has marked.
type Rule string

// The rules.
const (
	// R0Short is no play: too little was heard, or by the artist.
	R0Short Rule = "R0"
	// R1Overlap began while another play of the account ran.
	R1Overlap Rule = "R1"
	// R2Hour is more than an hour holds.
	R2Hour Rule = "R2"
	// R3Repeat is the same track too often in a day.
	R3Repeat Rule = "R3"
	// R4Sleepless is three days without a night.
	R4Sleepless Rule = "R4"
	// R5Stubs are many plays that end as soon as they count.
	R5Stubs Rule = "R5"
	// R6Outlier is a day unlike those before it.
	R6Outlier Rule = "R6"
	// R7Cluster are accounts of one place with one taste.
	R7Cluster Rule = "R7"
	// R8Dealing is an artist that a few connected accounts live for.
	R8Dealing Rule = "R8"
	// R9Node is a node whose figures need an eye from outside.
	R9Node Rule = "R9"
)

// Verdict is what the rules say of a play: the first one, in their order, that marks it. One that changes something goes
// before all that only tell.
type Verdict struct {
	State State
	Rule  Rule
	// Policy is the version that was applied.
	Policy int
	// Evidence is a hash of all that the rule looked at, by which two parties see whether they looked at the same. It is
	// zero for a play that is counted.
	Evidence [sha256.Size]byte
}

// Pays reports whether a play with this verdict has a part in the money.
func (p Policy) Pays(v Verdict) bool {
	return v.State == Counted || p.Tells(v.Rule)
}

// gone reports whether a play with this verdict is one that no later rule looks at.
func (p Policy) gone(v Verdict) bool { return v.State == Dropped && !p.Tells(v.Rule) }

// evidence hashes a rule, a policy and the plays that the rule looked at, whatever their order, and facts beside them.
func evidence(rule Rule, policy Policy, plays []Play, facts ...string) [sha256.Size]byte {
	h := sha256.New()
	word(h, "antiphon/anomaly/1")
	word(h, string(rule))
	number(h, int64(policy.Version))
	hashPlays(h, plays)
	for _, f := range facts {
		word(h, f)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// digest hashes plays, whatever their order.
func digest(plays []Play) [sha256.Size]byte {
	h := sha256.New()
	hashPlays(h, plays)
	return [sha256.Size]byte(h.Sum(nil))
}

func hashPlays(h hash.Hash, plays []Play) {
	sorted := slices.Clone(plays)
	slices.SortFunc(sorted, compare)
	number(h, int64(len(sorted)))
	for _, p := range sorted {
		for _, s := range []string{p.Listener, p.Artist, p.Track, p.Session, p.Network, p.Agent} {
			word(h, s)
		}
		number(h, p.Start.UTC().UnixMilli())
		number(h, p.Seconds)
		number(h, p.Length)
	}
}

func word(h hash.Hash, s string) {
	number(h, int64(len(s)))
	_, _ = io.WriteString(h, s)
}

func number(h hash.Hash, i int64) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(i))
	_, _ = h.Write(n[:])
}
