package anomaly

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// Node is what one node reported of a month.
type Node struct {
	// Listeners who paid and had plays reported, Payments that were recorded, and Plays of all listeners.
	Listeners, Payments, Plays int64
}

// JudgeNode applies R9 to a node among the others of its federation, itself included or not: it reports whether the whole
// report needs an eye from outside, and why. The comparison with others needs three of them.
func JudgeNode(policy Policy, node Node, others []Node) (reasons []string, err error) {
	if err := policy.Check(); err != nil {
		return nil, err
	}
	for _, n := range append([]Node{node}, others...) {
		if n.Listeners < 0 || n.Payments < 0 || n.Plays < 0 {
			return nil, fmt.Errorf("%w: figures %+v", ErrInvalid, n)
		}
	}
	if !policy.Applies(R9Node) {
		return nil, nil
	}
	if compareProducts(node.Listeners, whole, node.Payments, policy.NodePaidBP) > 0 {
		reasons = append(reasons, fmt.Sprintf("%d listeners for %d payments", node.Listeners, node.Payments))
	}
	others = slices.DeleteFunc(slices.Clone(others), func(n Node) bool { return n.Listeners == 0 })
	if len(others) < 3 || node.Listeners == 0 {
		return reasons, nil
	}
	slices.SortFunc(others, func(a, b Node) int { return compareProducts(a.Plays, b.Listeners, b.Plays, a.Listeners) })
	// Of an even number the upper one: a rule that needs no fractions, in favor of the node.
	usual := others[len(others)/2]
	// node.Plays/node.Listeners > bp/whole * usual.Plays/usual.Listeners, in whole numbers.
	if compareProducts3(node.Plays, usual.Listeners, whole, usual.Plays, node.Listeners, policy.NodePlaysBP) > 0 {
		reasons = append(reasons, fmt.Sprintf("%d plays of %d listeners, usual are %d of %d", node.Plays, node.Listeners, usual.Plays, usual.Listeners))
	}
	return reasons, nil
}

// compareProducts compares a*b with c*d.
func compareProducts(a, b, c, d int64) int { return compareProducts3(a, b, 1, c, d, 1) }

// compareProducts3 compares a*b*c with d*e*f without overflow; none is negative.
func compareProducts3(a, b, c, d, e, f int64) int {
	left, right := product(a, b, c), product(d, e, f)
	for i := range left {
		if left[i] != right[i] {
			return cmp.Compare(left[i], right[i])
		}
	}
	return 0
}

// product is a*b*c in 192 bits, the highest first.
func product(a, b, c int64) [3]uint64 {
	high, low := bits.Mul64(uint64(a), uint64(b))
	carry, bottom := bits.Mul64(low, uint64(c))
	top, middle := bits.Mul64(high, uint64(c))
	middle, over := bits.Add64(middle, carry, 0)
	return [3]uint64{top + over, middle, bottom}
}
