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
	var rows []totalRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ? AND stage = ?", month, stage).Find(&rows).Error; err != nil {
		return contract.TotalProof{}, wrap("read totals", err)
	}
	totals := make([]contract.ArtistTotal, len(rows))
	for i, r := range rows {
		totals[i] = contract.ArtistTotal{Artist: contract.Digest("payee", r.Artist), Micro: r.Micro}
	}
	slices.SortFunc(totals, func(a, b contract.ArtistTotal) int { return strings.Compare(a.Artist, b.Artist) })
	hash := contract.Digest("payee", artist)
	lines, n := make([]string, len(totals)), -1
	for i, t := range totals {
		lines[i] = contract.ArtistLine(t)
		if t.Artist == hash {
			n = i
		}
	}
	if n < 0 {
		return contract.TotalProof{}, fmt.Errorf("%w: %s has no part in %s", ErrUnknown, artist, month)
	}
	hashes, err := royalty.Prove(lines, int64(n))
	return contract.TotalProof{Month: month, N: int64(n), Micro: totals[n].Micro, Hashes: hashes}, err
}
