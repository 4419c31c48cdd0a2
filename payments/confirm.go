package payments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
)

// outcome is what became of a payment that a provider has shown us.
type outcome string

const (
	credited  outcome = "credited"
	overpaid  outcome = "overpaid"
	late      outcome = "late"
	underpaid outcome = "underpaid"
	duplicate outcome = "duplicate"
	misplaced outcome = "misplaced" // wrong token or target
	unknown   outcome = "unknown"   // no order has this identifier
)

// paymentRow is a payment that was seen, credited or not; its hash makes crediting exactly once.
type paymentRow struct {
	Hash       string `gorm:"primaryKey"`
	Provider   string
	Initiator  string
	Target     string
	Identifier string
	Units      amount.Units
	Asset      amount.Asset
	OrderURI   string
	Outcome    outcome
	SeenAt     time.Time
}

func (paymentRow) TableName() string { return "payments" }

// paymentHash is the receipt's paymentHash: SHA-256 over provider, asset's network, initiator, target and identifier,
// each followed by a zero byte.
func paymentHash(provider string, p Payment) string {
	network, _, _ := strings.Cut(string(p.Amount.Asset), "/")
	sum := sha256.Sum256([]byte(strings.Join([]string{provider, network, p.Initiator, p.Target, p.Identifier, ""}, "\x00")))
	return hex.EncodeToString(sum[:])
}

func rowHash(provider string, p Payment) string {
	sum := sha256.Sum256([]byte(paymentHash(provider, p) + "\x00" + p.Ref))
	return hex.EncodeToString(sum[:])
}

// confirm records one payment and, when it completes an order, writes in ONE transaction: the order paid, the ledger
// entry, the grant, and the jobs that tell the buyer. A payment that was seen before changes nothing.
func (s *Service) confirm(ctx context.Context, provider string, p Payment) error {
	row := paymentRow{
		Hash: rowHash(provider, p), Provider: provider, Initiator: p.Initiator, Target: p.Target, Identifier: p.Identifier,
		Units: p.Amount.Units, Asset: p.Amount.Asset, SeenAt: s.now().UTC(),
	}
	var seen int64
	if err := s.db.Read.WithContext(ctx).Model(&paymentRow{}).Where("hash = ?", row.Hash).Count(&seen).Error; err != nil {
		return fmt.Errorf("look up payment: %w", err)
	}
	if seen > 0 {
		return nil
	}
	o, err := s.orderOf(ctx, provider, p)
	if errors.Is(err, ErrNotFound) {
		row.Outcome = unknown
		return s.keep(ctx, row, nil)
	}
	if err != nil {
		return err
	}
	row.OrderURI, row.Identifier, p.Identifier = o.URI, o.Identifier, o.Identifier
	if o.Purpose == Dues && s.collector == nil {
		// The pool was closed since. The payment is on record, and those behind it are not held up.
		row.Outcome = misplaced
		return s.keep(ctx, row, nil)
	}
	if p.Amount.Asset != o.Asset || p.Target != o.Target || provider != o.Provider {
		row.Outcome = misplaced
		return s.keep(ctx, row, func(tx *gorm.DB) error {
			if o.Purpose == Sale || p.Amount.Asset == o.Asset {
				return nil
			}
			return s.note(ctx, tx, OrderNoted{Words: wrongAsset(p, o)}, o)
		})
	}
	total, err := s.paidSoFar(ctx, o, p.Amount.Units)
	if err != nil {
		return err
	}
	// What was paid in time is in time, however late we came to look.
	made := row.SeenAt
	if !p.At.IsZero() && p.At.Before(made) {
		made = p.At
	}
	row.Outcome = judge(o, total, made)
	switch row.Outcome {
	case duplicate:
		if o.Purpose == Dues {
			return s.surplus(ctx, row, o)
		}
		return s.keep(ctx, row, func(tx *gorm.DB) error {
			words := fmt.Sprintf("%s came though nothing was asked for any more. The artist has to settle it with the buyer.", p.Amount.Decimal(o.Decimals))
			err := tx.Model(&o).UpdateColumns(map[string]any{"seen": "", "words": words, "remark": Duplicate, "updated_at": row.SeenAt}).Error
			if err != nil {
				return fmt.Errorf("note order %s: %w", o.URI, err)
			}
			return s.jobs.Insert(ctx, tx, OrderNoted{Order: o.URI, Words: words, Settled: true})
		})
	case underpaid:
		return s.keep(ctx, row, func(tx *gorm.DB) error {
			o.Words = fmt.Sprintf("%s of %s has arrived; the rest is still to be paid.",
				total.Decimal(o.Decimals), o.Units.Decimal(o.Decimals))
			if err := s.note(ctx, tx, OrderNoted{Order: o.URI, Words: o.Words}, o); err != nil {
				return err
			}
			o.Seen = ""
			if o.State == Awaiting || o.State == Quoted {
				return move(tx, &o, Underpaid, row.SeenAt)
			}
			return tx.Model(&o).Updates(map[string]any{"words": o.Words, "seen": ""}).Error
		})
	}
	if o.Purpose == Dues {
		return s.takeDues(ctx, row, o, total)
	}
	prepared, err := s.prepare(ctx, o)
	switch {
	case errors.Is(err, ErrGranted):
		return s.fail(ctx, row, o, Duplicate, p.Amount.Decimal(o.Decimals)+" came for what was paid already by another order.")
	case errors.Is(err, ErrUnknownProduct):
		return s.fail(ctx, row, o, Gone, p.Amount.Decimal(o.Decimals)+" came for what is not there any more.")
	case err != nil:
		return fmt.Errorf("prepare grant for order %s: %w", o.URI, err)
	}
	paid := row.SeenAt.Truncate(time.Second)
	o.PaidAt = &paid
	o.Words, o.Remark, o.Seen = wordsFor(row.Outcome, o, total), remarks[row.Outcome], ""
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		return s.settle(ctx, tx, &o, prepared, paymentHash(provider, p))
	})
}

