package vocab

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxCapsules  = 64
	maxProposals = 16
	maxAudience  = 16
	maxPosition  = 10_000
	maxDownloads = 8
)

var (
	isrcPattern = regexp.MustCompile(`^[A-Z]{2}-?[A-Z0-9]{3}-?[0-9]{2}-?[0-9]{5}$`)
	// downloadPattern are the formats of downloads, which are also the files' extensions.
	downloadPattern = regexp.MustCompile(`^[a-z0-9]{2,8}$`)
	uuidPattern     = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

// Track is one recording that its artist published, fetchable by all. Album, product and proposals are on the track's
// host; files may lie elsewhere.
type Track struct {
	ID string
	// AttributedTo is the artist, whose proof the track carries.
	AttributedTo string
	Name         string
	// Album is what the track is from, or zero.
	Album Album
	// Position is the track's place on the album, from 1, or 0.
	Position int
	// ISRC is the recording's code, with or without hyphens, or empty.
	ISRC string
	// MusicBrainzID is the recording's UUID, or empty.
	MusicBrainzID string
	// Duration is whole seconds, at least one.
	Duration           time.Duration
	Published, Updated time.Time // Updated is zero for a track that never changed
	To, Cc             []string
	// URL is the page for people.
	URL string
	// Preview is what everyone may hear.
	Preview Media
	// Cover is the large picture and Icon the small one; either may be zero.
	Cover, Icon Media
	// Note is the announcement's id, or empty.
	Note string
	// Summary and Content are HTML: a line or two, and all that the artist wrote. Both may be empty and neither is
	// safe to show before it is sanitized.
	Summary, Content string
	// License is a URI such as "https://creativecommons.org/licenses/by-sa/4.0/", or empty.
	License string

	Manifest Manifest
	// Size is the bytes of all sealed segments.
	Size int64
	// ContentKeyHash is SHA-256("antiphon/content-key/v1" || content key).
	ContentKeyHash []byte
	// Capsules hold the content key for each product that opens the track.
	Capsules []Capsule
	// Proposals say where the track is for sale and for how much.
	Proposals []ProposalLink
	// Downloads are the sealed files that buyers may keep, one of a format.
	Downloads []Download
	// Pooled says that it is in the listening pool: paying members may hear it without buying it. On the wire, mus:access is
	// then "pool".
	Pooled bool
}

// accessPool is the value of mus:access for a track in the pool; there is no other one.
const accessPool = "pool"

// Download is a file that is sealed with a key that the content key gives, as media/seal has it. On the wire it is a Link
// with the relation "enclosure" (RFC 4287) to opaque bytes on the track's host: nobody takes it for something to play.
type Download struct {
	// Format is the file's extension, such as "flac".
	Format string
	// CID of the sealed file, and Size in bytes.
	CID  string
	Size int64
}

// Album is what a track is from: a name, the album's own id, or both.
type Album struct{ ID, Name string }

// Manifest is the multivariant playlist of a track. The playlists and segments in it are named by their CIDs.
type Manifest struct {
	CID string
	// Size is the manifest's bytes.
	Size int64
}

// Capsule is a track's content key, sealed to one version of a product.
type Capsule struct {
	Product string
	Version int
	// DelegatingKey is a secp256k1 Multikey.
	DelegatingKey string
	// Capsule is CapsuleSize bytes, Ciphertext CiphertextSize.
	Capsule, Ciphertext []byte
}

// ProposalLink names a Proposal, what it sells and its price, so that a page can be drawn without fetching it.
type ProposalLink struct {
	ID      string
	Product string
	Price
}

// Object is the track as it is signed. It does not check; ReadTrack does. Beside what ReadTrack reads it holds a
// payment link for each proposal (FEP-0ea0), for servers that know no more than that.
func (t Track) Object() map[string]any {
	m := map[string]any{
		"@context": Context(KindAudioTrack), "id": t.ID, "type": []any{"AudioTrack", "Audio"},
		"attributedTo": t.AttributedTo, "name": t.Name, "duration": formatDuration(t.Duration),
		"published": formatTime(t.Published), "url": t.links(),
		"manifest": map[string]any{"cid": t.Manifest.CID, "size": t.Manifest.Size}, "size": t.Size,
		"contentKeyHash": encodeBytes(t.ContentKeyHash),
	}
	putTime(m, "updated", t.Updated)
	putList(m, "to", t.To)
	putList(m, "cc", t.Cc)
	putFile(m, "image", t.Cover)
	putFile(m, "icon", t.Icon)
	put(m, "context", t.Note)
	put(m, "summary", t.Summary)
	put(m, "content", t.Content)
	put(m, "license", t.License)
	put(m, "position", t.Position)
	put(m, "isrc", t.ISRC)
	put(m, "musicbrainzId", t.MusicBrainzID)
	if t.Pooled {
		m["access"] = accessPool
	}
	if a := t.Album; a.Name != "" {
		album := map[string]any{"type": "Album", "name": a.Name}
		put(album, "id", a.ID)
		m["album"] = album
	} else {
		put(m, "album", a.ID)
	}
	if len(t.Capsules) > 0 {
		capsules := make([]any, len(t.Capsules))
		for i, c := range t.Capsules {
			capsules[i] = map[string]any{
				"product": c.Product, "version": c.Version, "delegatingKey": c.DelegatingKey,
				"capsule": encodeBytes(c.Capsule), "ciphertext": encodeBytes(c.Ciphertext),
			}
		}
		m["capsules"] = capsules
	}
	putProposals(m, t.Proposals)
	return m
}

// putProposals names where something is sold, beside a payment link for each (FEP-0ea0).
func putProposals(m map[string]any, all []ProposalLink) {
	if len(all) == 0 {
		return
	}
	proposals, links := make([]any, len(all)), make([]any, len(all))
	for i, p := range all {
		proposal := map[string]any{"id": p.ID, "type": "Proposal", "product": p.Product}
		p.Price.write(proposal)
		proposals[i], links[i] = proposal, paymentLink("Buy", p.ID)
	}
	m["proposals"], m["attachment"] = proposals, links
}

// links puts the page first, because some servers take the first link for it.
func (t Track) links() []any {
	links := []any{map[string]any{"type": "Link", "mediaType": "text/html", "href": t.URL}}
	if t.Preview != (Media{}) {
		links = append(links, map[string]any{
			"type": "Link", "mediaType": t.Preview.MediaType, "href": t.Preview.URL, "rel": "preview",
		})
	}
	for _, d := range t.Downloads {
		links = append(links, map[string]any{
			"type": "Link", "mediaType": sealedType, "href": origin(t.ID) + blockPath + d.CID, "rel": "enclosure", "name": d.Format, "size": d.Size,
		})
	}
	return links
}

// sealedType is what a sealed file is to everybody without its key, and blockPath where a host has blocks and files by CID.
const (
	sealedType = "application/octet-stream"
	blockPath  = "/ipfs/"
)

// putFile sets a member to an AS2 Image unless there is none.
func putFile(m map[string]any, name string, f Media) {
	if v := f.image(); v != nil {
		m[name] = v
	}
}

// paymentLink is FEP-0ea0's link to a proposal.
func paymentLink(name, proposal string) map[string]any {
	return map[string]any{
		"type": "Link", "name": name, "href": proposal,
		"mediaType": `application/ld+json; profile="https://www.w3.org/ns/activitystreams"`,
		"rel":       []any{"payment", "https://w3id.org/valueflows/ont/vf#Proposal"},
	}
}

// ReadTrack reads a track's exact form. It looks neither at the proof nor at the clock, texts are not sanitized, and
// points and capsules are checked by media/pre/umbral. Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadTrack(raw []byte) (Track, error) {
	o, err := openSigned(raw, KindAudioTrack, "AudioTrack", "Audio")
	if err != nil {
		return Track{}, err
	}
	t := Track{ID: o.id("id")}
	t.AttributedTo = o.sibling("attributedTo", t.ID)
	t.Name = o.text("name", maxName)
	t.Album = o.album("album", t.ID)
	t.Position = int(o.maybeInteger("position", 0, maxPosition))
	t.ISRC = o.maybeMatch("isrc", isrcPattern, "an ISRC")
	t.MusicBrainzID = o.maybeMatch("musicbrainzId", uuidPattern, "a UUID")
	t.Duration = o.duration("duration")
	t.Published = o.moment("published")
	t.Updated = o.maybeMoment("updated")
	t.To = o.uris("to", maxAudience)
	t.Cc = o.uris("cc", maxAudience)
	o.trackLinks(&t)
	t.Cover, t.Icon = o.image("image"), o.image("icon")
	t.Note = o.maybeSibling("context", t.ID)
	t.Summary = o.maybeText("summary", maxHTML)
	t.Content = o.maybeText("content", maxHTML)
	t.License = o.maybeID("license")
	manifest := o.child("manifest")
	t.Manifest = Manifest{CID: manifest.cid("cid"), Size: manifest.size("size")}
	t.Size = o.size("size")
	t.ContentKeyHash = o.hash("contentKeyHash")
	t.Capsules = o.capsules(t.ID)
	t.Proposals = o.proposals(t.ID)
	if access := o.maybeText("access", maxName); access == accessPool {
		t.Pooled = true
	} else if access != "" {
		o.fail("access", "is not pool")
	}
	o.skip("attachment")
	if err := o.close(); err != nil {
		return Track{}, err
	}
	return t, nil
}

