package templates

// Failure is the page for anything that did not work: what happened, what to
// do, and the request id (in Layout) to quote.
type Failure struct {
	Layout
	// Status is the HTTP status; it chooses the words when What and Do are
	// empty.
	Status int
	// What happened and what to Do, in plain words.
	What, Do string
	// LinkURL and LinkText offer a next step; both or neither.
	LinkURL, LinkText string
}

func (*Failure) page() string { return "failure" }
