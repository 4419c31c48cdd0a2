package access

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"antiphon/vocab"
)

// OpenPool makes sure that an artist's product of the listening pool holds these tracks for a period, a month as yyyymm,
// and returns it. Each period has a delegating key of its own. What is added reaches those who were granted the period;
// what is taken out leaves with the next one; of more than 500 tracks the first 500 are in. Twice is once. It returns
// [ErrEmpty] when there is no track.
func (s *Service) OpenPool(ctx context.Context, artist string, period int, tracks []string) (Product, error) {
	for {
		p, err := s.PoolOf(ctx, artist)
		if errors.Is(err, ErrUnknownProduct) {
			p, err = Product{ID: newID()}, nil
		}
		if err != nil {
			return Product{}, err
		}
		held, err := s.Items(ctx, s.ProductURI(p.ID), period)
		if err != nil {
			return Product{}, err
		}
		all := held
		for _, track := range tracks {
			if len(all) < vocab.MaxItems && !slices.Contains(all, track) {
				all = append(all, track)
			}
		}
		switch {
		case len(all) == 0:
			return Product{}, fmt.Errorf("%w: the pool of %s", ErrEmpty, artist)
		case len(all) == len(held):
			return p, nil
		}
		made, err := s.Stock(ctx, Stock{ID: p.ID, Artist: artist, Kind: KindPool, Name: "Listening pool", Version: period, Tracks: all})
		if err != nil {
			return Product{}, err
		}
		err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return made.Write(ctx, tx) })
		if !errors.Is(err, ErrChanged) {
			return made.Product, err
		}
	}
}

// PoolOf returns an artist's product of the listening pool, or [ErrUnknownProduct].
func (s *Service) PoolOf(ctx context.Context, artist string) (Product, error) {
	return s.product(ctx, "kind = 'pool' AND artist = ?", artist)
}

// PoolArtists are the artists whose part of the pool somebody was granted for a period.
func (s *Service) PoolArtists(ctx context.Context, period int) ([]string, error) {
	var artists []string
	err := s.db.Read.WithContext(ctx).Model(&Product{}).Where("kind = ?", KindPool).
		Where("EXISTS (SELECT 1 FROM product_items i WHERE i.product = products.uri AND i.version = ?)", period).
		Order("artist").Pluck("artist", &artists).Error
	if err != nil {
		return nil, fmt.Errorf("read artists of the pool: %w", err)
	}
	return artists, nil
}

// Standing is a grant that stands, with the keys that it was made for.
type Standing struct{ URI, ReceivingKey, RequestingKey string }

// StandingGrant returns the grant of a version of a product that stands for a buyer, or [ErrUnknownGrant].
func (s *Service) StandingGrant(ctx context.Context, buyer, product string, version int) (Standing, error) {
	var g grantRow
	err := s.db.Read.WithContext(ctx).Where("buyer = ? AND product = ? AND version = ? AND revoked_at IS NULL", buyer, product, version).Take(&g).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Standing{}, fmt.Errorf("%w: of %s to %s", ErrUnknownGrant, product, buyer)
	}
	return Standing{g.URI, g.ReceivingKey, g.RequestingKey}, err
}

// forgetLent forgets what the pool lent to members here, a day after it has ended, and who was lent it from here.
func (s *Service) forgetLent(ctx context.Context) error {
	before := s.utc().Add(-eraseAfter)
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var ended []string
		err := tx.Model(&keptGrant{}).Where("pool AND end_time < ?", before).Limit(batch).Pluck("uri", &ended).Error
		if err != nil || len(ended) == 0 {
			return err
		}
		if err := tx.Where("grant_uri IN ?", ended).Delete(&itemRow{}).Error; err != nil {
			return fmt.Errorf("forget items of the pool: %w", err)
		}
		if err := tx.Where("uri IN ?", ended).Delete(&keptGrant{}).Error; err != nil {
			return fmt.Errorf("forget grants of the pool: %w", err)
		}
		return nil
	})
}
