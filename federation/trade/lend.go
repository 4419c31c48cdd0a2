package trade

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/media/access"
	"antiphon/payments/pool"
	"antiphon/payments/royalty"
	"antiphon/vocab"
)

// lendHere is what happens to a membership when the artist lives here too: nothing is signed, and nothing travels.
func (s *Service) lendHere(ctx context.Context, q pool.Question, m vocab.Membership) error {
	home, err := s.Actors.Local(ctx, m.AttributedTo)
	if err != nil {
		return err
	}
	err = s.lend(ctx, m, home, q.Artist)
	refused := refusalOf(err)
	if refused == nil {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Pool.Pool.Refused(tx, s.Actors.Host(), q.Offer, refused.Code, refused.Words)
	})
}

// offerMembership grants a member of an instance of the pool what a local artist has put into it, for a month.
func (s *Service) offerMembership(ctx context.Context, in inbox.Incoming) error {
	offer := in.Activity
	verified, err := s.check(ctx, offer.Object.Raw, in.Actor.URI)
	if err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	m, err := vocab.ReadMembership(verified.Raw)
	if err != nil {
		return fmt.Errorf("membership: %w", err)
	}
	if m.EndTime.After(verified.Created.Add(membershipLife)) {
		return s.reject(ctx, offer, s.Access.InstanceActor(), "too-long", "A membership holds for a day at most.")
	}
	err = s.lend(ctx, m, in.Actor, offer.Target.ID)
	if refused := refusalOf(err); refused != nil {
		return s.reject(ctx, offer, s.Access.InstanceActor(), refused.Code, refused.Words)
	}
	return err
}

// refusalOf is the no in an error, nil when there is none.
func refusalOf(err error) *pool.Refusal {
	var refused *pool.Refusal
	var byAccess *access.Refusal
	if !errors.As(err, &refused) && errors.As(err, &byAccess) {
		refused = &pool.Refusal{Code: byAccess.Code, Words: byAccess.Words}
	}
	return refused
}

// lend checks a membership that its own instance has signed, and grants.
func (s *Service) lend(ctx context.Context, m vocab.Membership, home actor.Actor, artist string) error {
	now := s.Now()
	instance, err := instanceOf(home.URI)
	if err != nil {
		return err
	}
	switch {
	case m.AttributedTo != home.URI || home.URI != instance:
		return &pool.Refusal{Code: "forbidden", Words: "Only an instance itself says who its members are."}
	case m.Audience != s.Access.InstanceActor():
		return &pool.Refusal{Code: "audience", Words: "This membership was shown to another instance."}
	case !s.Pool.Pool.Shares(actor.HostOf(home.URI)):
		// Nobody else has us fetch anything.
		return &pool.Refusal{Code: "not-in-pool", Words: "This instance shares no listening pool with yours."}
	case !m.EndTime.After(now):
		return &pool.Refusal{Code: "expired", Words: "This membership has expired."}
	}
	month, err := royalty.ParseMonth(m.Month)
	if err != nil {
		return fmt.Errorf("membership: %w: %w", vocab.ErrInvalid, err)
	}
	if !s.Actors.Own(artist) {
		return &pool.Refusal{Code: "unknown-artist", Words: "This artist does not live here."}
	}
	if err := s.knowsKeys(ctx, m); err != nil {
		return err
	}
	product, err := s.openPool(ctx, artist, month)
	if err != nil {
		return err
	}
	if err := s.Access.CheckReceivingKey(ctx, product.URI, m.ReceivingKey); err != nil {
		return &pool.Refusal{Code: "bad-key", Words: "Nothing can be granted to this receiving key."}
	}
	if err := s.Pool.Pool.Admit(ctx, pool.Claim{Host: actor.HostOf(home.URI), Listener: m.Subject, Month: month}); err != nil {
		return err
	}
	return s.grantPool(ctx, m, product, month)
}

