package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"antiphon/media"
	"antiphon/payments/amount"
	"antiphon/templates"
	"antiphon/vocab"
)

// Remote knows the tracks of other instances.
type Remote interface {
	// Track returns a track whose proof was checked; with fetch it may be asked for over the network. What cannot be
	// had is an error.
	Track(ctx context.Context, uri string, fetch bool) (vocab.Track, error)
	// Release returns a release as its host has it now, or as it is here; with kept no host is asked.
	Release(ctx context.Context, uri string, kept bool) (vocab.Release, error)
	// Proposal returns what a product costs now, as its host says.
	Proposal(ctx context.Context, uri string) (vocab.Proposal, error)
}

// RemoteTrack is GET /music?uri=: a track of another instance.
func (p *Pages) RemoteTrack(w http.ResponseWriter, r *http.Request) error {
	uri := r.URL.Query().Get("uri")
	if strings.HasPrefix(uri, p.BaseURL+"/tracks/") {
		return seeOther(w, r, localPath(strings.TrimPrefix(uri, p.BaseURL)))
	}
	// Nobody else has this server fetch something.
	if _, err := visitor(r); err != nil {
		return err
	}
	t, artist, err := p.remote(r.Context(), uri)
	if err != nil {
		return err
	}
	owned, err := p.owned(r.Context())
	if err != nil {
		return err
	}
	view := &templates.TrackPage{
		Layout: p.Layout(r), Track: p.remoteTrack(r.Context(), t, artist, owned), Description: sanitize(t.Content), License: licenseLink(t.License),
		Remote: &templates.Remote{Host: hostOf(t.ID), URL: webURL(t.URL, t.ID)},
	}
	view.PoolOffer = !view.Track.Owned && !view.Track.Pooled && p.offersPool(t.ID, t.Pooled)
	for _, d := range t.Downloads {
		view.Formats = append(view.Formats, formatWord(d.Format))
	}
	view.NoIndex = true
	if view.PurchaseURL, err = p.openPurchase(r.Context(), t.ID); err != nil {
		return err
	}
	if err := p.lending(r.Context(), view, len(t.Proposals) > 0); err != nil {
		return err
	}
	if view.Talk, err = p.talk(r.Context(), t.ID, t.AttributedTo); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// remote returns a remote track and its artist.
func (p *Pages) remote(ctx context.Context, uri string) (vocab.Track, actorRow, error) {
	if p.Remote == nil || webURL(uri) == "" {
		return vocab.Track{}, actorRow{}, fmt.Errorf("%w: track %.200q", ErrNotFound, uri)
	}
	t, err := p.Remote.Track(ctx, uri, true)
	if err != nil {
		if fault := (*Fault)(nil); errors.As(err, &fault) {
			return t, actorRow{}, err
		}
		return t, actorRow{}, &Fault{
			Status: http.StatusBadGateway, What: "This track could not be fetched from " + hostOf(uri),
			Do: "The other server may be down, or there is no track at this address. Try again in a few minutes.", Err: err,
		}
	}
	artist, err := p.actor(ctx, t.AttributedTo)
	if errors.Is(err, ErrNotFound) {
		artist, err = actorRow{URI: t.AttributedTo, Name: hostOf(t.AttributedTo), Host: hostOf(t.AttributedTo), Display: hostOf(t.AttributedTo)}, nil
	}
	return t, artist, err
}

// remoteTrack is a remote track as pages show it.
func (p *Pages) remoteTrack(ctx context.Context, t vocab.Track, artist actorRow, owned map[string]bool) templates.Track {
	view := templates.Track{
		URI: t.ID, URL: remoteURL(t.ID), Title: t.Name, Artist: artist.Display, ArtistURL: artist.page(),
		ArtistHandle: p.handle(artist.Name, artist.Host), Release: t.Album.Name, ReleaseURL: p.albumPage(t.Album), CoverAlt: "Cover of " + t.Name,
		Duration: t.Duration, Published: t.Published, Owned: owned[t.ID],
	}
	if t.Cover.URL != "" {
		view.Cover = fileURL("cover", t.ID)
	}
	if t.Preview.URL != "" {
		view.Preview = fileURL("preview", t.ID)
	}
	if t.Pooled && !view.Owned {
		var err error
		if view.Pooled, err = p.opensInPool(ctx, t.ID); err != nil {
			// It is shown as one that is for sale.
			p.Log.Warn("pool not asked for a track", "track", t.ID, "error", err)
		}
	}
	if len(t.Proposals) > 0 {
		price := t.Proposals[0].Price
		view.Price = p.money(price.Amount, amount.Asset(price.Asset), price.Decimals)
		if !view.Owned {
			view.BuyURL = buyURL(t.ID)
		}
	}
	return view
}

// albumPage is the page here of what a remote track is on, or "".
func (p *Pages) albumPage(a vocab.Album) string {
	if a.ID == "" || !isRelease(a.ID) {
		return ""
	}
	return p.releasePage(a.ID)
}

// postedTrack is the track of a post, with as much as is known of it here.
func (p *Pages) postedTrack(ctx context.Context, row postRow, author actorRow, owned map[string]bool) templates.Track {
	if row.Track != "" && p.Remote != nil {
		if t, err := p.Remote.Track(ctx, row.Track, false); err == nil {
			return p.remoteTrack(ctx, t, author, owned)
		}
	}
	view := templates.Track{
		URI: row.Track, URL: remoteURL(row.Track), Title: row.Title, Artist: author.Display, ArtistURL: author.page(),
		ArtistHandle: p.handle(author.Name, author.Host), CoverAlt: "Cover of " + row.Title, Published: row.PublishedAt, Owned: owned[row.Track],
	}
	if row.Track == "" {
		// Not from a music server: there is the sound, and no track to open or buy.
		view.URI, view.URL = row.URI, webURL(row.URL, row.URI)
	}
	if row.Cover != "" {
		view.Cover = fileURL("cover", row.URI)
	}
	if row.Audio != "" {
		view.Preview = fileURL("preview", row.URI)
	}
	return view
}

func remoteURL(track string) string { return "/music?uri=" + url.QueryEscape(track) }

func fileURL(kind, uri string) string { return "/remote/" + kind + "?uri=" + url.QueryEscape(uri) }

func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Host
}

// local returns a local track that can be bought, with its artist.
func (p *Pages) local(ctx context.Context, uri string) (media.Track, actorRow, error) {
	t, err := media.ByURI(ctx, p.DB.Read, uri)
	if err != nil {
		return t, actorRow{}, err
	}
	if t.State != media.Published {
		return t, actorRow{}, fmt.Errorf("%w: track %s is not published", ErrNotFound, t.ID)
	}
	artist, err := p.actor(ctx, t.Artist)
	return t, artist, err
}
