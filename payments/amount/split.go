package amount

import (
	"fmt"
	"math/big"
	"slices"
)

// Split divides u into parts in the proportion of weights, so that the parts add up to u: each is rounded down, and what
// is left goes in single units to those that lost most by that, earlier ones first (the largest remainders). There must
// be a weight above zero and none below; otherwise the error wraps ErrInvalid.
func (u Units) Split(weights []int) ([]Units, error) {
	sum := new(big.Int)
	for _, w := range weights {
		if w < 0 {
			return nil, fmt.Errorf("%w: a weight below zero", ErrInvalid)
		}
		sum.Add(sum, big.NewInt(int64(w)))
	}
	if sum.Sign() == 0 {
		return nil, fmt.Errorf("%w: no weights", ErrInvalid)
	}
	parts, remainders, order := make([]*big.Int, len(weights)), make([]*big.Int, len(weights)), make([]int, len(weights))
	left := u.Big()
	for i, w := range weights {
		parts[i], remainders[i] = new(big.Int).QuoRem(new(big.Int).Mul(u.Big(), big.NewInt(int64(w))), sum, new(big.Int))
		left.Sub(left, parts[i])
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return remainders[b].Cmp(remainders[a]) })
	// Fewer units are left than there are parts with a remainder.
	for i := range int(left.Int64()) {
		parts[order[i]].Add(parts[order[i]], big.NewInt(1))
	}
	out := make([]Units, len(parts))
	for i, part := range parts {
		var err error
		if out[i], err = UnitsFromBig(part); err != nil {
			return nil, err
		}
	}
	return out, nil
}
