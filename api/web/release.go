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

	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/templates"
	"antiphon/vocab"
)

// maxShown is how many tracks of a release a page shows.
const maxShown = 4 * listRows

// Album is GET /albums/{id}: a release that an artist made, or what an artist's files call an album.
func (p *Pages) Album(w http.ResponseWriter, r *http.Request) error {
	uri := p.BaseURL + "/albums/" + mux.Vars(r)["id"]
	release, err := media.ReleaseByURI(r.Context(), p.DB.Read, uri)
	if errors.Is(err, media.ErrNoRelease) {
		return p.album(w, r, uri)
	}
	if err != nil {
		return err
	}
	self := release.Artist == me(r.Context())
	if release.State != media.ReleasePublished && !self {
		return fmt.Errorf("%w: release %s is not out", ErrNotFound, uri)
	}
	view, err := p.localRelease(r, release)
	if err != nil {
		return err
	}
	view.Self, view.NoIndex = self, release.State != media.ReleasePublished
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) localRelease(r *http.Request, release media.Release) (*templates.Album, error) {
	ctx := r.Context()
	artist, err := p.actor(ctx, release.Artist)
	if err != nil {
		return nil, err
	}
	tracks, err := media.ReleaseTracks(ctx, p.DB.Read, release.ID)
	if err != nil {
		return nil, err
	}
	tracks = slices.DeleteFunc(tracks, func(t media.Track) bool { return t.State != media.Published })
	view := &templates.Album{
		Layout: p.Layout(r), URI: release.URI, Name: release.Title, Artist: artist.Display, ArtistURL: artist.page(), Cover: mediaURL(release.Cover),
		Kind: string(release.Kind), Released: release.ReleasedOn, About: paragraphs(release.About), EditURL: "/releases/" + string(release.ID),
	}
	view.Accent, _, _ = strings.Cut(release.Accent, " ")
	if view.Tracks, err = p.localTracks(ctx, tracks[:min(len(tracks), maxShown)], listBars); err != nil {
		return nil, err
	}
	for _, t := range tracks {
		view.Length += t.Duration()
	}
	o, err := p.localBundle(ctx, release, artist, len(tracks))
	if err != nil && !errors.Is(err, errNotForSale) {
		return nil, err
	}
	if err := p.forSale(ctx, view, o, release.URI); err != nil {
		return nil, err
	}
	if me(ctx) == "" && view.BuyURL != "" && len(tracks) > 0 && p.Auth.WelcomesGuests() {
		view.GuestURL = "/guest?track=" + url.QueryEscape(tracks[0].URI)
	}
	document := vocab.Release{ID: release.URI, Name: release.Title}
	if release.Cover != "" {
		document.Cover.URL = p.BaseURL + mediaURL(release.Cover)
	}
	view.Meta = p.albumMeta(artist, document, tracks)
	return view, nil
}

// forSale says on a release's page what it costs, and whether it is the visitor's.
func (p *Pages) forSale(ctx context.Context, view *templates.Album, o offered, uri string) error {
	if o.product == "" {
		return nil
	}
	var err error
	if view.PurchaseURL, err = p.openPurchase(ctx, uri); err != nil {
		return err
	}
	view.Price, view.AtLeast = p.money(o.price.Units.String(), o.price.Asset, o.decimals), o.flexible
	if view.Owned = o.view.Owned; !view.Owned {
		view.BuyURL = buyURL(uri)
	}
	return nil
}

