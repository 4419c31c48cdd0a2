package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/templates"
)

// Shop knows what a local track is sold as; media/access implements it.
type Shop interface {
	// ProductOf returns the product that a track is sold as, or [access.ErrUnknownProduct].
	ProductOf(ctx context.Context, track string) (access.Product, error)
	// Product returns a product by its URI, or [access.ErrUnknownProduct].
	Product(ctx context.Context, uri string) (access.Product, error)
	// SetProductPrice sets what a product costs from now on.
	SetProductPrice(tx *gorm.DB, product string, p access.Price) error
}

// listBars and pageBars are how many bars a waveform has in a list and on a page of its own.
const (
	listBars = 60
	pageBars = 160
)

// Track is GET /@{name}/{slug}. Its artist sees it also before it is published.
func (p *Pages) Track(w http.ResponseWriter, r *http.Request) error {
	t, artist, err := p.bySlug(r)
	if err != nil {
		return err
	}
	view := &templates.TrackPage{Layout: p.Layout(r), Self: artist.URI == me(r.Context()), EditURL: "/drafts/" + string(t.ID)}
	if t.State != media.Published {
		if !view.Self {
			return fmt.Errorf("%w: track %s is not published", ErrNotFound, t.ID)
		}
		view.NoIndex = true
	}
	owned, err := p.owned(r.Context())
	if err != nil {
		return err
	}
	if view.Track, err = p.localTrack(r.Context(), t, artist, owned, pageBars); err != nil {
		return err
	}
	files, err := media.DownloadsOf(r.Context(), p.DB.Read, t.ID)
	if err != nil {
		return err
	}
	for _, f := range files {
		view.Formats = append(view.Formats, formatWord(f.Format))
	}
	view.Description = paragraphs(t.About)
	view.License = licenseLink(t.Licence)
	view.Meta = p.trackMeta(t, artist)
	if view.Talk, err = p.talk(r.Context(), t.URI, artist.URI); err != nil {
		return err
	}
	if err := p.pinning(r.Context(), view, t); err != nil {
		return err
	}
	if view.Likes, view.Boosts, err = p.reactions(r.Context(), t); err != nil {
		return err
	}
	if view.PurchaseURL, err = p.openPurchase(r.Context(), t.URI); err != nil {
		return err
	}
	product, err := p.Shop.ProductOf(r.Context(), t.URI)
	if err != nil && !errors.Is(err, access.ErrUnknownProduct) {
		return err
	}
	if err := p.lending(r.Context(), view, err == nil && product.Open); err != nil {
		return err
	}
	view.PoolOffer = !view.Self && !view.Track.Owned && !view.Track.Pooled && p.offersPool(t.URI, t.Pooled)
	view.Away = me(r.Context()) == ""
	if view.Away && view.Track.BuyURL != "" && p.Auth.WelcomesGuests() {
		view.GuestURL = "/guest?track=" + url.QueryEscape(t.URI)
	}
	others, err := media.Of(r.Context(), p.DB.Read, artist.URI, true, 0, 7)
	if err != nil {
		return err
	}
	others = slices.DeleteFunc(others, func(o media.Track) bool { return o.ID == t.ID })
	if view.More, err = p.localTracks(r.Context(), others[:min(6, len(others))], listBars); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// formatWord is how people call a download's format.
func formatWord(format string) string {
	if format == "opus" {
		return "Opus"
	}
	return strings.ToUpper(format)
}

// pinning offers the artist to show a published track first.
func (p *Pages) pinning(ctx context.Context, view *templates.TrackPage, t media.Track) error {
	if !view.Self || p.Social == nil || t.State != media.Published {
		return nil
	}
	pins, err := outbox.Pinned(ctx, p.DB.Read, t.Artist)
	if err != nil {
		return err
	}
	view.PinURL, view.Pinned = "/tracks/"+string(t.ID)+"/pin", slices.Contains(pins, t.URI)
	return nil
}

// TrackDocument leads a server from a track's page to the announcement, which every server can show and play and which
// names the track; or to the track itself, while it is not announced.
func (p *Pages) TrackDocument(w http.ResponseWriter, r *http.Request) error {
	t, artist, err := p.bySlug(r)
	if err != nil {
		return err
	}
	uri := t.URI
	if post, err := outbox.PostOf(r.Context(), p.DB.Read, artist.URI, t.URI); err == nil {
		uri = post.URI
	} else if !errors.Is(err, outbox.ErrNotFound) {
		return err
	}
	http.Redirect(w, r, uri, http.StatusFound)
	return nil
}

// ToTrack leads a person from a track's URI to its page.
func (p *Pages) ToTrack(w http.ResponseWriter, r *http.Request) error {
	t, err := media.ByID(r.Context(), p.DB.Read, media.TrackID(mux.Vars(r)["id"]))
	if err != nil {
		return err
	}
	artist, err := p.actor(r.Context(), t.Artist)
	if err != nil {
		return err
	}
	return seeOther(w, r, trackPath(artist, t))
}

func (p *Pages) bySlug(r *http.Request) (media.Track, actorRow, error) {
	vars := mux.Vars(r)
	artist, err := p.actor(r.Context(), p.Auth.ActorURI(vars["name"]))
	if err != nil {
		return media.Track{}, artist, err
	}
	t, err := media.BySlug(r.Context(), p.DB.Read, artist.URI, vars["slug"])
	return t, artist, err
}

func trackPath(artist actorRow, t media.Track) string {
	return "/@" + artist.Name + "/" + url.PathEscape(t.Slug)
}

// localTrack is a local track as pages show it to the visitor, who owns what is in owned.
func (p *Pages) localTrack(ctx context.Context, t media.Track, artist actorRow, owned map[string]bool, bars int) (templates.Track, error) {
	view := templates.Track{
		URI: t.URI, URL: trackPath(artist, t), Title: t.Title, Artist: artist.Display, ArtistURL: artist.page(),
		ArtistHandle: p.handle(artist.Name, artist.Host), Release: t.Album, Cover: mediaURL(t.Cover), CoverAlt: "Cover of " + t.Title,
		Duration: t.Duration(), Preview: mediaURL(t.Preview), Peaks: fewer(t.Peaks, bars), Owned: owned[t.URI],
	}
	if bars == listBars && t.CoverSmall != "" {
		view.Cover = mediaURL(t.CoverSmall)
	}
	if release, _, err := media.ReleaseOf(ctx, p.DB.Read, t.ID); err == nil {
		view.Release, view.ReleaseURL = release.Title, p.releasePage(release.URI)
	} else if !errors.Is(err, media.ErrNoRelease) {
		return view, err
	} else if t.Album != "" {
		view.ReleaseURL = strings.TrimPrefix(outbox.AlbumURI(p.BaseURL, t.Artist, t.Album), p.BaseURL)
	}
	if t.Pooled && !view.Owned {
		var err error
		if view.Pooled, err = p.opensInPool(ctx, t.URI); err != nil {
			return view, err
		}
	}
	view.Accent, _, _ = strings.Cut(t.Accent, " ")
	if t.PublishedAt != nil {
		view.Published = *t.PublishedAt
	}
	product, err := p.Shop.ProductOf(ctx, t.URI)
	if errors.Is(err, access.ErrUnknownProduct) {
		return view, nil
	}
	if err != nil {
		return view, fmt.Errorf("look up product of %s: %w", t.URI, err)
	}
	view.Price = p.money(product.Units, amount.Asset(product.Asset), product.Decimals)
	if product.Open && !view.Owned && artist.URI != me(ctx) {
		view.BuyURL = buyURL(t.URI)
	}
	return view, nil
}

// localTracks are several of them, each with its artist.
func (p *Pages) localTracks(ctx context.Context, tracks []media.Track, bars int) ([]templates.Track, error) {
	uris := make([]string, len(tracks))
	for i, t := range tracks {
		uris[i] = t.Artist
	}
	artists, err := p.actors(ctx, uris)
	if err != nil {
		return nil, err
	}
	owned, err := p.owned(ctx)
	if err != nil {
		return nil, err
	}
	views := make([]templates.Track, len(tracks))
	for i, t := range tracks {
		if views[i], err = p.localTrack(ctx, t, artists[t.Artist], owned, bars); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// reactions counts who likes and who has boosted a track or its announcement.
func (p *Pages) reactions(ctx context.Context, t media.Track) (likes, boosts int, err error) {
	objects := []string{t.URI}
	if post, err := outbox.PostOf(ctx, p.DB.Read, t.Artist, t.URI); err == nil {
		objects = append(objects, post.URI)
	} else if !errors.Is(err, outbox.ErrNotFound) {
		return 0, 0, err
	}
	var rows []struct {
		Kind string
		N    int
	}
	err = p.DB.Read.WithContext(ctx).Table("reactions").Select("kind, COUNT(DISTINCT actor) AS n").
		Where("object IN ?", objects).Group("kind").Scan(&rows).Error
	for _, row := range rows {
		switch outbox.Reaction(row.Kind) {
		case outbox.Like:
			likes = row.N
		case outbox.Boost:
			boosts = row.N
		}
	}
	return likes, boosts, err
}

func mediaURL(cid string) string {
	if cid == "" {
		return ""
	}
	return "/media/" + cid
}

// buyURL is where a track or a release is bought.
func buyURL(uri string) string {
	if isRelease(uri) {
		return "/buy?release=" + url.QueryEscape(uri)
	}
	return "/buy?track=" + url.QueryEscape(uri)
}

// fewer draws peaks with at most n bars, each as high as the highest that it stands for.
func fewer(peaks []byte, n int) []byte {
	if len(peaks) <= n {
		return peaks
	}
	bars := make([]byte, n)
	for i := range bars {
		bars[i] = slices.Max(peaks[i*len(peaks)/n : (i+1)*len(peaks)/n])
	}
	return bars
}
