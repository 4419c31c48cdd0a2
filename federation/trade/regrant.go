package trade

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// A buyer who has new keys, or has moved to another instance, shows the receipt of what was bought and is granted it
// anew. The agreement that asks for it is signed with the requesting key that the receipt names: an instance that would
// like its users' music for keys of its own has no such key. The earlier grant is taken back once the buyer's instance says that it keeps the new one.

// regrant answers an offer that shows an earlier receipt.
func (s *Service) regrant(ctx context.Context, in inbox.Incoming, a vocab.Agreement) error {
	offer := in.Activity
	old, err := s.Access.EarlierOf(ctx, a.Receipt)
	if errors.Is(err, access.ErrUnknownGrant) || err == nil && (old.Product != a.Product || a.Proposal != "" || !a.Free()) {
		return s.reject(ctx, offer, s.ownerOf(offer), "unknown-receipt", "There is no such receipt of this product here.")
	}
	if err != nil {
		return err
	}
	if err := s.heir(ctx, in.Actor, &old); err != nil {
		return err
	}
	refuse := func(code, words string) error { return s.reject(ctx, offer, old.Artist, code, words) }
	if err := s.byEarlierKey(offer.Object.Raw, old); err != nil {
		s.Log.Warn("re-grant refused", "from", in.Actor.URI, "receipt", a.Receipt, "error", err)
		return refuse("bad-proof", "This is not signed with the key that the receipt names.")
	}
	buyer, err := s.described(ctx, in.Actor.URI, func(b actor.Actor) bool {
		return holds(b, a) && (b.URI == old.Buyer || slices.Contains(b.AlsoKnownAs, old.Buyer))
	})
	if err != nil {
		return fmt.Errorf("fetch buyer: %w", err)
	}
	moved, err := s.is(ctx, buyer, old.Buyer)
	switch {
	case err != nil:
		return err
	case !moved:
		return refuse("not-moved", "The receipt is somebody else's. Who moves names both accounts: the old one where it went, the new one where it came from.")
	case !holds(buyer, a):
		return refuse("unknown-key", "The keys of the offer are not the ones that you publish.")
	}
	if err := s.Access.CheckReceivingKey(ctx, old.Product, a.ReceivingKey); err != nil {
		return refuse("bad-key", "Nothing can be granted to this receiving key.")
	}
	switch {
	case old.Revoked && old.Successor != "":
		return refuse("replaced", "This was granted anew already, and the new grant has arrived.")
	case old.Revoked:
		return refuse("revoked", "The artist has taken this back.")
	case !old.Ends.IsZero() && !old.Ends.After(s.Now()):
		return refuse("expired", "This has ended.")
	}
	standing, err := s.Access.Standing(ctx, buyer.URI, old.Product, old.Version)
	if err != nil {
		return err
	}
	if standing != "" && standing != old.URI {
		g, err := s.Access.Grant(ctx, standing)
		if err != nil {
			return err
		}
		if g.ReceivingKey == a.ReceivingKey || standing != old.Successor {
			if err := refuse("already-granted", "You have this already; it is sent to you again."); err != nil {
				return err
			}
			return s.again(ctx, offer.ID, standing)
		}
	}
	if err := s.Access.Meet(ctx, old.Artist, buyer.URI); err != nil {
		return fmt.Errorf("meet proxies: %w", err)
	}
	_, err = s.Orders.GrantAgain(ctx, payments.Again{
		Offer: offer.ID, Buyer: buyer.URI, Artist: old.Artist, Product: old.Product, Version: int64(old.Version),
		ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey,
	}, func(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
		return s.Access.PrepareAgain(ctx, old.URI, access.Request{
			Buyer: r.Buyer, Agreement: r.Agreement, Receipt: r.Receipt, ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
		})
	})
	var refused *payments.Refusal
	if errors.As(err, &refused) {
		return refuse(refused.Code, refused.Summary)
	}
	return err
}

