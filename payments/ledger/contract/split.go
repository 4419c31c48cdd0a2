package contract

import (
	"encoding/json"
	"fmt"
	"math/big"

	"antiphon/payments/amount"
)

const (
	// whole is what the parts of a payment add up to, in ten-thousandths; maxSplits is how many there can be.
	whole     = 10_000
	maxSplits = 20
)

// Split is a payee's part of a payment.
type Split struct {
	// Payee is an actor's URI; the record has its hash only.
	Payee string
	// BasisPoints are ten-thousandths of the amount.
	BasisPoints int
}

// splitArgs is a part as it is recorded.
type splitArgs struct {
	BasisPoints int    `json:"bp"`
	Payee       string `json:"payee"`
}

func splitsOf(all []Split) []splitArgs {
	var out []splitArgs
	for _, s := range all {
		out = append(out, splitArgs{s.BasisPoints, Digest("payee", s.Payee)})
	}
	return out
}

// owing are the postings of what is owed to payee for an amount, or to those whom it is split among: whole units, the
// largest remainders first. The sign is that of what is owed: below zero.
func owing(total amount.Units, payee string, splits []splitArgs) ([]posting, error) {
	if len(splits) == 0 {
		return []posting{{owed(payee), new(big.Int).Neg(total.Big())}}, nil
	}
	if len(splits) > maxSplits {
		return nil, fmt.Errorf("%w: more than %d parts", ErrInvalid, maxSplits)
	}
	weights, sum, seen := make([]int, len(splits)), 0, map[string]bool{}
	for i, s := range splits {
		if s.BasisPoints < 1 || s.BasisPoints > whole || !hexHash.MatchString(s.Payee) || seen[s.Payee] {
			return nil, fmt.Errorf("%w: want parts of different payees, each of 1 to %d", ErrInvalid, whole)
		}
		weights[i], seen[s.Payee] = s.BasisPoints, true
		sum += s.BasisPoints
	}
	if sum != whole {
		return nil, fmt.Errorf("%w: the parts add up to %d", ErrInvalid, sum)
	}
	parts, err := total.Split(weights)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var all []posting
	for i, part := range parts {
		if !part.IsZero() {
			all = append(all, posting{owed(splits[i].Payee), new(big.Int).Neg(part.Big())})
		}
	}
	return all, nil
}

// keepSplits keeps how a payment was split, so that a refund undoes just that; a payment that was not leaves nothing.
func keepSplits(s State, hash string, splits []splitArgs) error {
	if len(splits) == 0 {
		return nil
	}
	text, err := json.Marshal(splits)
	if err != nil {
		return fmt.Errorf("encode splits: %w", err)
	}
	return s.Put("splits/"+hash, string(text))
}

func keptSplits(s State, hash string) ([]splitArgs, error) {
	text, found, err := s.Get("splits/" + hash)
	if err != nil || !found {
		return nil, err
	}
	var splits []splitArgs
	if err := json.Unmarshal([]byte(text), &splits); err != nil {
		return nil, fmt.Errorf("splits of payment %s: %w", hash, err)
	}
	return splits, nil
}
