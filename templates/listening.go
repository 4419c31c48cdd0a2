package templates

import "time"

// History is the page of what a member heard.
type History struct {
	Layout
	Plays []HeardTrack
	// Older leads to what was heard before; empty at the end.
	Older string
	// Recording says that plays are recorded.
	Recording bool
	// Audiences are the choices of who may know.
	Audiences []Choice
}

func (*History) page() string { return "history" }

// HeardTrack is one play.
type HeardTrack struct {
	// ID is sent back to forget it.
	ID    string
	Track Track
	When  time.Time
	// Heard of the track; Counted says that it was a play and not less.
	Heard   time.Duration
	Counted bool
}

// Listens is an artist's page of what was heard this month, and of the listening pool.
type Listens struct {
	Layout
	// Since is the first day that is counted.
	Since time.Time
	// Plays are those of members here, and Elsewhere what other servers say; exact, of all tracks.
	Plays, Elsewhere int
	Tracks           []TrackListens
	// Few is how many plays tracks have together that fewer than Least members heard.
	Few, Least int
	Pager      Pager
}

func (*Listens) page() string { return "listens" }

// TrackListens is one row of Listens.
type TrackListens struct {
	ID    string
	Track Track
	// Plays and Listeners are of members here; zero when they are too few to be told.
	Plays, Listeners int
	// Elsewhere is what other servers say.
	Elsewhere int
	// Pooled says that the track is in the listening pool.
	Pooled bool
}
