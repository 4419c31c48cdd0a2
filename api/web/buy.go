package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"antiphon/api/auth"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/payments/manual"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

// offered is what can be bought: a track, local or remote, and the product and price that its seller asks for.
type offered struct {
	view                   templates.Track
	artist, product, title string
	price                  amount.Amount
	decimals               int
	seller                 string
}

// Buy is GET /buy?track=.
func (p *Pages) Buy(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if receiving, _, err := p.listenerKeys(r, v); err != nil {
		return err
	} else if receiving == "" && v.Account.Role == auth.Guest {
		return seeOther(w, r, "/guest/keys?track="+url.QueryEscape(r.URL.Query().Get("track")))
	}
	o, err := p.offer(r.Context(), r.URL.Query().Get("track"))
	if err != nil {
		return err
	}
	if o.view.Owned {
		return seeOther(w, r, o.view.URL)
	}
	return p.buy(w, r, http.StatusOK, o, "")
}

func (p *Pages) buy(w http.ResponseWriter, r *http.Request, status int, o offered, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	receiving, requesting, err := p.listenerKeys(r, v)
	if err != nil {
		return err
	}
	price := p.money(o.price.Units.String(), o.price.Asset, o.decimals)
	view := &templates.Buy{
		Layout: p.Layout(r), Track: o.view, Action: buyURL(o.view.URI), Proposal: o.product, Tracks: 1, Price: price, Seller: o.seller,
		Provider: p.paidThrough(o.price.Asset), ReceivingKey: receiving, RequestingKey: requesting, Keepers: []string{o.seller}, Needed: 1, Error: wrong,
	}
	if !price.Free() {
		// The node that is paid belongs to the artist's instance, which owes the artist what it takes.
		view.OperatorHolds = true
		view.Splits = []templates.Split{{Name: o.view.Artist, Role: "artist", BasisPoints: 10_000, Amount: price}}
	}
	if o.seller != p.host {
		view.Keepers, view.Needed = append(view.Keepers, p.host), 2
	}
	if view.PurchaseURL, err = p.openPurchase(r.Context(), o.view.URI); err != nil {
		return err
	}
	view.Path, view.NoIndex = "/buy", true
	return p.Render(w, status, view)
}

// paidThrough says in words how a price is paid, before the seller has said so.
func (p *Pages) paidThrough(asset amount.Asset) string {
	if a, ok := p.asset(string(asset)); ok && a.Provider != "" {
		return providerWords(a.Provider, asset)
	}
	_, token := asset.Contract()
	switch {
	case !token && asset != "":
		return providerWords(manual.Name, asset)
	case asset.Development():
		return providerWords("raiden", asset)
	default:
		return "Raiden or " + providerWords("erc20", asset)
	}
}

// BeginPurchase is POST /buy?track=: it sends the offer and leads to the purchase's page.
func (p *Pages) BeginPurchase(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	o, err := p.offer(r.Context(), r.FormValue("track"))
	if err != nil {
		return err
	}
	if o.artist == v.Account.Actor {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This track is your own", Do: "You have its file already."}
	}
	if seen := r.PostFormValue("proposal"); seen != "" && seen != o.product {
		return p.buy(w, r, http.StatusConflict, o, "The seller has changed what is sold here. Please look at it again.")
	}
	receiving, requesting, err := p.listenerKeys(r, v)
	if err != nil {
		return err
	}
	bought, err := p.Purchases.Begin(r.Context(), purchase.Request{
		Buyer: v.Account.Actor, Artist: o.artist, Product: o.product, Track: o.view.URI, Title: o.title, Amount: o.price, Decimals: o.decimals,
		ReceivingKey: receiving, RequestingKey: requesting,
	})
	if refusal := (*purchase.Refusal)(nil); errors.As(err, &refusal) {
		return p.buy(w, r, http.StatusUnprocessableEntity, o, refusal.Words)
	}
	if err != nil {
		return fmt.Errorf("begin purchase: %w", err)
	}
	return seeOther(w, r, purchasePath(bought))
}

// offer looks up what a track is sold as.
func (p *Pages) offer(ctx context.Context, track string) (offered, error) {
	owned, err := p.owned(ctx)
	if err != nil {
		return offered{}, err
	}
	if strings.HasPrefix(track, p.BaseURL+"/") {
		return p.localOffer(ctx, track, owned)
	}
	if v, _ := auth.FromContext(ctx); v.Account.Role == auth.Guest {
		return offered{}, &Fault{Status: http.StatusForbidden, What: "Guests can buy only what is sold here", Do: "Go to the track's own server."}
	}
	t, artist, err := p.remote(ctx, track)
	if err != nil {
		return offered{}, err
	}
	if len(t.Proposals) == 0 {
		return offered{}, errNotForSale
	}
	proposal := t.Proposals[0]
	price, err := priceOf(proposal.Amount, proposal.Asset)
	if err != nil {
		return offered{}, &Fault{Status: http.StatusBadGateway, What: "The seller's price cannot be read", Do: "Ask the artist.", Err: err}
	}
	return offered{
		view: p.remoteTrack(t, artist, owned), artist: t.AttributedTo, product: proposal.Product, title: t.Name, price: price,
		decimals: proposal.Decimals, seller: hostOf(t.ID),
	}, nil
}

func (p *Pages) localOffer(ctx context.Context, track string, owned map[string]bool) (offered, error) {
	t, artist, err := p.local(ctx, track)
	if err != nil {
		return offered{}, err
	}
	product, err := p.Shop.ProductOf(ctx, track)
	if errors.Is(err, access.ErrUnknownProduct) || err == nil && !product.Open {
		return offered{}, errNotForSale
	}
	if err != nil {
		return offered{}, fmt.Errorf("look up product of %s: %w", track, err)
	}
	price, err := priceOf(product.Units, product.Asset)
	if err != nil {
		return offered{}, fmt.Errorf("price of %s: %w", track, err)
	}
	view, err := p.localTrack(ctx, t, artist, owned, listBars)
	if err != nil {
		return offered{}, err
	}
	return offered{
		view: view, artist: t.Artist, product: product.URI, title: t.Title, price: price, decimals: product.Decimals, seller: p.host,
	}, nil
}

var errNotForSale = &Fault{
	Status: http.StatusNotFound, What: "This track is not for sale at the moment", Do: "Follow the artist to hear when that changes.",
}

// priceOf reads a price; what is free may name no asset.
func priceOf(units, asset string) (amount.Amount, error) {
	if units == "0" && asset == "" {
		return amount.New(0, amount.None), nil
	}
	return amount.Parse(units, asset)
}
