package purchase

import "fmt"

// State is where a purchase stands.
type State string

// The states of a purchase. A receipt and a grant come in either order.
const (
	Offered  State = "offered"  // our offer is on its way
	Invoiced State = "invoiced" // the seller says what is to be paid
	Paying   State = "paying"   // our own node was told to pay
	Receipt  State = "receipt"  // the seller has confirmed the payment
	Granted  State = "granted"  // the grant is here: it can be played
	Refused  State = "refused"  // the seller said no, and why
)

// transitions are the legal moves; everything else is refused. A grant may come before its receipt, and again after a
// seller has refused to sell the same thing twice.
var transitions = map[State][]State{
	Offered:  {Invoiced, Receipt, Granted, Refused},
	Invoiced: {Paying, Receipt, Granted},
	Paying:   {Invoiced, Receipt, Granted},
	Receipt:  {Granted},
	Granted:  {},
	Refused:  {Granted},
}

// To checks that a purchase in state s may move to next.
func (s State) To(next State) error {
	for _, legal := range transitions[s] {
		if legal == next {
			return nil
		}
	}
	return fmt.Errorf("purchase cannot move from %q to %q", s, next)
}

// Open reports whether the purchase still waits for something.
func (s State) Open() bool { return s != Granted && s != Refused }
