package outbox

import (
	"context"
	"fmt"
	"html"
	"strings"
	"time"

	"antiphon/federation/actor"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

const (
	kindTrack = string(vocab.KindAudioTrack)
	kindNote  = string(vocab.KindNote)
	kindAlbum = string(vocab.KindAlbum)
	// previewLength is how long a preview is, unless the track ends before.
	previewLength = 30 * time.Second
)

// Goods is what is sold of a track; *access.Service is one.
type Goods interface {
	// Product returns a product by its URI, or access.ErrUnknownProduct.
	Product(ctx context.Context, uri string) (access.Product, error)
	// ProductOf returns the product that a track is sold as.
	ProductOf(ctx context.Context, track string) (access.Product, error)
	// ProductsOf returns the products whose present versions hold a track, its own first.
	ProductsOf(ctx context.Context, track string) ([]access.Product, error)
	// Capsules returns the capsules of a track.
	Capsules(ctx context.Context, track string) ([]access.Capsule, error)
}

// release is what is told about one track, once.
type release struct {
	track media.Track
	// change tells updates of one track apart; empty for the first release.
	change string
	artist actor.Actor
	now    time.Time
	// note and object are the documents, with the bytes of object as they were signed.
	note   map[string]any
	signed []byte
	post   Post
	object vocab.Track
	// fresh says that there is no note yet, known that the object was sent before.
	fresh, known bool
	// album is the one that the track was on when it was told last.
	album vocab.Album
	// quiet leaves the announcement as it is.
	quiet bool
}

// describe makes the two documents of a track, linked with each other.
func (o *Outbox) describe(ctx context.Context, r *release) error {
	if r.fresh {
		r.post.URI = o.NewID("notes")
	}
	var err error
	if r.object, err = o.trackObject(ctx, *r); err != nil {
		return err
	}
	method, key, err := o.actors.ProofKey(ctx, r.artist.URI)
	if err != nil {
		return err
	}
	if _, r.signed, err = proof.Sign(r.object.Object(), key, method, r.now); err != nil {
		return fmt.Errorf("sign track %s: %w", r.track.URI, err)
	}
	note := o.noteOf(*r)
	if r.note, err = note.Build(); err != nil {
		return fmt.Errorf("write note of %s: %w", r.track.URI, err)
	}
	r.post = Post{
		URI: note.ID, Actor: r.artist.URI, Track: r.track.URI, Content: note.Content, URL: note.URL, Audio: r.object.Preview.URL,
		Cover: r.object.Cover.URL, Title: r.track.Title, PublishedAt: note.Published, CreatedAt: r.now,
	}
	return nil
}

func (o *Outbox) trackObject(ctx context.Context, r release) (vocab.Track, error) {
	t := r.track
	album, place, err := o.albumOf(ctx, o.db.Read, t)
	if err != nil {
		return vocab.Track{}, err
	}
	manifest, err := media.BlockByCID(ctx, o.db.Read, t.Manifest)
	if err != nil {
		return vocab.Track{}, fmt.Errorf("manifest of %s: %w", t.URI, err)
	}
	x := vocab.Track{
		ID: t.URI, AttributedTo: t.Artist, Name: t.Title, Album: album, Position: place,
		Duration: max(t.Duration().Round(time.Second), time.Second), To: []string{vocab.Public}, Cc: []string{Followers(t.Artist)},
		URL: r.artist.URL + "/" + t.Slug, Note: r.post.URI, Content: paragraphs(t.About),
		Manifest: vocab.Manifest{CID: t.Manifest, Size: manifest.Size}, Size: t.SealedBytes, ContentKeyHash: t.ContentKeyHash,
		Pooled: t.Pooled,
	}
	if t.PublishedAt != nil {
		x.Published = t.PublishedAt.UTC()
	}
	if r.known {
		x.Updated = r.now
	}
	if strings.HasPrefix(t.Licence, "https://") {
		x.License = t.Licence
	}
	if t.Preview != "" {
		x.Preview = vocab.Media{URL: o.config.FileURL(t.Preview, "preview.mp3"), MediaType: "audio/mpeg"}
	}
	files, err := media.DownloadsOf(ctx, o.db.Read, t.ID)
	if err != nil {
		return vocab.Track{}, err
	}
	for _, f := range files {
		x.Downloads = append(x.Downloads, vocab.Download{Format: f.Format, CID: f.CID, Size: f.Size})
	}
	if t.Cover != "" {
		x.Cover = vocab.Media{URL: o.config.FileURL(t.Cover, "cover.jpg"), MediaType: "image/jpeg"}
	}
	if t.CoverSmall != "" {
		x.Icon = vocab.Media{URL: o.config.FileURL(t.CoverSmall, "cover-small.jpg"), MediaType: "image/jpeg"}
	}
	return x, o.addGoods(ctx, &x)
}

// addGoods puts the capsules and the price on a track.
func (o *Outbox) addGoods(ctx context.Context, x *vocab.Track) error {
	capsules, err := o.goods.Capsules(ctx, x.ID)
	if err != nil {
		return fmt.Errorf("capsules of %s: %w", x.ID, err)
	}
	products, err := o.goods.ProductsOf(ctx, x.ID)
	if err != nil {
		return fmt.Errorf("products of %s: %w", x.ID, err)
	}
	for _, p := range products {
		own := p.Kind == access.KindTrack
		// What a period of a tier opens stands in its grants alone, and a release that is not out is nobody's business.
		if !own && (p.Kind != access.KindRelease || !p.Open) || len(x.Capsules) == maxGoods {
			continue
		}
		for _, c := range capsules {
			if c.Product == p.URI && c.Version == p.Version {
				x.Capsules = append(x.Capsules, vocab.Capsule{
					Product: c.Product, Version: c.Version, DelegatingKey: p.DelegatingKey, Capsule: c.Capsule, Ciphertext: c.Ciphertext,
				})
			}
		}
		if own && p.Open {
			x.Proposals = []vocab.ProposalLink{{ID: ProposalURI(p.URI), Product: p.URI, Price: priceOf(p)}}
		}
	}
	return nil
}

// maxGoods bounds the products that a track names.
const maxGoods = 16

func priceOf(p access.Product) vocab.Price {
	return vocab.Price{Amount: p.Units, Asset: p.Asset, Decimals: p.Decimals}
}

// noteOf is the announcement: what timelines everywhere can show and play.
func (o *Outbox) noteOf(r release) vocab.Note {
	n := vocab.Note{
		ID: r.post.URI, AttributedTo: r.artist.URI, URL: r.object.URL, To: r.object.To, Cc: r.object.Cc, Track: r.object.ID,
		Content: o.words(r), Published: r.post.PublishedAt.UTC(),
	}
	link(&n)
	if r.fresh {
		n.Published = r.now
	} else {
		n.Updated = r.now
	}
	if r.object.Preview.URL != "" {
		length := r.track.Duration() - time.Duration(r.track.PreviewStartMS)*time.Millisecond
		n.Attachments = []vocab.Attachment{{
			Type: "Audio", Media: r.object.Preview, Name: r.track.Title + " - " + r.artist.Display + " (preview)",
			Duration: min(max(length, time.Second), previewLength).Round(time.Second), Icon: r.object.Cover,
		}}
	}
	return n
}

// link names the collections that stand beside a note.
func link(n *vocab.Note) {
	n.Likes, n.Shares, n.Replies = n.ID+"/likes", n.ID+"/shares", n.ID+"/replies"
}

// words is the announcement's text.
func (o *Outbox) words(r release) string {
	seconds := int(r.object.Duration / time.Second)
	text := fmt.Sprintf(`<p>New track: <a href="%s">%s</a> (%d:%02d)`, html.EscapeString(r.object.URL), html.EscapeString(r.track.Title),
		seconds/60, seconds%60)
	if len(r.object.Proposals) > 0 && o.config.Words != nil {
		price := r.object.Proposals[0].Price
		if words := o.config.Words(price.Amount, price.Asset, price.Decimals); words != "" {
			text += " – " + html.EscapeString(words)
		}
	}
	return text + "</p>" + r.object.Content
}

// paragraphs makes HTML of plain text.
func paragraphs(text string) string {
	var out strings.Builder
	for p := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			out.WriteString("<p>" + strings.ReplaceAll(html.EscapeString(p), "\n", "<br>") + "</p>")
		}
	}
	return out.String()
}

// ProposalURI is where a product's price is told.
func ProposalURI(product string) string { return product + "/proposal" }
