package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"antiphon/media/access"
	"antiphon/templates"
)

// Grants are what artists gave and can take back, and who helps to open it; media/access implements it.
type Grants interface {
	// Issued returns what an artist has granted of a product, the latest first.
	Issued(ctx context.Context, artist, product string, offset, limit int) ([]access.Issued, error)
	// CountIssued counts what Issued returns.
	CountIssued(ctx context.Context, artist, product string) (int64, error)
	// Revoke takes a grant of the artist back, or returns [access.ErrUnknownGrant].
	Revoke(ctx context.Context, artist, grant, reason string) error
	// Withdrawals returns what a buyer was granted and has no more, the latest first.
	Withdrawals(ctx context.Context, buyer string, limit int) ([]access.Withdrawn, error)
	// ChosenHealth tells how the instances do that an artist trusts; Choose adds one, or returns an [*access.Refusal]
	// with words, Unchoose removes one.
	ChosenHealth(ctx context.Context, artist string) ([]access.Health, error)
	Choose(ctx context.Context, artist, instance string) error
	Unchoose(ctx context.Context, artist, actor string) error
}

// buyerRows is how many grants one page shows.
const buyerRows = 50

// Buyers is GET /tracks/{id}/buyers.
func (p *Pages) Buyers(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	product, err := p.Shop.ProductOf(r.Context(), t.URI)
	if err != nil && !errors.Is(err, access.ErrUnknownProduct) {
		return err
	}
	return p.buyersOf(w, r, t.Artist, cmp.Or(t.Title, t.Filename), product.URI)
}

// ReleaseBuyers is GET /releases/{id}/buyers.
func (p *Pages) ReleaseBuyers(w http.ResponseWriter, r *http.Request) error {
	release, err := p.ownRelease(r)
	if err != nil {
		return err
	}
	return p.buyersOf(w, r, release.Artist, release.Title, p.BaseURL+"/products/"+string(release.ID))
}

// buyersOf draws who was granted a product; an empty product was granted to nobody.
func (p *Pages) buyersOf(w http.ResponseWriter, r *http.Request, artist, title, product string) error {
	ctx := r.Context()
	view := &templates.Buyers{Layout: p.Layout(r), Title: title}
	view.NoIndex = true
	if product == "" || p.Grants == nil {
		return p.Render(w, http.StatusOK, view)
	}
	total, err := p.Grants.CountIssued(ctx, artist, product)
	if err != nil {
		return err
	}
	n := pageOf(r, buyerRows)
	issued, err := p.Grants.Issued(ctx, artist, product, n.offset(), buyerRows)
	if err != nil {
		return err
	}
	uris := make([]string, len(issued))
	for i, g := range issued {
		uris[i] = g.Buyer
	}
	buyers, err := p.actors(ctx, uris)
	if err != nil {
		return err
	}
	view.Total, view.Pager = int(total), n.pager(r.URL.Path, r.URL.Query(), int(total))
	for _, g := range issued {
		view.Grants = append(view.Grants, p.issuedGrant(g, buyers[g.Buyer]))
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) issuedGrant(g access.Issued, buyer actorRow) templates.IssuedGrant {
	row := templates.IssuedGrant{
		ID: g.URI, Buyer: g.Buyer, BuyerURL: "/artist?uri=" + url.QueryEscape(g.Buyer), Since: g.Since, Ends: g.Ends, Threshold: g.Threshold,
		Revoked: g.Revoked, Reason: g.Reason,
	}
	if buyer.URI != "" {
		row.Buyer, row.BuyerURL = p.handle(buyer.Name, buyer.Host), buyer.page()
	}
	for _, h := range g.Holders {
		holder := holderOf(h.Health)
		holder.State = h.State
		switch h.State {
		case "accepted":
			row.Ready++
		case access.StateErased:
			row.Erased++
		}
		row.Holders = append(row.Holders, holder)
	}
	return row
}

func holderOf(h access.Health) templates.Holder {
	return templates.Holder{Actor: h.Actor, Host: hostOf(h.Actor), Known: h.Known, Well: h.Well, Seen: h.Seen, Words: h.Words}
}

// Revoke is POST /studio/revoke: it takes one grant back and returns to the page that it stands on.
func (p *Pages) Revoke(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if len(reason) > access.MaxReason {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This reason is too long", Do: "Say it in up to 400 characters, and take the grant back then."}
	}
	err = p.Grants.Revoke(r.Context(), v.Account.Actor, r.PostFormValue("grant"), reason)
	if errors.Is(err, access.ErrUnknownGrant) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	back := "/studio"
	if from, err := url.Parse(r.Referer()); err == nil && strings.HasPrefix(from.Path, "/tracks/") && strings.HasSuffix(from.Path, "/buyers") {
		back = from.Path
	}
	return seeOther(w, r, back+"?done=revoked")
}

// proxies are what an artist's settings show of who helps; nil for others.
func (p *Pages) proxies(ctx context.Context, artist string) (*templates.Proxies, error) {
	if p.Grants == nil {
		return nil, nil
	}
	own, err := p.Grants.ChosenHealth(ctx, artist)
	if err != nil {
		return nil, err
	}
	view := &templates.Proxies{Threshold: p.Threshold, Number: p.Proxies}
	for _, h := range own {
		view.Own = append(view.Own, holderOf(h))
	}
	for _, actor := range p.TrustedProxies {
		view.Trusted = append(view.Trusted, hostOf(actor))
	}
	return view, nil
}

// AddProxy is POST /settings/proxies.
func (p *Pages) AddProxy(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	address := r.PostFormValue("instance")
	err = p.Grants.Choose(r.Context(), v.Account.Actor, address)
	var refused *access.Refusal
	if errors.As(err, &refused) {
		view, err := p.settings(r)
		if err != nil {
			return err
		}
		view.Proxies.Address, view.Proxies.Error = address, refused.Words
		return p.Render(w, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/settings?done=saved#proxies")
}

// RemoveProxy is POST /settings/proxies/remove.
func (p *Pages) RemoveProxy(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	if err := p.Grants.Unchoose(r.Context(), v.Account.Actor, r.PostFormValue("actor")); err != nil {
		return err
	}
	return seeOther(w, r, "/settings?done=saved#proxies")
}

// withdrawn are the visitor's tracks that their artists have taken back.
func (p *Pages) withdrawn(ctx context.Context) ([]templates.Withdrawn, error) {
	if p.Grants == nil {
		return nil, nil
	}
	rows, err := p.Grants.Withdrawals(ctx, me(ctx), buyerRows)
	if err != nil {
		return nil, fmt.Errorf("read withdrawals: %w", err)
	}
	all := make([]templates.Withdrawn, len(rows))
	for i, row := range rows {
		t, err := p.trackByURI(ctx, row.Track, row.Artist, nil)
		if err != nil {
			return nil, err
		}
		all[i] = templates.Withdrawn{Title: cmp.Or(t.Title, "Untitled"), Artist: t.Artist, ArtistURL: t.ArtistURL, Reason: row.Reason, When: row.RevokedAt}
	}
	return all, nil
}
