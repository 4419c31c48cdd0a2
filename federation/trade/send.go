package trade

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/vocab"
)

// sendOffer offers to buy, on behalf of a local user.
func (s *Service) sendOffer(ctx context.Context, id string) error {
	p, err := s.Purchases.ByID(ctx, id)
	if err != nil {
		return err
	}
	if s.ofGuest(p.Offer, p.Buyer) {
		return s.placeForGuest(ctx, p)
	}
	if len(p.Signed) > 0 {
		object := vocab.Ref{Raw: p.Signed, Types: []string{"Agreement"}}
		return s.send(ctx, nil, vocab.Activity{ID: p.Offer, Type: vocab.VerbOffer, Actor: p.Buyer, Object: object, To: []string{p.Artist}})
	}
	nonce, err := base64.RawURLEncoding.DecodeString(p.Nonce)
	if err != nil {
		return fmt.Errorf("nonce of purchase %s: %w", id, err)
	}
	code := ""
	switch {
	case p.Gift:
		code = giftCode + payments.HashCode(s.Purchases.GiftCode(p))
	case p.Code != "":
		code = redeemCode + p.Code
	}
	object, err := vocab.Embed(vocab.Agreement{
		Proposal: p.Product + "/proposal", Product: p.Product, Monthly: p.Period > 0,
		Price:        vocab.Price{Amount: p.Units.String(), Asset: string(p.Asset), Decimals: p.Decimals},
		ReceivingKey: p.ReceivingKey, RequestingKey: p.RequestingKey, Nonce: nonce,
	}.Object())
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{ID: p.Offer, Type: vocab.VerbOffer, Actor: p.Buyer, Object: object, To: []string{p.Artist}, Code: code})
}

// What an Offer's code begins with: a code that is redeemed, or the hash of one that the buyer will give away.
const (
	redeemCode = "redeem:"
	giftCode   = "gift:"
)

// sendAccept confirms an order to its buyer, with the invoice if there is something to pay.
func (s *Service) sendAccept(ctx context.Context, order string) error {
	o, err := payments.OrderByURI(ctx, s.DB.Read, order)
	if err != nil {
		return err
	}
	product, err := s.Access.Product(ctx, o.Product)
	if err != nil {
		return err
	}
	raw, err := s.signed(ctx, o.URI, o.Artist, func() (map[string]any, error) {
		a := vocab.Agreement{
			Monthly: product.Kind == access.KindTier,
			ID:      o.URI, AttributedTo: o.Artist, Proposal: o.Product + "/proposal", Product: o.Product, Version: int(o.Version),
			Price: price(o), ReceivingKey: o.ReceivingKey, RequestingKey: o.RequestingKey,
		}
		if o.Ground == payments.GroundPayment {
			a.Invoice = &vocab.Invoice{
				Provider: o.Provider, Price: price(o), Target: o.Target, Identifier: o.Identifier, Expires: o.ExpiresAt.UTC(),
				URL: o.PayURL(),
			}
		}
		return a.Object(), nil
	})
	if err != nil {
		return err
	}
	object := s.object(o.URI, vocab.KindAgreement, o.Artist, o.Buyer, raw)
	if s.ofGuest(o.Offer, o.Buyer) {
		if err := s.acceptGuest(ctx, o, object); err != nil {
			return err
		}
		return s.Orders.Invoiced(ctx, o.URI)
	}
	err = s.send(ctx, object, vocab.Activity{
		ID: o.URI + "/accept", Type: vocab.VerbAccept, Actor: o.Artist, To: []string{o.Buyer},
		Object: vocab.Ref{ID: o.Offer}, Result: vocab.Ref{ID: o.URI, Raw: raw},
	})
	if err != nil {
		return err
	}
	return s.Orders.Invoiced(ctx, o.URI)
}

func price(o payments.Order) vocab.Price {
	return vocab.Price{Amount: o.Units.String(), Asset: string(o.Asset), Decimals: o.Decimals}
}

// settled is the code of words that a buyer should read also when the grant is there.
const settled = "settled"

// sendWords tells a buyer what is unusual about an order, as the summary of an Update of its agreement.
func (s *Service) sendWords(ctx context.Context, f payments.OrderNoted) error {
	o, err := payments.OrderByURI(ctx, s.DB.Read, f.Order)
	if err != nil {
		return err
	}
	if s.ofGuest(o.Offer, o.Buyer) {
		return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return s.Purchases.Noted(tx, o.Artist, o.URI, f.Words, f.Settled)
		})
	}
	a := vocab.Activity{
		ID: o.URI + "/words/" + digest(f.Words), Type: vocab.VerbUpdate, Actor: o.Artist, To: []string{o.Buyer},
		Object: vocab.Ref{ID: o.URI}, Summary: f.Words,
	}
	if f.Settled {
		a.Code = settled
	}
	return s.send(ctx, nil, a)
}

