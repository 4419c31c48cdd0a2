package purchase

import (
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
)

// Terms are a seller's answer to an offer.
type Terms struct {
	Agreement, Product          string
	Amount                      amount.Amount
	ReceivingKey, RequestingKey string
	// Invoice is nil when nothing is to be paid.
	Invoice *Invoice
}

// Accepted takes the seller's terms inside tx. Terms that differ from the offer are a [*Refusal] and end the purchase
// with its words: nothing is paid on them.
func (s *Service) Accepted(tx *gorm.DB, artist, offer string, t Terms) error {
	p, err := one(tx.Where("offer = ? AND artist = ?", offer, artist), offer)
	if err != nil {
		return err
	}
	if p.State == Granted && p.Agreement == "" && differs(p, t) == "" {
		// The grant has overtaken this; the receipt, which names the agreement, may still be on its way.
		p.Agreement = t.Agreement
		return s.move(tx, &p, Granted)
	}
	if p.State != Offered {
		return nil
	}
	if words := differs(p, t); words != "" {
		p.Words = words
		return s.move(tx, &p, Refused)
	}
	p.Agreement, p.Code = t.Agreement, ""
	if t.Invoice == nil {
		// Nothing to pay: the receipt and the grant are on their way.
		return s.move(tx, &p, Offered)
	}
	text, err := json.Marshal(t.Invoice)
	if err != nil {
		return fmt.Errorf("encode invoice: %w", err)
	}
	p.Invoice = string(text)
	return s.move(tx, &p, Invoiced)
}

// differs says in words how terms differ from what was offered, or nothing.
func differs(p Purchase, t Terms) string {
	switch {
	case t.Product != p.Product:
		return "The seller answered for another product."
	case t.ReceivingKey != p.ReceivingKey || t.RequestingKey != p.RequestingKey:
		return "The seller answered for another key than yours."
	case t.Amount.Asset != p.Asset && !t.Amount.IsZero():
		return "The seller asks for another currency than was offered."
	case t.Amount.Units.Cmp(p.Units) > 0:
		return "The seller asks for more than was offered."
	case t.Invoice == nil && !t.Amount.IsZero():
		return "The seller sent no invoice."
	case t.Invoice != nil && (t.Invoice.Asset != t.Amount.Asset || t.Invoice.Units.Cmp(t.Amount.Units) != 0):
		return "The seller's invoice differs from what was agreed."
	default:
		return ""
	}
}

// Rejected ends a purchase with the seller's reason.
func (s *Service) Rejected(tx *gorm.DB, artist, offer, words string) error {
	p, err := one(tx.Where("offer = ? AND artist = ?", offer, artist), offer)
	if err != nil || !p.State.Open() || p.State != Offered {
		return err
	}
	p.Words, p.Code = words, ""
	return s.move(tx, &p, Refused)
}

// maxWords bounds what a seller may tell, in bytes.
const maxWords = 500

// Noted keeps a seller's words about a purchase; they are shown as the seller's. Words about a payment that is awaited
// come too late for a purchase that was granted; settled ones, such as that the money was given back, do not.
func (s *Service) Noted(tx *gorm.DB, artist, agreement, words string, settled bool) error {
	p, err := one(tx.Where("agreement = ? AND artist = ?", agreement, artist), agreement)
	if err != nil || len(words) > maxWords {
		return err
	}
	awaited := p.State == Invoiced || p.State == Paying
	if !awaited && !(settled && (p.State == Receipt || p.State == Granted)) {
		return nil
	}
	p.Words = words
	return s.move(tx, &p, p.State)
}

// ReceiptArrived keeps the signed receipt of a purchase, with the document of the artist's key that it was checked with;
// twice is once.
func (s *Service) ReceiptArrived(tx *gorm.DB, artist, agreement, receipt string, raw, keys []byte) error {
	p, err := one(tx.Where("agreement = ? AND artist = ?", agreement, artist), agreement)
	if err != nil || p.Receipt != "" {
		return err
	}
	p.Receipt, p.ReceiptRaw, p.ReceiptKeys = receipt, raw, string(keys)
	if p.State == Granted {
		return s.move(tx, &p, Granted)
	}
	p.Words = ""
	if p.Gift {
		// That is all that a buyer of a gift gets: the code is good from now on.
		return s.move(tx, &p, Granted)
	}
	return s.move(tx, &p, Receipt)
}

// GrantArrived checks that a grant is for the keys and the product of its agreement, and ends the purchase. A grant
// that answers nothing that this buyer asked for is [ErrNotFound]; one that differs is a [*Refusal].
func (s *Service) GrantArrived(tx *gorm.DB, artist, agreement, grant, buyer, product, receiving, requesting string) error {
	p, err := one(tx.Where("agreement = ? AND artist = ? AND buyer = ?", agreement, artist, buyer), agreement)
	if errors.Is(err, ErrNotFound) {
		// A grant that the buyer had before is sent again on a new offer, and still names the old agreement; one may also come
		// before the answer to its offer. What waits is taken first.
		p, err = one(tx.Where("product = ? AND artist = ? AND buyer = ? AND NOT gift", product, artist, buyer).Order(clause.OrderBy{Expression: clause.Expr{
			SQL:  "CASE WHEN receiving_key = ? THEN 0 ELSE 1 END, CASE state WHEN ? THEN 0 WHEN ? THEN 2 WHEN ? THEN 3 ELSE 1 END, created_at DESC",
			Vars: []any{receiving, Offered, Refused, Granted},
		}}), product)
	}
	if err != nil {
		return err
	}
	if p.Gift || p.Product != product || p.ReceivingKey != receiving || p.RequestingKey != requesting {
		return &Refusal{"The grant is not what was bought, or for another key."}
	}
	if p.State == Granted {
		return nil
	}
	if p.Agreement == "" {
		// The answer to the offer is on its way, and so is a receipt that names the same agreement.
		p.Agreement = agreement
	}
	p.GrantURI, p.Words, p.Code = grant, "", ""
	return s.move(tx, &p, Granted)
}
