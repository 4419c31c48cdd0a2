package vocab

import (
	"fmt"
	"slices"
	"time"

	"github.com/go-fed/activity/streams"
)

const (
	maxAttachments = 16
	maxTags        = 100
	maxPostText    = 500_000 // Articles are long
)

// Note is a post: the announcement of a track, which timelines everywhere show with a player, or somebody's words.
// What is optional is the zero value if absent.
type Note struct {
	ID string
	// Type is "Note" for all that we send. "Article" and "Page" are read as well.
	Type string
	// AttributedTo is the author, on the note's origin.
	AttributedTo string
	// Name is an Article's title; on a Note some servers would show it as a warning, so it is not sent.
	Name string
	// Content is HTML, not sanitized. Language is its tag, such as "en".
	Content, Language string
	// Summary is a warning that hides the content, not a description.
	Summary   string
	Sensitive bool
	// URL is the page for people.
	URL                string
	Published, Updated time.Time
	// Cc of a note that was received has its audience, too.
	To, Cc      []string
	InReplyTo   string
	Attachments []Attachment
	Tags        []Tag
	// Track is the recording that this announces.
	Track string
	// Likes, Shares and Replies are collections on the note's origin.
	Likes, Shares, Replies string
}

// Attachment is a file with a note.
type Attachment struct {
	// Type is Audio, Image, Video or Document.
	Type string
	// Media is the file. It may be fetched by everyone and is cached for ever by many.
	Media Media
	// Name says what it is, for those who cannot see or hear it.
	Name string
	// Duration is in whole seconds, or 0.
	Duration time.Duration
	// Icon is the cover that players show.
	Icon Media
}

// Tag is a Hashtag ("#steam", and its page) or a Mention ("@lin@other.example", and the actor).
type Tag struct{ Type, Name, Href string }

// Build returns the note as JSON to send.
func (n Note) Build() (map[string]any, error) {
	var c composer
	t := streams.NewActivityStreamsNote()
	c.id(t, n.ID)
	c.attributedTo(t, n.AttributedTo)
	c.content(t, n.Content)
	c.summary(t, n.Summary)
	c.link(t, n.URL)
	c.published(t, n.Published)
	c.updated(t, n.Updated)
	c.address(t, n.To, n.Cc)
	if n.InReplyTo != "" {
		p := streams.NewActivityStreamsInReplyToProperty()
		p.AppendIRI(c.uri(n.InReplyTo))
		t.SetActivityStreamsInReplyTo(p)
	}
	m, err := c.finish(t, Context(KindNote))
	if err != nil {
		return nil, err
	}
	m["sensitive"] = n.Sensitive
	if n.Language != "" && n.Content != "" {
		m["contentMap"] = map[string]any{n.Language: n.Content}
	}
	var attachments []any
	for _, a := range n.Attachments {
		attachments = append(attachments, a.object())
	}
	if attachments != nil {
		m["attachment"] = attachments
	}
	var tags []any
	for _, t := range n.Tags {
		tags = append(tags, map[string]any{"type": t.Type, "name": t.Name, "href": t.Href})
	}
	if tags != nil {
		m["tag"] = tags
	}
	put(m, "track", n.Track)
	put(m, "likes", n.Likes)
	put(m, "shares", n.Shares)
	put(m, "replies", n.Replies)
	return m, nil
}

// object has url as a plain text, because some servers take the first of several links for a page.
func (a Attachment) object() map[string]any {
	m := map[string]any{"type": a.Type, "mediaType": a.Media.MediaType, "url": a.Media.URL}
	put(m, "name", a.Name)
	putFile(m, "icon", a.Icon)
	if a.Duration > 0 {
		m["duration"] = formatDuration(a.Duration)
	}
	return m
}

// ReadNote reads a post of any server. Its id and author must be right and on one host; what else is of a strange
// form is left out, and of many attachments and tags only the first are taken.
func ReadNote(raw []byte) (Note, error) {
	o, err := openObject(raw)
	if err != nil {
		return Note{}, fmt.Errorf("read note: %w", err)
	}
	n := Note{ID: o.uri("id")}
	for _, name := range typesOf(o.get("type")) {
		if n.Type == "" && slices.Contains([]string{"Note", "Article", "Page"}, name) {
			n.Type = name
		}
	}
	if n.Type == "" {
		o.fail("type", "is not a post's")
	}
	for _, v := range listOf(o.get("attributedTo")) {
		if s, ok := uriOf(v); ok && n.AttributedTo == "" {
			n.AttributedTo = s
		}
	}
	if !SameOrigin(n.AttributedTo, n.ID) {
		o.fail("attributedTo", "is not on the note's host")
	}
	n.To, n.Cc = o.audience("to"), append(o.audience("cc"), o.audience("audience")...)
	if o.err() != nil {
		return Note{}, fmt.Errorf("read note: %w", o.err())
	}
	n.Name, n.Summary, n.Content = o.looseText("name", maxName), o.looseText("summary", maxHTML), o.looseText("content", maxPostText)
	if byLanguage, ok := o.get("contentMap").(map[string]any); ok && len(byLanguage) == 1 {
		for language, v := range byLanguage {
			text, ok := v.(string)
			if ok && n.Content == "" && len(text) <= maxPostText {
				n.Content = text
			}
			if ok && text == n.Content && len(language) <= maxUsername {
				n.Language = language
			}
		}
	}
	n.Sensitive = o.get("sensitive") == true
	n.URL, n.Published, n.Updated = o.looseLink("url"), o.looseTime("published"), o.looseTime("updated")
	n.InReplyTo, n.Track = o.looseURI("inReplyTo"), o.looseURI("track")
	n.Likes, n.Shares, n.Replies = o.looseSibling("likes", n.ID), o.looseSibling("shares", n.ID), o.looseSibling("replies", n.ID)
	for _, e := range o.looseObjects("attachment", maxAttachments) {
		types := typesOf(e.get("type"))
		media := mediaOf(e.members)
		if len(types) == 0 || media.URL == "" || !slices.Contains([]string{"Audio", "Image", "Video", "Document"}, types[0]) {
			continue
		}
		duration, _ := e.get("duration").(string)
		n.Attachments = append(n.Attachments, Attachment{
			Type: types[0], Media: media, Name: e.looseText("name", maxHTML), Duration: parseDuration(duration), Icon: e.looseMedia("icon"),
		})
	}
	for _, e := range o.looseObjects("tag", maxTags) {
		types := typesOf(e.get("type"))
		t := Tag{Name: e.looseText("name", maxName), Href: e.looseURI("href")}
		if len(types) == 0 || t.Name == "" || t.Href == "" || types[0] != "Hashtag" && types[0] != "Mention" {
			continue
		}
		t.Type = types[0]
		n.Tags = append(n.Tags, t)
	}
	return n, nil
}
