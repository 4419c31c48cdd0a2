package trade

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/subscription"
	"antiphon/vocab"
)

// kindSubscriber is what a listener of this instance who subscribes to anything is, as the object of Add and Remove.
const kindSubscriber = "Subscriber"

func (s *Service) registerSubscriptions(q *jobs.Queue) {
	if s.Subscriptions == nil {
		return
	}
	worker(q, s.sendWish)
	worker(q, s.sendCancellation)
	worker(q, s.sendAnswer)
	worker(q, func(ctx context.Context, f subscription.Added) error { return s.sendAdd(ctx, f) })
	worker(q, func(ctx context.Context, f subscription.Removed) error { return s.sendRemove(ctx, f) })
	worker(q, s.remind)
}

func (s *Service) receiveSubscriptions(in *inbox.Inbox) {
	if s.Subscriptions == nil {
		return
	}
	in.Handle(vocab.VerbOffer, string(vocab.KindSubscription), s.judged(s.offerSubscription))
	in.Handle(vocab.VerbAccept, string(vocab.KindSubscription), s.judged(s.subscriptionAccepted))
	in.Handle(vocab.VerbUndo, string(vocab.KindSubscription), s.judged(s.undoSubscription))
	in.Handle(vocab.VerbAdd, kindSubscriber, s.judged(s.subscriberAdded))
	in.Handle(vocab.VerbRemove, kindSubscriber, s.judged(s.subscriberRemoved))
	in.Recognize(func(ctx context.Context, uri string) (string, error) {
		if subscribed, err := s.Subscriptions.Subscribed(ctx, uri); err != nil || !subscribed {
			return "", err
		}
		return kindSubscriber, nil
	})
}

// sendWish offers a subscription to the seller. A guest's is handed over here.
func (s *Service) sendWish(ctx context.Context, f subscription.Wished) error {
	h, err := s.Subscriptions.ByID(ctx, f.Held)
	if errors.Is(err, subscription.ErrNotFound) {
		return nil // the listener is gone
	}
	if err != nil || h.Offer != f.Offer {
		return err // there is a later wish
	}
	wish := subscription.Wish{Offer: f.Offer, Tier: h.Tier, Artist: h.Artist, Listener: h.Listener, Shown: h.Shown}
	if s.ofGuest(f.Offer, h.Listener) {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Subscriptions.Ask(ctx, tx, wish) })
	}
	object, err := vocab.Embed(vocab.Subscription{Artist: h.Artist, Listener: h.Listener, Tier: h.Tier, Shown: h.Shown}.Object())
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{ID: f.Offer, Type: vocab.VerbOffer, Actor: h.Listener, Object: object, To: []string{h.Artist}})
}

// sendCancellation takes a wish back.
func (s *Service) sendCancellation(ctx context.Context, f subscription.Canceled) error {
	h, err := s.Subscriptions.ByID(ctx, f.Held)
	if errors.Is(err, subscription.ErrNotFound) {
		return nil // the listener is gone
	}
	if err != nil {
		return err
	}
	if s.ofGuest(f.Offer, h.Listener) {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			return s.Subscriptions.Withdraw(ctx, tx, h.Listener, f.Offer)
		})
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: f.Offer + "/undo", Type: vocab.VerbUndo, Actor: h.Listener, Object: vocab.Ref{ID: f.Offer}, To: []string{h.Artist},
	})
}

// sendAnswer tells a listener what the subscription is called here.
func (s *Service) sendAnswer(ctx context.Context, f subscription.Answered) error {
	row, err := s.Subscriptions.ByURI(ctx, f.Subscription)
	if err != nil {
		return err
	}
	if s.ofGuest(f.Offer, row.Listener) {
		return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return s.Subscriptions.Confirmed(tx, row.Artist, f.Offer, row.URI)
		})
	}
	x := vocab.Subscription{
		ID: row.URI, Artist: row.Artist, Listener: row.Listener, Tier: row.Tier, Shown: row.Shown, Agreement: row.Agreement,
	}
	if row.StartTime != nil && row.EndTime != nil {
		end := row.EndTime.UTC()
		x.StartTime, x.EndTime = row.StartTime.UTC(), &end
	}
	result, err := vocab.Embed(x.Object())
	if err != nil {
		return err
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: row.URI + "/accepts/" + digest(f.Offer), Type: vocab.VerbAccept, Actor: row.Artist, To: []string{row.Listener},
		Object: vocab.Ref{ID: f.Offer}, Result: result,
	})
}

// sendAdd tells a listener that the subscription stands until the end of a month.
func (s *Service) sendAdd(ctx context.Context, f subscription.Added) error {
	row, err := s.Subscriptions.ByURI(ctx, f.Subscription)
	if err != nil || row.Period != f.Period {
		return err // a later month is told of by a job of its own
	}
	if guest, err := s.guestSubscribes(ctx, row); err != nil || guest {
		return errors.Join(err, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			return s.Subscriptions.Stands(ctx, tx, row.Artist, row.Listener, row.Agreement, f.Period.End())
		}))
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: row.URI + "/adds/" + strconv.FormatInt(int64(f.Period), 10), Type: vocab.VerbAdd, Actor: row.Artist, Object: vocab.Ref{ID: row.Listener},
		Target: vocab.Ref{ID: outbox.Subscribers(row.Artist)}, EndTime: f.Period.End(), Context: row.Agreement, To: []string{row.Listener},
	})
}

