package trade

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
)

// offerAgreement answers a buyer's offer: with an order at the seller's price, or with a refusal.
func (s *Service) offerAgreement(ctx context.Context, in inbox.Incoming) error {
	offer := in.Activity
	a, err := vocab.ReadOfferedAgreement(offer.Object.Raw)
	if err != nil {
		return s.reject(ctx, offer, s.ownerOf(offer), "malformed", "The offer is malformed.")
	}
	if a.Receipt != "" {
		return s.regrant(ctx, in, a)
	}
	p, err := s.Access.Product(ctx, a.Product)
	if errors.Is(err, access.ErrUnknownProduct) || err == nil && a.Proposal != p.URI+"/proposal" {
		return s.reject(ctx, offer, s.ownerOf(offer), "unknown-product", "There is no such product here.")
	}
	if err != nil {
		return err
	}
	buyer, err := s.described(ctx, in.Actor.URI, func(b actor.Actor) bool { return holds(b, a) })
	if err != nil {
		return fmt.Errorf("fetch buyer: %w", err)
	}
	if !holds(buyer, a) {
		return s.reject(ctx, offer, p.Artist, "unknown-key", "The keys of the offer are not the ones that you publish.")
	}
	if err := s.Access.CheckReceivingKey(ctx, p.URI, a.ReceivingKey); err != nil {
		return s.reject(ctx, offer, p.Artist, "bad-key", "Nothing can be granted to this receiving key.")
	}
	if good, err := s.vouched(ctx, p.Artist, buyer); err != nil {
		return err
	} else if !good {
		return s.reject(ctx, offer, p.Artist, "new-keys", "Your keys are not the ones that you bought with before, and no statement of the old ones vouches for them. "+
			"The artist was told and can let you go on; then buy again. If you still have the old key, have something granted anew with it: that will do, too.")
	}
	if err := s.Access.Meet(ctx, p.Artist, in.Actor.URI); err != nil {
		return fmt.Errorf("meet proxies: %w", err)
	}
	price, err := priceOf(a.Price)
	if err != nil {
		return s.reject(ctx, offer, p.Artist, "price", "The amount or the asset is malformed.")
	}
	request := payments.Request{
		Offer: offer.ID, Buyer: in.Actor.URI, Artist: p.Artist, Product: p.URI, Amount: price,
		ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey,
	}
	if code, ok := strings.CutPrefix(offer.Code, redeemCode); ok {
		request.Code = code
	} else if hash, ok := strings.CutPrefix(offer.Code, giftCode); ok {
		request.Gift = hash
	}
	placed, err := s.Orders.Place(ctx, request)
	var refused *payments.Refusal
	switch {
	case errors.As(err, &refused):
		return s.reject(ctx, offer, p.Artist, refused.Code, refused.Summary)
	case err != nil:
		return err
	case placed.Granted != "":
		if err := s.reject(ctx, offer, p.Artist, "already-granted", "You have this already; it is sent to you again."); err != nil {
			return err
		}
		return s.again(ctx, offer.ID, placed.Granted)
	}
	return nil
}

// priceOf reads a price; what is free may name no asset.
func priceOf(p vocab.Price) (amount.Amount, error) {
	if p.Free() && p.Asset == "" {
		return amount.Amount{}, nil
	}
	return amount.Parse(p.Amount, p.Asset)
}

// ownerOf is the local actor that an offer was addressed to, who then is the one to refuse it.
func (s *Service) ownerOf(offer vocab.Activity) string {
	for _, to := range offer.To {
		if strings.HasPrefix(to, s.BaseURL+"/users/") {
			return to
		}
	}
	return s.Access.InstanceActor()
}

// reject answers an offer with no; its id follows from the offer's, so that it is said once.
func (s *Service) reject(ctx context.Context, offer vocab.Activity, from, code, words string) error {
	return s.send(ctx, nil, vocab.Activity{
		ID: s.BaseURL + "/rejects/" + digest(offer.ID), Type: vocab.VerbReject, Actor: from, To: []string{offer.Actor},
		Object: vocab.Ref{ID: offer.ID}, Code: code, Summary: words,
	})
}

// again sends a grant that was made before once more.
func (s *Service) again(ctx context.Context, offer, grant string) error {
	raw, err := s.kept(ctx, grant)
	if err != nil {
		return err
	}
	if raw == nil {
		// It was never signed yet: its own job is still to send it.
		return nil
	}
	g, err := vocab.ReadGrant(raw)
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: grant + "/again/" + digest(offer), Type: vocab.VerbCreate, Actor: g.AttributedTo, Object: vocab.Ref{ID: grant, Raw: raw}, To: []string{g.To},
	})
}

