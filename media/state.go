package media

import "fmt"

// State is where a track stands.
type State string

// The states of a track. Received to Ready is the pipeline; Published and Unpublished are the artist's choice;
// Removed is an admin's; Failed says why in Track.Failure and is the end of that upload.
const (
	Received    State = "received"
	Probed      State = "probed"
	Converted   State = "converted"
	Packaged    State = "packaged"
	Ready       State = "ready"
	Published   State = "published"
	Unpublished State = "unpublished"
	Removed     State = "removed"
	Failed      State = "failed"
)

// transitions are the legal moves; everything else is refused.
var transitions = map[State][]State{
	Received:    {Probed, Failed},
	Probed:      {Converted, Failed},
	Converted:   {Packaged, Failed},
	Packaged:    {Ready, Failed},
	Ready:       {Published, Removed},
	Published:   {Unpublished, Removed},
	Unpublished: {Published, Removed},
	Removed:     {Unpublished},
	Failed:      {},
}

// To checks that a track in state s may move to next.
func (s State) To(next State) error {
	for _, legal := range transitions[s] {
		if legal == next {
			return nil
		}
	}
	return fmt.Errorf("track cannot move from %q to %q", s, next)
}

// Working reports whether the pipeline still has work on the track.
func (s State) Working() bool {
	return s == Received || s == Probed || s == Converted || s == Packaged
}