// sendRemove tells a listener that the subscription is over.
func (s *Service) sendRemove(ctx context.Context, f subscription.Removed) error {
	row, err := s.Subscriptions.ByURI(ctx, f.Subscription)
	if err != nil || row.State.Stands() {
		return err
	}
	if guest, err := s.guestSubscribes(ctx, row); err != nil || guest {
		return errors.Join(err, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			return s.Subscriptions.Over(ctx, tx, row.Artist, row.Listener, row.Agreement)
		}))
	}
	return s.send(ctx, nil, vocab.Activity{
		ID: row.URI + "/removes/" + strconv.FormatInt(int64(f.Period), 10), Type: vocab.VerbRemove, Actor: row.Artist, Object: vocab.Ref{ID: row.Listener},
		Target: vocab.Ref{ID: outbox.Subscribers(row.Artist)}, Context: row.Agreement, To: []string{row.Listener},
	})
}

// guestSubscribes reports whether a subscription was paid by a guest of this instance.
func (s *Service) guestSubscribes(ctx context.Context, row subscription.Subscription) (bool, error) {
	o, err := payments.OrderByURI(ctx, s.DB.Read, row.Agreement)
	if errors.Is(err, payments.ErrNotFound) {
		return false, nil
	}
	return err == nil && s.ofGuest(o.Offer, o.Buyer), err
}

// offerSubscription takes a listener's wish to subscribe to a local artist's tier, or says why not.
func (s *Service) offerSubscription(ctx context.Context, in inbox.Incoming) error {
	offer := in.Activity
	x, err := vocab.ReadOfferedSubscription(offer.Object.Raw)
	if err != nil {
		return s.reject(ctx, offer, s.ownerOf(offer), "malformed", "The offer is malformed.")
	}
	if x.Listener != in.Actor.URI {
		return errSender
	}
	p, err := s.Access.Product(ctx, x.Tier)
	if errors.Is(err, access.ErrUnknownProduct) || err == nil && (p.Kind != access.KindTier || p.Artist != x.Artist) {
		return s.reject(ctx, offer, s.ownerOf(offer), "unknown-product", "There is no such tier here.")
	}
	if err != nil {
		return err
	}
	if !p.Open {
		return s.reject(ctx, offer, p.Artist, "not-for-sale", "This tier takes no subscribers at the moment.")
	}
	wish := subscription.Wish{Offer: offer.ID, Tier: p.URI, Artist: p.Artist, Listener: x.Listener, Shown: x.Shown}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Subscriptions.Ask(ctx, tx, wish) })
}

// undoSubscription takes back the wish that it names.
func (s *Service) undoSubscription(ctx context.Context, in inbox.Incoming) error {
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Subscriptions.Withdraw(ctx, tx, in.Actor.URI, in.Activity.Object.ID)
	})
}

// subscriptionAccepted takes a seller's yes to a wish.
func (s *Service) subscriptionAccepted(ctx context.Context, in inbox.Incoming) error {
	x, err := vocab.ReadSubscription(in.Activity.Result.Raw)
	if err != nil {
		return fmt.Errorf("subscription: %w", err)
	}
	if x.Artist != in.Actor.URI {
		return errSender
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return s.Subscriptions.Confirmed(tx, in.Actor.URI, in.Activity.Object.ID, x.ID)
	})
}

// subscriptionRejected takes a seller's no to a wish, and reports whether the offer was one.
func (s *Service) subscriptionRejected(ctx context.Context, seller, offer, words string) (bool, error) {
	if s.Subscriptions == nil {
		return false, nil
	}
	err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return s.Subscriptions.Refused(tx, seller, offer, words) })
	if errors.Is(err, subscription.ErrNotFound) {
		return false, nil
	}
	return true, err
}

// subscriberAdded notes that an artist has a month as paid. Other collections are nobody's business here.
func (s *Service) subscriberAdded(ctx context.Context, in inbox.Incoming) error {
	a := in.Activity
	if a.Target.ID != outbox.Subscribers(in.Actor.URI) {
		return nil
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Subscriptions.Stands(ctx, tx, in.Actor.URI, a.Object.ID, a.Context, a.EndTime)
	})
}

// subscriberRemoved notes that an artist has ended a subscription.
func (s *Service) subscriberRemoved(ctx context.Context, in inbox.Incoming) error {
	a := in.Activity
	if a.Target.ID != outbox.Subscribers(in.Actor.URI) {
		return nil
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Subscriptions.Over(ctx, tx, in.Actor.URI, a.Object.ID, a.Context)
	})
}

// remind tells a listener that a month ends, or was not renewed: on the own pages, and a guest, who lives elsewhere, by a
// message.
func (s *Service) remind(ctx context.Context, f subscription.Warned) error {
	h, err := s.Subscriptions.ByID(ctx, f.Held)
	if errors.Is(err, subscription.ErrNotFound) {
		return nil // the listener is gone
	}
	if err != nil {
		return err
	}
	if s.Actors.Own(h.Listener) {
		return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Remind(ctx, tx, h, f.Days, f.Words) })
	}
	to, err := s.Actors.Find(ctx, h.Listener, false)
	if errors.Is(err, actor.ErrGone) || errors.Is(err, actor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return s.Outbox.Message(ctx, tx, s.Access.InstanceActor(), to, s.RemindWords(h, f.Days, f.Words))
	})
}
