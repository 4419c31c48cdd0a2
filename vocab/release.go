package vocab

import "time"

// Release is an album, an EP or a single: a name and its tracks in order. Its terms are Funkwhale's, so that servers of
// that family read it. The document is computed from the tracks and carries no proof: each track has its own.
type Release struct {
	ID string
	// AttributedTo is the artist, on the release's host.
	AttributedTo       string
	Name               string
	URL                string // the page for people
	Published, Updated time.Time
	To, Cc             []string
	Cover              Media
	// Tracks are in order.
	Tracks []string
}

// Object is the release with its context. It does not check; ReadRelease does.
func (r Release) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindAlbum), "id": r.ID, "type": []any{"Album"}, "attributedTo": r.AttributedTo, "name": r.Name,
		"published": formatTime(r.Published), "totalItems": len(r.Tracks), "orderedItems": anys(r.Tracks),
	}
	put(m, "url", r.URL)
	putList(m, "to", r.To)
	putList(m, "cc", r.Cc)
	putTime(m, "updated", r.Updated)
	putFile(m, "image", r.Cover)
	return m
}

// ReadRelease reads a release; members that it does not know are left alone. Errors wrap ErrInvalid or those of
// vocab/jsonld.
func ReadRelease(raw []byte) (Release, error) {
	o, err := openObject(raw)
	if err != nil {
		return Release{}, err
	}
	o.typed("Album")
	r := Release{ID: o.id("id")}
	r.AttributedTo = o.sibling("attributedTo", r.ID)
	r.Name = o.text("name", maxName)
	r.URL = o.maybeID("url")
	r.To, r.Cc = o.uris("to", maxAudience), o.uris("cc", maxAudience)
	r.Published, r.Updated = o.moment("published"), o.maybeMoment("updated")
	r.Cover = o.looseMedia("image")
	r.Tracks = o.ids("orderedItems", 0, maxPlaylist)
	if err := o.err(); err != nil {
		return Release{}, err
	}
	return r, nil
}
