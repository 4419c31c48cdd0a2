// Package trade is the commerce between instances: offers, invoices, receipts, grants and key fragments, sent and
// received.
//
// What was decided is in payments, payments/purchase and media/access; here it becomes signed objects in activities, and
// activities of others become calls of those rooms, after their proofs are checked. [Service.Register] registers the
// workers for the facts that those rooms state, [Service.Receive] the handlers of the inbox. Nothing here is public:
// every activity goes to one inbox.
package trade

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// Parts are what the room is joined with.
type Parts struct {
	BaseURL   string
	DB        *db.DB
	Actors    *actor.Registry
	Outbox    *outbox.Outbox
	Orders    *payments.Service
	Purchases *purchase.Service
	Access    *access.Service
	// Subscriptions is nil where there are none. Remind then writes a reminder of a subscription for a member, inside tx;
	// RemindWords is the HTML of the message to somebody who lives elsewhere.
	Subscriptions *subscription.Service
	Remind        func(ctx context.Context, tx *gorm.DB, h subscription.Held, days int, words string) error
	RemindWords   func(h subscription.Held, days int, words string) string
	// Pool is nil where there is no listening pool.
	Pool *PoolParts
	Jobs *jobs.Queue
	Log  *slog.Logger
	Now  func() time.Time
}

// Service sends and receives.
type Service struct{ Parts }

// New makes the room.
func New(p Parts) *Service { return &Service{p} }

// Register registers the workers.
func (s *Service) Register(q *jobs.Queue) {
	worker(q, func(ctx context.Context, f purchase.OfferMade) error { return s.sendOffer(ctx, f.Purchase) })
	worker(q, func(ctx context.Context, f payments.OrderPlaced) error { return s.sendAccept(ctx, f.Order) })
	worker(q, func(ctx context.Context, f payments.OrderPaid) error { return s.sendReceipt(ctx, f.Order) })
	worker(q, func(ctx context.Context, f payments.OrderNoted) error { return s.sendWords(ctx, f) })
	worker(q, func(ctx context.Context, f access.GrantIssued) error { return s.sendGrant(ctx, f.Grant) })
	worker(q, func(ctx context.Context, f access.KfragsMade) error { return s.sendKfrags(ctx, f.Grant, f.Set) })
	worker(q, func(ctx context.Context, f access.GrantChanged) error { return s.sendChange(ctx, f.Grant) })
	worker(q, func(ctx context.Context, f access.KfragsDropped) error { return s.sendDrops(ctx, f.Grant, f.Set) })
	worker(q, func(ctx context.Context, f access.GrantRevoked) error { return s.sendRevocation(ctx, f.Grant) })
	worker(q, s.tellKeys)
	s.registerSubscriptions(q)
	s.registerPool(q)
}

// Receive registers what arrives.
func (s *Service) Receive(in *inbox.Inbox) {
	in.Handle(vocab.VerbOffer, "Agreement", s.judged(s.offerAgreement))
	in.Handle(vocab.VerbOffer, string(vocab.KindKeyFragment), s.judged(s.offerKeyFragment))
	in.Handle(vocab.VerbAccept, "Agreement", s.judged(s.accepted))
	in.Handle(vocab.VerbAccept, string(vocab.VerbOffer), s.judged(s.accepted))
	in.Handle(vocab.VerbReject, string(vocab.VerbOffer), s.judged(s.rejected))
	in.Handle(vocab.VerbUpdate, string(vocab.KindAgreement), s.judged(s.noted))
	in.Handle(vocab.VerbCreate, string(vocab.KindReceipt), s.judged(s.receipt))
	in.Handle(vocab.VerbCreate, string(vocab.KindAccessGrant), s.judged(s.grant))
	in.Handle(vocab.VerbUpdate, string(vocab.KindAccessGrant), s.judged(s.grant))
	in.Handle(vocab.VerbDelete, string(vocab.KindAccessGrant), s.judged(s.revoked))
	in.Handle(vocab.VerbDelete, string(vocab.KindKeyFragment), s.judged(s.dropped))
	in.Handle(vocab.VerbAccept, string(vocab.VerbDelete), s.judged(s.erased))
	in.Handle(vocab.VerbAccept, string(vocab.KindAccessGrant), s.judged(s.arrived))
	s.receiveSubscriptions(in)
	s.receivePool(in)
	in.Recognize(func(ctx context.Context, uri string) (string, error) {
		if agreed, err := s.Purchases.Agreed(ctx, uri); err != nil || agreed {
			return string(vocab.KindAgreement), err
		}
		if known, err := s.Access.Knows(ctx, uri); err != nil || known {
			return string(vocab.KindAccessGrant), err
		}
		held, err := s.Access.HoldsFragment(ctx, uri)
		if err != nil || !held {
			return "", err
		}
		return string(vocab.KindKeyFragment), nil
	})
}

