package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/media/access"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/manual"
	"antiphon/vocab"
)

// shop shows payments what is sold, which media/access keeps without knowing of money. It implements [subscription.Goods].
type shop struct{ access *access.Service }

// OpenPeriod implements [subscription.Goods].
func (s shop) OpenPeriod(ctx context.Context, product string, version int64) error {
	return known(s.access.OpenPeriod(ctx, product, int(version)))
}

// known says in the words of payments that a product is not there, or holds nothing.
func known(err error) error {
	if errors.Is(err, access.ErrUnknownProduct) || errors.Is(err, access.ErrEmpty) {
		return fmt.Errorf("%w: %w", payments.ErrUnknownProduct, err)
	}
	return err
}

// Product implements [payments.Catalog].
func (s shop) Product(ctx context.Context, uri, _ string) (payments.Product, error) {
	p, err := s.access.Product(ctx, uri)
	if err != nil {
		return payments.Product{}, known(err)
	}
	price, err := amount.Amount{}, error(nil)
	if p.Units != "0" || p.Asset != "" {
		price, err = amount.Parse(p.Units, p.Asset)
	}
	if err != nil {
		return payments.Product{}, fmt.Errorf("price of %s: %w", uri, err)
	}
	return payments.Product{
		URI: p.URI, Artist: p.Artist, Version: int64(p.Version), Price: price, Decimals: p.Decimals, Flexible: p.Flexible, Open: p.Open,
		Monthly: p.Kind == access.KindTier,
	}, nil
}

// Granted implements [payments.Catalog].
func (s shop) Granted(ctx context.Context, buyer, product string) (string, error) {
	return s.access.Granted(ctx, buyer, product)
}

// Prepare implements [payments.Granter].
func (s shop) Prepare(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	prepared, err := s.access.Prepare(ctx, access.Request{
		Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: int(r.Version), Agreement: r.Agreement, Receipt: r.Receipt,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey, Start: r.Start, End: r.End,
	})
	if errors.Is(err, access.ErrGranted) {
		return nil, fmt.Errorf("%w: %w", payments.ErrGranted, err)
	}
	return prepared, known(err)
}

// books post paid orders to the embedded ledger.
type books struct{ ledger *ledger.Ledger }

// RecordPayment implements [payments.Ledger]. The artist's key of the day is recorded with the payment: it is the one
// that the receipt will be signed with.
func (b books) RecordPayment(ctx context.Context, tx *gorm.DB, o payments.Order) error {
	key, err := actor.CurrentProofKey(ctx, tx, o.Artist)
	if err != nil {
		return err
	}
	var splits []contract.Split
	for _, part := range o.Splits {
		splits = append(splits, contract.Split{Payee: part.Payee, BasisPoints: part.BasisPoints})
	}
	_, err = b.ledger.Post(ctx, tx, ledger.Payment{
		Order: o.URI, Payee: o.Artist, Amount: o.Amount(), Provider: o.Provider, PaymentHash: o.PaymentHash, ProofKey: key, Splits: splits,
	})
	return err
}

// RecordRefund implements [payments.Ledger].
func (b books) RecordRefund(ctx context.Context, tx *gorm.DB, o payments.Order) error {
	_, err := b.ledger.Post(ctx, tx, ledger.Refund{
		Order: o.URI, Payee: o.Artist, Amount: o.Amount(), Provider: o.Provider, PaymentHash: o.PaymentHash,
	})
	return err
}

// sales does for the pages what an artist asks for.
type sales struct{ house *house }

// Mark implements [web.Sales].
func (s sales) Mark(ctx context.Context, artist, order string) error {
	err := manual.Mark(ctx, s.house.db, artist, order, time.Now())
	if err == nil {
		s.house.orders.Look()
	}
	return err
}

// GiveUp implements [web.Sales].
func (s sales) GiveUp(ctx context.Context, artist, order string) error {
	return s.house.orders.GiveUp(ctx, artist, order)
}

// Refund implements [web.Sales].
func (s sales) Refund(ctx context.Context, artist, order string) error {
	return s.house.orders.Refund(ctx, artist, order)
}

// shares are who is owed what a product is paid, as its proposal names them.
func (h *house) shares(ctx context.Context, product string) ([]vocab.Share, error) {
	splits, err := payments.SplitsOf(ctx, h.db.Read, product)
	var all []vocab.Share
	for _, part := range splits {
		all = append(all, vocab.Share{Payee: part.Payee, Name: part.Name, Role: part.Role, BasisPoints: part.BasisPoints})
	}
	return all, err
}

// owed is what the ledger says that somebody is owed.
func (h *house) owed(ctx context.Context, payee string, asset amount.Asset) (amount.Amount, error) {
	return ledger.Owed(ctx, h.db.Read, payee, asset)
}
