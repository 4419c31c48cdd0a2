package payments

import (
	"context"
	"errors"
	"time"

	"antiphon/payments/amount"
)

// Provider is a way to be paid. It is believed about what was received, never asked who may have what.
type Provider interface {
	// Name is the provider's word on the wire, such as "raiden".
	Name() string
	// Asset is what it is paid in, and the number of decimals of its smallest unit.
	Asset() (amount.Asset, int)
	// Target is the address that the payment with this identifier goes to; an error means that nothing can be sold at the
	// moment.
	Target(ctx context.Context, identifier string) (string, error)
	// Received looks for payments after cursor; the first cursor is empty. An error loses nothing: the same cursor is
	// asked again.
	Received(ctx context.Context, cursor string) (Look, error)
}

// Patient is a Provider whose payments take their time: an invoice stands for as long as it says.
type Patient interface {
	InvoiceLife() time.Duration
}

// Look is what a provider shows at one moment. It shows only payments to our targets.
type Look struct {
	// Final are the final payments after the cursor, oldest first. One may be shown again with the same Ref.
	Final []Payment
	// Tentative are all payments that are seen and not final yet. One that was shown before and is neither here nor
	// among Final was undone.
	Tentative []Tentative
	// Next is the cursor behind Final.
	Next string
	// More is set when there is more to look at right away.
	More bool
}

// Payment is one that a provider has shown us.
type Payment struct {
	// Ref names this payment among all of the provider's, so that it is credited once.
	Ref       string
	Initiator string
	Target    string
	// Identifier is the order's; empty when the provider's payments carry none and each order has its own target.
	Identifier string
	Amount     amount.Amount
	// At is when it was made, as far as the provider can tell; zero when it cannot.
	At time.Time
}

// Tentative is a payment that may still be undone.
type Tentative struct {
	Payment
	// Confirmations of the Needed ones that it has.
	Confirmations, Needed int
	// Block is where it was seen.
	Block uint64
}

// Product is what payments needs to know of something that is sold.
type Product struct {
	URI      string
	Artist   string
	Version  int64
	Price    amount.Amount
	Decimals int
	// Flexible says that buyers name the price themselves, from Price upward.
	Flexible bool
	Open     bool
	// Monthly says that it is sold by the month, and that Version is one.
	Monthly bool
}

// Catalog knows what is sold; the access room implements it.
type Catalog interface {
	// Product returns a product as it is sold to buyer now, or an error that wraps [ErrUnknownProduct]. Of what is sold by
	// the month it is the month that the buyer lacks, at the price of what is left of it.
	Product(ctx context.Context, uri, buyer string) (Product, error)
	// Granted returns the grant that buyer already has of what Product returns, or "".
	Granted(ctx context.Context, buyer, product string) (string, error)
}

// GrantRequest is what a grant is made from.
type GrantRequest struct {
	Artist, Buyer, Product, Agreement, Receipt string
	Version                                    int64
	ReceivingKey, RequestingKey                string
	// Start is when the grant begins, now when it is zero; End is when it ends, never when it is nil.
	Start time.Time
	End   *time.Time
}

// ErrGranted is wrapped by a [Granter] when the buyer has been granted already what is to be granted.
var ErrGranted = errors.New("granted already")

// Granter makes grants; the access room implements it.
type Granter interface {
	// Prepare does the slow part, outside of any transaction: fragments are made and sealed to their proxies. It returns an
	// error that wraps [ErrGranted] when there is nothing to grant any more.
	Prepare(ctx context.Context, r GrantRequest) (PreparedGrant, error)
}

// PreparedGrant is a grant that only has to be written.
type PreparedGrant interface {
	// Issue writes the grant and its jobs inside the caller's transaction and returns the grant's URI.
	Issue(ctx context.Context, tx TX) (string, error)
}