// described is an actor as its server describes it, asked once more, now, where what was known lately does not fit what
// the actor has signed.
func (s *Service) described(ctx context.Context, uri string, fits func(actor.Actor) bool) (actor.Actor, error) {
	a, err := s.Actors.Find(ctx, uri, true)
	if err != nil || fits(a) {
		return a, err
	}
	return s.Actors.Renew(ctx, uri)
}

// holds reports whether the keys of an agreement are the ones that a buyer publishes.
func holds(buyer actor.Actor, a vocab.Agreement) bool {
	return buyer.ReceivingKey == a.ReceivingKey && buyer.RequestingKey == a.RequestingKey
}

// byEarlierKey checks that an agreement is the earlier buyer's and signed with the key that the earlier grant names.
// Nobody is asked: that key counts whatever its owner's server says, or whether there is such a server any more.
func (s *Service) byEarlierKey(raw []byte, old access.Earlier) error {
	_, err := proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Kind != vocab.KindAgreement || c.Signer != old.Buyer {
			return nil, fmt.Errorf("%s signs for %s: %w", c.Signer, old.Buyer, errSender)
		}
		if controller, _, _ := strings.Cut(c.VerificationMethod, "#"); controller != c.Signer {
			return nil, fmt.Errorf("key %s is not one of %s: %w", c.VerificationMethod, c.Signer, errSender)
		}
		return multikey.DecodeEd25519(old.RequestingKey)
	}, s.Now())
	return err
}

// heir puts the account that a guest of this instance has become in the guest's place.
func (s *Service) heir(ctx context.Context, who actor.Actor, old *access.Earlier) error {
	if !who.Local || s.Actors.Own(old.Buyer) {
		return nil
	}
	holder, err := s.Purchases.Holder(s.DB.Read.WithContext(ctx), old.Artist, old.Agreement)
	if err == nil && holder == who.URI {
		old.Buyer = who.URI
	}
	if errors.Is(err, purchase.ErrNotFound) {
		return nil
	}
	return err
}

// is reports whether an actor is the earlier buyer, or whom that one has moved to, as both say. What was last known of the
// earlier account counts when its server is gone.
func (s *Service) is(ctx context.Context, now actor.Actor, earlier string) (bool, error) {
	if now.URI == earlier {
		return true, nil
	}
	if !slices.Contains(now.AlsoKnownAs, earlier) {
		return false, nil
	}
	was, err := s.described(ctx, earlier, func(w actor.Actor) bool { return w.MovedTo == now.URI })
	if errors.Is(err, actor.ErrNotFound) && !errors.Is(err, actor.ErrGone) {
		was, err = s.Actors.Known(ctx, earlier)
	}
	if errors.Is(err, actor.ErrNotFound) {
		return false, nil
	}
	return err == nil && was.MovedTo == now.URI, err
}

// confirmGrant tells a seller inside tx that a grant that was asked for anew is kept: only then the earlier one is taken
// back. That an inbox has taken it is not enough: what it says is judged later.
func (s *Service) confirmGrant(ctx context.Context, tx *gorm.DB, g vocab.Grant) error {
	regranted, err := purchase.Regranted(tx, g.ID)
	if err != nil || !regranted {
		return err
	}
	return s.Outbox.Tell(ctx, tx, vocab.Activity{
		ID: s.BaseURL + "/answers/" + digest(g.ID), Type: vocab.VerbAccept, Actor: g.To, To: []string{g.AttributedTo}, Object: vocab.Ref{ID: g.ID},
	})
}

// arrived takes a buyer's word that a grant is kept; what it was made in the place of is taken back.
func (s *Service) arrived(ctx context.Context, in inbox.Incoming) error {
	g, err := s.Access.Grant(ctx, in.Activity.Object.ID)
	if errors.Is(err, access.ErrRevoked) || errors.Is(err, access.ErrUnknownGrant) {
		return nil
	}
	if err != nil {
		return err
	}
	if g.To != in.Actor.URI {
		return fmt.Errorf("grant %s is not %s's: %w", g.ID, in.Actor.URI, errSender)
	}
	return s.Access.Taken(ctx, g.ID)
}
