package payments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/amount"
)

// tellEvery is how often a buyer is told that a payment has more confirmations than before.
const tellEvery = 10 * time.Second

// Targets returns which of the addresses orders of a provider are paid to.
func Targets(ctx context.Context, tx *gorm.DB, provider string, addresses []string) (map[string]bool, error) {
	known := map[string]bool{}
	const chunk = 500
	for len(addresses) > 0 {
		some := addresses[:min(chunk, len(addresses))]
		addresses = addresses[len(some):]
		var found []string
		err := tx.WithContext(ctx).Model(&Order{}).Where("provider = ? AND target IN ?", provider, some).Distinct().Pluck("target", &found).Error
		if err != nil {
			return nil, fmt.Errorf("look up targets: %w", err)
		}
		for _, target := range found {
			known[target] = true
		}
	}
	return known, nil
}

// noteSeen writes to the orders of a provider which payments are on their way, and which are so no more. A payment that
// was undone leaves its order as it was before.
func (s *Service) noteSeen(ctx context.Context, p Provider, tentative []Tentative) error {
	asset, _ := p.Asset()
	var orders []Order
	err := s.db.Read.WithContext(ctx).Where("provider = ? AND asset = ? AND seen <> ''", p.Name(), asset).Find(&orders).Error
	if err != nil {
		return fmt.Errorf("read orders: %w", err)
	}
	byTarget := map[string]*Order{}
	for i := range orders {
		byTarget[orders[i].Target] = &orders[i]
	}
	paid := map[string][]Tentative{}
	for _, t := range tentative {
		if t.Amount.Asset != asset || t.Amount.IsZero() {
			continue
		}
		if byTarget[t.Target] == nil {
			o, err := s.orderOf(ctx, p.Name(), t.Payment)
			if err != nil {
				return fmt.Errorf("order of %s: %w", t.Target, err)
			}
			byTarget[t.Target] = &o
		}
		paid[t.Target] = append(paid[t.Target], t)
	}
	for target, o := range byTarget {
		if err := s.noteOrder(ctx, *o, paid[target]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) noteOrder(ctx context.Context, o Order, paid []Tentative) error {
	words, err := seenWords(o, paid)
	if err != nil || words == o.Seen {
		return err
	}
	now := s.now().UTC()
	told := words
	if words == "" {
		told = "The payment that was seen is not there any more: the chain has taken another way. It may come back by itself."
		if !o.State.Open() {
			told = ""
		}
	} else if o.Seen != "" && now.Sub(o.UpdatedAt) < tellEvery {
		// The seller's page shows each confirmation; the buyer's instance is told now and then.
		return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&Order{}).Where("uri = ?", o.URI).UpdateColumn("seen", words).Error
		})
	}
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		err := tx.Model(&Order{}).Where("uri = ?", o.URI).UpdateColumns(map[string]any{"seen": words, "updated_at": now}).Error
		if err != nil {
			return fmt.Errorf("note order %s: %w", o.URI, err)
		}
		if told == "" {
			return nil
		}
		return s.note(ctx, tx, OrderNoted{Order: o.URI, Words: strings.TrimSpace(told)}, o)
	})
}

// seenWords tell of the payments to an order that are not final yet: their sum, and the confirmations of the last one.
func seenWords(o Order, paid []Tentative) (string, error) {
	if len(paid) == 0 {
		return "", nil
	}
	var sum amount.Units
	var err error
	last := paid[0]
	for _, t := range paid {
		if sum, err = sum.Add(t.Amount.Units); err != nil {
			return "", fmt.Errorf("add payments of order %s: %w", o.URI, err)
		}
		if t.Confirmations < last.Confirmations {
			last = t
		}
	}
	return fmt.Sprintf("%s of %s seen in block %d, %d of %d confirmations.",
		sum.Decimal(o.Decimals), o.Units.Decimal(o.Decimals), last.Block, last.Confirmations, last.Needed), nil
}
