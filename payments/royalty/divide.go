package royalty

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Unit is one play by one artist alone. A play that several artists share is divided by Credit, so that weights stay
// whole numbers.
const Unit = 10_000

// Heard is what one listener heard of one artist in a month.
type Heard struct {
	// Artist is the artist's actor URI.
	Artist string
	// Units are qualified plays, in Unit.
	Units int64
	// Seconds of them, distinct ones.
	Seconds int64
}

// Slice is an artist's part of one listener's money.
type Slice struct {
	Artist string
	Micro  Micro
}

// Divide divides pool among the artists that a listener heard most, in the order of their rank: by units, then by
// seconds, then by SHA-256("tie1|" month "|" pseudonym "|" artist), which favors nobody twice. The first Top are
// kept; each gets the floor of its share, and what is left goes to the largest remainders, one Micro each, at equal
// remainders to the better rank. The parts sum to pool. With nothing heard there are no parts.
func Divide(policy Policy, month Month, pseudonym string, pool Micro, heard []Heard) ([]Slice, error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	if pool < 0 {
		return nil, fmt.Errorf("%w: pool of %s", ErrInvalid, pool)
	}
	seen := make(map[string]bool, len(heard))
	for _, h := range heard {
		if h.Units < 0 || h.Seconds < 0 || h.Artist == "" || seen[h.Artist] {
			return nil, fmt.Errorf("%w: %d units and %d seconds of %q", ErrInvalid, h.Units, h.Seconds, h.Artist)
		}
		seen[h.Artist] = true
	}
	return divide(policy, month, pseudonym, pool, slices.Clone(heard))
}

// divide is Divide of what was checked; it reorders heard.
func divide(policy Policy, month Month, pseudonym string, pool Micro, heard []Heard) ([]Slice, error) {
	ranked := rank(month, pseudonym, heard, policy.Top)
	weights := weigh(policy, ranked)
	parts, err := apportion(uint64(pool), weights)
	if err != nil {
		return nil, err
	}
	out := make([]Slice, len(parts))
	for i, part := range parts {
		out[i] = Slice{Artist: ranked[i].Artist, Micro: Micro(part)}
	}
	return out, nil
}

// Resize divides another total as slices divide theirs, by the largest-remainder method, in their order.
func Resize(total Micro, slices []Slice) ([]Slice, error) {
	weights := make([]uint64, len(slices))
	for i, s := range slices {
		if s.Micro < 0 {
			return nil, fmt.Errorf("%w: a slice of %s", ErrInvalid, s.Micro)
		}
		weights[i] = uint64(s.Micro)
	}
	if total < 0 {
		return nil, fmt.Errorf("%w: a total of %s", ErrInvalid, total)
	}
	parts, err := apportion(uint64(total), weights)
	if err != nil || parts == nil {
		return nil, err
	}
	out := make([]Slice, len(slices))
	for i, part := range parts {
		out[i] = Slice{Artist: slices[i].Artist, Micro: Micro(part)}
	}
	return out, nil
}

// rank sorts what was heard so far as the first top are concerned, and leaves out what was not.
func rank(month Month, pseudonym string, heard []Heard, top int) []Heard {
	heard = slices.DeleteFunc(heard, func(h Heard) bool { return h.Units == 0 })
	slices.SortFunc(heard, compareHeard)
	// Few ties reach into the first, and a hash costs more than all the rest.
	for from := 0; from < min(top, len(heard)); {
		to := from + 1
		for to < len(heard) && compareHeard(heard[from], heard[to]) == 0 {
			to++
		}
		if to > from+1 {
			draw(month, pseudonym, heard[from:to])
		}
		from = to
	}
	return heard
}

// compareHeard puts more units first, then more seconds.
func compareHeard(a, b Heard) int {
	if a.Units != b.Units {
		return cmp.Compare(b.Units, a.Units)
	}
	return cmp.Compare(b.Seconds, a.Seconds)
}

// draw sorts what is tied.
func draw(month Month, pseudonym string, tied []Heard) {
	type lot struct {
		hash  [sha256.Size]byte
		heard Heard
	}
	lots := make([]lot, len(tied))
	for i, h := range tied {
		lots[i] = lot{sha256.Sum256([]byte("tie1|" + string(month) + "|" + pseudonym + "|" + h.Artist)), h}
	}
	slices.SortFunc(lots, func(a, b lot) int { return bytes.Compare(a.hash[:], b.hash[:]) })
	for i := range lots {
		tied[i] = lots[i].heard
	}
}

// weigh is the weight of each of the ranked artists that are kept.
func weigh(policy Policy, ranked []Heard) []uint64 {
	kept := ranked[:min(policy.Top, len(ranked))]
	weights := make([]uint64, len(kept))
	for i, h := range kept {
		weights[i] = 1
		if policy.Split == Proportional {
			weights[i] = uint64(h.Units)
		}
	}
	return weights
}

// apportion divides total by weights with the largest-remainder method (Hamilton); earlier parts win ties. The products
// have 128 bits, so that nothing overflows.
func apportion(total uint64, weights []uint64) ([]uint64, error) {
	var sum uint64
	for _, w := range weights {
		if w > math.MaxInt64-sum {
			return nil, fmt.Errorf("%w: weights sum beyond 2^63", ErrInvalid)
		}
		sum += w
	}
	if sum == 0 {
		return nil, nil
	}
	parts := make([]uint64, len(weights))
	rests := make([]uint64, len(weights))
	left := total
	for i, w := range weights {
		// w <= sum, so the quotient is at most total and fits.
		hi, lo := bits.Mul64(total, w)
		parts[i], rests[i] = bits.Div64(hi, lo, sum)
		left -= parts[i]
	}
	order := make([]int, len(weights))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rests[b], rests[a]) })
	for _, i := range order[:left] {
		parts[i]++
	}
	return parts, nil
}
