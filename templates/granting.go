package templates

import "time"

// Buyers is the artist's page of who was granted a track.
type Buyers struct {
	Layout
	// Title and URL are the track's.
	Title, URL string
	// Total counts all grants; Grants are those of this page, the latest first.
	Total  int
	Grants []IssuedGrant
	Pager  Pager
}

func (*Buyers) page() string { return "buyers" }

// IssuedGrant is one row of Buyers.
type IssuedGrant struct {
	// ID is the grant's URI, sent back to take it back.
	ID string
	// Buyer is the handle, BuyerURL the page of who has it.
	Buyer, BuyerURL string
	Since           time.Time
	// Ends is when it ends by itself; zero for never.
	Ends time.Time
	// Threshold of Holders open it; Ready have their part of the key.
	Threshold, Ready int
	Holders          []Holder
	// Revoked is when it was taken back, zero if it stands; Reason is what was said then, plain.
	Revoked time.Time
	Reason  string
	// Erased is how many of Holders have confirmed that they erased their part.
	Erased int
}

// Holder is an instance that holds a part of a grant's key.
type Holder struct {
	// Actor is sent back to remove it; Host is shown.
	Actor, Host string
	// State is accepted, waiting, rejected or erased; empty where it is about no grant.
	State string
	// Known says that it was ever asked how it is, Well that it answered last time, at Seen.
	Known, Well bool
	Seen        time.Time
	// Words is what went wrong last.
	Words string
}

// Withdrawn is a track in the library that its artist has taken back.
type Withdrawn struct {
	Title, Artist, ArtistURL string
	// Reason is what the artist said, plain; it may be empty.
	Reason string
	When   time.Time
}
