package access

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/vocab/multikey"
)

// ErrUnknownProduct is returned for a product that was never offered here.
var ErrUnknownProduct = errors.New("no such product")

// Product is what is sold: so far, one track for good.
type Product struct {
	ID     string `gorm:"primaryKey"`
	URI    string
	Artist string
	Kind   string
	Name   string
	// Track is the one that a product of kind track holds.
	Track   string
	Version int
	// DelegatingKey is the Multikey that the capsules of this version are sealed to.
	DelegatingKey string
	// Units and Asset are the price: whole smallest units in decimal, and a CAIP-19 or iso4217 name.
	Units    string
	Asset    string
	Decimals int
	// Open says whether it is on sale.
	Open      bool
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Capsule is a track's content key as sealed to one version of a product.
type Capsule struct {
	Track      string `gorm:"primaryKey"`
	Product    string `gorm:"primaryKey"`
	Version    int    `gorm:"primaryKey"`
	Capsule    []byte
	Ciphertext []byte
	CreatedAt  time.Time
}

// Encapsulate seals the content key to the track's own product and returns what writes both into a transaction; for a
// track that has its product, that writes nothing. It implements [media.Shop].
func (s *Service) Encapsulate(ctx context.Context, t media.Track, key seal.ContentKey) (func(tx *gorm.DB) error, error) {
	if _, err := s.ProductOf(ctx, t.URI); err == nil {
		return func(*gorm.DB) error { return nil }, nil
	} else if !errors.Is(err, ErrUnknownProduct) {
		return nil, err
	}
	p := Product{
		ID: string(t.ID), URI: s.base + "/products/" + string(t.ID), Artist: t.Artist, Kind: "track", Name: t.Title, Track: t.URI,
		Version: 1, Units: "0", CreatedAt: s.utc(), UpdatedAt: s.utc(),
	}
	keys, err := s.artist(ctx, t.Artist)
	if err != nil {
		return nil, err
	}
	delegating, err := keys.Product(p.URI, p.Version)
	if err != nil {
		return nil, fmt.Errorf("key of product %s: %w", p.URI, err)
	}
	if p.DelegatingKey, err = multikey.EncodeSecp256k1(delegating.PublicKey().Bytes()); err != nil {
		return nil, err
	}
	capsule, ciphertext, err := umbral.Encrypt(s.rand, delegating.PublicKey(), key[:])
	if err != nil {
		return nil, fmt.Errorf("seal content key of %s: %w", t.URI, err)
	}
	row := Capsule{
		Track: t.URI, Product: p.URI, Version: p.Version, Capsule: capsule.Bytes(), Ciphertext: ciphertext, CreatedAt: s.utc(),
	}
	return func(tx *gorm.DB) error {
		if err := tx.Create(&p).Error; err != nil {
			return fmt.Errorf("write product: %w", err)
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write capsule: %w", err)
		}
		return nil
	}, nil
}

// SetPrice sets what the product of a track costs from now on; orders that were quoted keep their price.
func (s *Service) SetPrice(tx *gorm.DB, track, units, asset string, decimals int) error {
	return s.update(tx, track, map[string]any{"units": units, "asset": asset, "decimals": decimals})
}

// SetOpen puts the product of a track on sale, or takes it out; grants stay.
func (s *Service) SetOpen(tx *gorm.DB, track, name string, open bool) error {
	return s.update(tx, track, map[string]any{"open": open, "name": name})
}

func (s *Service) update(tx *gorm.DB, track string, values map[string]any) error {
	values["updated_at"] = s.utc()
	result := tx.Model(&Product{}).Where("track = ?", track).Updates(values)
	if result.Error != nil {
		return fmt.Errorf("change product of %s: %w", track, result.Error)
	}
	if result.RowsAffected == 0 {
		return fmt.Errorf("%w: %s", ErrUnknownProduct, track)
	}
	return nil
}

// Product returns a product by its URI, or [ErrUnknownProduct].
func (s *Service) Product(ctx context.Context, uri string) (Product, error) {
	return s.product(ctx, "uri = ?", uri)
}

// ProductOf returns the product that a track is sold as, or [ErrUnknownProduct].
func (s *Service) ProductOf(ctx context.Context, track string) (Product, error) {
	return s.product(ctx, "track = ?", track)
}

func (s *Service) product(ctx context.Context, query, value string) (Product, error) {
	var p Product
	err := s.db.Read.WithContext(ctx).Where(query, value).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Product{}, fmt.Errorf("%w: %s", ErrUnknownProduct, value)
	}
	return p, err
}

// OnSale returns what an artist sells for money, the latest first, at most limit.
func (s *Service) OnSale(ctx context.Context, artist string, limit int) ([]Product, error) {
	var rows []Product
	err := s.db.Read.WithContext(ctx).Where("artist = ? AND open = ? AND units <> '0'", artist, true).Order("created_at DESC, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what %s sells: %w", artist, err)
	}
	return rows, nil
}

// Capsules returns the capsules of a track, newest version last.
func (s *Service) Capsules(ctx context.Context, track string) ([]Capsule, error) {
	var rows []Capsule
	err := s.db.Read.WithContext(ctx).Where("track = ?", track).Order("product, version").Find(&rows).Error
	return rows, err
}

// Granted returns the grant of a product that stands for the buyer, or "".
func (s *Service) Granted(ctx context.Context, buyer, product string) (string, error) {
	var g grantRow
	err := s.db.Read.WithContext(ctx).Where("buyer = ? AND product = ? AND revoked_at IS NULL AND replaced_by = ''", buyer, product).
		Order("version DESC").Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return g.URI, err
}
