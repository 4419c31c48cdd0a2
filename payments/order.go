package payments

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
)

// ErrNotFound is returned for an order that does not exist.
var ErrNotFound = errors.New("no such order")

// Ground is why a receipt was given.
type Ground string

// The grounds that this package gives; a receipt of ground payment has its ledger entry.
const (
	GroundPayment Ground = "payment"
	GroundFree    Ground = "free"
	GroundCode    Ground = "code"
	GroundGift    Ground = "gift"
)

// Order is one purchase on the seller's side. Its price was fixed when it was placed.
type Order struct {
	// URI is the agreement's.
	URI string `gorm:"primaryKey"`
	// Purpose is what the order is for; of dues, Artist is the actor that is paid and Buyer who pays.
	Purpose Purpose
	// Offer is the URI of the buyer's Offer activity; a second offer of the same id is the same order.
	Offer         string
	Product       string
	Version       int64
	Artist        string
	Buyer         string
	ReceivingKey  string
	RequestingKey string
	Units         amount.Units
	Asset         amount.Asset
	Decimals      int
	Ground        Ground
	Provider      string
	// Target is the address that the payment goes to.
	Target string
	// Identifier is the single-use payment identifier, an unsigned 64-bit integer in decimal.
	Identifier string
	State      State
	// Words tell buyer and artist what is unusual about the order; empty when nothing is.
	Words string
	// Remark is what was unusual about the payment, in one word.
	Remark Remark
	// Seen tells of a payment that is on its way and not final yet; empty when there is none.
	Seen        string
	Receipt     string
	GrantURI    string
	PaymentHash string
	// Splits say who is owed what is paid, as they were when the order was placed.
	Splits Splits
	// Code is the hash of the code that was redeemed, or, with Gift, of the one that the payment is for.
	Code      string
	Gift      bool
	ExpiresAt time.Time
	PaidAt    *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Amount is the price.
func (o Order) Amount() amount.Amount { return amount.Amount{Units: o.Units, Asset: o.Asset} }

// PayURL is the page of the seller's instance that says how to pay the order and how far its payment is; empty for
// Raiden, where all is said in the invoice.
func (o Order) PayURL() string {
	base, id, ok := strings.Cut(o.URI, "/agreements/")
	if o.Provider == "raiden" || o.Ground != GroundPayment || !ok {
		return ""
	}
	return base + "/pay/" + id
}

// OrderByURI returns the order whose agreement is uri, or [ErrNotFound].
func OrderByURI(ctx context.Context, tx *gorm.DB, uri string) (Order, error) {
	return orderWhere(ctx, tx, "uri = ?", uri)
}

// OrderByReceipt returns the order that the receipt uri confirms, or [ErrNotFound].
func OrderByReceipt(ctx context.Context, tx *gorm.DB, uri string) (Order, error) {
	return orderWhere(ctx, tx, "receipt = ?", uri)
}

// OrdersOf returns the artist's orders, newest first, at most limit.
func OrdersOf(ctx context.Context, tx *gorm.DB, artist string, limit int) ([]Order, error) {
	var orders []Order
	err := tx.WithContext(ctx).Where("artist = ?", artist).Order("created_at DESC").Limit(limit).Find(&orders).Error
	if err != nil {
		return nil, fmt.Errorf("read orders of %s: %w", artist, err)
	}
	return orders, nil
}

func orderWhere(ctx context.Context, tx *gorm.DB, query, value string) (Order, error) {
	var o Order
	err := tx.WithContext(ctx).Where(query, value).Take(&o).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Order{}, fmt.Errorf("%w: %s", ErrNotFound, value)
	}
	if err != nil {
		return Order{}, fmt.Errorf("read order %s: %w", value, err)
	}
	return o, nil
}

// move changes the order's state, if that is legal and nobody has moved it meanwhile.
func move(tx *gorm.DB, o *Order, next State, now time.Time) error {
	if err := o.State.To(next); err != nil {
		return err
	}
	from := o.State
	o.State, o.UpdatedAt = next, now
	result := tx.Model(o).Where("state = ?", from).Select("*").Updates(o)
	if result.Error != nil {
		return fmt.Errorf("move order %s: %w", o.URI, result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("move order %s: it was moved by someone else", o.URI)
	}
	return nil
}
