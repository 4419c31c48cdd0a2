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

// The kinds of products. A tier is sold by periods: its version is the period.
const (
	KindTrack   = "track"
	KindRelease = "release"
	KindTier    = "tier"
	// KindPool is what an artist has in the listening pool, by months as a tier is. It is not sold, and it is granted by
	// this instance alone, without other proxies.
	KindPool = "pool"
)

// Product is what is sold: a track or a release for good, or the tracks of a tier for a period. What a version holds
// stands in product_items; see [Service.Items].
type Product struct {
	ID     string `gorm:"primaryKey"`
	URI    string
	Artist string
	// Kind is [KindTrack], [KindRelease], [KindTier] or [KindPool].
	Kind string
	Name string
	// Track is the one that a product of kind track holds; empty for the other kinds.
	Track   string
	Version int
	// DelegatingKey is the Multikey that the capsules of this version are sealed to.
	DelegatingKey string
	// Units and Asset are the price: whole smallest units in decimal, and a CAIP-19 or iso4217 name.
	Units    string
	Asset    string
	Decimals int
	// Flexible says that buyers name the price themselves: Units is the least then, and Suggested what they are asked for.
	Flexible  bool
	Suggested string
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
		ID: string(t.ID), URI: s.ProductURI(string(t.ID)), Artist: t.Artist, Kind: KindTrack, Name: t.Title, Track: t.URI,
		Version: 1, Units: "0", CreatedAt: s.utc(), UpdatedAt: s.utc(),
	}
	delegating, err := s.delegating(ctx, p.Artist, p.URI, p.Version)
	if err != nil {
		return nil, err
	}
	if p.DelegatingKey, err = publicText(delegating); err != nil {
		return nil, err
	}
	row, err := s.capsule(delegating, p, t.URI, key)
	if err != nil {
		return nil, err
	}
	return func(tx *gorm.DB) error {
		if err := tx.Create(&p).Error; err != nil {
			return fmt.Errorf("write product: %w", err)
		}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("write capsule: %w", err)
		}
		if err := tx.Create(&stockRow{Product: p.URI, Version: p.Version, Track: t.URI, Position: 1}).Error; err != nil {
			return fmt.Errorf("write item: %w", err)
		}
		return nil
	}, nil
}

// ProductURI is the URI of a local product, by its id.
func (s *Service) ProductURI(id string) string { return s.base + "/products/" + id }

// delegating is the secret key of one version of a product.
func (s *Service) delegating(ctx context.Context, artist, product string, version int) (*umbral.SecretKey, error) {
	keys, err := s.artist(ctx, artist)
	if err != nil {
		return nil, err
	}
	key, err := keys.Product(product, version)
	if err != nil {
		return nil, fmt.Errorf("key of product %s: %w", product, err)
	}
	return key, nil
}

func publicText(key *umbral.SecretKey) (string, error) {
	return multikey.EncodeSecp256k1(key.PublicKey().Bytes())
}

// capsule seals a content key to the version of p.
func (s *Service) capsule(delegating *umbral.SecretKey, p Product, track string, key seal.ContentKey) (Capsule, error) {
	capsule, ciphertext, err := umbral.Encrypt(s.rand, delegating.PublicKey(), key[:])
	if err != nil {
		return Capsule{}, fmt.Errorf("seal content key of %s: %w", track, err)
	}
	return Capsule{
		Track: track, Product: p.URI, Version: p.Version, Capsule: capsule.Bytes(), Ciphertext: ciphertext, CreatedAt: s.utc(),
	}, nil
}

// Price is what a product costs: whole smallest units of an asset.
type Price struct {
	Units, Asset string
	Decimals     int
	// Flexible lets buyers name the price: Units is the least then, and Suggested what they are asked for, at least as
	// much.
	Flexible  bool
	Suggested string
}

// SetPrice sets what the product of a track costs from now on; orders that were quoted keep their price.
func (s *Service) SetPrice(tx *gorm.DB, track string, p Price) error {
	return s.update(tx.Where("track = ? AND kind = ?", track, KindTrack), track, p.values())
}

