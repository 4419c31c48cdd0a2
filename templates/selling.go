package templates

import (
	"html/template"
	"time"
)

// Album is the page of a release, or of what an artist's files call an album.
// Only a release has a Kind, and can be bought as one.
type Album struct {
	Layout
	Meta
	// URI is the release's id.
	URI, Name, Artist, ArtistURL, Cover, Accent string
	// Kind is album, ep or single; empty for what files call an album.
	Kind string
	// Released is the day that the artist names, as 2006-01-02, or empty.
	Released string
	// About is sanitized before it comes here.
	About  template.HTML
	Tracks []Track
	Length time.Duration
	// Price is what all tracks cost together; AtLeast says that one may pay
	// more. BuyURL leads there; empty hides the way.
	Price   Money
	AtLeast bool
	BuyURL  string
	// PurchaseURL leads to a purchase under way, or is empty.
	PurchaseURL string
	// Owned says that the user has a grant of the whole release.
	Owned bool
	// Self says that it is the user's own; EditURL leads to its form.
	Self    bool
	EditURL string
	// GuestURL leads to where one buys with an account of another server.
	GuestURL string
	Remote   *Remote
}

func (*Album) page() string { return "album" }

// Pricing is what something costs, as forms show it.
type Pricing struct {
	// Price is what was typed, Assets the choices.
	Price  string
	Assets []Choice
	// Flexible lets buyers name the price from Price upward; Suggested is what
	// the page begins with.
	Flexible  bool
	Suggested string
	// Shares are other people's parts, a line for each: address, percent, role.
	Shares string
}

// ReleaseForm is the artist's page of a release.
type ReleaseForm struct {
	Layout
	Pricing
	// ID is empty for one that is new. State is draft, published or withdrawn.
	ID, State string
	// URL is its page for everybody.
	URL, Title, About, ReleasedOn string
	Kinds                         []Choice
	// Sample is what the form shows of the cover.
	Sample Track
	// Choices are the artist's tracks, those of the release first.
	Choices []ReleaseChoice
	// Errors is what is wrong, by field: form, title, tracks, price, asset,
	// suggested, shares, cover, releasedOn.
	Errors map[string]string
}

func (*ReleaseForm) page() string { return "releaseform" }

// ReleaseChoice is a track that can be on a release.
type ReleaseChoice struct {
	ID, Title string
	// Place is from 1; 0 says that it is not on the release.
	Place    int
	Length   time.Duration
	Unlisted bool
}

// Codes is the artist's page of codes.
type Codes struct {
	Layout
	// Products are what codes can be made for.
	Products []Choice
	Batches  []CodeBatch
	// Label, Number and Expires are what was typed; Errors is what is wrong with
	// it, by field: product, number, label, expires, code.
	Label, Number, Expires string
	Errors                 map[string]string
}

func (*Codes) page() string { return "codes" }

// CodeBatch is a set of codes.
type CodeBatch struct {
	ID, Product, Label string
	Codes, Used        int
	// Expires and Revoked are zero for never.
	Made, Expires, Revoked time.Time
	Expired                bool
}

// Redeem is where a code is typed in.
type Redeem struct {
	Layout
	// Code is what was typed, Error what is wrong with it.
	Code, Error string
	// Track is what the code opens; nil before it is known.
	Track *Track
	// Link is pasted on the own server by whoever has an account elsewhere.
	Link string
	// GuestURL leads to where one takes it with an account of another server.
	GuestURL string
}

func (*Redeem) page() string { return "redeem" }
