package templates

import (
	"html/template"
	"time"
)

// Artist is the page of a local or remote artist.
type Artist struct {
	Layout
	// Tiers are what can be subscribed to; TiersURL leads to those of an artist elsewhere.
	Tiers    []Tier
	TiersURL string
	Meta
	Name, Handle string
	// Avatar and Banner are image URLs on this instance, or empty.
	Avatar, Banner, Accent string
	// Bio is sanitized before it comes here.
	Bio template.HTML
	// Links are the artist's own links, shown by their label.
	Links []Link
	// Pinned are tracks that the artist shows first; Releases lead to the albums.
	Pinned   []Track
	Releases []Link
	Tracks   []Track
	Pager    Pager
	// Total counts all published tracks.
	Total     int
	Followers int
	// Self says that the page is the user's own.
	Self bool
	// Following says that the user follows; Waiting that it is asked for.
	Following, Waiting bool
	// Actor is the actor URI, sent by the follow button.
	Actor string
	// Remote is where the artist lives when that is elsewhere.
	Remote *Remote
}

func (*Artist) page() string { return "artist" }

// Link is a link that an artist shows.
type Link struct {
	Label, URL string
	// Verified says that the other end links back.
	Verified bool
}

// Remote says where something comes from when that is not this instance.
type Remote struct {
	// Host is the other instance; URL the original page there.
	Host, URL string
	// Silent says that the host has not answered since Since.
	Silent bool
	Since  time.Time
}

// TrackPage is the page of a track, local or remote.
type TrackPage struct {
	Layout
	// Subscribed says that the track plays for as long as a subscription is paid; KeepURL leads to buying it for good.
	Subscribed bool
	KeepURL    string
	Meta
	Track Track
	// Description is sanitized before it comes here.
	Description template.HTML
	Tags        []Link
	// License is shown with a link; empty means all rights reserved.
	License Link
	// Formats are the renditions and files that a buyer gets, in words.
	Formats []string
	// Likes and Boosts are counts from the fediverse.
	Likes, Boosts int
	// Self says that the track is the user's own; EditURL then leads to it.
	Self    bool
	EditURL string
	// Away offers the way to the visitor's own server.
	Away bool
	// PinURL takes the own track to the top of the artist's page, or back; empty hides the button.
	PinURL string
	Pinned bool
	// Talk is the conversation; nil hides it.
	Talk *Talk
	// GuestURL leads to where one buys with an account of another server;
	// empty hides the way there.
	GuestURL string
	// PurchaseURL leads to a purchase under way, or is empty.
	PurchaseURL string
	// PoolOffer says that members of the listening pool hear the track, and that the visitor is none.
	PoolOffer bool
	// More are further tracks by the same artist, at most 6.
	More   []Track
	Remote *Remote
}

func (*TrackPage) page() string { return "track" }

// Library is what a listener bought.
type Library struct {
	Layout
	Tracks []Track
	Pager  Pager
	// Total counts all tracks that match.
	Total int
	// Query is what was searched for; Sort is newest, title or artist.
	Query, Sort string
	// Releases lead to the releases that were bought as one.
	Releases []Link
	// Open are purchases that are not finished.
	Open []OpenPurchase
	// Withdrawn are tracks that were the listener's until their artists took them back.
	Withdrawn []Withdrawn
}

func (*Library) page() string { return "library" }

// OpenPurchase is a purchase under way.
type OpenPurchase struct {
	URL, Title, Artist string
	State              OrderState
}
