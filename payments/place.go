package payments

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
)

// ErrUnknownProduct is wrapped by a [Catalog] that has no such product, and by a [Granter] that has nothing left to grant
// for one.
var ErrUnknownProduct = errors.New("no such product")

// Refusal is an Offer that was turned down; Code and Summary go to the buyer.
type Refusal struct {
	Code    string
	Summary string
}

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Summary }

// Request is a buyer's Offer, its signature and keys already checked.
type Request struct {
	Offer         string
	Buyer         string
	Artist        string
	Product       string
	Amount        amount.Amount
	ReceivingKey  string
	RequestingKey string
	// Code is one that is redeemed, as it was typed; nothing is paid then, and Amount is nothing.
	Code string
	// Gift is the hash of a code that is to open the product once the order is paid, for whomever the buyer gives it to;
	// the buyer is granted nothing then.
	Gift string
}

// Placed says what became of a request.
type Placed struct {
	Order Order
	// Granted is the URI of the grant that the buyer had already; nothing is to be paid then.
	Granted string
}

// Place makes the order for a request, at the seller's price, or returns a [*Refusal]. The same offer placed twice is
// the same order. A price of zero is granted at once.
func (s *Service) Place(ctx context.Context, r Request) (Placed, error) {
	o, err := orderWhere(ctx, s.db.Read, "offer = ?", r.Offer)
	if errors.Is(err, ErrNotFound) {
		placed, placeErr := s.place(ctx, r)
		if placeErr == nil && placed.Order.Offer == r.Offer {
			return placed, nil
		}
		// The same offer may have come twice at once. What the other one did, used a code up or got the grant, is no reason
		// to refuse this one.
		if o, err = orderWhere(ctx, s.db.Read, "offer = ?", r.Offer); errors.Is(err, ErrNotFound) {
			return placed, placeErr
		}
	}
	if err != nil {
		return Placed{}, err
	}
	if o.Buyer != r.Buyer {
		return Placed{}, &Refusal{"forbidden", "This offer's id belongs to someone else."}
	}
	return Placed{Order: o}, nil
}

// place makes the order for an offer that was not here a moment ago.
func (s *Service) place(ctx context.Context, r Request) (Placed, error) {
	p, err := s.catalog.Product(ctx, r.Product, r.Buyer)
	if errors.Is(err, ErrUnknownProduct) {
		return Placed{}, &Refusal{"unknown-product", "There is no such product here."}
	}
	if err != nil {
		return Placed{}, fmt.Errorf("look up product %s: %w", r.Product, err)
	}
	if p.Artist != r.Artist {
		return Placed{}, &Refusal{"unknown-product", "This artist does not sell that."}
	}
	if r.Gift == "" {
		granted, err := s.catalog.Granted(ctx, r.Buyer, r.Product)
		if err != nil {
			return Placed{}, fmt.Errorf("look up grant: %w", err)
		}
		if granted != "" {
			// A code that came with it stays good, for somebody else.
			return Placed{Granted: granted}, nil
		}
	}
	if r.Code != "" {
		o, err := s.redeem(ctx, r, p)
		return Placed{Order: o}, err
	}
	if err := check(r, p); err != nil {
		return Placed{}, err
	}
	if r.Gift != "" {
		if err := s.checkGift(ctx, r); err != nil {
			return Placed{}, err
		}
	}
	o, err := s.newOrder(ctx, r, p)
	if err != nil {
		return Placed{}, err
	}
	if o.Ground == GroundFree {
		o, err = s.placeFree(ctx, o, nil)
		return Placed{Order: o}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&o).Error; err != nil {
			return fmt.Errorf("write order: %w", err)
		}
		return s.jobs.Insert(ctx, tx, OrderPlaced{Order: o.URI})
	})
	if err == nil {
		s.nudge()
	}
	return Placed{Order: o}, err
}

