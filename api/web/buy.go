package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"antiphon/api/auth"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/manual"
	"antiphon/payments/purchase"
	"antiphon/templates"
	"antiphon/vocab"
)

// offered is what can be bought: a track or a release, local or remote, and the product and price that its seller asks
// for.
type offered struct {
	view                   templates.Track
	artist, product, title string
	// tracks are how many one gets.
	tracks   int
	price    amount.Amount
	decimals int
	// flexible says that the buyer names the price, from price upward; suggested is what the page begins with.
	flexible  bool
	suggested amount.Units
	splits    payments.Splits
	seller    string
}

// Buy is GET /buy?track= and /buy?release=.
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
	o, err := p.offer(r.Context(), r)
	if err != nil {
		return err
	}
	if o.view.Owned && r.URL.Query().Get("gift") == "" {
		return seeOther(w, r, o.view.URL)
	}
	return p.buy(w, r, http.StatusOK, o, "", "")
}

// buy draws the page; typed is the amount that was named and is wrong.
func (p *Pages) buy(w http.ResponseWriter, r *http.Request, status int, o offered, typed, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	receiving, requesting, err := p.listenerKeys(r, v)
	if err != nil {
		return err
	}
	shown := o.price
	if o.flexible {
		shown.Units = o.suggested
	}
	price := p.priceView(o.price, o.decimals)
	view := &templates.Buy{
		Layout: p.Layout(r), Track: o.view, Action: buyURL(o.view.URI), Proposal: o.product, Tracks: o.tracks, Price: price, Seller: o.seller,
		NameYourPrice: o.flexible, Suggested: p.priceView(shown, o.decimals), Amount: cmp.Or(typed, shown.Units.Decimal(o.decimals)),
		Provider: p.paidThrough(o.price.Asset), ReceivingKey: receiving, RequestingKey: requesting, Keepers: []string{o.seller}, Needed: 1, Error: wrong,
		CanGift: v.Account.Role != auth.Guest && (o.flexible || !price.Free()),
	}
	if !shown.IsZero() {
		// The node that is paid belongs to the artist's instance, which owes the artist what it takes.
		view.OperatorHolds = true
		if view.Splits, err = p.splitViews(o, shown); err != nil {
			return err
		}
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

// splitViews are the parts of a price, to the smallest unit as the ledger will have them.
func (p *Pages) splitViews(o offered, price amount.Amount) ([]templates.Split, error) {
	if len(o.splits) == 0 {
		return []templates.Split{{Name: o.view.Artist, Role: "artist", BasisPoints: payments.Whole, Amount: p.priceView(price, o.decimals)}}, nil
	}
	weights := make([]int, len(o.splits))
	for i, part := range o.splits {
		weights[i] = part.BasisPoints
	}
	parts, err := price.Units.Split(weights)
	if err != nil {
		return nil, fmt.Errorf("split the price of %s: %w", o.product, err)
	}
	views := make([]templates.Split, len(parts))
	for i, part := range o.splits {
		views[i] = templates.Split{
			Name: part.Name, Role: part.Role, BasisPoints: part.BasisPoints, Amount: p.priceView(amount.Amount{Units: parts[i], Asset: price.Asset}, o.decimals),
		}
		if part.Payee == o.artist && part.Role == "" {
			views[i].Role = "artist"
		}
	}
	return views, nil
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

// BeginPurchase is POST /buy?track= and /buy?release=: it sends the offer and leads to the purchase's page.
func (p *Pages) BeginPurchase(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	o, err := p.offer(r.Context(), r)
	if err != nil {
		return err
	}
	gift := r.PostFormValue("gift") != ""
	if o.artist == v.Account.Actor && !gift {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This track is your own", Do: "You have its file already."}
	}
	if seen := r.PostFormValue("proposal"); seen != "" && seen != o.product {
		return p.buy(w, r, http.StatusConflict, o, "", "The seller has changed what is sold here. Please look at it again.")
	}
	price := o.price
	if o.flexible {
		typed := strings.TrimSpace(r.PostFormValue("amount"))
		price.Units, err = amount.ParseDecimal(typed, o.decimals)
		if err != nil {
			return p.buy(w, r, http.StatusUnprocessableEntity, o, typed, numberWords(o.decimals))
		}
		if price.Units.Cmp(o.price.Units) < 0 {
			least := p.priceView(o.price, o.decimals)
			return p.buy(w, r, http.StatusUnprocessableEntity, o, typed, "The least that is taken is "+least.Number()+" "+least.Symbol+".")
		}
	}
	if gift && price.IsZero() {
		return p.buy(w, r, http.StatusUnprocessableEntity, o, "", "This is free: whoever wants it can get it.")
	}
	receiving, requesting, err := p.listenerKeys(r, v)
	if err != nil {
		return err
	}
	bought, err := p.Purchases.Begin(r.Context(), purchase.Request{
		Buyer: v.Account.Actor, Artist: o.artist, Product: o.product, Track: o.view.URI, Title: o.title, Amount: price, Decimals: o.decimals,
		ReceivingKey: receiving, RequestingKey: requesting, Gift: gift,
	})
	if refusal := (*purchase.Refusal)(nil); errors.As(err, &refusal) {
		return p.buy(w, r, http.StatusUnprocessableEntity, o, "", refusal.Words)
	}
	if err != nil {
		return fmt.Errorf("begin purchase: %w", err)
	}
	return seeOther(w, r, purchasePath(bought))
}

// offer looks up what a track or a release is sold as.
func (p *Pages) offer(ctx context.Context, r *http.Request) (offered, error) {
	if release := r.URL.Query().Get("release"); release != "" {
		return p.bundle(ctx, release)
	}
	track := r.FormValue("track")
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
	o, err := p.remoteProduct(ctx, t.Proposals[0], p.remoteTrack(ctx, t, artist, owned))
	o.tracks, o.artist, o.title, o.view.Owned = 1, t.AttributedTo, t.Name, owned[t.ID]
	return p.notLent(ctx, o, err)
}

// remoteProduct is what a seller elsewhere asks for: as it says now, or when it does not answer, as it said before.
func (p *Pages) remoteProduct(ctx context.Context, link vocab.ProposalLink, view templates.Track) (offered, error) {
	o := offered{view: view, product: link.Product, decimals: link.Decimals, seller: hostOf(link.ID)}
	unreadable := func(err error) error {
		return &Fault{Status: http.StatusBadGateway, What: "The seller's price cannot be read", Do: "Ask the artist.", Err: err}
	}
	var err error
	if o.price, err = priceOf(link.Amount, link.Asset); err != nil {
		return o, unreadable(err)
	}
	now, err := p.Remote.Proposal(ctx, link.ID)
	if err == nil && now.Product == link.Product {
		if o.price, err = priceOf(now.Amount, now.Asset); err != nil {
			return o, unreadable(err)
		}
		o.decimals = now.Decimals
		for _, share := range now.Shares {
			o.splits = append(o.splits, payments.Split{Payee: share.Payee, Name: share.Name, Role: share.Role, BasisPoints: share.BasisPoints})
		}
		if now.Suggested != "" {
			if o.suggested, err = amount.ParseUnits(now.Suggested); err != nil {
				return o, unreadable(err)
			}
			o.flexible = true
		}
	}
	o.finish()
	o.view.Owned, err = p.holds(ctx, o.product)
	return o, err
}

// finish has the page begin with the least where nothing more is suggested.
func (o *offered) finish() {
	if o.suggested.Cmp(o.price.Units) < 0 {
		o.suggested = o.price.Units
	}
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
	view, err := p.localTrack(ctx, t, artist, owned, listBars)
	if err != nil {
		return offered{}, err
	}
	o, err := p.localProduct(ctx, product, view)
	o.tracks, o.artist, o.title, o.view.Owned = 1, t.Artist, t.Title, owned[t.URI]
	return p.notLent(ctx, o, err)
}

// notLent lets a track be bought that the visitor hears by a subscription.
func (p *Pages) notLent(ctx context.Context, o offered, err error) (offered, error) {
	if err != nil || !o.view.Owned {
		return o, err
	}
	lent, err := p.subscribed(ctx, o.view.URI)
	o.view.Owned = !lent
	return o, err
}

// localProduct is what is asked here for a product.
func (p *Pages) localProduct(ctx context.Context, product access.Product, view templates.Track) (offered, error) {
	o := offered{view: view, product: product.URI, decimals: product.Decimals, flexible: product.Flexible, seller: p.host}
	var err error
	if o.price, err = priceOf(product.Units, product.Asset); err != nil {
		return o, fmt.Errorf("price of %s: %w", product.URI, err)
	}
	if product.Flexible && product.Suggested != "" {
		if o.suggested, err = amount.ParseUnits(product.Suggested); err != nil {
			return o, fmt.Errorf("price of %s: %w", product.URI, err)
		}
	}
	o.finish()
	if o.splits, err = payments.SplitsOf(ctx, p.DB.Read, product.URI); err != nil {
		return o, err
	}
	o.view.Owned, err = p.holds(ctx, product.URI)
	return o, err
}

var errNotForSale = &Fault{
	Status: http.StatusNotFound, What: "This is not for sale at the moment", Do: "Follow the artist to hear when that changes.",
}

// priceOf reads a price; what is free may name no asset.
func priceOf(units, asset string) (amount.Amount, error) {
	if units == "0" && asset == "" {
		return amount.Amount{}, nil
	}
	return amount.Parse(units, asset)
}
