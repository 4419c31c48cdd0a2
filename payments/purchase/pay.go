package purchase

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
)

// payInvoice has the instance's own node pay.
type payInvoice struct {
	Purchase string `json:"purchase"`
}

// Kind names the job.
func (payInvoice) Kind() string { return "pay_invoice" }

// Options keep a payment from being tried for days behind the buyer's back.
func (payInvoice) Options() jobs.Options { return jobs.Options{MaxAttempts: 8} }

// Register registers this room's jobs.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[payInvoice]{
		Work: s.pay, Timeout: 3 * time.Minute,
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 6), time.Minute) },
	})
}

// CanPay reports whether the instance's own node can pay a purchase now. One that it may have paid already it can pay
// also when the invoice has expired: it looks for the payment first, and late ones are honored.
func (s *Service) CanPay(p Purchase) bool {
	invoice, ok := p.Invoiced()
	return ok && s.Payer != nil && p.State == Invoiced && s.Payer.Pays(invoice.Asset) && (p.Doubt || s.Now().Before(invoice.Expires))
}

// Lacks says in words what keeps the instance's own node from paying a purchase that it could pay, and what to do; empty
// when nothing is known.
func (s *Service) Lacks(ctx context.Context, p Purchase) string {
	invoice, ok := p.Invoiced()
	if !ok || !s.CanPay(p) {
		return ""
	}
	return s.Payer.Lacks(ctx, invoice)
}

// Pay tells the instance's own node to pay a purchase. The caller decides who may spend its money.
func (s *Service) Pay(ctx context.Context, id string) error {
	p, err := s.ByID(ctx, id)
	if err != nil {
		return err
	}
	if p.State != Invoiced {
		return nil
	}
	if !s.CanPay(p) {
		return &Refusal{"This instance cannot pay that: it has no node for it, or the invoice has expired."}
	}
	p.Words, p.Doubt = "", true
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.move(tx, &p, Paying); err != nil {
			return err
		}
		return s.Jobs.Insert(ctx, tx, payInvoice{Purchase: p.ID})
	})
}

// pay can be killed at any point: [Payer.Pay] looks in the node's history before it sends anything.
func (s *Service) pay(ctx context.Context, job payInvoice, attempt int) error {
	p, err := s.ByID(ctx, job.Purchase)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || p.State != Paying {
		return err
	}
	invoice, ok := p.Invoiced()
	if !ok {
		return fmt.Errorf("purchase %s has no invoice", p.ID)
	}
	err = s.Payer.Pay(ctx, invoice)
	var refused *Refusal
	switch {
	case err == nil:
		// The seller confirms it; nothing is to be done here.
		return nil
	case errors.As(err, &refused):
		p.Doubt = false
		return s.back(ctx, p, refused.Words)
	case ctx.Err() == nil && attempt >= (payInvoice{}).Options().MaxAttempts:
		s.Log.Error("payment given up", "purchase", p.ID, "error", err)
		return s.back(ctx, p, "The payment node does not answer. If it has paid, the seller will confirm it; else try again.")
	default:
		return fmt.Errorf("pay purchase %s: %w", p.ID, err)
	}
}

// back returns a purchase to its invoice, with words for the buyer.
func (s *Service) back(ctx context.Context, p Purchase, words string) error {
	p.Words = words
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return s.move(tx, &p, Invoiced) })
}
