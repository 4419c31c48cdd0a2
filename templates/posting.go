package templates

import (
	"html/template"
	"time"
)

// Upload is where an artist drops files.
type Upload struct {
	Layout
	// MaxBytes is the largest file taken.
	MaxBytes int64
	// Formats are the kinds of file taken, in words ("FLAC", "WAV", ...).
	Formats []string
}

func (*Upload) page() string { return "upload" }

// DraftState is how far a draft is.
type DraftState string

// The states of a draft.
const (
	DraftWorking   DraftState = "working"
	DraftReady     DraftState = "ready"
	DraftFailed    DraftState = "failed"
	DraftPublished DraftState = "published"
)

// Step is one step of the work on an uploaded file.
type Step struct {
	// Name is probe, transcode, package, seal, store or capsule; another name
	// is shown as it is.
	Name string
	// State is waiting, working, done or failed.
	State string
	// Done is the part that is done, 0..1.
	Done float64
	// Message says what is wrong and what helps, when the step failed.
	Message string
}

// Draft is the page of one uploaded track until it is published, and right
// after: then Published is set.
type Draft struct {
	Layout
	ID    string
	State DraftState
	// File is the uploaded file's name.
	File  string
	Steps []Step
	// Left is the time that the work still takes; zero is unknown.
	Left time.Duration
	// Track is what is known so far: title, cover, peaks, duration, preview.
	Track Track
	// Description is the text of the post, plain; Tags are comma separated.
	Description, Tags string
	// Licenses are the choices.
	Licenses []Choice
	Pricing
	// PreviewStart is where the preview begins; how long it is stands in Track.
	PreviewStart time.Duration
	// Errors is what is wrong, by field: title, price, asset, cover,
	// suggested, shares, previewStart, license, description, tags.
	Errors map[string]string
	// Published is set once the track is out.
	Published *Published
}

func (*Draft) page() string { return "draft" }

// Published is what an artist sees right after publishing.
type Published struct {
	// Link is the track's public address.
	Link string
	// Name, Handle and Avatar are the artist as Mastodon shows them.
	Name, Handle, Avatar string
	// Text is the post as it was sent, sanitized.
	Text template.HTML
	// Followers is how many inboxes it goes to.
	Followers int
}

// Studio is the artist's list of tracks.
type Studio struct {
	Layout
	Drafts    []StudioTrack
	Published []StudioTrack
	Pager     Pager
	// Releases are the artist's, in whatever state.
	Releases []StudioRelease
	// Owed is what the instance's ledger says that the artist is owed.
	Owed []Money
	// Followers, Sales and Earned are the figures at the top.
	Followers, Sales int
	Earned           []Money
	// Unusual are orders that want a look.
	Unusual []UnusualOrder
}

// UnusualOrder is an order whose payment was not simply right.
type UnusualOrder struct {
	// Product is what was ordered, Words what is unusual, in plain text.
	Product, Words string
	Changed        time.Time
}

func (*Studio) page() string { return "studio" }

// StudioRelease is one row of the studio's releases.
type StudioRelease struct {
	Title, EditURL string
	// BuyersURL leads to who has it; empty for a draft.
	BuyersURL string
	// State is draft, published or withdrawn.
	State  string
	Tracks int
	Price  Money
	Sales  int
}

// StudioTrack is one row of the studio.
type StudioTrack struct {
	ID    string
	State DraftState
	Track Track
	// File is the uploaded file's name, shown until there is a title.
	File string
	// EditURL leads to the draft or to the track's form.
	EditURL string
	// BuyersURL leads to who has it; empty for a draft.
	BuyersURL string
	// Step and Done are what is being worked on.
	Step string
	Done float64
	// Message says what failed.
	Message string
	// Sales counts what was bought.
	Sales int
	// Changed is when it was last touched.
	Changed time.Time
}