// offerKeyFragment takes a fragment into custody, or says why not.
func (s *Service) offerKeyFragment(ctx context.Context, in inbox.Incoming) error {
	err := s.hold(ctx, in)
	var refused *access.Refusal
	switch {
	case errors.As(err, &refused):
		return s.answerFragment(ctx, in.Activity, vocab.VerbReject, refused.Code, refused.Words)
	case err != nil:
		return err
	}
	return s.answerFragment(ctx, in.Activity, vocab.VerbAccept, "", "")
}

func (s *Service) hold(ctx context.Context, in inbox.Incoming) error {
	bad := &access.Refusal{Code: "bad-fragment", Words: "The fragment's proof or form is not good."}
	verified, err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI)
	if err != nil {
		s.Log.Warn("key fragment refused", "from", in.Actor.URI, "error", err)
		return bad
	}
	k, err := vocab.ReadKeyFragment(verified.Raw)
	if err != nil {
		return bad
	}
	return s.Access.Hold(ctx, k, verified.Object)
}

func (s *Service) answerFragment(ctx context.Context, offer vocab.Activity, verb vocab.Verb, code, words string) error {
	return s.send(ctx, nil, vocab.Activity{
		ID: s.BaseURL + "/answers/" + digest(offer.ID), Type: verb, Actor: s.Access.InstanceActor(), To: []string{offer.Actor},
		Object: vocab.Ref{ID: offer.ID}, Code: code, Summary: words,
	})
}

// accepted takes a seller's yes to an offer of ours, or a proxy's to a fragment.
func (s *Service) accepted(ctx context.Context, in inbox.Incoming) error {
	object := in.Activity.Object.ID
	if kfrag, ok := s.fragmentOf(object); ok {
		return s.Access.KfragAnswered(ctx, in.Actor.URI, kfrag, "")
	}
	verified, err := s.check(ctx, in.Activity.Result.Raw, in.Actor.URI)
	if err != nil {
		return fmt.Errorf("agreement: %w", err)
	}
	a, err := vocab.ReadAgreement(verified.Raw)
	if err != nil {
		return fmt.Errorf("agreement: %w", err)
	}
	terms, err := termsOf(a)
	if err != nil {
		return fmt.Errorf("agreement: %w", err)
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Purchases.Accepted(tx, in.Actor.URI, object, terms)
	})
}

func termsOf(a vocab.Agreement) (purchase.Terms, error) {
	asked, err := priceOf(a.Price)
	if err != nil {
		return purchase.Terms{}, err
	}
	t := purchase.Terms{
		Agreement: a.ID, Product: a.Product, Amount: asked, ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey,
	}
	if a.Invoice == nil {
		return t, nil
	}
	invoiced, err := amount.Parse(a.Invoice.Amount, a.Invoice.Asset)
	if err != nil {
		return purchase.Terms{}, err
	}
	t.Invoice = &purchase.Invoice{
		Provider: a.Invoice.Provider, Asset: invoiced.Asset, Units: invoiced.Units, Decimals: a.Invoice.Decimals,
		Target: a.Invoice.Target, Identifier: a.Invoice.Identifier, Expires: a.Invoice.Expires,
	}
	if vocab.SameOrigin(a.Invoice.URL, a.ID) {
		t.Invoice.URL = a.Invoice.URL
	}
	return t, nil
}

// rejected takes a seller's no to an offer of ours, or a proxy's to a fragment.
func (s *Service) rejected(ctx context.Context, in inbox.Incoming) error {
	object := in.Activity.Object.ID
	if kfrag, ok := s.fragmentOf(object); ok {
		return s.Access.KfragAnswered(ctx, in.Actor.URI, kfrag, in.Activity.Code)
	}
	words := in.Activity.Summary
	if words == "" {
		words = "The seller turned the offer down without a reason."
	}
	if asked, err := s.membershipRejected(ctx, in, words); err != nil || asked {
		return err
	}
	if wished, err := s.subscriptionRejected(ctx, in.Actor.URI, object, words); err != nil || wished {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Purchases.Rejected(tx, in.Actor.URI, object, words)
	})
}

