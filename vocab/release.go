package vocab

import (
	"regexp"
	"time"
)

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
	// Type is album, ep or single, or empty; Released the day that the artist names, as 2006-01-02, or empty.
	Type, Released string
	// Content is HTML, not sanitized, or empty.
	Content string
	// Tracks are in order.
	Tracks []string
	// Proposals say where the release is for sale as one, and for how much.
	Proposals []ProposalLink
}

var (
	releaseTypePattern = regexp.MustCompile(`^(?:album|ep|single)$`)
	dayPattern         = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
)

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
	put(m, "releaseType", r.Type)
	put(m, "released", r.Released)
	put(m, "content", r.Content)
	putProposals(m, r.Proposals)
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
	r.Type = o.maybeMatch("releaseType", releaseTypePattern, "an album, ep or single")
	r.Released = o.maybeMatch("released", dayPattern, "a day")
	r.Content = o.maybeText("content", maxHTML)
	r.Tracks = o.ids("orderedItems", 0, maxPlaylist)
	r.Proposals = o.proposals(r.ID)
	if err := o.err(); err != nil {
		return Release{}, err
	}
	return r, nil
}
