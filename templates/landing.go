package templates

// Landing is the home page of a visitor who is not logged in.
type Landing struct {
	Layout
	// About is one plain sentence by the admin about this instance.
	About string
	// Newest are the latest published tracks of this instance, at most 12.
	Newest []Track
	// Artists counts the local artists, Tracks their published tracks.
	Artists, Tracks int
}

func (*Landing) page() string { return "landing" }
