package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Earlier is a grant that was issued before, as far as making it anew needs to know it.
type Earlier struct {
	URI, Artist, Buyer, Product, Agreement string
	Version                                int
	// RequestingKey is the Multikey that the grant and its receipt name.
	RequestingKey string
	// Ends is when it ends by itself; zero for never.
	Ends time.Time
	// Revoked says that it was taken back; Successor is the grant that was made in its place, or empty.
	Revoked   bool
	Successor string
}

// EarlierOf returns the grant of a receipt that was given here, or [ErrUnknownGrant].
func (s *Service) EarlierOf(ctx context.Context, receipt string) (Earlier, error) {
	var g grantRow
	err := s.db.Read.WithContext(ctx).Where("receipt = ?", receipt).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || receipt == "" {
		return Earlier{}, fmt.Errorf("%w: of receipt %s", ErrUnknownGrant, receipt)
	}
	if err != nil {
		return Earlier{}, fmt.Errorf("look up grant of %s: %w", receipt, err)
	}
	e := Earlier{
		URI: g.URI, Artist: g.Artist, Buyer: g.Buyer, Product: g.Product, Agreement: g.Agreement, Version: g.Version,
		RequestingKey: g.RequestingKey, Revoked: g.RevokedAt != nil, Successor: g.ReplacedBy,
	}
	if g.EndTime != nil {
		e.Ends = g.EndTime.UTC()
	}
	return e, nil
}

// Standing returns the grant of a version of a product that stands for a buyer and was not replaced, or "".
func (s *Service) Standing(ctx context.Context, buyer, product string, version int) (string, error) {
	var g grantRow
	err := s.db.Read.WithContext(ctx).
		Where("buyer = ? AND product = ? AND version = ? AND revoked_at IS NULL AND replaced_by = ''", buyer, product, version).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up grant of %s to %s: %w", product, buyer, err)
	}
	return g.URI, nil
}

// PrepareAgain is Prepare for a grant in the place of an earlier one: of the same items and the same end, for another
// buyer's or other keys. The earlier one stands until [Service.Taken] says that its successor has arrived.
func (s *Service) PrepareAgain(ctx context.Context, earlier string, r Request) (*Prepared, error) {
	old, err := grantByURI(s.db.Read.WithContext(ctx), earlier)
	if err != nil {
		return nil, err
	}
	if old.RevokedAt != nil {
		return nil, fmt.Errorf("%w: %s", ErrRevoked, earlier)
	}
	now := s.utc()
	g := grantRow{
		URI: s.base + "/grants/" + newID(), Artist: old.Artist, Buyer: r.Buyer, Product: old.Product, Version: old.Version, Items: old.Items,
		Agreement: r.Agreement, Receipt: r.Receipt, ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
		SetNumber: 1, StartTime: now, EndTime: old.EndTime, UpdatedAt: now, CreatedAt: now,
	}
	if old.StartTime.After(now) {
		g.StartTime = old.StartTime.UTC() // a month that was paid ahead
	}
	p, err := s.first(ctx, g)
	if err != nil {
		return nil, err
	}
	p.replaces = append(p.replaces, old.URI)
	if old.ReplacedBy != "" {
		p.replaces = append(p.replaces, old.ReplacedBy)
	}
	return p, nil
}

// replace marks inside tx the grants that a new one takes the place of. It fails when the first of them was taken back
// meanwhile.
func (p *Prepared) replace(tx *gorm.DB) error {
	if len(p.replaces) == 0 {
		return nil
	}
	old, err := grantByURI(tx, p.replaces[0])
	if err != nil {
		return err
	}
	if old.RevokedAt != nil {
		return fmt.Errorf("%w: %s", ErrRevoked, old.URI)
	}
	err = tx.Model(&grantRow{}).Where("uri IN ? AND revoked_at IS NULL", p.replaces).UpdateColumn("replaced_by", p.grant.URI).Error
	if err != nil {
		return fmt.Errorf("replace %s: %w", old.URI, err)
	}
	return nil
}

// Taken records that a grant has arrived at its buyer: those that it replaces are taken back. Again it does nothing.
func (s *Service) Taken(ctx context.Context, grant string) error {
	g, err := grantByURI(s.db.Read.WithContext(ctx), grant)
	if errors.Is(err, ErrUnknownGrant) {
		return nil
	}
	if err != nil {
		return err
	}
	var replaced []grantRow
	err = s.db.Read.WithContext(ctx).Where("replaced_by = ? AND revoked_at IS NULL", grant).Find(&replaced).Error
	if err != nil {
		return fmt.Errorf("look up what %s replaces: %w", grant, err)
	}
	for _, old := range replaced {
		words := "It was granted anew, for your new key."
		if old.Buyer != g.Buyer {
			words = "It was granted anew, to the account that you moved to."
		}
		if err := s.Revoke(ctx, old.Artist, old.URI, words); err != nil {
			return err
		}
	}
	return nil
}

// RequestingKeysOf are the requesting keys that a buyer's grants of an artist name, Multikeys.
func (s *Service) RequestingKeysOf(ctx context.Context, artist, buyer string) ([]string, error) {
	var keys []string
	err := s.db.Read.WithContext(ctx).Model(&grantRow{}).Where("artist = ? AND buyer = ?", artist, buyer).Distinct().Limit(100).
		Pluck("requesting_key", &keys).Error
	if err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", buyer, err)
	}
	return keys, nil
}
