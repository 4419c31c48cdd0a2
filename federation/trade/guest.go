package trade

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/purchase"
	"antiphon/vocab"
)

// A guest is a person of another server who buys on the pages of the seller. The seller is home then: the offer is made
// here and in the guest's name, nothing of the purchase travels, and the keys are named inline and published nowhere.

// ofGuest reports whether a buyer's offer was made on this instance's own pages by somebody who lives elsewhere.
func (s *Service) ofGuest(offer, buyer string) bool {
	return s.Actors.Own(offer) && !s.Actors.Own(buyer)
}

// forGuest reports whether a grant is a guest's.
func (s *Service) forGuest(ctx context.Context, g vocab.Grant) (bool, error) {
	o, err := payments.OrderByURI(ctx, s.DB.Read, g.Agreement)
	if errors.Is(err, payments.ErrNotFound) {
		return false, nil
	}
	return err == nil && s.ofGuest(o.Offer, o.Buyer), err
}

// placeForGuest gives a guest's offer to the seller, who lives here. What is sold elsewhere is refused.
func (s *Service) placeForGuest(ctx context.Context, p purchase.Purchase) error {
	placed, err := s.order(ctx, p)
	var refused *payments.Refusal
	switch {
	case errors.As(err, &refused):
		return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return s.Purchases.Rejected(tx, p.Artist, p.Offer, refused.Summary)
		})
	case err != nil:
		return err
	case placed.Granted != "":
		return s.keepForGuest(ctx, placed.Granted)
	}
	return nil
}

func (s *Service) order(ctx context.Context, p purchase.Purchase) (payments.Placed, error) {
	if !s.Actors.Own(p.Artist) {
		return payments.Placed{}, &payments.Refusal{Code: "forbidden", Summary: "Guests can buy only from the artists of this server."}
	}
	product, err := s.Access.Product(ctx, p.Product)
	if errors.Is(err, access.ErrUnknownProduct) {
		return payments.Placed{}, &payments.Refusal{Code: "unknown-product", Summary: "There is no such product here."}
	}
	if err != nil {
		return payments.Placed{}, err
	}
	if err := s.Access.CheckReceivingKey(ctx, product.URI, p.ReceivingKey); err != nil {
		return payments.Placed{}, &payments.Refusal{Code: "bad-key", Summary: "Nothing can be granted to this receiving key."}
	}
	if err := s.Access.Meet(ctx, p.Artist, p.Buyer); err != nil && !errors.Is(err, actor.ErrNotFound) {
		// A server that is away is no reason to turn its people down: it plays no part in this.
		return payments.Placed{}, fmt.Errorf("meet proxies: %w", err)
	}
	request := payments.Request{
		Offer: p.Offer, Buyer: p.Buyer, Artist: p.Artist, Product: p.Product, Amount: p.Amount(),
		ReceivingKey: p.ReceivingKey, RequestingKey: p.RequestingKey, Code: p.Code,
	}
	if p.Gift {
		request.Gift = payments.HashCode(s.Purchases.GiftCode(p))
	}
	return s.Orders.Place(ctx, request)
}

// store keeps a signed object for its buyer to fetch, and has the purchase go on, in one transaction.
func (s *Service) store(ctx context.Context, o *outbox.Object, fn func(tx *gorm.DB) error) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Outbox.Store(ctx, tx, *o); err != nil && !errors.Is(err, outbox.ErrOlder) {
			return err
		}
		return fn(tx)
	})
}

// acceptGuest is what an Accept is to other buyers.
func (s *Service) acceptGuest(ctx context.Context, o payments.Order, object *outbox.Object) error {
	a, err := vocab.ReadAgreement(object.Raw)
	if err != nil {
		return err
	}
	terms, err := termsOf(a)
	if err != nil {
		return err
	}
	return s.store(ctx, object, func(tx *gorm.DB) error { return s.Purchases.Accepted(tx, o.Artist, o.Offer, terms) })
}

// receiptForGuest is what Create{Receipt} is to other buyers.
func (s *Service) receiptForGuest(ctx context.Context, o payments.Order, object *outbox.Object) error {
	verified, err := s.check(ctx, object.Raw, o.Artist)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	keys, err := s.keyOf(ctx, verified.VerificationMethod)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return s.store(ctx, object, func(tx *gorm.DB) error {
		return s.Purchases.ReceiptArrived(tx, o.Artist, o.URI, o.Receipt, object.Raw, keys)
	})
}

// keepForGuest is what Create and Update of an AccessGrant are to other buyers: the grant, in the form that it has now, goes
// into the guest's library.
func (s *Service) keepForGuest(ctx context.Context, uri string) error {
	g, err := s.Access.Grant(ctx, uri)
	if errors.Is(err, access.ErrRevoked) {
		return nil
	}
	if err != nil {
		return err
	}
	raw, err := s.kept(ctx, uri)
	if err != nil {
		return err
	}
	if have, err := vocab.ReadGrant(raw); err != nil || !have.Updated.Equal(g.Updated) {
		if raw, err = s.sign(ctx, g.AttributedTo, g.Object()); err != nil {
			return err
		}
	}
	object := s.object(uri, vocab.KindAccessGrant, g.AttributedTo, g.To, raw)
	object.Updated = g.Updated
	artist, err := s.Actors.Local(ctx, g.AttributedTo)
	if err != nil {
		return fmt.Errorf("artist of %s: %w", uri, err)
	}
	keys, err := s.proofKeys(ctx, artist)
	if err != nil {
		return err
	}
	err = s.store(ctx, object, func(tx *gorm.DB) error {
		// The guest may have become an account meanwhile; whoever holds the purchase gets the grant.
		holder, err := s.Purchases.Holder(tx, g.AttributedTo, g.Agreement)
		if err != nil {
			return err
		}
		err = s.Purchases.GrantArrived(tx, g.AttributedTo, g.Agreement, g.ID, holder, g.Product, g.ReceivingKey, g.RequestingKey)
		if err != nil {
			return err
		}
		return s.Access.KeepGrant(ctx, tx, holder, g, raw, keys)
	})
	if err != nil {
		return err
	}
	return s.Orders.Delivered(ctx, uri)
}
