package trade

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments/ledger"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
	"antiphon/vocab"
)

// membershipLife is how long a membership that is shown to somebody can be used.
const membershipLife = 24 * time.Hour

// PoolParts are what the pool's part of the room is joined with.
type PoolParts struct {
	Pool *pool.Service
	// Tracks are the published tracks that a local artist has put into the pool, the latest first.
	Tracks func(ctx context.Context, artist string) ([]string, error)
	// Ledger and LedgerKey, its verifier key, are the instance's own; nil when it has none of its own.
	Ledger    *ledger.Ledger
	LedgerKey string
}

func (s *Service) registerPool(q *jobs.Queue) {
	if s.Pool == nil {
		return
	}
	worker(q, func(ctx context.Context, f pool.Asking) error { return s.showMembership(ctx, f.Offer) })
}

func (s *Service) receivePool(in *inbox.Inbox) {
	if s.Pool == nil {
		return
	}
	in.Handle(vocab.VerbOffer, string(vocab.KindMembership), s.judged(s.offerMembership))
}

// instanceOf is the actor of the instance that somebody lives on. Every Antiphon instance has it at the same place.
func instanceOf(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("instance of %q: %w", uri, vocab.ErrInvalid)
	}
	return u.Scheme + "://" + u.Host + "/actor", nil
}

// showMembership asks an artist's instance for a member's grant of this month, as soon as the payment stands on the ledger,
// where the other side looks for it.
func (s *Service) showMembership(ctx context.Context, offer string) error {
	q, err := s.Pool.Pool.Asked(ctx, offer)
	if errors.Is(err, pool.ErrNotFound) {
		return nil // there is a later try
	}
	if err != nil || q.State != pool.AskWaiting {
		return err
	}
	if posted, err := s.Pool.Pool.Posted(ctx, q.Listener, q.Month); err != nil {
		return err
	} else if !posted {
		if royalty.MonthOf(s.Now()) != q.Month {
			return nil
		}
		return jobs.Later(time.Second)
	}
	seller, err := instanceOf(q.Artist)
	if err != nil {
		return err
	}
	m := vocab.Membership{
		AttributedTo: s.Access.InstanceActor(), Subject: q.Listener, Audience: seller, Month: string(q.Month),
		ReceivingKey: q.ReceivingKey, RequestingKey: q.RequestingKey, EndTime: s.Now().UTC().Truncate(time.Second).Add(membershipLife),
	}
	if s.Actors.Own(q.Artist) {
		return s.lendHere(ctx, q, m)
	}
	raw, err := s.sign(ctx, m.AttributedTo, m.Object())
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: q.Offer, Type: vocab.VerbOffer, Actor: m.AttributedTo, Object: vocab.Ref{Raw: raw}, Target: vocab.Ref{ID: q.Artist}, To: []string{seller},
	})
}

// lent is the question that a grant without an agreement answers.
func (s *Service) lent(ctx context.Context, artist, listener string, version int, receiving, requesting string) (pool.Question, error) {
	bad := &access.Refusal{Code: "unasked", Words: "Nobody here has asked for this."}
	if s.Pool == nil {
		return pool.Question{}, bad
	}
	month := royalty.Month(fmt.Sprintf("%04d-%02d", version/100, version%100))
	q, err := s.Pool.Pool.QuestionOf(ctx, listener, artist, month)
	if errors.Is(err, pool.ErrNotFound) || err == nil && (q.ReceivingKey != receiving || q.RequestingKey != requesting) {
		return q, bad
	}
	return q, err
}

// poolGrant keeps a grant of the pool, or a later form of one.
func (s *Service) poolGrant(ctx context.Context, g vocab.Grant, raw []byte, keys map[string]string) error {
	q, err := s.lent(ctx, g.AttributedTo, g.To, g.Version, g.ReceivingKey, g.RequestingKey)
	if err != nil {
		return err
	}
	if g.EndTime == nil {
		return &access.Refusal{Code: "bad-grant", Words: "What the pool lends ends with its month."}
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Pool.Pool.Granted(tx, q, g.ID, g.Receipt); err != nil {
			return err
		}
		return s.Access.TakePoolGrant(ctx, tx, g, raw, keys)
	})
}

// poolReceipt keeps the receipt of what the pool lends.
func (s *Service) poolReceipt(ctx context.Context, r vocab.Receipt, raw []byte) error {
	if _, err := s.lent(ctx, r.AttributedTo, r.To, r.Version, r.ReceivingKey, r.RequestingKey); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		now := s.Now().UTC()
		return outbox.PutObject(ctx, tx, outbox.Object{
			URI: r.ID, Kind: string(vocab.KindReceipt), Owner: r.AttributedTo, Audience: []string{r.To}, Raw: raw, Created: now, Updated: now,
		})
	})
}

// membershipRejected takes an instance's no to a membership, and reports whether the offer was one.
func (s *Service) membershipRejected(ctx context.Context, in inbox.Incoming, words string) (bool, error) {
	instance, err := instanceOf(in.Actor.URI)
	if s.Pool == nil || err != nil || instance != in.Actor.URI {
		return false, nil
	}
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Pool.Pool.Refused(tx, actor.HostOf(in.Actor.URI), in.Activity.Object.ID, in.Activity.Code, words)
	})
	if errors.Is(err, pool.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
