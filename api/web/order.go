package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/federation/evidence"
	"antiphon/media"
	"antiphon/payments/amount"
	"antiphon/payments/erc20"
	"antiphon/payments/manual"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/templates"
	"antiphon/vocab"
)

// Purchases is the buyer's side; payments/purchase implements it.
type Purchases interface {
	Begin(ctx context.Context, r purchase.Request) (purchase.Purchase, error)
	ByID(ctx context.Context, id string) (purchase.Purchase, error)
	Of(ctx context.Context, buyer string, limit int) ([]purchase.Purchase, error)
	// CanPay reports whether the instance's own node can pay it now; Pay has it do so.
	CanPay(p purchase.Purchase) bool
	// Lacks says in words what keeps that node from paying it at this moment, and what to do; empty when nothing is known.
	Lacks(ctx context.Context, p purchase.Purchase) string
	Pay(ctx context.Context, id string) error
	// GiftCode is the code that a gift pays for.
	GiftCode(p purchase.Purchase) string
	// Outdated are a buyer's purchases whose grants are for other keys than receiving; AskedAnew those that ask for grants
	// anew for it; AskAgain and LetGo go on with one of these, or not.
	Outdated(ctx context.Context, buyer, receiving string) ([]purchase.Purchase, error)
	AskedAnew(ctx context.Context, buyer, receiving string) ([]purchase.Purchase, error)
	AskAgain(ctx context.Context, buyer, id string) error
	LetGo(ctx context.Context, buyer, id string) error
}

func purchasePath(b purchase.Purchase) string { return "/purchases/" + b.ID }

// Purchase is GET /purchases/{id}.
func (p *Pages) Purchase(w http.ResponseWriter, r *http.Request) error {
	b, err := p.bought(r)
	if err != nil {
		return err
	}
	state, err := p.orderState(r.Context(), b)
	if err != nil {
		return err
	}
	track, err := p.boughtTrack(r.Context(), b)
	if err != nil {
		return err
	}
	track.Owned = state == templates.OrderYours || state == templates.OrderGranted
	view := &templates.Order{
		Layout: p.Layout(r), ID: b.ID, State: state, StateURL: purchasePath(b) + "/state", Track: track,
		Price: p.money(b.Units.String(), b.Asset, b.Decimals), Message: b.Words, Seller: hostOf(b.Artist), AgainURL: buyURL(b.Track),
	}
	view.NoIndex = true
	if b.Period > 0 {
		view.AgainURL = subscribeURL(b.Product)
		if invoice, ok := b.Invoiced(); ok {
			// The seller asks less than a month's price for what is left of one.
			view.Price = p.money(invoice.Units.String(), invoice.Asset, invoice.Decimals)
		}
	}
	if invoice, ok := b.Invoiced(); ok && state == templates.OrderWaiting {
		view.Invoice = invoiceView(invoice)
		if maySpend(r) && p.Purchases.CanPay(b) {
			view.PayLacks = p.Purchases.Lacks(r.Context(), b)
			if view.PayLacks == "" {
				view.PayAction = purchasePath(b) + "/pay"
			}
		}
	}
	if state == templates.OrderGift {
		view.GiftCode = p.Purchases.GiftCode(b)
		view.GiftURL = redeemAddress(b.Artist, b.Product, view.GiftCode)
	}
	if len(b.ReceiptRaw) > 0 {
		view.ReceiptURL, view.ProofURL = purchasePath(b)+"/receipt", purchasePath(b)+"/proof"
	}
	return p.Render(w, http.StatusOK, view)
}

// PurchaseState is GET /purchases/{id}/state, which the page asks for until the way is at its end.
func (p *Pages) PurchaseState(w http.ResponseWriter, r *http.Request) error {
	b, err := p.bought(r)
	if err != nil {
		return err
	}
	state, err := p.orderState(r.Context(), b)
	if err != nil {
		return err
	}
	return writeState(w, state, b.Words, purchasePath(b))
}

// writeState answers a page that moves by itself: next is where it goes when the state is another one.
func writeState(w http.ResponseWriter, state templates.OrderState, words, next string) error {
	return writeJSON(w, struct {
		State templates.OrderState `json:"state"`
		Words string               `json:"words"`
		Next  string               `json:"next"`
	}{state, words, next})
}

