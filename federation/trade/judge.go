package trade

import (
	"context"
	"errors"
	"fmt"

	"antiphon/federation/inbox"
	"antiphon/media/access"
	"antiphon/payments/pool"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/proof"
)

// errSender says that a signed object came from somebody else than its signer.
var errSender = errors.New("the object is not the sender's")

// judged ends an activity at once when trying it again cannot mend it, and says so in the log: what is forged, malformed
// or asked for by nobody is looked at once, not for half a day.
func (s *Service) judged(act inbox.Handler) inbox.Handler {
	return func(ctx context.Context, in inbox.Incoming) error {
		err := act(ctx, in)
		if err == nil {
			return nil
		}
		final, lookErr := s.final(ctx, in, err)
		if lookErr != nil {
			return errors.Join(err, lookErr)
		}
		if !final {
			return err
		}
		s.Log.Warn("refused in trade", "verb", in.Activity.Type, "activity", in.Activity.ID, "actor", in.Actor.URI, "error", err)
		return inbox.Refuse("%v", err)
	}
}

// final reports whether an error is one of the activity itself. An answer may overtake the one before it, so what names
// an unknown purchase waits, if a user of this instance is buying from its sender.
func (s *Service) final(ctx context.Context, in inbox.Incoming, err error) (bool, error) {
	var byAccess *access.Refusal
	var byPurchase *purchase.Refusal
	var byPool *pool.Refusal
	if errors.As(err, &byPool) || errors.As(err, &byAccess) || errors.As(err, &byPurchase) {
		return true, nil
	}
	for _, known := range []error{errSender, access.ErrNotYours, proof.ErrForm, proof.ErrSignature, vocab.ErrInvalid, jsonld.ErrMalformed, jsonld.ErrLimit} {
		if errors.Is(err, known) {
			return true, nil
		}
	}
	if !errors.Is(err, purchase.ErrNotFound) && !errors.Is(err, subscription.ErrNotFound) {
		return false, nil
	}
	open, err := s.Purchases.Awaits(ctx, in.Actor.URI)
	return !open, err
}

// fits checks a receipt against what was bought.
func (s *Service) fits(ctx context.Context, r vocab.Receipt) error {
	p, err := s.Purchases.ByAgreement(ctx, r.AttributedTo, r.Agreement)
	if err != nil {
		return fmt.Errorf("purchase of receipt %s: %w", r.ID, err)
	}
	if r.To != p.Buyer || r.Product != p.Product || r.ReceivingKey != p.ReceivingKey || r.RequestingKey != p.RequestingKey {
		return &purchase.Refusal{Words: "The receipt is for another buyer, product or key."}
	}
	return nil
}
