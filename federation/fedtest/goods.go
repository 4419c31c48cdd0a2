package fedtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"antiphon/federation/outbox"
	"antiphon/media/access"
	"antiphon/vocab"
)

// Goods stands in for what is sold.
type Goods struct {
	mu       sync.Mutex
	products []access.Product
	// Shop answers in the place of what tracks were written with when it is set.
	Shop outbox.Goods
	// Shares says who is owed what a product is paid; nobody but the artist when nil.
	Shares func(ctx context.Context, product string) ([]vocab.Share, error)
}

func (g *Goods) add(p access.Product) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.products = append(g.products, p)
}

func (g *Goods) all() []access.Product {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.products)
}

func (g *Goods) shares(ctx context.Context, product string) ([]vocab.Share, error) {
	if g.Shares == nil {
		return nil, nil
	}
	return g.Shares(ctx, product)
}

// Product implements outbox.Goods.
func (g *Goods) Product(ctx context.Context, uri string) (access.Product, error) {
	if g.Shop != nil {
		return g.Shop.Product(ctx, uri)
	}
	for _, p := range g.all() {
		if p.URI == uri {
			return p, nil
		}
	}
	return access.Product{}, fmt.Errorf("%w: %s", access.ErrUnknownProduct, uri)
}

// ProductOf implements outbox.Goods.
func (g *Goods) ProductOf(ctx context.Context, track string) (access.Product, error) {
	if g.Shop != nil {
		return g.Shop.ProductOf(ctx, track)
	}
	for _, p := range g.all() {
		if p.Track == track {
			return p, nil
		}
	}
	return access.Product{}, fmt.Errorf("%w: %s", access.ErrUnknownProduct, track)
}

// ProductsOf implements outbox.Goods.
func (g *Goods) ProductsOf(ctx context.Context, track string) ([]access.Product, error) {
	if g.Shop != nil {
		return g.Shop.ProductsOf(ctx, track)
	}
	p, err := g.ProductOf(ctx, track)
	return []access.Product{p}, err
}

// Capsules implements outbox.Goods.
func (g *Goods) Capsules(ctx context.Context, track string) ([]access.Capsule, error) {
	if g.Shop != nil {
		return g.Shop.Capsules(ctx, track)
	}
	for _, p := range g.all() {
		if p.Track == track {
			return []access.Capsule{{
				Track: track, Product: p.URI, Version: p.Version,
				Capsule: make([]byte, vocab.CapsuleSize), Ciphertext: make([]byte, vocab.CiphertextSize),
			}}, nil
		}
	}
	return nil, nil
}
