package templates

import (
	"html/template"
	"time"
)

// Timeline is the home page of a listener: what the artists they follow post.
type Timeline struct {
	Layout
	Posts []Post
	// Newest and Older lead to the first page and to the next one; empty at the ends.
	Newest, Older string
	// Following counts the artists followed.
	Following int
	// Address and AddressError give back what was typed into the follow box
	// and what is wrong with it.
	Address, AddressError string
}

func (*Timeline) page() string { return "timeline" }

// Post is one entry of a timeline.
type Post struct {
	// Author, Handle, Avatar and AuthorURL are who posted.
	Author, Handle, Avatar, AuthorURL string
	When                              time.Time
	// Text is the post's text, sanitized before it comes here.
	Text template.HTML
	// Track is the track that the post announces, nil for a post of words.
	Track *Track
}