// knowsKeys refuses keys that the listener does not publish.
func (s *Service) knowsKeys(ctx context.Context, m vocab.Membership) error {
	listener, err := s.Actors.Find(ctx, m.Subject, true)
	if errors.Is(err, actor.ErrNotFound) || errors.Is(err, actor.ErrGone) {
		return &pool.Refusal{Code: "unknown-listener", Words: "This listener is not known."}
	}
	if err != nil {
		return fmt.Errorf("fetch listener: %w", err)
	}
	if listener.ReceivingKey != m.ReceivingKey || listener.RequestingKey != m.RequestingKey {
		return &pool.Refusal{Code: "unknown-key", Words: "The keys of the membership are not the ones that the listener publishes."}
	}
	return nil
}

// period is a month as the version of a product.
func period(month royalty.Month) int {
	start := month.Start()
	return start.Year()*100 + int(start.Month())
}

func (s *Service) openPool(ctx context.Context, artist string, month royalty.Month) (access.Product, error) {
	if month != s.Pool.Pool.Month() {
		return access.Product{}, &pool.Refusal{Code: "wrong-month", Words: "This membership is of another month."}
	}
	tracks, err := s.Pool.Tracks(ctx, artist)
	if err != nil {
		return access.Product{}, err
	}
	product, err := s.Access.OpenPool(ctx, artist, period(month), tracks)
	if errors.Is(err, access.ErrEmpty) {
		return product, &pool.Refusal{Code: "not-in-pool", Words: "This artist has nothing in the listening pool."}
	}
	return product, err
}

// RestockPool brings what artists have put into the pool since to those who were granted their part of this month.
func (s *Service) RestockPool(ctx context.Context) error {
	month := s.Pool.Pool.Month()
	artists, err := s.Access.PoolArtists(ctx, period(month))
	if err != nil {
		return err
	}
	var failed []error
	for _, artist := range artists {
		if _, err := s.openPool(ctx, artist, month); err != nil {
			failed = append(failed, fmt.Errorf("restock the pool of %s: %w", artist, err))
		}
	}
	return errors.Join(failed...)
}

// grantPool gives a member the grant of an artist's part of the pool, or sends the one that stands again. Who has new keys
// gets a new one in its place.
func (s *Service) grantPool(ctx context.Context, m vocab.Membership, product access.Product, month royalty.Month) error {
	stands, err := s.Access.StandingGrant(ctx, m.Subject, product.URI, period(month))
	switch {
	case err == nil && stands.ReceivingKey == m.ReceivingKey && stands.RequestingKey == m.RequestingKey:
		return s.again(ctx, m.EndTime.String(), stands.URI)
	case err == nil:
		if err := s.Access.Revoke(ctx, product.Artist, stands.URI, "The listener has new keys."); err != nil {
			return err
		}
	case !errors.Is(err, access.ErrUnknownGrant):
		return err
	}
	end := month.Next().Start().Add(pool.Grace)
	prepared, err := s.Access.Prepare(ctx, access.Request{
		Artist: product.Artist, Buyer: m.Subject, Product: product.URI, Version: period(month), Receipt: s.Outbox.NewID("receipts"),
		ReceivingKey: m.ReceivingKey, RequestingKey: m.RequestingKey, End: &end,
	})
	if err != nil {
		return fmt.Errorf("prepare grant: %w", err)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		_, err := prepared.Issue(ctx, tx)
		return err
	})
}

// sendPoolReceipt is the receipt of what the pool lends: it names the membership as its ground, and no payment.
func (s *Service) sendPoolReceipt(ctx context.Context, g vocab.Grant) error {
	raw, err := s.signed(ctx, g.Receipt, g.AttributedTo, func() (map[string]any, error) {
		return vocab.Receipt{
			ID: g.Receipt, AttributedTo: g.AttributedTo, To: g.To, Product: g.Product, Version: g.Version, Ground: vocab.GroundMembership,
			Price: vocab.Price{Amount: "0"}, ReceivingKey: g.ReceivingKey, RequestingKey: g.RequestingKey, PaidAt: g.StartTime.UTC(),
		}.Object(), nil
	})
	if err != nil {
		return err
	}
	return s.create(ctx, s.object(g.Receipt, vocab.KindReceipt, g.AttributedTo, g.To, raw), g.To)
}
