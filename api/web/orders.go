package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"antiphon/federation/trade"
	"antiphon/payments"
	"antiphon/payments/manual"
	"antiphon/payments/purchase"
	"antiphon/templates"
)

// Sales is what an artist can do with orders.
type Sales interface {
	// Mark is the artist's word that an order was paid by means that no machine sees.
	Mark(ctx context.Context, artist, order string) error
	// GiveUp ends an order that was not paid, Refund records that one was paid back.
	GiveUp(ctx context.Context, artist, order string) error
	Refund(ctx context.Context, artist, order string) error
}

func (p *Pages) orderURI(r *http.Request) string {
	return p.BaseURL + "/agreements/" + mux.Vars(r)["id"]
}

// Orders is GET /orders: what was ordered from the artist, newest first.
func (p *Pages) Orders(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	text, err := manual.Instructions(r.Context(), p.DB.Read, v.Account.Actor)
	if err != nil {
		return err
	}
	return p.orders(w, r, http.StatusOK, text, "")
}

func (p *Pages) orders(w http.ResponseWriter, r *http.Request, status int, instructions, wrong string) error {
	ctx, artist := r.Context(), me(r.Context())
	all, err := payments.OrdersOf(ctx, p.DB.Read, artist, maxOrders)
	if err != nil {
		return err
	}
	n := pageOf(r, listRows)
	view := &templates.Orders{Layout: p.Layout(r), Pager: n.pager("/orders", r.URL.Query(), len(all)), Instructions: instructions, Error: wrong}
	view.Path, view.NoIndex = "/orders", true
	holds, err := trade.Holds(ctx, p.DB.Read, artist, listRows)
	if err != nil {
		return err
	}
	for _, h := range holds {
		view.Holds = append(view.Holds, templates.KeyHold{Buyer: h.Buyer, Name: p.nameOf(ctx, h.Buyer), Key: h.RequestingKey, Since: h.CreatedAt})
	}
	for _, a := range p.Assets {
		view.Manual = view.Manual || a.Provider == manual.Name
	}
	for _, o := range all[min(n.offset(), len(all)):min(n.offset()+listRows, len(all))] {
		_, id, _ := strings.Cut(o.URI, "/agreements/")
		row := templates.OrderRow{
			ID: id, Product: p.productName(ctx, o.Product), Buyer: o.Buyer, Provider: providerWords(o.Provider, o.Asset),
			Price: p.money(o.Units.String(), o.Asset, o.Decimals), State: string(o.State), Remark: string(o.Remark), Words: o.Words, Seen: o.Seen,
			Created: o.CreatedAt, PayURL: o.PayURL(),
		}
		switch o.Ground {
		case payments.GroundFree:
			row.Provider = "free"
		case payments.GroundCode:
			row.Provider = "a code"
		case payments.GroundGift:
			row.Provider = "a gift of somebody else's"
		case payments.GroundRegrant:
			row.Provider = "bought before, for a new key"
		}
		if who, err := p.actor(ctx, o.Buyer); err == nil {
			row.Buyer = p.handle(who.Name, who.Host)
		}
		row.CanMark = p.Sales != nil && o.Provider == manual.Name && o.State.Open()
		row.CanFail = p.Sales != nil && o.State.To(payments.Failed) == nil
		row.CanRefund = p.Sales != nil && o.Ground == payments.GroundPayment && o.State.To(payments.Refunded) == nil
		view.Rows = append(view.Rows, row)
	}
	return p.Render(w, status, view)
}

// productName is what a product is called, or its URI when that is not known.
func (p *Pages) productName(ctx context.Context, uri string) string {
	if product, err := p.Shop.Product(ctx, uri); err == nil {
		return product.Name
	}
	return uri
}

// SetInstructions is POST /orders/instructions.
func (p *Pages) SetInstructions(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	text := r.PostFormValue("instructions")
	err = manual.SetInstructions(r.Context(), p.DB.Write, v.Account.Actor, text, p.Now())
	if errors.Is(err, manual.ErrTooLong) {
		return p.orders(w, r, http.StatusUnprocessableEntity, text, "This is too long: 2000 letters at most.")
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/orders?done=saved")
}

// MarkPaid is POST /orders/{id}/paid.
func (p *Pages) MarkPaid(w http.ResponseWriter, r *http.Request) error {
	return p.settle(w, r, Sales.Mark, "marked")
}

// GiveUpOrder is POST /orders/{id}/fail.
func (p *Pages) GiveUpOrder(w http.ResponseWriter, r *http.Request) error {
	return p.settle(w, r, Sales.GiveUp, "givenup")
}

// RefundOrder is POST /orders/{id}/refund.
func (p *Pages) RefundOrder(w http.ResponseWriter, r *http.Request) error {
	return p.settle(w, r, Sales.Refund, "refunded")
}

func (p *Pages) settle(w http.ResponseWriter, r *http.Request, do func(s Sales, ctx context.Context, artist, order string) error, done string) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if p.Sales == nil {
		return ErrNotFound
	}
	err = do(p.Sales, r.Context(), v.Account.Actor, p.orderURI(r))
	switch {
	case errors.Is(err, payments.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case errors.Is(err, payments.ErrSettled):
		return &Fault{
			Status: http.StatusConflict, What: "This cannot be done with the order any more", Do: "Look at it again: it has moved meanwhile.", Err: err,
		}
	case err != nil:
		return err
	}
	return seeOther(w, r, "/orders?done="+done)
}

// PayPage is GET /pay/{id}: how to pay an order, and how far its payment is. Whoever has the address may look; it names
// no buyer.
func (p *Pages) PayPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	o, err := payments.OrderByURI(ctx, p.DB.Read, p.orderURI(r))
	if errors.Is(err, payments.ErrNotFound) || err == nil && o.PayURL() == "" {
		return fmt.Errorf("%w: no such order", ErrNotFound)
	}
	if err != nil {
		return err
	}
	if o.Purpose == payments.Dues {
		return seeOther(w, r, "/pool")
	}
	artist, err := p.actor(ctx, o.Artist)
	if err != nil {
		return err
	}
	view := &templates.Pay{
		Layout: p.Layout(r), Product: p.productName(ctx, o.Product), Artist: artist.Display, Price: p.money(o.Units.String(), o.Asset, o.Decimals),
		State: string(o.State), Remark: string(o.Remark), Open: o.State.Open(), Words: o.Words, Seen: o.Seen, Reference: o.Identifier,
	}
	view.NoIndex = true
	if o.Provider == manual.Name {
		text, err := manual.Instructions(ctx, p.DB.Read, o.Artist)
		if err != nil {
			return err
		}
		if text != "" {
			view.Instructions = strings.Split(text, "\n")
		}
	} else {
		view.Invoice = invoiceView(purchase.Invoice{
			Provider: o.Provider, Asset: o.Asset, Units: o.Units, Decimals: o.Decimals, Target: o.Target, Identifier: o.Identifier, Expires: o.ExpiresAt,
		})
	}
	return p.Render(w, http.StatusOK, view)
}
