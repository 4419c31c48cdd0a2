package payments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// GroundRegrant is an earlier receipt: what was bought is granted anew, for other keys. Nothing is paid.
const GroundRegrant Ground = "regrant"

// Again asks for the grant of something that was bought before. That its asker may have it was checked.
type Again struct {
	// Offer is the URI of the buyer's Offer activity.
	Offer, Buyer, Artist, Product string
	Version                       int64
	ReceivingKey, RequestingKey   string
}

// GrantAgain makes the order, the receipt and the grant of a re-grant in one transaction; prepare does the slow part
// before. The same offer again is the same order.
func (s *Service) GrantAgain(ctx context.Context, a Again, prepare func(context.Context, GrantRequest) (PreparedGrant, error)) (Order, error) {
	if o, err := orderWhere(ctx, s.db.Read, "offer = ?", a.Offer); err == nil {
		if o.Buyer != a.Buyer {
			return Order{}, &Refusal{"forbidden", "This offer's id belongs to someone else."}
		}
		return o, nil
	} else if !errors.Is(err, ErrNotFound) {
		return Order{}, err
	}
	identifier, err := newIdentifier(s.rand)
	if err != nil {
		return Order{}, err
	}
	now := s.now().UTC().Truncate(time.Second)
	o := Order{
		URI: s.base + "/agreements/" + newID(), Offer: a.Offer, Product: a.Product, Version: a.Version, Artist: a.Artist, Buyer: a.Buyer,
		ReceivingKey: a.ReceivingKey, RequestingKey: a.RequestingKey, Ground: GroundRegrant, Identifier: identifier, State: Quoted,
		ExpiresAt: now.Add(s.config.InvoiceLife), Receipt: s.base + "/receipts/" + newID(), CreatedAt: now, UpdatedAt: now,
	}
	prepared, err := prepare(ctx, o.grantRequest())
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
