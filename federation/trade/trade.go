// Package trade is the commerce between instances: offers, invoices, receipts, grants and key fragments, sent and
// received.
//
// What was decided is in payments, payments/purchase and media/access; here it becomes signed objects in activities, and
// activities of others become calls of those rooms, after their proofs are checked. [Service.Register] registers the
// workers for the facts that those rooms state; [Service.Handlers] are for the inbox. Nothing here is public: every
// activity goes to one inbox.
package trade

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// Actors knows who is who, and holds the proof keys of local actors.
type Actors interface {
	// Find returns an actor; fresh asks its server again.
	Find(ctx context.Context, uri string, fresh bool) (actor.Actor, error)
	// ProofKey returns the key that a local actor's objects are signed with, and its URI.
	ProofKey(ctx context.Context, uri string) (verificationMethod string, key ed25519.PrivateKey, err error)
	// ProofKeyOf returns the public key of a verification method and the actor that lists it.
	ProofKeyOf(ctx context.Context, verificationMethod string) (key ed25519.PublicKey, controller string, err error)
}

// Object is a signed document that those whom it concerns may fetch.
type Object struct {
	URI, Kind, Owner string
	// Audience are the actors that may fetch it.
	Audience []string
	Raw      []byte
}

// Post keeps objects and delivers activities.
type Post interface {
	// Kept returns the bytes of a local object, nil when there is none.
	Kept(ctx context.Context, uri string) ([]byte, error)
	// Keep stores an object inside tx.
	Keep(ctx context.Context, tx *gorm.DB, o Object) error
	// Send queues an activity for one actor's inbox inside tx. The same activity id twice is sent once.
	Send(ctx context.Context, tx *gorm.DB, id, from, to string, raw []byte) error
}

// Parts are what the room is joined with.
type Parts struct {
	BaseURL   string
	DB        *db.DB
	Actors    Actors
	Post      Post
	Orders    *payments.Service
	Purchases *purchase.Service
	Access    *access.Service
	Jobs      *jobs.Queue
	Log       *slog.Logger
	Now       func() time.Time
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
	worker(q, func(ctx context.Context, f access.GrantIssued) error { return s.sendGrant(ctx, f.Grant) })
	worker(q, func(ctx context.Context, f access.KfragsMade) error { return s.sendKfrags(ctx, f.Grant, f.Set) })
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
	raw, err := s.Post.Kept(ctx, uri)
	if err != nil || raw != nil {
		return raw, err
	}
	unsigned, err := object()
	if err != nil {
		return nil, err
	}
	method, key, err := s.Actors.ProofKey(ctx, signer)
	if err != nil {
		return nil, fmt.Errorf("proof key of %s: %w", signer, err)
	}
	_, raw, err = proof.Sign(unsigned, key, method, s.Now().UTC().Truncate(time.Second))
	if err != nil {
		return nil, fmt.Errorf("sign %s: %w", uri, err)
	}
	return raw, nil
}

// send keeps an object, if there is one, and queues its activity, in one transaction.
func (s *Service) send(ctx context.Context, o *Object, a vocab.Activity) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.sendIn(ctx, tx, o, a) })
}

func (s *Service) sendIn(ctx context.Context, tx *gorm.DB, o *Object, a vocab.Activity) error {
	if o != nil {
		if err := s.Post.Keep(ctx, tx, *o); err != nil {
			return err
		}
	}
	built, err := a.Build()
	if err != nil {
		return fmt.Errorf("build %s: %w", a.ID, err)
	}
	raw, err := marshal(built)
	if err != nil {
		return err
	}
	return s.Post.Send(ctx, tx, a.ID, a.Actor, a.To[0], raw)
}

// check verifies an object's proof by the actor that sent it: a proof of anybody else is refused.
func (s *Service) check(ctx context.Context, raw []byte, sender string) (proof.Verified, error) {
	return proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Signer != sender {
			return nil, fmt.Errorf("object of %s came from %s", c.Signer, sender)
		}
		key, controller, err := s.Actors.ProofKeyOf(ctx, c.VerificationMethod)
		if err != nil {
			return nil, err
		}
		if controller != c.Signer {
			return nil, errors.New("the key belongs to another actor")
		}
		return key, nil
	}, s.Now())
}
