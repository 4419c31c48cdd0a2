package royalty

import "fmt"

// Rule says how a listener's money is divided among the artists that are kept.
type Rule string

// The rules.
const (
	// Proportional divides by plays.
	Proportional Rule = "proportional"
	// Equal gives each the same.
	Equal Rule = "equal"
)

// Policy is what a federation agreed on. It stands on the ledger under its version, and every statement names it. A cap
// on the plays of one listener is none of it: scaled counts divide one listener's money as the counts do.
type Policy struct {
	Version int  `json:"version"`
	Split   Rule `json:"split"`
	// Top is how many of the most-heard artists of a listener are paid.
	Top int `json:"top"`
	// CarryMonths is for how many months the money of a listener who hears nothing waits before it goes to all.
	CarryMonths int `json:"carryMonths"`
	// Minimum is the least that is paid out; less waits and adds up.
	Minimum Micro `json:"minimum"`
}

// DefaultPolicy is version 1.
func DefaultPolicy() Policy {
	return Policy{Version: 1, Split: Proportional, Top: 9, CarryMonths: 3, Minimum: 1_000_000}
}

// Check refuses a policy that cannot be followed.
func (p Policy) Check() error {
	if p.Split != Proportional && p.Split != Equal || p.Top < 1 || p.Top > 1000 ||
		p.CarryMonths < 0 || p.Minimum < 0 {
		return fmt.Errorf("%w: policy %+v", ErrInvalid, p)
	}
	return nil
}
