package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ErrSettled is returned for what cannot be done with an order any more, or not yet.
var ErrSettled = errors.New("not with this order, as it stands")

// Invoiced records that the buyer is being sent the invoice; twice is once.
func (s *Service) Invoiced(ctx context.Context, uri string) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		o, err := OrderByURI(ctx, tx, uri)
		if err != nil || o.State != Quoted {
			return err
		}
		return move(tx, &o, Awaiting, s.now().UTC())
	})
}

// GiveUp ends an order of the artist's that nobody has paid in full; the buyer is told. What comes afterwards is kept as
// a duplicate, for the artist to send back.
func (s *Service) GiveUp(ctx context.Context, artist, uri string) error {
	return s.end(ctx, artist, uri, Failed, "The artist does not wait for this payment any more. Please do not pay it.", nil)
}

// Refund records that the artist has given back, by other means, what was paid for an order; the buyer is told, and the
// ledger takes back what it recorded. It moves no money, and takes back no key.
func (s *Service) Refund(ctx context.Context, artist, uri string) error {
	return s.end(ctx, artist, uri, Refunded, "The artist says that the money was given back.", func(tx *gorm.DB, o Order) error {
		if o.PaymentHash == "" {
			return nil
		}
		return s.ledger.RecordRefund(ctx, tx, o)
	})
}

func (s *Service) end(ctx context.Context, artist, uri string, next State, words string, also func(tx *gorm.DB, o Order) error) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		o, err := OrderByURI(ctx, tx, uri)
		if err != nil {
			return err
		}
		switch {
		case o.Artist != artist:
			return fmt.Errorf("%w: %s", ErrNotFound, uri)
		case o.State == next:
			return nil
		case o.Ground != GroundPayment || o.State.To(next) != nil:
			return fmt.Errorf("%w: %s is %s", ErrSettled, uri, o.State)
		}
		if also != nil {
			if err := also(tx, o); err != nil {
				return err
			}
		}
		o.Words = words
		if err := move(tx, &o, next, s.now().UTC().Truncate(time.Second)); err != nil {
			return err
		}
		return s.note(ctx, tx, OrderNoted{Order: o.URI, Words: words, Settled: true}, o)
	})
}

// Look has the watcher look at the providers now.
func (s *Service) Look() { s.nudge() }
