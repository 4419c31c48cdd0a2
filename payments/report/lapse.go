package report

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// lapseProofs is how many proofs one batch of lapses has at most, so that it is not too large for a ledger.
const lapseProofs = 400

// LapseUnclaimed gives to the common fund what artists were owed for longer than the policy says, after the list of the
// month's payouts. Whoever has said where to be paid has claimed it, were it the evening before, also what is too little to
// be sent; and a block here is no reason to keep anybody's money. It may be called again.
func (s *Service) LapseUnclaimed(ctx context.Context, month royalty.Month) error {
	if last, open, err := contract.CanLapse(ctx, s.Book, s.config.Node); err != nil || !open || last != month {
		return err // what was missed lapses with the next month
	}
	aging, err := contract.AgingAt(ctx, s.Book, s.config.Node, s.Now())
	if err != nil {
		return err
	}
	artists, err := s.paidEver(ctx, month)
	if err != nil {
		return err
	}
	batch, proofs, n := contract.Lapse{Node: s.config.Node, Month: month}, 0, 0
	submit := func() error {
		if len(batch.Lines) == 0 {
			return nil
		}
		err := s.Book.Submit(ctx, batch)
		batch.Lines, proofs = nil, 0
		return err
	}
	for _, artist := range artists {
		line, err := s.lapsing(ctx, month, artist, aging)
		if err != nil {
			return fmt.Errorf("lapse of %s: %w", artist, err)
		}
		if line.Micro == 0 {
			continue
		}
		if len(batch.Lines) == contract.MaxLines || proofs+len(line.Totals) > lapseProofs {
			if err := submit(); err != nil {
				return err
			}
		}
		batch.Lines, proofs, n = append(batch.Lines, line), proofs+len(line.Totals), n+1
	}
	if err := submit(); err != nil {
		return err
	}
	if n > 0 {
		if err := s.ListPayouts(ctx, month); err != nil {
			return err
		}
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return note(tx, lapseName(month), n) })
}

// lapsing is what an artist has not claimed in time; nothing when its Micro is 0.
func (s *Service) lapsing(ctx context.Context, month royalty.Month, artist string, aging *contract.Aging) (contract.Lapsing, error) {
	l := contract.Lapsing{Artist: contract.Digest("payee", artist)}
	if done, err := contract.LapsedAt(ctx, s.Book, month, s.config.Node, l.Artist); err != nil || done > 0 {
		return l, err
	}
	proofs, err := s.proofs(ctx, artist)
	if err != nil {
		return l, err
	}
	var proved royalty.Micro
	for _, p := range proofs {
		if !aging.Kept(p.Month) && len(l.Totals) < lapseMonths {
			l.Totals, proved = append(l.Totals, p), proved+p.Micro
		}
	}
	old, err := aging.Old(ctx, l.Artist, proved)
	if err != nil || old == 0 {
		return l, err
	}
	claimed, err := s.claimed(ctx, artist)
	if err == nil && !claimed {
		l.Micro = old
	}
	return l, err
}

// lapseMonths is how many totals are proved at once; the rest lapses later.
const lapseMonths = 36

// claimed reports whether an artist's money is to wait: there is an address, or nobody could have been asked for one.
func (s *Service) claimed(ctx context.Context, artist string) (bool, error) {
	payee := artist
	var err error
	if s.Moved != nil {
		if payee, err = s.Moved(ctx, artist); err != nil {
			return false, err
		}
	}
	if address, err := s.address(ctx, payee, s.Now().Add(time.Second)); err != nil || address != "" {
		return address != "", err
	}
	if s.Blocked == nil {
		return false, nil
	}
	return s.Blocked(ctx, payee)
}

func lapseName(month royalty.Month) string { return "lapses/" + string(month) }

// note writes down that something is done, and of how much.
func note(tx *gorm.DB, name string, n int) error {
	return wrap("note "+name, tx.Exec("INSERT INTO report_feed (name, n) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n", name, n).Error)
}

func (s *Service) noted(ctx context.Context, name string) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Table("report_feed").Where("name = ?", name).Count(&n).Error
	return n > 0, wrap("read what is done", err)
}

// Lapsed is what an artist has lost to the common fund.
type Lapsed struct {
	Artist string
	Micro  royalty.Micro
}

// Lapsed are those whose money has gone to the common fund after a month's final statement, in the order of their hashes.
func (s *Service) Lapsed(ctx context.Context, month royalty.Month) ([]Lapsed, error) {
	names, err := s.names(ctx)
	if err != nil {
		return nil, err
	}
	var out []Lapsed
	err = contract.Lapses(ctx, s.Book, month, s.config.Node, func(t contract.ArtistTotal) error {
		out = append(out, Lapsed{names[t.Artist], t.Micro})
		return nil
	})
	return out, err
}

// names are the artists of all statements by the hashes that the ledger has of them.
func (s *Service) names(ctx context.Context) (map[string]string, error) {
	artists, err := s.paidEver(ctx, royalty.MonthOf(s.Now()))
	names := make(map[string]string, len(artists))
	for _, artist := range artists {
		names[contract.Digest("payee", artist)] = artist
	}
	return names, err
}

// paidEver are all artists of the statements up to a month: each may be owed something, also whose slice a dispute has kept out
// of the final one.
func (s *Service) paidEver(ctx context.Context, month royalty.Month) ([]string, error) {
	var artists []string
	err := s.DB.Read.WithContext(ctx).Model(&totalRow{}).Where("month <= ?", month).Distinct("artist").Order("artist").Pluck("artist", &artists).Error
	return artists, wrap("read artists", err)
}

// Earned is what an artist got in one month.
type Earned struct {
	Month royalty.Month
	Micro royalty.Micro
}

// OldestOwed is the month of the oldest money in what an artist is owed, as payouts take the oldest first; empty when
// nothing is owed. earned are all months, the latest first.
func OldestOwed(owed royalty.Micro, earned []Earned) royalty.Month {
	var oldest royalty.Month
	for _, e := range earned {
		if owed <= 0 {
			break
		}
		oldest, owed = e.Month, owed-e.Micro
	}
	return oldest
}
