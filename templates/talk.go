package templates

import (
	"html/template"
	"time"
)

// Comment is one answer in the conversation below a track.
type Comment struct {
	// URI is what is answered; ID its anchor on the page.
	URI, ID string
	// Author, Handle, Avatar and AuthorURL are who wrote it.
	Author, Handle, Avatar, AuthorURL string
	When                              time.Time
	// Text is sanitized before it comes here; empty when Deleted.
	Text template.HTML
	// Indent is how far it stands from the edge, 0 to 4.
	Indent  int
	Deleted bool
	// Removable says that the user may remove it.
	Removable bool
	// Original is the page on the author's server, empty for our own.
	Original string
}

// Talk is the conversation below a track, and what a member can do about it.
type Talk struct {
	// Subject is what is liked, boosted and answered.
	Subject  string
	Comments []Comment
	// Total counts all comments; More says that not all are shown.
	Total int
	More  bool
	// Open says that the user can answer, like and boost.
	Open           bool
	Liked, Boosted bool
	// Draft and Fault give back what was written and what is wrong with it.
	Draft, Fault string
}

// Notices is what a member was told: answers, mentions, likes and boosts.
type Notices struct {
	Layout
	Told  []Told
	Older string
}

func (*Notices) page() string { return "notices" }

// Told is one line of a member's notices.
type Told struct {
	// Kind is reply, mention, like or boost.
	Kind            string
	Actor, ActorURL string
	Handle, Avatar  string
	When            time.Time
	Text            template.HTML
	URL, Title      string
	New             bool
}

// Meta is what other programs read in the head of a page.
type Meta struct {
	// Creator is the artist's handle, "@ada@music.example".
	Creator string
	// OEmbed is the address of the page's oEmbed document, Embed that of the player to embed.
	OEmbed, Embed string
	// Audio and Image are absolute addresses of files, URL that of the page.
	Audio, Image, URL string
	// Schema is JSON-LD of schema.org.
	Schema map[string]any
}

// EmbedSize is the size of the player that other sites embed, in CSS pixels.
const (
	EmbedWidth  = 480
	EmbedHeight = 152
)

// EmbedPolicy is the Content-Security-Policy of the embedded player: it may stand on any page, and runs no code.
const EmbedPolicy = "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors *"

// Embed is the player that other sites show: the preview, and the way to the track.
type Embed struct {
	Layout
	Track Track
	// URL is the absolute address of the track's page.
	URL string
}

func (*Embed) page() string { return "embed" }