// SetProductPrice sets what a product of any kind costs, by its URI, as SetPrice does.
func (s *Service) SetProductPrice(tx *gorm.DB, product string, p Price) error {
	return s.update(tx.Where("uri = ?", product), product, p.values())
}

func (p Price) values() map[string]any {
	return map[string]any{"units": p.Units, "asset": p.Asset, "decimals": p.Decimals, "flexible": p.Flexible, "suggested": p.Suggested}
}

// SetOpen puts the product of a track on sale, or takes it out; grants stay.
func (s *Service) SetOpen(tx *gorm.DB, track, name string, open bool) error {
	return s.update(tx.Where("track = ? AND kind = ?", track, KindTrack), track, map[string]any{"open": open, "name": name})
}

// SetProductOpen is SetOpen for a product of any kind, by its URI.
func (s *Service) SetProductOpen(tx *gorm.DB, product, name string, open bool) error {
	return s.update(tx.Where("uri = ?", product), product, map[string]any{"open": open, "name": name})
}

func (s *Service) update(tx *gorm.DB, what string, values map[string]any) error {
	values["updated_at"] = s.utc()
	result := tx.Model(&Product{}).Updates(values)
	if result.Error != nil {
		return fmt.Errorf("change product %s: %w", what, result.Error)
	}
	if result.RowsAffected == 0 {
		return fmt.Errorf("%w: %s", ErrUnknownProduct, what)
	}
	return nil
}

// Product returns a product by its URI, or [ErrUnknownProduct].
func (s *Service) Product(ctx context.Context, uri string) (Product, error) {
	return s.product(ctx, "uri = ?", uri)
}

// ProductOf returns a track's own product, or [ErrUnknownProduct].
func (s *Service) ProductOf(ctx context.Context, track string) (Product, error) {
	return s.product(ctx, "track = ? AND kind = 'track'", track)
}

// ProductsOf returns the products whose present versions hold a track: its own first, then the others, the oldest first.
func (s *Service) ProductsOf(ctx context.Context, track string) ([]Product, error) {
	var products []Product
	err := s.db.Read.WithContext(ctx).
		Joins("JOIN product_items ON product_items.product = products.uri AND product_items.version = products.version").
		Where("product_items.track = ?", track).Order("CASE products.kind WHEN 'track' THEN 0 ELSE 1 END, products.created_at, products.uri").
		Find(&products).Error
	if err != nil {
		return nil, fmt.Errorf("read products of %s: %w", track, err)
	}
	return products, nil
}

// Items returns the URIs of the tracks that a version of a product holds, in order.
func (s *Service) Items(ctx context.Context, product string, version int) ([]string, error) {
	rows, err := stocked(s.db.Read.WithContext(ctx), product, version)
	return tracksOf(rows), err
}

func (s *Service) product(ctx context.Context, query, value string) (Product, error) {
	var p Product
	err := s.db.Read.WithContext(ctx).Where(query, value).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Product{}, fmt.Errorf("%w: %s", ErrUnknownProduct, value)
	}
	return p, err
}

// OnSale returns what an artist sells for money and for good, the latest first, at most limit.
func (s *Service) OnSale(ctx context.Context, artist string, limit int) ([]Product, error) {
	var rows []Product
	err := s.db.Read.WithContext(ctx).Where("artist = ? AND open = ? AND units <> '0' AND kind <> ?", artist, true, KindTier).Order("created_at DESC, id").Limit(limit).Find(&rows).Error
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

// Granted returns the grant of a product that stands for the buyer, or "". A grant that ends counts for the period that
// the product is in, and for no later one.
func (s *Service) Granted(ctx context.Context, buyer, product string) (string, error) {
	var g grantRow
	err := s.db.Read.WithContext(ctx).Where("buyer = ? AND product = ? AND revoked_at IS NULL AND replaced_by = ''", buyer, product).
		Where("end_time IS NULL OR version = (SELECT version FROM products WHERE uri = ?)", product).
		Order("version DESC").Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", nil
	}
	return g.URI, err
}