// check compares an offer with what is sold. Of a flexible product the offer names the price.
func check(r Request, p Product) error {
	switch {
	case !p.Open:
		return &Refusal{"not-for-sale", "This is not for sale at the moment."}
	case r.Amount.Asset != p.Price.Asset:
		return &Refusal{"asset", "The price is asked in " + string(p.Price.Asset) + "."}
	case r.Amount.Units.Cmp(p.Price.Units) < 0 && p.Flexible:
		return &Refusal{"price", "The least that is taken is " + p.Price.Decimal(p.Decimals) + "."}
	case r.Amount.Units.Cmp(p.Price.Units) < 0:
		return &Refusal{"price", "The price is " + p.Price.Decimal(p.Decimals) + "."}
	case r.Gift != "" && p.Price.IsZero() && (!p.Flexible || r.Amount.IsZero()):
		return &Refusal{"price", "This is free: whoever wants it can get it."}
	}
	return nil
}

// blank is an order without a price and a way of paying.
func (s *Service) blank(r Request, p Product) (Order, error) {
	identifier, err := newIdentifier(s.rand)
	if err != nil {
		return Order{}, err
	}
	now := s.now().UTC().Truncate(time.Second)
	return Order{
		URI: s.base + "/agreements/" + newID(), Offer: r.Offer, Product: p.URI, Version: p.Version, Artist: p.Artist, Buyer: r.Buyer,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey, Asset: p.Price.Asset, Decimals: p.Decimals,
		Ground: GroundFree, Identifier: identifier, State: Quoted, ExpiresAt: now.Add(s.config.InvoiceLife),
		Receipt: s.base + "/receipts/" + newID(), CreatedAt: now, UpdatedAt: now,
	}, nil
}

func (s *Service) newOrder(ctx context.Context, r Request, p Product) (Order, error) {
	o, err := s.blank(r, p)
	if err != nil {
		return Order{}, err
	}
	price := p.Price
	if p.Flexible {
		price = r.Amount
	}
	if price.IsZero() {
		return o, nil
	}
	o.Units, o.Ground = price.Units, GroundPayment
	if r.Gift != "" {
		o.Gift, o.Code = true, r.Gift
	}
	if o.Splits, err = s.splitsOf(ctx, p.URI); err != nil {
		return Order{}, err
	}
	provider, ok := s.provider(p.Price.Asset)
	if !ok {
		return Order{}, &Refusal{"no-payee", "The artist's instance cannot be paid in this asset at the moment."}
	}
	o.Provider = provider.Name()
	if patient, ok := provider.(Patient); ok {
		o.ExpiresAt = o.CreatedAt.Add(patient.InvoiceLife())
	}
	if o.Target, err = provider.Target(ctx, o.Identifier); err != nil {
		s.log.Warn("payment provider does not answer", "provider", provider.Name(), "error", err)
		return Order{}, &Refusal{"no-payee", "The artist's payment node does not answer. Try again later."}
	}
	return o, nil
}

// placeFree grants an order at once for which nothing is to be paid; also is written before it in the same transaction.
func (s *Service) placeFree(ctx context.Context, o Order, also func(tx *gorm.DB) error) (Order, error) {
	prepared, err := s.granter.Prepare(ctx, o.grantRequest())
	if errors.Is(err, ErrUnknownProduct) {
		return o, &Refusal{"unknown-product", "This is not there any more."}
	}
	if err != nil {
		return o, fmt.Errorf("prepare grant: %w", err)
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		if err := tx.Create(&o).Error; err != nil {
			return fmt.Errorf("write order: %w", err)
		}
		if err := s.jobs.Insert(ctx, tx, OrderPlaced{Order: o.URI}); err != nil {
			return err
		}
		return s.settle(ctx, tx, &o, prepared, "")
	})
	return o, err
}

// newIdentifier draws a payment identifier: 64 random bits, never 0.
func newIdentifier(random io.Reader) (string, error) {
	var b [8]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("draw payment identifier: %w", err)
		}
		if n := binary.BigEndian.Uint64(b[:]); n != 0 {
			return strconv.FormatUint(n, 10), nil
		}
	}
}

func newID() string { return strings.ToLower(rand.Text()) }