// Receipt is GET /purchases/{id}/receipt: the seller's signed receipt, byte for byte.
func (p *Pages) Receipt(w http.ResponseWriter, r *http.Request) error {
	b, err := p.bought(r)
	if err != nil {
		return err
	}
	if len(b.ReceiptRaw) == 0 {
		return fmt.Errorf("%w: no receipt yet", ErrNotFound)
	}
	inert(w, "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="receipt.json"`)
	_, _ = w.Write(b.ReceiptRaw) // a visitor who has gone away is no error of ours
	return nil
}

// Proof is GET /purchases/{id}/proof: the receipt with the key that it was signed with, which proves the purchase also
// when the seller is gone.
func (p *Pages) Proof(w http.ResponseWriter, r *http.Request) error {
	b, err := p.bought(r)
	if err != nil {
		return err
	}
	if len(b.ReceiptRaw) == 0 {
		return fmt.Errorf("%w: no receipt yet", ErrNotFound)
	}
	var keys []vocab.Snapshot
	if b.ReceiptKeys != "" {
		key, err := vocab.ReadSnapshot([]byte(b.ReceiptKeys))
		if err != nil {
			return fmt.Errorf("key of receipt %s: %w", b.Receipt, err)
		}
		keys = append(keys, key)
	}
	bundle, err := evidence.Bundle(b.ReceiptRaw, keys, nil)
	if err != nil {
		return err
	}
	inert(w, "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="proof-of-purchase.json"`)
	_, _ = w.Write(bundle) // a visitor who has gone away is no error of ours
	return nil
}

// Pay is POST /purchases/{id}/pay: the instance's own node pays the invoice.
func (p *Pages) Pay(w http.ResponseWriter, r *http.Request) error {
	b, err := p.bought(r)
	if err != nil {
		return err
	}
	if !maySpend(r) {
		return &Fault{
			Status: http.StatusForbidden, What: "The payment node of this instance is its admin's",
			Do: "Pay with a node of your own: the address, the amount and the identifier are on this page.",
		}
	}
	if err := p.Purchases.Pay(r.Context(), b.ID); err != nil {
		return fmt.Errorf("pay: %w", err)
	}
	return seeOther(w, r, purchasePath(b))
}

// maySpend reports whether the visitor may have the instance's node pay: its money is the admin's.
func maySpend(r *http.Request) bool {
	v, ok := auth.FromContext(r.Context())
	return ok && v.Account.Role == auth.Admin
}

// bought is the visitor's own purchase.
func (p *Pages) bought(r *http.Request) (purchase.Purchase, error) {
	v, err := visitor(r)
	if err != nil {
		return purchase.Purchase{}, err
	}
	b, err := p.Purchases.ByID(r.Context(), mux.Vars(r)["id"])
	if err == nil && b.Buyer != v.Account.Actor {
		err = fmt.Errorf("%w: purchase of somebody else", ErrNotFound)
	}
	return b, err
}

// orderState is where a purchase is on its way, as the pages name it.
func (p *Pages) orderState(ctx context.Context, b purchase.Purchase) (templates.OrderState, error) {
	switch b.State {
	case purchase.Offered:
		return templates.OrderAsking, nil
	case purchase.Invoiced, purchase.Paying:
		if invoice, ok := b.Invoiced(); ok && b.State == purchase.Invoiced && p.Now().After(invoice.Expires) {
			return templates.OrderExpired, nil
		}
		return templates.OrderWaiting, nil
	case purchase.Receipt:
		return templates.OrderPaid, nil
	case purchase.Granted:
		if b.Gift {
			return templates.OrderGift, nil
		}
		has, err := p.holds(ctx, b.Product)
		if err != nil {
			return "", err
		}
		if !has {
			return templates.OrderRevoked, nil
		}
		return templates.OrderYours, nil
	case purchase.Refused:
		return templates.OrderRejected, nil
	default:
		return "", fmt.Errorf("purchase %s is in unknown state %q", b.ID, b.State)
	}
}

// boughtTrack is the track of a purchase, with its name alone when its seller is gone.
func (p *Pages) boughtTrack(ctx context.Context, b purchase.Purchase) (templates.Track, error) {
	if b.Period > 0 {
		return p.boughtMonth(ctx, b), nil
	}
	owned, err := p.owned(ctx)
	if err != nil {
		return templates.Track{}, err
	}
	t, err := p.trackByURI(ctx, b.Track, b.Artist, owned)
	t.Title = cmp.Or(t.Title, b.Title)
	return t, err
}

// boughtMonth stands in a month's place of a track: its name and its artist.
func (p *Pages) boughtMonth(ctx context.Context, b purchase.Purchase) templates.Track {
	month := subscription.Period(b.Period).Start().Format("January 2006")
	t := templates.Track{URI: b.Product, URL: "/subscriptions", Title: b.Title + ", " + month, Artist: hostOf(b.Artist)}
	if who, err := p.actor(ctx, b.Artist); err == nil {
		t.Artist, t.ArtistURL = who.Display, who.page()
	}
	return t
}

// openPurchase is the page of the visitor's unfinished purchase of a track, or "".
func (p *Pages) openPurchase(ctx context.Context, track string) (string, error) {
	open, err := p.openPurchases(ctx)
	if err != nil {
		return "", err
	}
	for _, b := range open {
		if b.Track == track {
			return purchasePath(b), nil
		}
	}
	return "", nil
}

// openPurchases are the visitor's purchases that still wait for something, the newest first.
func (p *Pages) openPurchases(ctx context.Context) ([]purchase.Purchase, error) {
	if me(ctx) == "" || p.Purchases == nil {
		return nil, nil
	}
	all, err := p.Purchases.Of(ctx, me(ctx), 100)
	if err != nil {
		return nil, fmt.Errorf("read purchases: %w", err)
	}
	var open []purchase.Purchase
	for _, b := range all {
		if invoice, ok := b.Invoiced(); ok && b.State == purchase.Invoiced && p.Now().After(invoice.Expires) {
			continue
		}
		if b.State.Open() && b.Regrants == "" {
			open = append(open, b)
		}
	}
	return open, nil
}

// invoiceView is what one needs to pay by hand.
func invoiceView(i purchase.Invoice) *templates.Invoice {
	view := &templates.Invoice{
		Provider: providerWords(i.Provider, i.Asset), Network: networkOf(i.Asset), Target: i.Target, Amount: i.Units.String(),
		Identifier: i.Identifier, Expires: i.Expires, PageURL: i.URL,
	}
	if contract, ok := i.Asset.Contract(); ok {
		view.Token = contract.String()
	}
	switch i.Provider {
	case "erc20":
		// The address says which order it is.
		view.Identifier = ""
		if link, ok := erc20.PaymentLink(i.Asset, i.Target, i.Units); ok {
			view.Link, view.Code = template.URL(link), codeOf(link)
		}
	case manual.Name:
		// How to pay stands on the seller's page.
		view.Target, view.Identifier = "", ""
	}
	return view
}

// providerWords is a way of paying as people call it.
func providerWords(provider string, asset amount.Asset) string {
	switch provider {
	case "raiden":
		return "Raiden"
	case "erc20":
		return "a wallet on " + networkOf(asset)
	case manual.Name:
		return "the artist"
	default:
		return provider
	}
}

// networks are the chains that people know by a name.
var networks = map[string]string{"eip155:1": "Ethereum", "eip155:42161": "Arbitrum One", "eip155:11155111": "Sepolia (test)"}

func networkOf(asset amount.Asset) string {
	if asset.Development() {
		return "development network"
	}
	chain, _, _ := strings.Cut(string(asset), "/")
	if name, ok := networks[chain]; ok {
		return name
	}
	return chain
}

// trackByURI is a track, local or remote, as far as it is known here.
func (p *Pages) trackByURI(ctx context.Context, uri, artistURI string, owned map[string]bool) (templates.Track, error) {
	if isRelease(uri) {
		return p.releaseByURI(ctx, uri, artistURI)
	}
	if strings.HasPrefix(uri, p.BaseURL+"/") {
		t, artist, err := p.local(ctx, uri)
		if err == nil {
			return p.localTrack(ctx, t, artist, owned, listBars)
		}
	} else if p.Remote != nil {
		if t, err := p.Remote.Track(ctx, uri, false); err == nil {
			artist, err := p.actor(ctx, t.AttributedTo)
			if err == nil {
				return p.remoteTrack(ctx, t, artist, owned), nil
			}
		}
	}
	artist, err := p.actor(ctx, artistURI)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return templates.Track{}, err
	}
	if artist.Display == "" {
		artist = actorRow{URI: artistURI, Display: hostOf(artistURI)}
	}
	return templates.Track{
		URI: uri, URL: "/music?uri=" + url.QueryEscape(uri), Artist: artist.Display, ArtistURL: artist.page(), Owned: owned[uri],
	}, nil
}

// releaseByURI is a release, local or remote, as far as it is known here.
func (p *Pages) releaseByURI(ctx context.Context, uri, artistURI string) (templates.Track, error) {
	artist, err := p.actor(ctx, artistURI)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return templates.Track{}, err
	}
	if artist.Display == "" {
		artist = actorRow{URI: artistURI, Display: hostOf(artistURI)}
	}
	view := templates.Track{URI: uri, URL: p.releasePage(uri), Artist: artist.Display, ArtistURL: artist.page()}
	if release, err := media.ReleaseByURI(ctx, p.DB.Read, uri); err == nil {
		view.Title, view.Cover, view.CoverAlt = release.Title, mediaURL(release.Cover), "Cover of "+release.Title
		view.Accent, _, _ = strings.Cut(release.Accent, " ")
	} else if !errors.Is(err, media.ErrNoRelease) {
		return view, err
	} else if p.Remote != nil {
		if release, err := p.Remote.Release(ctx, uri, true); err == nil {
			view.Title, view.CoverAlt = release.Name, "Cover of "+release.Name
			if release.Cover.URL != "" {
				view.Cover = fileURL("cover", uri)
			}
		}
	}
	return view, nil
}
