package payments

import (
	"context"
	"time"

	"antiphon/payments/amount"
)

// Provider is a way to be paid. It is believed about what was received, never asked who may have what.
type Provider interface {
	// Name is the provider's word on the wire, such as "raiden".
	Name() string
	// Asset is what it is paid in, and the number of decimals of its smallest unit.
	Asset() (amount.Asset, int)
	// Target is the address that payments go to; an error means that nothing can be sold at the moment.
	Target(ctx context.Context) (string, error)
	// Received returns the final payments after cursor, oldest first, and the cursor behind them. It returns only
	// payments to our target; the first cursor is empty. An error loses nothing: the same cursor is asked again.
	Received(ctx context.Context, cursor string) ([]Payment, string, error)
}

// Payment is one that a provider has shown us.
type Payment struct {
	// Ref names this payment among all of the provider's, so that it is credited once.
	Ref        string
	Initiator  string
	Target     string
	Identifier string
	Amount     amount.Amount
	At         time.Time
}

// Product is what payments needs to know of something that is sold.
type Product struct {
	URI      string
	Artist   string
	Version  int64
	Price    amount.Amount
	Decimals int
	Open     bool
}

// Catalog knows what is sold; the access room implements it.
type Catalog interface {
	// Product returns a product as it is sold now, or an error that wraps [ErrUnknownProduct].
	Product(ctx context.Context, uri string) (Product, error)
	// Granted returns the grant that buyer already has of the product, or "".
	Granted(ctx context.Context, buyer, product string) (string, error)
}

// GrantRequest is what a grant is made from.
type GrantRequest struct {
	Artist, Buyer, Product, Agreement, Receipt string
	Version                                    int64
	ReceivingKey, RequestingKey                string
}

// Granter makes grants; the access room implements it.
type Granter interface {
	// Prepare does the slow part, outside of any transaction: fragments are made and sealed to their proxies.
	Prepare(ctx context.Context, r GrantRequest) (PreparedGrant, error)
}

// PreparedGrant is a grant that only has to be written.
type PreparedGrant interface {
	// Issue writes the grant and its jobs inside the caller's transaction and returns the grant's URI.
	Issue(ctx context.Context, tx TX) (string, error)
}
