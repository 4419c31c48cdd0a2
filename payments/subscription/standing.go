package subscription

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/payments/amount"
	"antiphon/payments/purchase"
)

// Standing is a listener's order to the own instance: its payment node may pay the months of a tier by itself, each once,
// up to a maximum, until a day. Nobody else is told of it.
type Standing struct {
	Listener string `gorm:"primaryKey"`
	Product  string `gorm:"primaryKey"`
	Maximum  amount.Units
	Asset    amount.Asset
	Decimals int
	// Until is when it ends by itself: nothing is paid from then on.
	Until     time.Time
	RevokedAt *time.Time
	CreatedAt time.Time
}

// TableName is gorm's name for the table.
func (Standing) TableName() string { return "standing_orders" }

// maxStanding is for how long a standing order can be given.
const maxStanding = 5 * 366 * 24 * time.Hour

// Covers reports whether the order allows a payment at a moment.
func (o Standing) Covers(price amount.Amount, at time.Time) bool {
	return o.RevokedAt == nil && at.Before(o.Until) && price.Asset == o.Asset && price.Units.Cmp(o.Maximum) <= 0
}

// SetStanding gives the own node a standing order for a subscription, in place of an older one. Words of a
// [purchase.Refusal] say what is wrong with it. The caller decides who may spend the node's money.
func (s *Service) SetStanding(ctx context.Context, listener, id string, maximum amount.Units, until time.Time) error {
	h, err := s.ByID(ctx, id)
	if err != nil || h.Listener != listener {
		return errors.Join(ErrNotFound, err)
	}
	now := s.utc()
	switch {
	case maximum.Cmp(h.Units) < 0:
		return &purchase.Refusal{Words: "The most that may be paid is less than the price of a month."}
	case !until.After(now):
		return &purchase.Refusal{Words: "The day on which the order ends is over."}
	case until.After(now.Add(maxStanding)):
		return &purchase.Refusal{Words: "An order can be given for five years at most."}
	}
	o := Standing{Listener: listener, Product: h.Tier, Maximum: maximum, Asset: h.Asset, Decimals: h.Decimals, Until: until.UTC(), CreatedAt: now}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(&o).Error; err != nil {
			return fmt.Errorf("write standing order: %w", err)
		}
		return tx.Model(&renewal{}).Where("listener = ? AND product = ?", listener, h.Tier).Updates(map[string]any{"words": "", "try_at": now}).Error
	})
}

// Revoke ends a standing order; what is being paid at this moment is not taken back.
func (s *Service) Revoke(ctx context.Context, listener, id string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		h, err := one(tx.Where("listener = ? AND id = ?", listener, id))
		if err != nil {
			return err
		}
		return s.revoke(tx, listener, h.Tier)
	})
}

func (s *Service) revoke(tx *gorm.DB, listener, product string) error {
	err := tx.Model(&Standing{}).Where("listener = ? AND product = ? AND revoked_at IS NULL", listener, product).
		Update("revoked_at", s.utc()).Error
	if err != nil {
		return fmt.Errorf("revoke standing order: %w", err)
	}
	return nil
}

// StandingOf returns the order that stands for a product; false when there is none.
func (s *Service) StandingOf(ctx context.Context, listener, product string) (Standing, bool, error) {
	return standing(s.DB.Read.WithContext(ctx), listener, product)
}

func standing(tx *gorm.DB, listener, product string) (Standing, bool, error) {
	var o Standing
	err := tx.Where("listener = ? AND product = ? AND revoked_at IS NULL", listener, product).Take(&o).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return o, false, nil
	}
	return o, err == nil, err
}

// renewal is one month of one subscription: whatever is paid for it is paid by the purchase that stands here.
type renewal struct {
	Listener  string `gorm:"primaryKey"`
	Product   string `gorm:"primaryKey"`
	Period    Period `gorm:"primaryKey"`
	Purchase  string
	Words     string
	TryAt     time.Time
	CreatedAt time.Time
}

func (renewal) TableName() string { return "renewals" }

// buy begins the purchase of a month, or returns the one that stands for it. When the invoice of that one has expired
// and the own node has certainly not paid it, a new one takes its place.
func (s *Service) buy(ctx context.Context, h Held, period Period) (purchase.Purchase, error) {
	receiving, requesting, err := s.Keys(ctx, h.Listener)
	if err != nil {
		return purchase.Purchase{}, fmt.Errorf("keys of %s: %w", h.Listener, err)
	}
	bought, err := s.Purchases.Begin(ctx, purchase.Request{
		Buyer: h.Listener, Artist: h.Artist, Product: h.Tier, Title: h.Name, Amount: h.Price(), Decimals: h.Decimals,
		ReceivingKey: receiving, RequestingKey: requesting, Period: int64(period),
	})
	if err != nil {
		return bought, err
	}
	now := s.utc()
	row := renewal{Listener: h.Listener, Product: h.Tier, Period: period, Purchase: bought.ID, TryAt: now, CreatedAt: now}
	made := s.DB.Write.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
	if made.Error != nil || made.RowsAffected > 0 {
		return bought, made.Error
	}
	if err := s.DB.Write.WithContext(ctx).Where("listener = ? AND product = ? AND period = ?", h.Listener, h.Tier, period).Take(&row).Error; err != nil {
		return bought, fmt.Errorf("read renewal: %w", err)
	}
	if row.Purchase == bought.ID {
		return bought, nil
	}
	old, err := s.Purchases.ByID(ctx, row.Purchase)
	if err != nil {
		return bought, err
	}
	if !s.spent(old) {
		return old, nil
	}
	return bought, s.DB.Write.WithContext(ctx).Model(&renewal{}).
		Where("listener = ? AND product = ? AND period = ? AND purchase = ?", h.Listener, h.Tier, period, old.ID).
		Updates(map[string]any{"purchase": bought.ID, "words": "", "try_at": now}).Error
}

// spent reports whether nothing will be paid for a purchase any more, and surely nothing was by the own node.
func (s *Service) spent(p purchase.Purchase) bool {
	invoice, ok := p.Invoiced()
	return p.State == purchase.Refused || p.State == purchase.Invoiced && ok && !p.Doubt && s.Now().After(invoice.Expires)
}
