package outbox

import (
	"context"
	"errors"
	"fmt"
	"html"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/jobs"
	"antiphon/media"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// record is what is told about one release, once.
type record struct {
	release media.Release
	change  string
	artist  actor.Actor
	now     time.Time
	tracks  []media.Track
	object  vocab.Release
	// post is the announcement; fresh says that there is none yet, known that the release was told before.
	post         Post
	fresh, known bool
}

// tellRelease tells how a release stands now: followers are sent one post when it comes out, servers that read music the
// release itself. Run again, it tells nothing twice.
func (o *Outbox) tellRelease(ctx context.Context, id media.ReleaseID, change string) error {
	r := record{change: change, now: o.utc()}
	var err error
	if r.release, err = media.ReleaseByID(ctx, o.db.Read, id); errors.Is(err, media.ErrNoRelease) {
		return jobs.Cancel(err)
	} else if err != nil {
		return err
	}
	if r.artist, err = o.actors.Local(ctx, r.release.Artist); err != nil {
		return err
	}
	have, err := ObjectByURI(ctx, o.db.Read, r.release.URI)
	if r.known = err == nil; err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if r.post, err = postAt(ctx, o.db.Read, r.artist.URI, r.release.URI); errors.Is(err, ErrNotFound) {
		r.fresh = true
	} else if err != nil {
		return err
	}
	if _, err := Sent(ctx, o.db.Read, r.activity()); err == nil || !errors.Is(err, ErrNotFound) {
		return err
	}
	for _, before := range []time.Time{have.Updated, have.Deleted} {
		if r.known && !r.now.After(before) {
			r.now = before.UTC().Add(time.Second)
		}
	}
	if r.release.State != media.ReleasePublished {
		if !r.known || !have.Deleted.IsZero() {
			return nil
		}
		return o.withdrawRelease(ctx, r)
	}
	return o.publishRelease(ctx, r)
}

// activity is the id of what tells of the release's document.
func (r record) activity() string {
	if r.change == "" {
		return r.release.URI + "/create"
	}
	return r.release.URI + "/updates/" + r.change
}

func (o *Outbox) publishRelease(ctx context.Context, r record) error {
	raw, err := o.writeRelease(ctx, &r)
	if err != nil {
		return err
	}
	note, err := o.releaseNote(&r)
	if err != nil {
		return err
	}
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		err := o.Store(ctx, tx, Object{
			URI: r.release.URI, Kind: kindAlbum, Owner: r.artist.URI, Raw: raw, Created: r.object.Published, Updated: r.now,
		})
		if err != nil {
			return err
		}
		if r.fresh {
			err := o.Store(ctx, tx, Object{URI: r.post.URI, Kind: kindNote, Owner: r.artist.URI, Raw: note.Raw, Created: r.now, Updated: r.now})
			if err != nil {
				return err
			}
			if err := PutPost(ctx, tx, r.post); err != nil {
				return err
			}
			if err := o.broadcast(ctx, tx, r.about(r.post.URI+"/create", vocab.VerbCreate, note), false); err != nil {
				return err
			}
		}
		verb := vocab.VerbUpdate
		if r.change == "" {
			verb = vocab.VerbCreate
		}
		return o.broadcast(ctx, tx, r.about(r.activity(), verb, vocab.Ref{ID: r.release.URI, Types: []string{kindAlbum}, Raw: raw}), true)
	})
}

// about is an activity of the artist's to the followers.
func (r record) about(id string, verb vocab.Verb, object vocab.Ref) vocab.Activity {
	return vocab.Activity{
		ID: id, Type: verb, Actor: r.artist.URI, Object: object, To: []string{vocab.Public}, Cc: []string{Followers(r.artist.URI)}, Published: r.now,
	}
}

// releaseNow is the document of a release that is out and whose job has not stored it yet: who is told that a release is
// out can hand its address on at once. With known it was out before. It is media.ErrNoRelease when no such release is out.
func (o *Outbox) releaseNow(ctx context.Context, uri string, known bool) ([]byte, error) {
	r := record{now: o.utc(), known: known}
	var err error
	if r.release, err = media.ReleaseByURI(ctx, o.db.Read, uri); err != nil {
		return nil, err
	}
	if r.release.State != media.ReleasePublished {
		return nil, fmt.Errorf("%w: %s is not out", media.ErrNoRelease, uri)
	}
	if r.artist, err = o.actors.Local(ctx, r.release.Artist); err != nil {
		return nil, err
	}
	return o.writeRelease(ctx, &r)
}

// writeRelease makes the document of a release, with its bytes as they are stored and sent.
func (o *Outbox) writeRelease(ctx context.Context, r *record) ([]byte, error) {
	var err error
	if r.tracks, err = media.ReleaseTracks(ctx, o.db.Read, r.release.ID); err != nil {
		return nil, err
	}
	if r.object, err = o.releaseDocument(ctx, *r); err != nil {
		return nil, err
	}
	raw, err := jsonld.Marshal(r.object.Object())
	if err != nil {
		return nil, fmt.Errorf("write release %s: %w", r.release.URI, err)
	}
	return raw, nil
}

