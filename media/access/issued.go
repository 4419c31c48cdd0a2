package access

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"antiphon/vocab"
)

// Issued is a grant as its artist is shown it.
type Issued struct {
	URI, Buyer, Product string
	Since               time.Time
	// Ends is when it ends by itself; zero for never.
	Ends time.Time
	// Threshold of Holders open it.
	Threshold int
	Holders   []Holder
	// Revoked is when it was taken back, zero if it stands; Reason is what was said.
	Revoked time.Time
	Reason  string
}

// Holder is a proxy of an issued grant.
type Holder struct {
	Health
	// State is accepted, waiting or rejected; for a grant that was taken back, erased or waiting.
	State string
}

// StateErased says that a proxy has confirmed that it erased what it held.
const StateErased = "erased"

// notOfPool leaves out what members of the pool are granted by the month, which they did not buy.
const notOfPool = "NOT EXISTS (SELECT 1 FROM products WHERE products.uri = grants.product AND products.kind = 'pool')"

// Issued returns what an artist has granted, the latest first, of one product or with an empty product of all that are
// sold.
func (s *Service) Issued(ctx context.Context, artist, product string, offset, limit int) ([]Issued, error) {
	q := s.db.Read.WithContext(ctx).Where("artist = ?", artist)
	if product != "" {
		q = q.Where("product = ?", product)
	} else {
		q = q.Where(notOfPool)
	}
	var rows []grantRow
	if err := q.Order("created_at DESC, uri").Offset(offset).Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read grants of %s: %w", artist, err)
	}
	all := make([]Issued, len(rows))
	for i, g := range rows {
		all[i] = Issued{
			URI: g.URI, Buyer: g.Buyer, Product: g.Product, Since: g.CreatedAt.UTC(), Threshold: g.Threshold, Reason: g.Reason,
		}
		if g.EndTime != nil {
			all[i].Ends = g.EndTime.UTC()
		}
		if g.RevokedAt != nil {
			all[i].Revoked = g.RevokedAt.UTC()
		}
		var err error
		if all[i].Holders, err = s.holders(ctx, g); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// CountIssued counts what Issued returns.
func (s *Service) CountIssued(ctx context.Context, artist, product string) (int64, error) {
	q := s.db.Read.WithContext(ctx).Model(&grantRow{}).Where("artist = ?", artist)
	if product != "" {
		q = q.Where("product = ?", product)
	} else {
		q = q.Where(notOfPool)
	}
	var n int64
	if err := q.Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count grants of %s: %w", artist, err)
	}
	return n, nil
}

// holders are the proxies of a grant's set, or those that are to erase one that was taken back.
func (s *Service) holders(ctx context.Context, g grantRow) ([]Holder, error) {
	tx := s.db.Read.WithContext(ctx)
	states := map[string]string{}
	if g.RevokedAt != nil {
		var rows []revocationRow
		if err := tx.Where("grant_uri = ?", g.URI).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read revocations of %s: %w", g.URI, err)
		}
		states[s.InstanceActor()] = StateErased
		for _, row := range rows {
			states[row.Proxy] = madeWaiting
			if row.AcknowledgedAt != nil {
				states[row.Proxy] = StateErased
			}
		}
	} else {
		var rows []madeRow
		if err := tx.Where("grant_uri = ? AND set_number = ?", g.URI, g.SetNumber).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read fragments of %s: %w", g.URI, err)
		}
		for _, row := range rows {
			states[row.Proxy] = row.State
		}
	}
	var proxies []vocab.Proxy
	if err := json.Unmarshal([]byte(g.Proxies), &proxies); err != nil {
		return nil, fmt.Errorf("proxies of %s: %w", g.URI, err)
	}
	actors := make([]string, len(proxies))
	for i, p := range proxies {
		actors[i] = p.Actor
	}
	health, err := s.health(ctx, actors)
	if err != nil {
		return nil, err
	}
	all := make([]Holder, len(health))
	for i, h := range health {
		all[i] = Holder{Health: h, State: states[h.Actor]}
	}
	return all, nil
}
