package report

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// Owed is what this instance owes an artist, by URI, on all final statements, less what was sent.
func (s *Service) Owed(ctx context.Context, artist string) (royalty.Micro, error) {
	hash := contract.Digest("payee", artist)
	owed, err := contract.Due(ctx, s.Book, s.config.Node, hash)
	if err != nil {
		return 0, err
	}
	// A statement of many artists has their totals under a root alone; they are proved when they are sent.
	proofs, err := s.proofs(ctx, artist)
	for _, p := range proofs {
		owed += p.Micro
	}
	return owed, err
}

// proofs are those of an artist's totals in final statements that have only a root, and were not sent on yet.
func (s *Service) proofs(ctx context.Context, artist string) ([]contract.TotalProof, error) {
	var months []royalty.Month
	err := s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("stage = ? AND artist = ?", Final, artist).Order("month").Pluck("month", &months).Error
	if err != nil {
		return nil, wrap("read months", err)
	}
	var out []contract.TotalProof
	hash := contract.Digest("payee", artist)
	for _, month := range months {
		final, err := contract.Finally(ctx, s.Book, month, s.config.Node)
		if errors.Is(err, contract.ErrUnknown) || err == nil && int64(len(final.Artists)) == final.ArtistCount {
			continue
		}
		if err != nil {
			return nil, err
		}
		credited, err := contract.Credited(ctx, s.Book, month, s.config.Node, hash)
		if err != nil {
			return nil, err
		}
		if credited {
			continue
		}
		p, err := s.ProveTotal(ctx, month, Final, artist)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// ProveTotal proves an artist's total under the ArtistsRoot of a month's statement.
func (s *Service) ProveTotal(ctx context.Context, month royalty.Month, stage Stage, artist string) (contract.TotalProof, error) {
	proofs, err := s.proveTotals(ctx, month, stage, []string{artist})
	p, found := proofs[artist]
	if err == nil && !found {
		err = fmt.Errorf("%w: %s has no part in %s", ErrUnknown, artist, month)
	}
	return p, err
}

// proveTotals proves the totals of those of some artists who have a part in a month.
func (s *Service) proveTotals(ctx context.Context, month royalty.Month, stage Stage, artists []string) (map[string]contract.TotalProof, error) {
	var rows []totalRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ?", month, stage).Find(&rows).Error; err != nil {
		return nil, wrap("read totals", err)
	}
	wanted := map[string]bool{}
	for _, artist := range artists {
		wanted[artist] = true
	}
	type total struct {
		row  totalRow
		hash string
	}
	totals := make([]total, len(rows))
	for i, r := range rows {
		totals[i] = total{r, contract.Digest("payee", r.Artist)}
	}
	slices.SortFunc(totals, func(a, b total) int { return strings.Compare(a.hash, b.hash) })
	var p prover
	var of []totalRow
	for _, t := range totals {
		if wanted[t.row.Artist] {
			of = append(of, t.row)
		}
		if err := p.add(contract.ArtistLine(contract.ArtistTotal{Artist: t.hash, Micro: t.row.Micro}), wanted[t.row.Artist]); err != nil {
			return nil, err
		}
	}
	proofs, err := p.proofs()
	out := map[string]contract.TotalProof{}
	for i, one := range proofs {
		out[of[i].Artist] = contract.TotalProof{Month: month, N: one.N, Micro: of[i].Micro, Hashes: one.Hashes}
	}
	return out, err
}
