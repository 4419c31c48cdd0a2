package web

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"antiphon/media/access"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

// Library is what users own; media/access implements it.
type Library interface {
	// Library returns what a buyer owns, newest first.
	Library(ctx context.Context, buyer string, offset, limit int) ([]access.Owned, error)
	// Holds reports whether a buyer has a standing grant of a product.
	Holds(ctx context.Context, buyer, product string) (bool, error)
}

// maxLibrary is how many owned tracks one page looks through.
const maxLibrary = 5000

// owned are the URIs of the tracks that the visitor owns.
func (p *Pages) owned(ctx context.Context) (map[string]bool, error) {
	if me(ctx) == "" || p.Library == nil {
		return nil, nil
	}
	rows, err := p.Library.Library(ctx, me(ctx), 0, maxLibrary)
	if err != nil {
		return nil, fmt.Errorf("read library: %w", err)
	}
	owned := make(map[string]bool, len(rows))
	for _, row := range rows {
		owned[row.Track] = true
	}
	return owned, nil
}

// subscribed reports whether the visitor holds a track for a time alone, by a subscription: it can be bought all the same.
func (p *Pages) subscribed(ctx context.Context, track string) (bool, error) {
	if me(ctx) == "" || p.Library == nil {
		return false, nil
	}
	rows, err := p.Library.Library(ctx, me(ctx), 0, maxLibrary)
	if err != nil {
		return false, fmt.Errorf("read library: %w", err)
	}
	lent := false
	for _, row := range rows {
		if row.Track == track && row.Ends == nil {
			return false, nil
		}
		lent = lent || row.Track == track
	}
	return lent, nil
}

// lending says on a track's page that it is held for a time, and leads to buying it.
func (p *Pages) lending(ctx context.Context, view *templates.TrackPage, sold bool) error {
	var err error
	if view.Subscribed, err = p.subscribed(ctx, view.Track.URI); err != nil {
		return err
	}
	if view.Subscribed && sold && !view.Self {
		view.KeepURL = buyURL(view.Track.URI)
	}
	return nil
}

// LibraryPage is GET /library.
func (p *Pages) LibraryPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	query := r.URL.Query()
	view := &templates.Library{Layout: p.Layout(r), Query: strings.TrimSpace(query.Get("q")), Sort: query.Get("sort")}
	view.NoIndex = true
	if view.Sort != "title" && view.Sort != "artist" {
		view.Sort = "newest"
	}
	tracks, err := p.libraryTracks(r.Context())
	if err != nil {
		return err
	}
	wanted := strings.ToLower(view.Query)
	tracks = slices.DeleteFunc(tracks, func(t templates.Track) bool {
		return !strings.Contains(strings.ToLower(t.Title+"\n"+t.Artist+"\n"+t.Release), wanted)
	})
	slices.SortStableFunc(tracks, func(a, b templates.Track) int {
		switch view.Sort {
		case "title":
			return cmp.Compare(strings.ToLower(a.Title), strings.ToLower(b.Title))
		case "artist":
			return cmp.Compare(strings.ToLower(a.Artist), strings.ToLower(b.Artist))
		}
		return 0
	})
	n := pageOf(r, listRows)
	view.Total, view.Pager = len(tracks), n.pager("/library", query, len(tracks))
	view.Tracks = tracks[min(n.offset(), len(tracks)):min(n.offset()+listRows, len(tracks))]
	open, err := p.openPurchases(r.Context())
	if err != nil {
		return err
	}
	if view.Withdrawn, err = p.withdrawn(r.Context()); err != nil {
		return err
	}
	if view.Releases, err = p.boughtReleases(r.Context()); err != nil {
		return err
	}
	for _, b := range open {
		state, err := p.orderState(r.Context(), b)
		if err != nil {
			return err
		}
		track, err := p.boughtTrack(r.Context(), b)
		if err != nil {
			return err
		}
		view.Open = append(view.Open, templates.OpenPurchase{URL: purchasePath(b), Title: track.Title, Artist: track.Artist, State: state})
	}
	return p.Render(w, http.StatusOK, view)
}

// libraryTracks are the visitor's tracks, newest first, each once.
func (p *Pages) libraryTracks(ctx context.Context) ([]templates.Track, error) {
	rows, err := p.Library.Library(ctx, me(ctx), 0, maxLibrary)
	if err != nil {
		return nil, fmt.Errorf("read library: %w", err)
	}
	owned := make(map[string]bool, len(rows))
	for _, row := range rows {
		owned[row.Track] = true
	}
	titles, proofs := map[string]string{}, map[string]string{}
	if p.Purchases != nil {
		bought, err := p.Purchases.Of(ctx, me(ctx), maxLibrary)
		if err != nil {
			return nil, fmt.Errorf("read purchases: %w", err)
		}
		for _, b := range bought {
			titles[b.Track] = b.Title
			if len(b.ReceiptRaw) > 0 {
				proofs[b.Track] = purchasePath(b) + "/proof"
			}
		}
	}
	seen := map[string]bool{}
	var tracks []templates.Track
	for _, row := range rows {
		if seen[row.Track] {
			continue
		}
		seen[row.Track] = true
		t, err := p.trackByURI(ctx, row.Track, row.Artist, owned)
		if err != nil {
			return nil, err
		}
		t.Title, t.ProofURL = cmp.Or(t.Title, titles[row.Track], "Untitled"), proofs[row.Track]
		tracks = append(tracks, t)
	}
	return tracks, nil
}

// boughtReleases lead to the releases that the visitor has as a whole.
func (p *Pages) boughtReleases(ctx context.Context) ([]templates.Link, error) {
	if p.Purchases == nil {
		return nil, nil
	}
	bought, err := p.Purchases.Of(ctx, me(ctx), maxLibrary)
	if err != nil {
		return nil, fmt.Errorf("read purchases: %w", err)
	}
	seen := map[string]bool{}
	var out []templates.Link
	for _, b := range bought {
		if !isRelease(b.Track) || b.Gift || b.State != purchase.Granted || seen[b.Track] {
			continue
		}
		seen[b.Track] = true
		if has, err := p.holds(ctx, b.Product); err != nil {
			return nil, err
		} else if has {
			out = append(out, templates.Link{Label: b.Title, URL: p.releasePage(b.Track)})
		}
	}
	return out, nil
}
