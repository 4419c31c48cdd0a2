// Package templates turns typed views into the pages of Antiphon and serves
// the browser's modules and styles that belong to them.
//
// Every page is one struct (Landing, TrackPage, Order, ...) that embeds
// [Layout]; the struct is the whole contract between a handler and its page.
// All words a visitor reads stand in texts/en.json.
//
// The package is not for decisions: it knows no database, no request and no
// other room. A handler decides, fills a view and hands it over.
//
// The first calls to make are [New], then [Renderer.Render]; [Static] serves
// what the pages load.
package templates

import "time"

// View is one page's data. Only the structs of this package are views.
type View interface {
	page() string
	base() *Layout
}

// Layout is what every page shows around its own content. Site and BaseURL
// are required, everything else may be left empty.
type Layout struct {
	// Site is the instance's name, shown as the brand.
	Site string
	// BaseURL is the instance's origin without a trailing slash.
	BaseURL string
	// User is who is logged in, nil for a visitor.
	User *User
	// Notices are shown once above the content, in order.
	Notices []Notice
	// Path is the request's path; the navigation marks it as current.
	Path string
	// DevTokens says that payments here are development tokens without value.
	DevTokens bool
	// Pool says that the instance has a listening pool.
	Pool bool
	// SignupOpen shows the way to sign up to visitors.
	SignupOpen bool
	// RequestID is printed on error pages so that a log line can be found.
	RequestID string
	// Reporting says that the instance takes part in a pool, and has pages of what was reported.
	Reporting bool
	// NoIndex asks search engines not to keep the page.
	NoIndex bool
}

func (l *Layout) base() *Layout { return l }

// User is the logged-in person as the header shows them.
type User struct {
	// Name is the local name, Display the one people read.
	Name, Display string
	// Handle is "@name@host".
	Handle string
	// Actor is the actor URI; the browser keeps its keys under it.
	Actor string
	// Avatar is a URL on this instance, or empty.
	Avatar string
	// URL is the person's page here.
	URL string
	// Unseen counts notices that the person has not looked at.
	Unseen int
	// Admin shows the way to the admin's pages.
	Admin bool
	// Custody is CustodyOwn or CustodyDelegated.
	Custody Custody
	// Guest says that the person has no account here, and may only buy and play.
	Guest bool
	// Tidings counts what the house tells the person and was not seen yet.
	Tidings int
}

// Custody says who can open what a listener bought.
type Custody string

// The two kinds of custody, as they travel in the sign-up request.
const (
	CustodyOwn       Custody = "own"
	CustodyDelegated Custody = "delegated"
)

// NoticeKind chooses a notice's look and how urgently it is read out.
type NoticeKind string

// The kinds of notice.
const (
	NoticeInfo  NoticeKind = "info"
	NoticeDone  NoticeKind = "done"
	NoticeError NoticeKind = "error"
)

// Notice is one message above a page's content.
type Notice struct {
	Kind NoticeKind
	Text string
	// LinkURL and LinkText offer a next step; both or neither.
	LinkURL, LinkText string
}

// Track is one recording as lists and pages show it. Title, URI and URL are
// required.
type Track struct {
	// URI is the AudioTrack's id, local or remote; the player asks for it.
	URI string
	// URL is the track's page on this instance.
	URL string
	// Title and Artist are shown as they are, in any script.
	Title, Artist string
	// ArtistURL is the artist's page on this instance.
	ArtistURL string
	// ArtistHandle is "@name@host".
	ArtistHandle string
	// Release is the title of the release it belongs to, or empty.
	Release string
	// ReleaseURL is the release's page, or empty.
	ReleaseURL string
	// Cover is an image URL on this instance, or empty; CoverAlt describes it.
	Cover, CoverAlt string
	// Accent is the cover's leading color as "#rrggbb", or empty.
	Accent string
	// Duration is the length of the whole recording.
	Duration time.Duration
	// Preview is the URL of the preview's MP3, or empty when there is none.
	Preview string
	// PreviewLength is how long the preview is; zero means 30 s.
	PreviewLength time.Duration
	// Peaks is the waveform, 0..255 per bar, 60 to 200 bars; may be empty.
	Peaks []byte
	// Published is when it came out; zero hides the date.
	Published time.Time
	// Price is what it costs; the zero Money is free.
	Price Money
	// Owned says that the user holds a grant and can play the whole track.
	Owned bool
	// Pooled says that the user is a member of the listening pool, and can play the whole track as long as that is so.
	Pooled bool
	// BuyURL leads to the buy page; empty hides the way there.
	BuyURL string
	// ProofURL is where the proof of its purchase is downloaded; empty hides it.
	ProofURL string
}

// PreviewSpan is how long the preview is, 30 s unless told otherwise.
func (t Track) PreviewSpan() time.Duration {
	if t.PreviewLength > 0 {
		return t.PreviewLength
	}
	return 30 * time.Second
}

// Pager leads through a long list. The zero Pager shows nothing.
type Pager struct {
	// Page counts from 1; Pages is how many there are.
	Page, Pages int
	// Prev and Next are URLs, empty at the ends.
	Prev, Next string
}

// PageSize is how many rows of a list one page holds: with more, the HTML
// outgrows 30 KB.
const PageSize = 25

// Choice is one option of a select or of a group of radio buttons.
type Choice struct {
	Value, Label string
	// Hint is a plain sentence below the label, may be empty.
	Hint     string
	Selected bool
}
