package templates

import "time"

// Whole is the page about the whole of one's account: moving, taking along, leaving.
type Whole struct {
	Layout
	// Aliases are the other accounts of the same person, as handles, one a line.
	Aliases string
	// MovedTo is where the account has moved: a handle; empty when it has not.
	MovedTo, MovedToURL string
	Archives            []Archive
	Imports             []Import
	// Owned counts tracks that would be lost with the account, Sold those that were bought from it.
	Owned, Sold int
	// Error says what is wrong with what was typed in the form Wrong: "aliases", "move" or "import".
	Error, Wrong string
	// Typed is what was typed there.
	Typed string
}

func (*Whole) page() string { return "whole" }

// Archive is a file with everything that a member made and owns.
type Archive struct {
	State       string
	URL         string
	Size        int64
	Done, Total int
	Made, Until time.Time
}

// Import is a list of accounts that are being followed.
type Import struct {
	When                             time.Time
	Total, Followed, Missed, Waiting int
	Failed                           []ImportLine
}

// ImportLine is an account that could not be followed; Why chooses the words.
type ImportLine struct{ Address, Why string }

// Avoided is the list of whom a member blocks and mutes.
type Avoided struct {
	Layout
	Rows         []Avoidance
	Error, Typed string
}

func (*Avoided) page() string { return "avoided" }

// Avoidance is one of them.
type Avoidance struct {
	// Subject is what is sent back to end it, Name how it is shown, Kind "block" or "mute".
	Subject, Name, Kind string
	When                time.Time
}

// Tidings is what the house tells a member.
type Tidings struct {
	Layout
	Rows []Tiding
}

func (*Tidings) page() string { return "tidings" }

// Tiding is one of them; Kind chooses the words.
type Tiding struct {
	Kind, About, Words string
	AboutURL, URL      string
	When               time.Time
	New                bool
}
