package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
)

// Purpose is what an order is for.
type Purpose string

// The purposes of orders.
const (
	// Sale is of an artist's product: its payment is granted and posted to the ledger for the artist.
	Sale Purpose = ""
	// Dues are paid to the instance itself for a month of its listening pool; see [Collector].
	Dues Purpose = "dues"
)

// Collector takes what is paid for orders that are no sales; the pool implements it. It is called inside the transaction
// that records the payment, so each payment reaches it once.
type Collector interface {
	// Collected takes an order that has become paid. Its PaymentHash names the payment that completed it.
	Collected(ctx context.Context, tx TX, o Order) error
	// Surplus takes a payment that came for an order which waits for none any more.
	Surplus(ctx context.Context, tx TX, o Order, s Surplus) error
	// Noted keeps what whoever pays should know of an order, such as a payment of less than its price, or in another
	// token; empty words take back what was said.
	Noted(ctx context.Context, tx TX, o Order, words string) error
}

// Surplus is a payment that came for an order which waits for none any more.
type Surplus struct {
	// Hash names the payment, 64 hexadecimal digits.
	Hash  string
	Units amount.Units
	// At is when it was seen as final.
	At time.Time
}

// Demand is what somebody is asked to pay who buys no product.
type Demand struct {
	// Offer is a URI that names the demand: the same one twice is the same order.
	Offer string
	// Payee is the actor that is paid, Payer who is asked.
	Payee, Payer string
	// Product is a URI of what is paid for.
	Product string
	Amount  amount.Amount
}

// Collect has c take what is paid for orders of dues. It is called once, before [Service.Watch].
func (s *Service) Collect(c Collector) { s.collector = c }

// Demand makes an order of dues, which waits for its payment at once. A [*Refusal] says why nothing can be paid.
func (s *Service) Demand(ctx context.Context, d Demand) (Order, error) {
	if o, err := orderWhere(ctx, s.db.Read, "offer = ?", d.Offer); err == nil || !errors.Is(err, ErrNotFound) {
		return o, err
	}
	provider, ok := s.provider(d.Amount.Asset)
	if !ok || d.Amount.IsZero() {
		return Order{}, &Refusal{"no-payee", "This instance cannot be paid in " + string(d.Amount.Asset) + " at the moment."}
	}
	_, decimals := provider.Asset()
	o, err := s.newOrder(ctx, Request{Offer: d.Offer, Buyer: d.Payer}, Product{
		URI: d.Product, Artist: d.Payee, Price: d.Amount, Decimals: decimals,
	})
	if err != nil {
		return Order{}, err
	}
	o.Purpose, o.State, o.Receipt = Dues, Awaiting, ""
	if err := s.db.Write.WithContext(ctx).Create(&o).Error; errors.Is(err, gorm.ErrDuplicatedKey) {
		return orderWhere(ctx, s.db.Read, "offer = ?", d.Offer)
	} else if err != nil {
		return Order{}, fmt.Errorf("write order: %w", err)
	}
	s.nudge()
	return o, nil
}

// collect moves an order of dues to paid inside tx, and hands it over.
func (s *Service) collect(ctx context.Context, tx *gorm.DB, o *Order, hash string) error {
	o.PaymentHash = hash
	if err := move(tx, o, Paid, s.now().UTC().Truncate(time.Second)); err != nil {
		return err
	}
	return s.collector.Collected(ctx, tx, *o)
}

// note tells whoever pays something about an order, inside tx: the buyer of a sale by a job, others at once.
func (s *Service) note(ctx context.Context, tx *gorm.DB, n OrderNoted, o Order) error {
	if o.Purpose == Sale {
		return s.jobs.Insert(ctx, tx, n)
	}
	if s.collector == nil {
		return nil
	}
	return s.collector.Noted(ctx, tx, o, n.Words)
}

// takeDues records the payment that completes an order of dues.
func (s *Service) takeDues(ctx context.Context, row paymentRow, o Order, total amount.Units) error {
	paid := row.SeenAt.Truncate(time.Second)
	o.PaidAt = &paid
	o.Words, o.Remark, o.Seen = wordsFor(row.Outcome, o, total), remarks[row.Outcome], ""
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		return s.collect(ctx, tx, &o, row.Hash)
	})
}

// surplus records a payment that came for an order of dues which waits for none any more.
func (s *Service) surplus(ctx context.Context, row paymentRow, o Order) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		return s.collector.Surplus(ctx, tx, o, Surplus{Hash: row.Hash, Units: row.Units, At: row.SeenAt.Truncate(time.Second)})
	})
}

// wrongAsset tells of a payment in another asset than the one that was asked for.
func wrongAsset(p Payment, o Order) string {
	return fmt.Sprintf("Something was paid in %s, where %s was asked for. It does not count; ask the operator of this server about it.",
		p.Amount.Asset, o.Asset)
}
