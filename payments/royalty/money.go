package royalty

import (
	"errors"
	"fmt"
	"math/big"
)

// ErrInvalid is returned for what cannot be divided: negative counts, sums beyond 2^63, a listener named twice.
var ErrInvalid = errors.New("not a month's listening")

// Micro is money in millionths of a US dollar.
type Micro int64

// What a subscription costs a month, and where it goes.
const (
	Fee      Micro = 10_000_000
	Operator Micro = 1_000_000
	Pool     Micro = 9_000_000
)

// decimals of Micro.
const decimals = 6

// String is the amount in dollars with all six digits: "2.842105".
func (m Micro) String() string {
	sign := ""
	whole, rest := m/1_000_000, m%1_000_000
	if m < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	return fmt.Sprintf("%s%d.%06d", sign, whole, rest)
}

// Tokens is the amount in the smallest units of a token with that many decimals, 6 to 77: exact, as every Micro is a
// whole number of them. A token with fewer decimals cannot hold a Micro, and is an error, as is a negative amount.
func (m Micro) Tokens(tokenDecimals int) (*big.Int, error) {
	if m < 0 || tokenDecimals < decimals || tokenDecimals > 77 {
		return nil, fmt.Errorf("%w: %s in a token of %d decimals", ErrInvalid, m, tokenDecimals)
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(tokenDecimals-decimals)), nil)
	return scale.Mul(scale, big.NewInt(int64(m))), nil
}
