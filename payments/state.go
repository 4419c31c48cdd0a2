package payments

import "fmt"

// State is where an order stands.
type State string

// The states of an order. Paid and Granted are reached in one transaction. That a payment was late, too much, or came
// twice is no state but a [Remark]: the order goes its way all the same.
const (
	Quoted    State = "quoted"    // a price was fixed; the invoice is on its way to the buyer
	Awaiting  State = "awaiting"  // the buyer was sent the invoice
	Underpaid State = "underpaid" // less than the price has come
	Expired   State = "expired"   // the invoice's time has passed; a payment is still honored
	Paid      State = "paid"
	Granted   State = "granted"
	Delivered State = "delivered" // the buyer's inbox has taken the grant
	Failed    State = "failed"    // the artist does not wait for the payment any more
	Refunded  State = "refunded"  // the artist has given back what was paid
)

// transitions are the legal moves; everything else is refused.
var transitions = map[State][]State{
	Quoted:    {Awaiting, Underpaid, Expired, Paid, Failed},
	Awaiting:  {Underpaid, Expired, Paid, Failed},
	Underpaid: {Expired, Paid, Failed, Refunded},
	Expired:   {Paid, Failed, Refunded},
	Paid:      {Granted},
	Granted:   {Delivered, Refunded},
	Delivered: {Refunded},
	Failed:    {Refunded},
	Refunded:  {},
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
func (s State) Open() bool {
	return s == Quoted || s == Awaiting || s == Underpaid || s == Expired
}

// Remark is what was unusual about the payment of an order.
type Remark string

// The remarks; the empty one is of what was paid as it was asked.
const (
	Overpaid  Remark = "overpaid"
	Late      Remark = "late"
	Duplicate Remark = "duplicate" // money came for an order that waited for none
	Gone      Remark = "gone"      // money came for what cannot be granted any more
)