// fragmentOf is the key fragment that an offer of ours brought.
func (s *Service) fragmentOf(offer string) (string, bool) {
	kfrag, ok := strings.CutSuffix(offer, "/offer")
	return kfrag, ok && strings.HasPrefix(kfrag, s.BaseURL+"/kfrags/")
}

// noted keeps a seller's words about an order.
func (s *Service) noted(ctx context.Context, in inbox.Incoming) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Purchases.Noted(tx, in.Actor.URI, in.Activity.Object.ID, in.Activity.Summary, in.Activity.Code == settled)
	})
}

// receipt keeps the receipt of a purchase.
func (s *Service) receipt(ctx context.Context, in inbox.Incoming) error {
	verified, err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	r, err := vocab.ReadReceipt(verified.Raw)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	if r.Ground == vocab.GroundMembership && r.Agreement == "" {
		return s.poolReceipt(ctx, r, verified.Raw)
	}
	if err := s.fits(ctx, r); err != nil {
		return err
	}
	keys, err := s.keyOf(ctx, verified.VerificationMethod)
	if err != nil {
		return fmt.Errorf("receipt: %w", err)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Purchases.ReceiptArrived(tx, in.Actor.URI, r.Agreement, r.ID, verified.Raw, keys); err != nil {
			return err
		}
		now := s.Now().UTC()
		return outbox.PutObject(ctx, tx, outbox.Object{
			URI: r.ID, Kind: string(vocab.KindReceipt), Owner: r.AttributedTo, Audience: []string{r.To}, Raw: verified.Raw, Created: now, Updated: now,
		})
	})
}

// keyOf is the snapshot of the key that a proof was checked with, which a buyer keeps for the day when its actor's server
// is gone.
func (s *Service) keyOf(ctx context.Context, method string) ([]byte, error) {
	key, controller, err := s.Actors.ProofKeyOf(ctx, method)
	if err != nil {
		return nil, err
	}
	text, err := multikey.EncodeEd25519(key)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", method, err)
	}
	return jsonld.Canonicalize(vocab.Snapshot{ID: controller, ProofKeys: []vocab.Key{{ID: method, Multikey: text}}}.Object())
}

// grant keeps a grant, or a later form of one, and ends its purchase.
func (s *Service) grant(ctx context.Context, in inbox.Incoming) error {
	verified, err := s.check(ctx, in.Activity.Object.Raw, in.Actor.URI)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	g, err := vocab.ReadGrant(verified.Raw)
	if err != nil {
		return fmt.Errorf("grant: %w", err)
	}
	if _, err := s.Actors.Local(ctx, g.To); errors.Is(err, actor.ErrNotFound) {
		return &access.Refusal{Code: "unknown-buyer", Words: "The buyer does not live here."}
	} else if err != nil {
		return err
	}
	if g.EndTime != nil && !g.EndTime.After(s.Now()) {
		return &access.Refusal{Code: "expired", Words: "The grant has ended already."}
	}
	keys, err := s.proofKeys(ctx, in.Actor)
	if err != nil {
		return err
	}
	if g.Agreement == "" {
		return s.poolGrant(ctx, g, verified.Raw, keys)
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		err := s.Purchases.GrantArrived(tx, in.Actor.URI, g.Agreement, g.ID, g.To, g.Product, g.ReceivingKey, g.RequestingKey)
		if err != nil {
			return err
		}
		if err := s.Access.TakeGrant(ctx, tx, g, verified.Raw, keys); err != nil {
			return err
		}
		return s.confirmGrant(ctx, tx, g)
	})
	if err != nil || !s.Actors.Own(g.ID) {
		return err
	}
	// Buyer and seller live here both: no inbox elsewhere will say that it took the grant.
	return s.Orders.Delivered(ctx, g.ID)
}

// proofKeys are an artist's proof keys as of now, Multikeys by verification method; of an artist who lives here, the one
// that signs.
func (s *Service) proofKeys(ctx context.Context, artist actor.Actor) (map[string]string, error) {
	published := artist.ProofKeys
	if artist.Local {
		method, key, err := s.Actors.ProofKey(ctx, artist.URI)
		if err != nil {
			return nil, fmt.Errorf("proof key of %s: %w", artist.URI, err)
		}
		published = map[string]ed25519.PublicKey{method: key.Public().(ed25519.PublicKey)}
	}
	keys := make(map[string]string, len(published))
	for method, key := range published {
		var err error
		if keys[method], err = multikey.EncodeEd25519(key); err != nil {
			return nil, err
		}
	}
	return keys, nil
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