// album takes an id, or an object with a name.
func (o *object) album(name, of string) Album {
	if _, ok := o.get(name).(map[string]any); !ok {
		return Album{ID: o.maybeSibling(name, of)}
	}
	c := o.child(name)
	c.types("Album")
	return Album{ID: c.maybeSibling("id", of), Name: c.text("name", maxName)}
}

// trackLinks finds the page, the preview and the downloads; links to other forms of the track may stand beside them.
func (o *object) trackLinks(t *Track) {
	for _, l := range o.children("url", 1, maxAudience+maxDownloads) {
		l.types("Link")
		l.skip("height", "width", "hreflang", "bitrate")
		mediaType, href := l.mediaType("mediaType"), l.id("href")
		rel, name := l.maybeText("rel", maxName), l.maybeText("name", maxName)
		switch {
		case rel == "preview" && t.Preview == (Media{}):
			t.Preview = Media{URL: href, MediaType: mediaType}
		case rel == "enclosure" && mediaType == sealedType:
			l.download(t, href, name)
		case mediaType == "text/html" && t.URL == "":
			t.URL = href
		}
		l.skip("size")
	}
	if t.URL == "" {
		o.fail("url", "has no page")
	}
}

// download reads a link to a sealed file of t.
func (o *object) download(t *Track, href, format string) {
	cid, ok := strings.CutPrefix(href, origin(t.ID)+blockPath)
	switch {
	case !ok || !cidPattern.MatchString(cid):
		o.fail("href", "is not a file by CID on the track's host")
	case !downloadPattern.MatchString(format):
		o.fail("name", "is not a format")
	case len(t.Downloads) == maxDownloads || slices.ContainsFunc(t.Downloads, func(d Download) bool { return d.Format == format }):
		o.fail("name", "stands twice, or is one too many")
	default:
		t.Downloads = append(t.Downloads, Download{Format: format, CID: cid, Size: o.size("size")})
	}
}

func (o *object) capsules(seller string) []Capsule {
	var out []Capsule
	seen := map[string]bool{}
	for _, e := range o.children("capsules", 0, maxCapsules) {
		c := Capsule{
			Product: e.sibling("product", seller), Version: e.version("version"), DelegatingKey: e.secp256k1("delegatingKey"),
			Capsule: e.capsule("capsule"), Ciphertext: e.bytes("ciphertext", CiphertextSize),
		}
		name := c.Product + " " + strconv.Itoa(c.Version)
		if seen[name] {
			e.fail("product", "has two capsules of one version")
		}
		seen[name] = true
		out = append(out, c)
	}
	return out
}

func (o *object) proposals(seller string) []ProposalLink {
	var out []ProposalLink
	for _, e := range o.children("proposals", 0, maxProposals) {
		e.types("Proposal")
		out = append(out, ProposalLink{ID: e.sibling("id", seller), Product: e.sibling("product", seller), Price: e.price()})
	}
	return out
}