func worker[T jobs.Args](q *jobs.Queue, work func(ctx context.Context, fact T) error) {
	jobs.Handle(q, jobs.Handler[T]{
		Work:  func(ctx context.Context, fact T, _ int) error { return work(ctx, fact) },
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
}

// signed returns the signed form of an object of a local actor: the one that was kept, if it was signed before, so that
// the same object is never signed twice with different bytes.
func (s *Service) signed(ctx context.Context, uri, signer string, object func() (map[string]any, error)) ([]byte, error) {
	raw, err := s.kept(ctx, uri)
	if err != nil || raw != nil {
		return raw, err
	}
	unsigned, err := object()
	if err != nil {
		return nil, err
	}
	return s.sign(ctx, signer, unsigned)
}

// sign gives an object its signer's proof.
func (s *Service) sign(ctx context.Context, signer string, unsigned map[string]any) ([]byte, error) {
	method, key, err := s.Actors.ProofKey(ctx, signer)
	if err != nil {
		return nil, fmt.Errorf("proof key of %s: %w", signer, err)
	}
	_, raw, err := proof.Sign(unsigned, key, method, s.Now().UTC().Truncate(time.Second))
	if err != nil {
		return nil, fmt.Errorf("sign %v: %w", unsigned["id"], err)
	}
	return raw, nil
}

// kept returns the bytes of a local object, nil when there is none.
func (s *Service) kept(ctx context.Context, uri string) ([]byte, error) {
	o, err := outbox.ObjectByURI(ctx, s.DB.Read, uri)
	if errors.Is(err, outbox.ErrNotFound) {
		return nil, nil
	}
	return o.Raw, err
}

// send keeps an object, if there is one, and queues its activity, in one transaction. An activity that was sent before
// is not sent again.
func (s *Service) send(ctx context.Context, o *outbox.Object, a vocab.Activity) error {
	// Many are sent at once on the first of a month: those of the same moment share a commit.
	return s.DB.Tx(db.Grouped(ctx), func(ctx context.Context, tx *gorm.DB) error {
		if o != nil {
			if err := s.Outbox.Store(ctx, tx, *o); err != nil {
				return err
			}
		}
		return s.Outbox.Tell(ctx, tx, a)
	})
}

// check verifies an object's proof by the actor that sent it: a proof of anybody else is refused.
func (s *Service) check(ctx context.Context, raw []byte, sender string) (proof.Verified, error) {
	resolve := s.Actors.Resolver(ctx)
	return proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Signer != sender {
			return nil, fmt.Errorf("object of %s came from %s: %w", c.Signer, sender, errSender)
		}
		if controller, _, _ := strings.Cut(c.VerificationMethod, "#"); controller != c.Signer {
			return nil, fmt.Errorf("key %s is not one of %s: %w", c.VerificationMethod, c.Signer, errSender)
		}
		return resolve(c)
	}, s.Now())
}
