package subscription

import (
	"fmt"
	"time"
)

// State is where a subscription stands. Both sides keep it, each by its own clock, and tell each other only facts: that
// somebody joins, cancels, has paid until then.
type State string

// The states of a subscription.
const (
	Asked  State = "asked"  // the listener wants to join; nothing is paid yet
	Active State = "active" // paid, and to be renewed
	Ending State = "ending" // canceled; it runs to the end of what was paid
	Late   State = "grace"  // the month is over and the next one not paid; it plays on for the grace
	Lapsed State = "lapsed" // the grace is over
	Ended  State = "ended"  // canceled and over
)

// transitions are the legal moves; everything else is refused. A renewal leaves an active subscription as it is, with a
// later end.
var transitions = map[State][]State{
	Asked:  {Active, Ended},
	Active: {Ending, Late},
	Ending: {Active, Ended},
	Late:   {Active, Ended, Lapsed},
	Lapsed: {Asked, Active},
	Ended:  {Asked, Active},
}

// To checks that a subscription in state s may move to next.
func (s State) To(next State) error {
	for _, legal := range transitions[s] {
		if legal == next {
			return nil
		}
	}
	return fmt.Errorf("subscription cannot move from %q to %q", s, next)
}

// Stands reports whether who subscribes is a subscriber in this state.
func (s State) Stands() bool { return s == Active || s == Ending || s == Late }

// due is the state that follows from s when what was paid has ended at end, or s.
func (s State) due(end, now time.Time) State {
	switch {
	case s == Active && !now.Before(end):
		return Late
	case s == Ending && !now.Before(end):
		return Ended
	case s == Late && !now.Before(end.Add(Grace)):
		return Lapsed
	}
	return s
}

// canceled is where a cancellation leads from s.
func (s State) canceled() State {
	if s == Active {
		return Ending
	}
	return Ended
}
