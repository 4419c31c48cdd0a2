package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"antiphon/media"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

var (
	redeemName    = regexp.MustCompile(`^[a-z0-9_]{1,30}$`)
	redeemProduct = regexp.MustCompile(`^[a-z0-9]{1,64}$`)
)

// RedeemPage is GET /redeem, with ?code= what the code opens.
func (p *Pages) RedeemPage(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	return p.redeem(w, r, http.StatusOK, query.Get("code"), "")
}

func (p *Pages) redeem(w http.ResponseWriter, r *http.Request, status int, typed, wrong string) error {
	view := &templates.Redeem{Layout: p.Layout(r), Code: typed, Error: wrong}
	view.Path, view.NoIndex = "/redeem", true
	if typed != "" && wrong == "" && p.Codes != nil && !strings.Contains(typed, "://") {
		batch, err := p.Codes.CodeFor(r.Context(), p.asker(r), typed)
		if refused := (*payments.Refusal)(nil); errors.As(err, &refused) {
			view.Error = refused.Summary
		} else if err != nil {
			return err
		} else if err := p.opensWhat(r.Context(), view, batch); err != nil {
			return err
		} else if view.Track != nil {
			view.Link = redeemAddress(batch.Artist, batch.Product, strings.ToUpper(strings.TrimSpace(typed)))
			if p.Auth.WelcomesGuests() && !isRelease(view.Track.URI) {
				view.GuestURL = "/guest?track=" + url.QueryEscape(view.Track.URI)
			}
		}
	}
	return p.Render(w, status, view)
}

// asker is who is counted for codes that are none: a member, or else an address.
func (p *Pages) asker(r *http.Request) string {
	if who := me(r.Context()); who != "" {
		return who
	}
	return r.RemoteAddr
}

// opensWhat shows what a code is for.
func (p *Pages) opensWhat(ctx context.Context, view *templates.Redeem, batch payments.CodeBatch) error {
	track, err := p.productView(ctx, batch.Product)
	if err != nil {
		return err
	}
	view.Track = track
	return nil
}

// productView is a local track or release by its product, or nil when it is gone.
func (p *Pages) productView(ctx context.Context, uri string) (*templates.Track, error) {
	product, err := p.Shop.Product(ctx, uri)
	if err != nil {
		return nil, fmt.Errorf("look up product %s: %w", uri, err)
	}
	artist, err := p.actor(ctx, product.Artist)
	if err != nil {
		return nil, err
	}
	if product.Track != "" {
		t, err := media.ByURI(ctx, p.DB.Read, product.Track)
		if err != nil {
			return nil, err
		}
		view, err := p.localTrack(ctx, t, artist, nil, listBars)
		return &view, err
	}
	release, err := media.ReleaseByID(ctx, p.DB.Read, media.ReleaseID(product.ID))
	if err != nil {
		return nil, err
	}
	view := &templates.Track{
		URI: release.URI, URL: p.releasePage(release.URI), Title: release.Title, Artist: artist.Display, ArtistURL: artist.page(),
		Cover: mediaURL(release.Cover), CoverAlt: "Cover of " + release.Title,
	}
	view.Accent, _, _ = strings.Cut(release.Accent, " ")
	return view, nil
}

// coded is where a code is redeemed.
type coded struct {
	code, artist, product, track, title string
}

// Redeem is POST /redeem: a code of this server, or a link with one of another.
func (p *Pages) Redeem(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(r.PostFormValue("code"))
	c, words, err := p.readCode(r, typed)
	if err != nil {
		return err
	}
	if words != "" {
		return p.redeem(w, r, http.StatusUnprocessableEntity, typed, words)
	}
	receiving, requesting, err := p.listenerKeys(r, v)
	if err != nil {
		return err
	}
	if receiving == "" && guest(r.Context()) {
		return seeOther(w, r, "/guest/keys?track="+url.QueryEscape(c.track))
	}
	begun, err := p.Purchases.Begin(r.Context(), purchase.Request{
		Buyer: v.Account.Actor, Artist: c.artist, Product: c.product, Track: c.track, Title: c.title, Amount: amount.Amount{},
		ReceivingKey: receiving, RequestingKey: requesting, Code: c.code,
	})
	if refusal := (*purchase.Refusal)(nil); errors.As(err, &refusal) {
		return p.redeem(w, r, http.StatusUnprocessableEntity, typed, refusal.Words)
	}
	if err != nil {
		return fmt.Errorf("begin redeeming: %w", err)
	}
	return seeOther(w, r, purchasePath(begun))
}

// readCode finds what a code opens; words say what is wrong with it.
func (p *Pages) readCode(r *http.Request, typed string) (c coded, words string, err error) {
	ctx := r.Context()
	if !strings.Contains(typed, "://") {
		batch, err := p.Codes.CodeFor(ctx, p.asker(r), typed)
		if refused := (*payments.Refusal)(nil); errors.As(err, &refused) {
			return c, refused.Summary, nil
		}
		if err != nil {
			return c, "", err
		}
		what, err := p.productView(ctx, batch.Product)
		if err != nil {
			return c, "", err
		}
		if batch.Artist == me(ctx) {
			return c, "This is a code of your own: you have what it opens.", nil
		}
		code, _ := payments.ParseCode(typed)
		return coded{code, batch.Artist, batch.Product, what.URI, what.Title}, "", nil
	}
	const unreadable = "This link holds no code. Copy all of it, or type the code where it is from."
	u, err := url.Parse(typed)
	if err != nil || u.Path != "/redeem" || webURL(typed) == "" {
		return c, unreadable, nil
	}
	query := u.Query()
	code, ok := payments.ParseCode(query.Get("code"))
	if !ok || !redeemName.MatchString(query.Get("by")) || !redeemProduct.MatchString(query.Get("of")) {
		return c, unreadable, nil
	}
	base := u.Scheme + "://" + u.Host
	if base == p.BaseURL {
		return p.readCode(r, code)
	}
	if guest(ctx) {
		return c, "This code is from another server. Redeem it there.", nil
	}
	c = coded{code: code, artist: base + "/users/" + query.Get("by"), product: base + "/products/" + query.Get("of"), title: "From " + u.Host}
	if p.Finder == nil || p.Remote == nil {
		return c, unreadable, nil
	}
	if _, err := p.Finder.Lookup(ctx, c.artist); err != nil {
		return c, u.Host + " does not answer, or nobody sells this there.", nil
	}
	// A track and its product have one id, and so have a release and its product.
	c.track = base + "/tracks/" + query.Get("of")
	if _, err := p.Remote.Track(ctx, c.track, true); err != nil {
		c.track = base + "/albums/" + query.Get("of")
		if release, err := p.Remote.Release(ctx, c.track, false); err == nil {
			c.title = release.Name
		}
		return c, "", nil
	} else if t, err := p.Remote.Track(ctx, c.track, true); err == nil {
		c.title = t.Name
	}
	return c, "", nil
}
