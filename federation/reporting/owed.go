package reporting

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

// Owing is what one node owes an artist of here, as this instance's own ledger has it.
type Owing struct {
	Node string
	// Micro may be below zero after corrections: later money is set off against it, and nothing is asked for.
	Micro royalty.Micro
	// Until is when the oldest of it goes to the common fund if the artist does not say where to be paid; zero when that is
	// said.
	Until time.Time
}

// Change is what changed later in what an artist got: a correction, or what has gone to the common fund.
type Change struct {
	Node string
	// In is the month that it is made in, Of the one that is mended; empty for what has lapsed.
	In, Of royalty.Month
	// About is why, in the contract's words, and "lapsed" for what has lapsed.
	About string
	Micro royalty.Micro
}

// Lapsed is what [Change] is about when money has gone to the common fund.
const Lapsed = "lapsed"

// OwedTo is what every node owes an artist of here, those that owe nothing left out, in the order of their hosts.
func (s *Service) OwedTo(ctx context.Context, artist string) ([]Owing, error) {
	_, address, err := s.Reports.AddressOf(ctx, artist)
	if err != nil {
		return nil, err
	}
	nodes, err := contract.Nodes(ctx, s.Book())
	if err != nil {
		return nil, err
	}
	earned, err := s.earned(ctx, artist)
	if err != nil {
		return nil, err
	}
	var out []Owing
	for _, n := range nodes {
		o := Owing{Node: n.Host}
		if o.Micro, err = s.owedBy(ctx, n.Host, artist, earned[n.Host]); err != nil {
			return nil, err
		}
		if o.Micro == 0 {
			continue
		}
		if oldest := report.OldestOwed(o.Micro, earned[n.Host]); oldest != "" && address == "" {
			if o.Until, err = contract.LapsesAt(ctx, s.Book(), oldest); err != nil {
				return nil, err
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// owedBy is what a node owes: what its ledger names, and what its statements have under a root alone.
func (s *Service) owedBy(ctx context.Context, node, artist string, earned []report.Earned) (royalty.Micro, error) {
	if node == s.Reports.Node() {
		return s.Reports.Owed(ctx, artist)
	}
	hash := contract.Digest("payee", artist)
	owed, err := contract.Due(ctx, s.Book(), node, hash)
	for _, e := range earned {
		if err != nil {
			break
		}
		var st contract.Statement
		if st, err = contract.Finally(ctx, s.Book(), e.Month, node); err != nil || int64(len(st.Artists)) == st.ArtistCount {
			continue
		}
		var credited bool
		if credited, err = contract.Credited(ctx, s.Book(), e.Month, node, hash); !credited {
			owed += e.Micro
		}
	}
	return owed, err
}

// earned is what an artist got in final statements, by node, the latest first.
func (s *Service) earned(ctx context.Context, artist string) (map[string][]report.Earned, error) {
	var rows []struct {
		Node  string
		Month royalty.Month
		Micro royalty.Micro
	}
	err := s.DB.Read.WithContext(ctx).Raw(`SELECT ? AS node, month, micro FROM report_totals WHERE artist = ? AND stage = ? UNION ALL
		SELECT node, month, micro FROM statements_heard WHERE artist = ? AND words = '' ORDER BY month DESC`,
		s.Reports.Node(), artist, report.Final, artist).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read what was earned: %w", err)
	}
	out := map[string][]report.Earned{}
	for _, r := range rows {
		final, err := contract.Finally(ctx, s.Book(), r.Month, r.Node)
		if errors.Is(err, contract.ErrUnknown) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if micro, named := final.Total(contract.Digest("payee", artist)); named {
			r.Micro = micro
		}
		out[r.Node] = append(out[r.Node], report.Earned{Month: r.Month, Micro: r.Micro})
	}
	return out, nil
}

// Changes are what changed later in what an artist of here got, the latest first.
func (s *Service) Changes(ctx context.Context, artist string) ([]Change, error) {
	nodes, err := contract.Nodes(ctx, s.Book())
	if err != nil {
		return nil, err
	}
	hash := contract.Digest("payee", artist)
	var out []Change
	for _, n := range nodes {
		err := contract.Corrections(ctx, s.Book(), n.Host, func(c contract.Correction) error {
			for _, t := range c.Entries {
				if t.Artist == hash {
					out = append(out, Change{n.Host, c.Made(), c.Month, c.About, t.Micro})
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	err = contract.LapsesOf(ctx, s.Book(), hash, func(month royalty.Month, node string, micro royalty.Micro) error {
		out = append(out, Change{Node: node, In: month, About: Lapsed, Micro: -micro})
		return nil
	})
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Or(cmp.Compare(b.In, a.In), cmp.Compare(a.Node, b.Node)) })
	return out, err
}