// album is what the tags of an artist's files make up.
func (p *Pages) album(w http.ResponseWriter, r *http.Request, uri string) error {
	ctx := r.Context()
	x, err := outbox.ObjectByURI(ctx, p.DB.Read, uri)
	if err != nil || !x.Local || !x.Deleted.IsZero() {
		return fmt.Errorf("%w: album %s: %w", ErrNotFound, uri, err)
	}
	release, err := vocab.ReadRelease(x.Raw)
	if err != nil {
		return err
	}
	artist, err := p.actor(ctx, x.Owner)
	if err != nil {
		return err
	}
	tracks, err := outbox.AlbumTracks(ctx, p.DB.Read, x.Owner, release.Name)
	if err != nil {
		return err
	}
	view := &templates.Album{Layout: p.Layout(r), URI: uri, Name: release.Name, Artist: artist.Display, ArtistURL: artist.page()}
	if view.Tracks, err = p.localTracks(ctx, tracks[:min(len(tracks), maxShown)], listBars); err != nil {
		return err
	}
	for i, t := range tracks {
		view.Length += t.Duration()
		if t.Cover != "" && view.Cover == "" {
			view.Cover = mediaURL(t.Cover)
			view.Accent = view.Tracks[min(i, len(view.Tracks)-1)].Accent
		}
	}
	view.Meta = p.albumMeta(artist, release, tracks)
	return p.Render(w, http.StatusOK, view)
}

