package contract

import (
	"fmt"

	"antiphon/payments/royalty"
)

// The bounds of what one ledger counts. They leave room so that no sum of two leaves 64 bits, and so that every number
// is exact in JSON.
const (
	// MaxMicro is a thousand million dollars.
	MaxMicro royalty.Micro = 1_000_000_000_000_000
	// MaxCount bounds plays, seconds, lines and payments.
	MaxCount int64 = 1 << 40
	// MaxLines is how many lines a batch may have.
	MaxLines = 500
)

// add sums within the bounds.
func add(parts ...royalty.Micro) (royalty.Micro, error) {
	var sum royalty.Micro
	for _, p := range parts {
		if p > MaxMicro || p < -MaxMicro {
			return 0, fmt.Errorf("%w: %s", ErrOverflow, p)
		}
		if sum += p; sum > MaxMicro || sum < -MaxMicro {
			return 0, fmt.Errorf("%w: %s", ErrOverflow, sum)
		}
	}
	return sum, nil
}

// counted refuses counts out of bounds.
func counted(counts ...int64) error {
	for _, n := range counts {
		if n < 0 {
			return fmt.Errorf("%w: a count of %d", ErrInvalid, n)
		}
		if n > MaxCount {
			return fmt.Errorf("%w: a count of %d", ErrOverflow, n)
		}
	}
	return nil
}

// atLeastZero refuses money below zero and out of bounds.
func atLeastZero(parts ...royalty.Micro) error {
	for _, p := range parts {
		if p < 0 {
			return fmt.Errorf("%w: %s is below zero", ErrInvalid, p)
		}
		if p > MaxMicro {
			return fmt.Errorf("%w: %s", ErrOverflow, p)
		}
	}
	return nil
}

// batch refuses a batch that is empty or too large.
func batch(lines int) error {
	if lines < 1 || lines > MaxLines {
		return fmt.Errorf("%w: a batch has 1 to %d lines, not %d", ErrInvalid, MaxLines, lines)
	}
	return nil
}

// notice is what an event says: where to look, and nothing that is not there.
type notice struct {
	Node    string        `json:"node,omitempty"`
	Month   royalty.Month `json:"month,omitempty"`
	Day     string        `json:"day,omitempty"`
	Version int           `json:"version,omitempty"`
	Lines   int           `json:"lines,omitempty"`
	Dispute string        `json:"dispute,omitempty"`
	State   string        `json:"state,omitempty"`
	ID      string        `json:"id,omitempty"`
}

// under is the range of the keys that begin with prefix, which ends with '/'.
func under(prefix string) (start, end string) { return prefix, prefix[:len(prefix)-1] + "0" }
