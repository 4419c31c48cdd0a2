package pool

import "fmt"

// State is where a membership stands.
type State string

// The states of a membership.
const (
	Asked    State = "asked"    // joined, and nothing is paid yet
	Active   State = "active"   // this month is paid, and the next one is expected
	Late     State = "late"     // a new month has begun and is not paid; what was granted plays on for the grace
	Lapsed   State = "lapsed"   // the grace is over
	Ending   State = "ending"   // canceled; what was paid runs to the end of its month
	Ended    State = "ended"    // canceled and over
	Reversed State = "reversed" // the last payment was taken back
)

// States are all of them.
func States() []State { return []State{Asked, Active, Late, Lapsed, Ending, Ended, Reversed} }

// transitions are the legal moves; everything else is refused. A month that is paid in time leaves an active membership
// as it is. A payment that comes when nobody waits for it any more is honored.
var transitions = map[State][]State{
	Asked:    {Active, Ended},
	Active:   {Late, Ending, Reversed},
	Late:     {Active, Lapsed, Ended, Reversed},
	Lapsed:   {Asked, Active, Ended, Reversed},
	Ending:   {Active, Ended, Reversed},
	Ended:    {Asked, Active, Reversed},
	Reversed: {Asked, Active, Ended},
}

// To checks that a membership in state s may move to next.
func (s State) To(next State) error {
	for _, legal := range transitions[s] {
		if legal == next {
			return nil
		}
	}
	return fmt.Errorf("%w: from %q to %q", ErrState, s, next)
}

// canceled is where a cancellation leads from s.
func (s State) canceled() State {
	if s == Active {
		return Ending
	}
	return Ended
}
