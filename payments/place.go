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

// ErrUnknownProduct is wrapped by a [Catalog] that has no such product.
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
	if o, err := orderWhere(ctx, s.db.Read, "offer = ?", r.Offer); err == nil {
		if o.Buyer != r.Buyer {
			return Placed{}, &Refusal{"forbidden", "This offer's id belongs to someone else."}
		}
		return Placed{Order: o}, nil
	} else if !errors.Is(err, ErrNotFound) {
		return Placed{}, err
	}
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
	granted, err := s.catalog.Granted(ctx, r.Buyer, r.Product)
	if err != nil {
		return Placed{}, fmt.Errorf("look up grant: %w", err)
	}
	if granted != "" {
		return Placed{Granted: granted}, nil
	}
	if !p.Open {
		return Placed{}, &Refusal{"not-for-sale", "This is not for sale at the moment."}
	}
	if r.Amount.Asset != p.Price.Asset {
		return Placed{}, &Refusal{"asset", "The price is asked in " + string(p.Price.Asset) + "."}
	}
	if r.Amount.Units.Cmp(p.Price.Units) < 0 {
		return Placed{}, &Refusal{"price", "The price is " + p.Price.Decimal(p.Decimals) + "."}
	}
	o, err := s.newOrder(ctx, r, p)
	if err != nil {
		return Placed{}, err
	}
	if o.Ground == GroundFree {
		o, err = s.placeFree(ctx, o)
		return Placed{Order: o}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&o).Error; err != nil {
			return fmt.Errorf("write order: %w", err)
		}
		return s.jobs.Insert(ctx, tx, OrderPlaced{Order: o.URI})
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		// The same offer came twice at once; the other one made the order.
		o, err = orderWhere(ctx, s.db.Read, "offer = ?", r.Offer)
	}
	if err == nil {
		s.nudge()
	}
	return Placed{Order: o}, err
}

func (s *Service) newOrder(ctx context.Context, r Request, p Product) (Order, error) {
	identifier, err := newIdentifier(s.rand)
	if err != nil {
		return Order{}, err
	}
	now := s.now().UTC().Truncate(time.Second)
	o := Order{
		URI: s.base + "/agreements/" + newID(), Offer: r.Offer, Product: p.URI, Version: p.Version, Artist: p.Artist, Buyer: r.Buyer,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
		Units: p.Price.Units, Asset: p.Price.Asset, Decimals: p.Decimals,
		Ground: GroundPayment, Identifier: identifier, State: Quoted, ExpiresAt: now.Add(s.config.InvoiceLife),
		Receipt: s.base + "/receipts/" + newID(), CreatedAt: now, UpdatedAt: now,
	}
	if p.Price.IsZero() {
		o.Ground = GroundFree
		return o, nil
	}
	provider, ok := s.provider(p.Price.Asset)
	if !ok {
		return Order{}, &Refusal{"no-payee", "The artist's instance cannot be paid in this asset at the moment."}
	}
	o.Provider = provider.Name()
	if patient, ok := provider.(Patient); ok {
		o.ExpiresAt = now.Add(patient.InvoiceLife())
	}
	if o.Target, err = provider.Target(ctx, identifier); err != nil {
		s.log.Warn("payment provider does not answer", "provider", provider.Name(), "error", err)
		return Order{}, &Refusal{"no-payee", "The artist's payment node does not answer. Try again later."}
	}
	return o, nil
}

func (s *Service) placeFree(ctx context.Context, o Order) (Order, error) {
	prepared, err := s.granter.Prepare(ctx, o.grantRequest())
	if err != nil {
		return o, fmt.Errorf("prepare grant: %w", err)
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
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
