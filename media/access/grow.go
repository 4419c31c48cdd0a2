package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// growBatch is how many grants one job looks through.
const growBatch = 200

// growProduct: a version of a product holds more than before; those who were granted it are to have that too.
type growProduct struct {
	Product string `json:"product"`
	Version int    `json:"version"`
	// After is the grant behind which the job goes on.
	After string `json:"after,omitempty"`
}

// Kind names the job.
func (growProduct) Kind() string { return "grow_product" }

// growGrant: a grant holds less than its version of the product.
type growGrant struct {
	Grant string `json:"grant"`
}

// Kind names the job.
func (growGrant) Kind() string { return "grow_grant" }

func (s *Service) registerGrowth(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[growProduct]{Work: func(ctx context.Context, job growProduct, _ int) error { return s.growAll(ctx, job) }})
	jobs.Handle(q, jobs.Handler[growGrant]{Work: func(ctx context.Context, job growGrant, _ int) error { return s.grow(ctx, job.Grant) }})
}

// growAll makes a job for each grant of a version that lacks something.
func (s *Service) growAll(ctx context.Context, job growProduct) error {
	var rows []grantRow
	err := s.db.Read.WithContext(ctx).Where("product = ? AND version = ? AND revoked_at IS NULL AND uri > ?", job.Product, job.Version, job.After).
		Where("end_time IS NULL OR end_time > ?", s.utc()).Order("uri").Limit(growBatch).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return err
	}
	stock, err := stocked(s.db.Read.WithContext(ctx), job.Product, job.Version)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, g := range rows {
			lacking, err := lacks(g, stock)
			if err != nil {
				return err
			}
			if !lacking {
				continue
			}
			if err := s.jobs.Insert(ctx, tx, growGrant{Grant: g.URI}); err != nil {
				return err
			}
		}
		if len(rows) < growBatch {
			return nil
		}
		job.After = rows[len(rows)-1].URI
		return s.jobs.Insert(ctx, tx, job)
	})
}

// lacks reports whether a grant holds less than a stock.
func lacks(g grantRow, stock []stockRow) (bool, error) {
	have, err := itemsOf(g)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(stock, func(row stockRow) bool { return !holds(have, row.Track) }), nil
}

func itemsOf(g grantRow) ([]vocab.Item, error) {
	var items []vocab.Item
	if err := json.Unmarshal([]byte(g.Items), &items); err != nil {
		return nil, fmt.Errorf("items of %s: %w", g.URI, err)
	}
	return items, nil
}

func holds(items []vocab.Item, track string) bool {
	return slices.ContainsFunc(items, func(i vocab.Item) bool { return i.Track == track })
}

// grow adds to a grant what its version holds beyond it. Proxies re-encrypt only the capsules that their fragment names, so
// all get new fragments; the buyer gets the later form of the grant when enough of them have accepted. Run again, it
// changes nothing.
func (s *Service) grow(ctx context.Context, uri string) error {
	g, err := grantByURI(s.db.Read.WithContext(ctx), uri)
	if err != nil {
		return err
	}
	if g.RevokedAt != nil || g.EndTime != nil && s.now().After(*g.EndTime) {
		return nil
	}
	have, err := itemsOf(g)
	if err != nil {
		return err
	}
	all, err := s.items(ctx, g.Product, g.Version)
	if err != nil {
		return err
	}
	grown := slices.Clone(have)
	for _, item := range all {
		if !holds(have, item.Track) {
			grown = append(grown, item)
		}
	}
	if len(grown) == len(have) {
		return nil
	}
	before := g.Items
	if g.Items, err = text(grown); err != nil {
		return err
	}
	newest, err := newestSet(s.db.Read.WithContext(ctx), uri)
	if err != nil {
		return err
	}
	proxies, err := s.proxiesOf(ctx, g, newest)
	if err != nil {
		return err
	}
	set, err := s.split(ctx, g, newest.Number+1, proxies)
	if err != nil {
		return err
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		result := tx.Model(&grantRow{}).Where("uri = ? AND items = ? AND revoked_at IS NULL", uri, before).Update("items", g.Items)
		if result.Error != nil {
			return fmt.Errorf("grow %s: %w", uri, result.Error)
		}
		if result.RowsAffected != 1 {
			return fmt.Errorf("grow %s: %w", uri, ErrChanged)
		}
		if err := s.write(ctx, tx, set); err != nil {
			return err
		}
		return s.promote(ctx, tx, uri, set.row.Number)
	})
}

// proxiesOf are the proxies of a set that still would hold fragments, and others in the place of those that would not.
func (s *Service) proxiesOf(ctx context.Context, g grantRow, set setRow) ([]Proxy, error) {
	candidates, err := s.candidates(ctx, g.Artist, g.Buyer, g.Product)
	if err != nil {
		return nil, err
	}
	var list []vocab.Proxy
	if err := json.Unmarshal([]byte(set.Proxies), &list); err != nil {
		return nil, fmt.Errorf("proxies of %s: %w", g.URI, err)
	}
	had := func(p Proxy) bool {
		return slices.ContainsFunc(list, func(q vocab.Proxy) bool { return q.Actor == p.Actor })
	}
	slices.SortStableFunc(candidates, func(a, b Proxy) int {
		switch {
		case had(a) == had(b):
			return 0
		case had(a):
			return -1
		}
		return 1
	})
	return candidates[:min(len(candidates), max(s.config.Proxies, len(list)))], nil
}

func newestSet(tx *gorm.DB, grant string) (setRow, error) {
	var newest setRow
	if err := tx.Where("grant_uri = ?", grant).Order("number DESC").Take(&newest).Error; err != nil {
		return newest, fmt.Errorf("look up sets of %s: %w", grant, err)
	}
	return newest, nil
}