// releaseDocument is the release as other servers read it.
func (o *Outbox) releaseDocument(ctx context.Context, r record) (vocab.Release, error) {
	x := vocab.Release{
		ID: r.release.URI, AttributedTo: r.artist.URI, Name: r.release.Title, URL: r.release.URI, Type: string(r.release.Kind),
		Released: r.release.ReleasedOn, Content: paragraphs(r.release.About), To: []string{vocab.Public}, Cc: []string{Followers(r.artist.URI)},
	}
	if r.release.PublishedAt != nil {
		x.Published = r.release.PublishedAt.UTC()
	}
	if r.known {
		x.Updated = r.now
	}
	if r.release.Cover != "" {
		x.Cover = vocab.Media{URL: o.config.FileURL(r.release.Cover, "cover.jpg"), MediaType: "image/jpeg"}
	}
	for _, t := range r.tracks {
		if t.State == media.Published {
			x.Tracks = append(x.Tracks, t.URI)
		}
	}
	p, err := o.goods.Product(ctx, o.config.BaseURL+"/products/"+string(r.release.ID))
	if err != nil {
		return x, fmt.Errorf("product of %s: %w", r.release.URI, err)
	}
	if p.Open {
		x.Proposals = []vocab.ProposalLink{{ID: ProposalURI(p.URI), Product: p.URI, Price: priceOf(p)}}
	}
	return x, nil
}

// kindWords are the kinds of releases as an announcement calls them.
var kindWords = map[media.ReleaseKind]string{media.Album: "album", media.EP: "EP", media.Single: "single"}

// releaseNote is the announcement of a release that has none yet, with the preview of its first track.
func (o *Outbox) releaseNote(r *record) (vocab.Ref, error) {
	if !r.fresh {
		return vocab.Ref{}, nil
	}
	n := vocab.Note{
		ID: o.NewID("notes"), AttributedTo: r.artist.URI, URL: r.release.URI, To: r.object.To, Cc: r.object.Cc, Published: r.now,
	}
	n.Content = fmt.Sprintf(`<p>New %s: <a href="%s">%s</a>`, kindWords[r.release.Kind], html.EscapeString(n.URL), html.EscapeString(r.release.Title))
	if count := len(r.object.Tracks); count > 1 {
		n.Content += fmt.Sprintf(" (%d tracks)", count)
	}
	if len(r.object.Proposals) > 0 && o.config.Words != nil {
		price := r.object.Proposals[0].Price
		if words := o.config.Words(price.Amount, price.Asset, price.Decimals); words != "" {
			n.Content += " – " + html.EscapeString(words)
		}
	}
	n.Content += "</p>" + r.object.Content
	link(&n)
	for _, t := range r.tracks {
		if t.Preview == "" || t.State != media.Published {
			continue
		}
		length := t.Duration() - time.Duration(t.PreviewStartMS)*time.Millisecond
		n.Attachments = []vocab.Attachment{{
			Type: "Audio", Media: vocab.Media{URL: o.config.FileURL(t.Preview, "preview.mp3"), MediaType: "audio/mpeg"},
			Name:     t.Title + " - " + r.artist.Display + " (preview)",
			Duration: min(max(length, time.Second), previewLength).Round(time.Second), Icon: r.object.Cover,
		}}
		break
	}
	m, err := n.Build()
	if err != nil {
		return vocab.Ref{}, fmt.Errorf("write note of %s: %w", r.release.URI, err)
	}
	r.post = Post{URI: n.ID, Actor: r.artist.URI, Content: n.Content, URL: n.URL, PublishedAt: r.now, CreatedAt: r.now}
	return vocab.Embed(m)
}

// withdrawRelease takes a release and its announcement back. The announcement's id is never used again.
func (o *Outbox) withdrawRelease(ctx context.Context, r record) error {
	gone := map[string]bool{r.release.URI: true}
	if !r.fresh {
		gone[r.post.URI] = false
	}
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for uri, music := range gone {
			if err := DeleteObject(ctx, tx, r.artist.URI, uri, true, r.now); err != nil {
				return err
			}
			a := r.about(uri+"/delete/"+r.change, vocab.VerbDelete, vocab.Ref{ID: uri})
			if err := o.broadcast(ctx, tx, a, music); err != nil {
				return err
			}
		}
		if r.fresh {
			return nil
		}
		return RemovePost(ctx, tx, r.artist.URI, r.post.URI)
	})
}

// postAt is the newest post of an actor whose page is url, or ErrNotFound.
func postAt(ctx context.Context, tx *gorm.DB, actorURI, url string) (Post, error) {
	var p Post
	err := tx.WithContext(ctx).Where("actor = ? AND url = ?", actorURI, url).Order("published_at DESC").Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fmt.Errorf("%w: post at %s", ErrNotFound, url)
	}
	if err != nil {
		return p, fmt.Errorf("read post at %s: %w", url, err)
	}
	return p, nil
}