// sendReceipt is the payment-confirmed activity.
func (s *Service) sendReceipt(ctx context.Context, order string) error {
	o, err := payments.OrderByURI(ctx, s.DB.Read, order)
	if err != nil {
		return err
	}
	raw, err := s.signed(ctx, o.Receipt, o.Artist, func() (map[string]any, error) {
		r := vocab.Receipt{
			ID: o.Receipt, AttributedTo: o.Artist, To: o.Buyer, Agreement: o.URI, Product: o.Product, Version: int(o.Version),
			Ground: vocab.Ground(o.Ground), Price: price(o), ReceivingKey: o.ReceivingKey, RequestingKey: o.RequestingKey, PaidAt: o.PaidAt.UTC(),
		}
		if o.Ground == payments.GroundPayment {
			r.Provider = o.Provider
			var err error
			if r.PaymentHash, err = hex.DecodeString(o.PaymentHash); err != nil {
				return nil, fmt.Errorf("payment hash of %s: %w", o.URI, err)
			}
		}
		return r.Object(), nil
	})
	if err != nil {
		return err
	}
	object := s.object(o.Receipt, vocab.KindReceipt, o.Artist, o.Buyer, raw)
	if s.ofGuest(o.Offer, o.Buyer) {
		return s.receiptForGuest(ctx, o, object)
	}
	return s.create(ctx, object, o.Buyer)
}

// standing is a grant that is to be sent. One that was revoked is not, and a guest's is kept here at once.
func (s *Service) standing(ctx context.Context, uri string) (g vocab.Grant, send bool, err error) {
	g, err = s.Access.Grant(ctx, uri)
	if errors.Is(err, access.ErrRevoked) {
		return g, false, nil
	}
	if err != nil {
		return g, false, err
	}
	if is, err := s.forGuest(ctx, g); err != nil {
		return g, false, err
	} else if is {
		return g, false, s.keepForGuest(ctx, uri)
	}
	return g, true, nil
}

// sendGrant brings a grant to its buyer.
func (s *Service) sendGrant(ctx context.Context, uri string) error {
	g, send, err := s.standing(ctx, uri)
	if err != nil || !send {
		return err
	}
	if g.Agreement == "" {
		if err := s.sendPoolReceipt(ctx, g); err != nil {
			return err
		}
	}
	raw, err := s.signed(ctx, uri, g.AttributedTo, func() (map[string]any, error) { return g.Object(), nil })
	if err != nil {
		return err
	}
	o := s.object(uri, vocab.KindAccessGrant, g.AttributedTo, g.To, raw)
	o.Updated = g.Updated
	return s.create(ctx, o, g.To)
}

// sendChange brings a grant's buyer the form that it has now.
func (s *Service) sendChange(ctx context.Context, uri string) error {
	g, send, err := s.standing(ctx, uri)
	if err != nil || !send {
		return err
	}
	raw, err := s.kept(ctx, uri)
	if err != nil {
		return err
	}
	if raw == nil {
		// Its Create may be on its way in the form before this one.
		return fmt.Errorf("grant %s is not sent yet", uri)
	}
	if have, err := vocab.ReadGrant(raw); err != nil || !have.Updated.Equal(g.Updated) {
		if raw, err = s.sign(ctx, g.AttributedTo, g.Object()); err != nil {
			return err
		}
	}
	o := s.object(uri, vocab.KindAccessGrant, g.AttributedTo, g.To, raw)
	o.Updated = g.Updated
	err = s.send(ctx, o, vocab.Activity{
		ID: fmt.Sprintf("%s/update/%d", uri, g.Set), Type: vocab.VerbUpdate, Actor: g.AttributedTo, Object: vocab.Ref{ID: uri, Raw: raw}, To: []string{g.To},
	})
	if errors.Is(err, outbox.ErrOlder) {
		// It was taken back meanwhile.
		return nil
	}
	return err
}

// create sends a new signed object to one actor.
func (s *Service) create(ctx context.Context, o *outbox.Object, to string) error {
	return s.send(ctx, o, vocab.Activity{
		ID: o.URI + "/create", Type: vocab.VerbCreate, Actor: o.Owner, Object: vocab.Ref{ID: o.URI, Raw: o.Raw}, To: []string{to},
	})
}

// Taken notes that a buyer's inbox has taken a grant; any other activity is passed over.
func (s *Service) Taken(ctx context.Context, activity string) error {
	grant, ok := strings.CutSuffix(activity, "/create")
	if !ok || !strings.HasPrefix(grant, s.BaseURL+"/grants/") {
		return nil
	}
	return s.Orders.Delivered(ctx, grant)
}

// sendKfrags offers each fragment of a set to its proxy.
func (s *Service) sendKfrags(ctx context.Context, grant string, set int) error {
	kfrags, err := s.Access.KfragsWaiting(ctx, grant, set)
	if err != nil {
		return err
	}
	for _, k := range kfrags {
		var object map[string]any
		if err := json.Unmarshal(k.Object, &object); err != nil {
			return fmt.Errorf("fragment %s: %w", k.URI, err)
		}
		artist, err := s.Access.ArtistOf(ctx, k.URI)
		if err != nil {
			return err
		}
		raw, err := s.signed(ctx, k.URI, artist, func() (map[string]any, error) { return object, nil })
		if err != nil {
			return err
		}
		err = s.send(ctx, s.object(k.URI, vocab.KindKeyFragment, artist, k.Proxy, raw), vocab.Activity{
			ID: k.URI + "/offer", Type: vocab.VerbOffer, Actor: artist, Object: vocab.Ref{ID: k.URI, Raw: raw}, To: []string{k.Proxy},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// object is a signed document that its owner and one reader may fetch.
func (s *Service) object(uri string, kind vocab.Kind, owner, reader string, raw []byte) *outbox.Object {
	now := s.Now().UTC()
	return &outbox.Object{URI: uri, Kind: string(kind), Owner: owner, Audience: []string{reader}, Local: true, Raw: raw, Created: now, Updated: now}
}
