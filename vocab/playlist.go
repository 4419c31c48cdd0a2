package vocab

import "time"

const maxPlaylist = 5000

// Playlist is a list of tracks, named and not embedded, because only a track's own host speaks for it.
type Playlist struct {
	ID string
	// AttributedTo is the owner, on the playlist's host.
	AttributedTo string
	Name         string
	// Content is HTML; it may be empty and is not safe to show before it is sanitized.
	Content            string
	URL                string // the page for people, or empty
	Followers          string // the collection of those who follow the list, or empty
	To, Cc             []string
	Published, Updated time.Time // Updated is zero for a list that never changed
	// Tracks are in order and may repeat.
	Tracks []string
}

// Object is the playlist with its context. It does not check; ReadPlaylist does.
func (p Playlist) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindPlaylist), "id": p.ID, "type": []any{"Playlist", "OrderedCollection"},
		"attributedTo": p.AttributedTo, "name": p.Name, "published": formatTime(p.Published),
		"totalItems": len(p.Tracks), "orderedItems": anys(p.Tracks),
	}
	put(m, "content", p.Content)
	put(m, "url", p.URL)
	put(m, "followers", p.Followers)
	putList(m, "to", p.To)
	putList(m, "cc", p.Cc)
	putTime(m, "updated", p.Updated)
	return m
}

// ReadPlaylist reads a playlist; members that it does not know are left alone. Texts are not sanitized. Errors wrap
// ErrInvalid or those of vocab/jsonld.
func ReadPlaylist(raw []byte) (Playlist, error) {
	o, err := openObject(raw)
	if err != nil {
		return Playlist{}, err
	}
	o.typed("Playlist")
	p := Playlist{ID: o.id("id")}
	p.AttributedTo = o.sibling("attributedTo", p.ID)
	p.Name = o.text("name", maxName)
	p.Content = o.maybeText("content", maxHTML)
	p.URL = o.maybeID("url")
	p.Followers = o.maybeSibling("followers", p.ID)
	p.To = o.uris("to", maxAudience)
	p.Cc = o.uris("cc", maxAudience)
	p.Published = o.moment("published")
	p.Updated = o.maybeMoment("updated")
	p.Tracks = o.ids("orderedItems", 0, maxPlaylist)
	o.integer("totalItems", int64(len(p.Tracks)), int64(len(p.Tracks)))
	if err := o.err(); err != nil {
		return Playlist{}, err
	}
	return p, nil
}