// fail keeps the payment of an order that cannot be granted, and will never be: its buyer has by now what was ordered, or
// it is gone. The artist has to give it back, and no other payment waits for that.
func (s *Service) fail(ctx context.Context, row paymentRow, o Order, remark Remark, why string) error {
	row.Outcome = duplicate
	return s.keep(ctx, row, func(tx *gorm.DB) error {
		o.Words = why + " The artist has to settle it with the buyer."
		o.Remark, o.Seen = remark, ""
		if err := move(tx, &o, Failed, row.SeenAt); err != nil {
			return err
		}
		return s.jobs.Insert(ctx, tx, OrderNoted{Order: o.URI, Words: o.Words, Settled: true})
	})
}

// orderOf is the order that a payment is for: the one of its identifier, or of its target where the provider's payments
// carry no identifier.
func (s *Service) orderOf(ctx context.Context, provider string, p Payment) (Order, error) {
	if p.Identifier != "" {
		return orderWhere(ctx, s.db.Read, "identifier = ?", p.Identifier)
	}
	return orderWhere(ctx, s.db.Read.Where("provider = ?", provider), "target = ?", p.Target)
}

// settle moves the order to granted inside tx, with its ledger entry, its grant and the job for the receipt.
func (s *Service) settle(ctx context.Context, tx *gorm.DB, o *Order, prepared PreparedGrant, hash string) error {
	now := s.now().UTC().Truncate(time.Second)
	if o.PaidAt == nil {
		o.PaidAt = &now
	}
	o.PaymentHash = hash
	if err := move(tx, o, Paid, now); err != nil {
		return err
	}
	if o.Ground == GroundPayment {
		if err := s.ledger.RecordPayment(ctx, tx, *o); err != nil {
			return fmt.Errorf("post order %s to the ledger: %w", o.URI, err)
		}
	}
	grant, err := prepared.Issue(ctx, tx)
	if err != nil {
		return fmt.Errorf("issue grant for order %s: %w", o.URI, err)
	}
	o.GrantURI = grant
	if err := move(tx, o, Granted, now); err != nil {
		return err
	}
	return s.jobs.Insert(ctx, tx, OrderPaid{Order: o.URI})
}

// prepare makes what a paid order opens: a grant, or for a gift the code.
func (s *Service) prepare(ctx context.Context, o Order) (PreparedGrant, error) {
	if o.Gift {
		return wrapped{s, o}, nil
	}
	return s.granter.Prepare(ctx, o.grantRequest())
}

// keep writes a payment that completes nothing.
func (s *Service) keep(ctx context.Context, row paymentRow, also func(tx *gorm.DB) error) error {
	s.log.Warn("payment not credited", "outcome", row.Outcome, "order", row.OrderURI, "identifier", row.Identifier)
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write payment: %w", err)
		}
		if also == nil {
			return nil
		}
		return also(tx)
	})
}

// paidSoFar adds what counted toward the order before to units. The sum is made here, never by SQL.
func (s *Service) paidSoFar(ctx context.Context, o Order, units amount.Units) (amount.Units, error) {
	var rows []paymentRow
	err := s.db.Read.WithContext(ctx).Where("order_uri = ? AND outcome = ?", o.URI, underpaid).Find(&rows).Error
	if err != nil {
		return units, fmt.Errorf("read payments of order %s: %w", o.URI, err)
	}
	for _, r := range rows {
		if units, err = units.Add(r.Units); err != nil {
			return units, fmt.Errorf("add payments of order %s: %w", o.URI, err)
		}
	}
	return units, nil
}

func judge(o Order, total amount.Units, now time.Time) outcome {
	switch {
	case !o.State.Open():
		return duplicate
	case total.Cmp(o.Units) < 0:
		return underpaid
	case now.After(o.ExpiresAt):
		return late
	case total.Cmp(o.Units) > 0:
		return overpaid
	default:
		return credited
	}
}

// remarks are what is remarkable about a payment that completes its order.
var remarks = map[outcome]Remark{overpaid: Overpaid, late: Late}

func wordsFor(out outcome, o Order, total amount.Units) string {
	switch out {
	case overpaid:
		return fmt.Sprintf("%s was paid where %s was asked.", total.Decimal(o.Decimals), o.Units.Decimal(o.Decimals))
	case late:
		return "The payment came after the invoice had expired; it was honored."
	default:
		return ""
	}
}

func (o Order) grantRequest() GrantRequest {
	return GrantRequest{
		Artist: o.Artist, Buyer: o.Buyer, Product: o.Product, Version: o.Version, Agreement: o.URI, Receipt: o.Receipt,
		ReceivingKey: o.ReceivingKey, RequestingKey: o.RequestingKey,
	}
}
