package payments

import "fmt"

// State is where an order stands.
type State string

// The states of an order. Paid and Granted are reached in one transaction; Delivered once the buyer's inbox has taken
// the grant.
const (
	Awaiting  State = "awaiting"
	Underpaid State = "underpaid"
	Expired   State = "expired"
	Paid      State = "paid"
	Granted   State = "granted"
	Delivered State = "delivered"
)

// transitions are the legal moves; everything else is refused.
var transitions = map[State][]State{
	Awaiting:  {Underpaid, Expired, Paid},
	Underpaid: {Expired, Paid},
	Expired:   {Paid},
	Paid:      {Granted},
	Granted:   {Delivered},
	Delivered: {},
}

// To checks that an order in state s may move to next.
func (s State) To(next State) error {
	for _, legal := range transitions[s] {
		if legal == next {
			return nil
		}
	}
	return fmt.Errorf("order cannot move from %q to %q", s, next)
}

// Open reports whether a payment may still turn an order in this state into a paid one.
func (s State) Open() bool { return s == Awaiting || s == Underpaid || s == Expired }
