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
	"antiphon/payments/subscription"
	"antiphon/templates"
	"antiphon/vocab"
)

// Sellers knows what other servers sell, by asking them.
type Sellers interface {
	// Proposal is how a product is sold.
	Proposal(ctx context.Context, product string) (vocab.Proposal, error)
	// Tiers are the proposals of an artist's tiers.
	Tiers(ctx context.Context, artist string) ([]vocab.Proposal, error)
}

// tierOffer is a tier that can be subscribed to, local or remote.
type tierOffer struct {
	product, artist, name string
	price                 amount.Amount
	decimals              int
	view                  templates.Tier
}

// RemoteTiers is GET /tiers?artist=: the tiers of an artist of another server, as that server tells them now.
func (p *Pages) RemoteTiers(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	artist, err := p.actor(r.Context(), r.URL.Query().Get("artist"))
	if err != nil {
		return err
	}
	if artist.Local {
		return seeOther(w, r, artist.page())
	}
	if p.Sellers == nil {
		return ErrNotFound
	}
	proposals, err := p.Sellers.Tiers(r.Context(), artist.URI)
	if err != nil {
		return unanswered(hostOf(artist.URI), err)
	}
	view := &templates.Tiers{Layout: p.Layout(r), Artist: artist.Display, ArtistURL: artist.page()}
	view.NoIndex = true
	for _, x := range proposals {
		o, err := p.remoteTier(x)
		if err != nil || x.AttributedTo != artist.URI {
			continue // the other server's fault; the rest can be shown
		}
		if h, err := p.Subscriptions.HeldOf(r.Context(), me(r.Context()), x.Product); err == nil && h.State != subscription.Ended && h.State != subscription.Lapsed {
			o.view.State = string(h.State)
		}
		view.Tiers = append(view.Tiers, o.view)
	}
	return p.Render(w, http.StatusOK, view)
}

func unanswered(host string, err error) error {
	return &Fault{Status: http.StatusBadGateway, What: host + " does not answer", Do: "Try again in a few minutes.", Err: err}
}

// remoteTier is a tier of another server.
func (p *Pages) remoteTier(x vocab.Proposal) (tierOffer, error) {
	if !x.Monthly {
		return tierOffer{}, errNotForSale
	}
	price, err := priceOf(x.Amount, x.Asset)
	if err != nil {
		return tierOffer{}, &Fault{Status: http.StatusBadGateway, What: "The seller's price cannot be read", Do: "Ask the artist.", Err: err}
	}
	return tierOffer{
		product: x.Product, artist: x.AttributedTo, name: x.Name, price: price, decimals: x.Decimals,
		view: templates.Tier{Name: x.Name, Price: p.money(x.Amount, price.Asset, x.Decimals), URL: subscribeURL(x.Product)},
	}, nil
}

// tierOffer looks up a tier by its product's URI.
func (p *Pages) tierOffer(ctx context.Context, product string) (tierOffer, error) {
	if strings.HasPrefix(product, p.BaseURL+"/") {
		t, err := p.Tiers.Tier(ctx, product)
		if errors.Is(err, access.ErrUnknownProduct) || err == nil && !t.Open {
			return tierOffer{}, errNoTier
		}
		if err != nil {
			return tierOffer{}, err
		}
		price, err := priceOf(t.Units, t.Asset)
		if err != nil {
			return tierOffer{}, fmt.Errorf("price of %s: %w", product, err)
		}
		items, err := p.Tiers.Items(ctx, t.URI, t.Version)
		if err != nil {
			return tierOffer{}, err
		}
		o := tierOffer{product: t.URI, artist: t.Artist, name: t.Name, price: price, decimals: t.Decimals, view: p.tierView(t)}
		o.view.Tracks = len(items)
		return o, nil
	}
	if guest(ctx) {
		return tierOffer{}, &Fault{Status: http.StatusForbidden, What: "Guests can subscribe only to artists of this server", Do: "Go to the artist's own server."}
	}
	if u, err := url.Parse(product); err != nil || u.Host == "" || p.Sellers == nil {
		return tierOffer{}, errNoTier
	}
	x, err := p.Sellers.Proposal(ctx, product)
	if err != nil {
		return tierOffer{}, unanswered(hostOf(product), err)
	}
	if x.Product != product {
		return tierOffer{}, errNoTier
	}
	return p.remoteTier(x)
}

var errNoTier = &Fault{
	Status: http.StatusNotFound, What: "This cannot be subscribed to at the moment", Do: "Follow the artist to hear when that changes.",
}

// Subscribe is GET /subscribe?tier=.
func (p *Pages) Subscribe(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	tier := r.URL.Query().Get("tier")
	if receiving, _, err := p.listenerKeys(r, v); err != nil {
		return err
	} else if receiving == "" && v.Account.Role == auth.Guest {
		return seeOther(w, r, "/guest/keys")
	}
	o, err := p.tierOffer(r.Context(), tier)
	if err != nil {
		return err
	}
	return p.subscribe(w, r, http.StatusOK, o, "")
}

func (p *Pages) subscribe(w http.ResponseWriter, r *http.Request, status int, o tierOffer, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	artist, err := p.actor(ctx, o.artist)
	if err != nil {
		return err
	}
	view := &templates.Subscribe{
		Layout: p.Layout(r), Tier: o.view, Artist: artist.Display, ArtistURL: artist.page(), Action: subscribeURL(o.product), Seen: o.price.Units.String(),
		Seller: hostOf(o.product), Provider: p.paidThrough(o.price.Asset), Error: wrong,
	}
	view.Path, view.NoIndex = "/subscribe", true
	if view.ReceivingKey, view.RequestingKey, err = p.listenerKeys(r, v); err != nil {
		return err
	}
	h, err := p.Subscriptions.HeldOf(ctx, v.Account.Actor, o.product)
	if err != nil && !errors.Is(err, subscription.ErrNotFound) {
		return err
	}
	view.State, view.Shown = string(h.State), h.Shown
	if next := subscription.NextMonth(h, p.Now()); next > 0 {
		first := o.price.Units
		if !h.State.Stands() {
			if first, err = next.Share(first, p.Now()); err != nil {
				return err
			}
		}
		view.First, view.Partly = p.money(first.String(), o.price.Asset, o.decimals), first.Cmp(o.price.Units) < 0
		view.Month, view.Ends, view.Closes = next.Start(), next.End(), next.Closes()
	}
	return p.Render(w, status, view)
}

// BeginSubscription is POST /subscribe?tier=: it sends the wish and the offer, and leads to the payment.
func (p *Pages) BeginSubscription(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	o, err := p.tierOffer(r.Context(), r.FormValue("tier"))
	if err != nil {
		return err
	}
	if o.artist == v.Account.Actor {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This is your own", Do: "You hear it anyway."}
	}
	if seen := r.PostFormValue("seen"); seen != o.price.Units.String() {
		return p.subscribe(w, r, http.StatusConflict, o, "The seller has changed the price. Please look at it again.")
	}
	_, bought, err := p.Subscriptions.Join(r.Context(), subscription.Joining{
		Listener: v.Account.Actor, Artist: o.artist, Tier: o.product, Name: o.name, Price: o.price, Decimals: o.decimals,
		Shown: r.PostFormValue("shown") != "",
	})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	if bought.ID == "" {
		return seeOther(w, r, "/subscriptions?done=saved")
	}
	return seeOther(w, r, purchasePath(bought))
}
