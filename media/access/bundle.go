package access

import (
	"context"

	"gorm.io/gorm"

	"antiphon/media"
)

var _ media.Bundler = (*Service)(nil)

// Bundle implements [media.Bundler]: a release's product has the release's id.
func (s *Service) Bundle(ctx context.Context, r media.Release, tracks []string) (func(ctx context.Context, tx *gorm.DB) error, error) {
	made, err := s.Stock(ctx, Stock{ID: string(r.ID), Artist: r.Artist, Kind: KindRelease, Name: r.Title, Tracks: tracks})
	if err != nil {
		return nil, err
	}
	return made.Write, nil
}

// OpenBundle implements [media.Bundler].
func (s *Service) OpenBundle(tx *gorm.DB, r media.Release, open bool) error {
	return s.SetProductOpen(tx, s.ProductURI(string(r.ID)), r.Title, open)
}

// ReleaseProduct returns the product that a release is sold as, or [ErrUnknownProduct].
func (s *Service) ReleaseProduct(ctx context.Context, id media.ReleaseID) (Product, error) {
	return s.Product(ctx, s.ProductURI(string(id)))
}