// RemoteRelease is GET /release?uri=: a release of another instance.
func (p *Pages) RemoteRelease(w http.ResponseWriter, r *http.Request) error {
	uri := r.URL.Query().Get("uri")
	if strings.HasPrefix(uri, p.BaseURL+"/albums/") {
		return seeOther(w, r, localPath(strings.TrimPrefix(uri, p.BaseURL)))
	}
	// Nobody else has this server fetch something.
	if _, err := visitor(r); err != nil {
		return err
	}
	ctx := r.Context()
	release, artist, err := p.remoteRelease(ctx, uri)
	if err != nil {
		return err
	}
	view := &templates.Album{
		Layout: p.Layout(r), URI: release.ID, Name: release.Name, Artist: artist.Display, ArtistURL: artist.page(), Kind: release.Type,
		Released: release.Released, About: sanitize(release.Content), Remote: &templates.Remote{Host: hostOf(release.ID), URL: webURL(release.URL, release.ID)},
	}
	view.NoIndex = true
	if release.Cover.URL != "" {
		view.Cover = fileURL("cover", release.ID)
	}
	owned, err := p.owned(ctx)
	if err != nil {
		return err
	}
	for n, track := range release.Tracks[:min(len(release.Tracks), maxShown)] {
		// A few tracks that are not known here are asked for, of the release's own server: a page does not wait for many,
		// and a release has nothing asked of others. What somebody else has made is not shown as this artist's.
		t, err := p.Remote.Track(ctx, track, n < listRows && vocab.SameOrigin(track, release.ID))
		if err != nil || t.AttributedTo != release.AttributedTo {
			continue
		}
		view.Tracks = append(view.Tracks, p.remoteTrack(ctx, t, artist, owned))
		view.Length += t.Duration
	}
	o, err := p.remoteBundle(ctx, release, artist)
	if err != nil && !errors.Is(err, errNotForSale) {
		return err
	}
	if err := p.forSale(ctx, view, o, release.ID); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// remoteRelease returns a release of another instance and its artist.
func (p *Pages) remoteRelease(ctx context.Context, uri string) (vocab.Release, actorRow, error) {
	if p.Remote == nil || webURL(uri) == "" {
		return vocab.Release{}, actorRow{}, fmt.Errorf("%w: release %.200q", ErrNotFound, uri)
	}
	release, err := p.Remote.Release(ctx, uri, false)
	if err != nil {
		return release, actorRow{}, &Fault{
			Status: http.StatusBadGateway, What: "This release could not be fetched from " + hostOf(uri),
			Do: "The other server may be down, or there is no release at this address. Try again in a few minutes.", Err: err,
		}
	}
	artist, err := p.actor(ctx, release.AttributedTo)
	if errors.Is(err, ErrNotFound) {
		host := hostOf(release.AttributedTo)
		artist, err = actorRow{URI: release.AttributedTo, Name: host, Host: host, Display: host}, nil
	}
	return release, artist, err
}

// isRelease reports whether what was bought is a release, by its address on an instance like this one.
func isRelease(uri string) bool {
	u, err := url.Parse(uri)
	return err == nil && strings.HasPrefix(u.Path, "/albums/")
}

// releasePage is the page of a release on this instance.
func (p *Pages) releasePage(uri string) string {
	if path, ok := strings.CutPrefix(uri, p.BaseURL); ok {
		return localPath(path)
	}
	return "/release?uri=" + url.QueryEscape(uri)
}

// bundle is what is sold of a release.
func (p *Pages) bundle(ctx context.Context, uri string) (offered, error) {
	if !strings.HasPrefix(uri, p.BaseURL+"/") {
		if guest(ctx) {
			return offered{}, &Fault{Status: http.StatusForbidden, What: "Guests can buy only what is sold here", Do: "Go to the release's own server."}
		}
		release, artist, err := p.remoteRelease(ctx, uri)
		if err != nil {
			return offered{}, err
		}
		return p.remoteBundle(ctx, release, artist)
	}
	release, err := media.ReleaseByURI(ctx, p.DB.Read, uri)
	if errors.Is(err, media.ErrNoRelease) || err == nil && release.State != media.ReleasePublished {
		return offered{}, fmt.Errorf("%w: release %s", ErrNotFound, uri)
	}
	if err != nil {
		return offered{}, err
	}
	artist, err := p.actor(ctx, release.Artist)
	if err != nil {
		return offered{}, err
	}
	tracks, err := media.ReleaseTracks(ctx, p.DB.Read, release.ID)
	if err != nil {
		return offered{}, err
	}
	return p.localBundle(ctx, release, artist, len(tracks))
}

func (p *Pages) localBundle(ctx context.Context, release media.Release, artist actorRow, tracks int) (offered, error) {
	product, err := p.Shop.Product(ctx, p.BaseURL+"/products/"+string(release.ID))
	if errors.Is(err, access.ErrUnknownProduct) || err == nil && !product.Open {
		return offered{}, errNotForSale
	}
	if err != nil {
		return offered{}, fmt.Errorf("look up product of %s: %w", release.URI, err)
	}
	view := templates.Track{
		URI: release.URI, URL: p.releasePage(release.URI), Title: release.Title, Artist: artist.Display, ArtistURL: artist.page(),
		Cover: mediaURL(release.Cover), CoverAlt: "Cover of " + release.Title,
	}
	view.Accent, _, _ = strings.Cut(release.Accent, " ")
	o, err := p.localProduct(ctx, product, view)
	o.tracks, o.artist, o.title = tracks, release.Artist, release.Title
	return o, err
}

func (p *Pages) remoteBundle(ctx context.Context, release vocab.Release, artist actorRow) (offered, error) {
	if len(release.Proposals) == 0 {
		return offered{}, errNotForSale
	}
	view := templates.Track{
		URI: release.ID, URL: p.releasePage(release.ID), Title: release.Name, Artist: artist.Display, ArtistURL: artist.page(), CoverAlt: "Cover of " + release.Name,
	}
	if release.Cover.URL != "" {
		view.Cover = fileURL("cover", release.ID)
	}
	o, err := p.remoteProduct(ctx, release.Proposals[0], view)
	o.tracks, o.artist, o.title = len(release.Tracks), release.AttributedTo, release.Name
	return o, err
}

// holds reports whether the visitor has a standing grant of a product.
func (p *Pages) holds(ctx context.Context, product string) (bool, error) {
	if me(ctx) == "" || p.Library == nil {
		return false, nil
	}
	return p.Library.Holds(ctx, me(ctx), product)
}

// priceView is a price in a money of its own, with no asset where it is nothing.
func (p *Pages) priceView(a amount.Amount, decimals int) templates.Money {
	return p.money(a.Units.String(), a.Asset, decimals)
}
