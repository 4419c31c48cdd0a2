package report

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// splitRow is a row of report_splits.
type splitRow struct {
	Month             royalty.Month
	Stage             Stage
	N                 int64
	Pseudonym, Artist string
	Micro             royalty.Micro
}

func (splitRow) TableName() string { return "report_splits" }

// totalRow is a row of report_totals.
type totalRow struct {
	Month  royalty.Month
	Stage  Stage
	Artist string
	Micro  royalty.Micro
}

func (totalRow) TableName() string { return "report_totals" }

// compile compiles a month and keeps what came out, in the place of what an interrupted call has left.
func (s *Service) compile(ctx context.Context, m Month, stage Stage) (Compiled, []royalty.Listener, error) {
	for _, table := range []any{&splitRow{}, &totalRow{}, &monthRow{}} {
		if err := s.DB.Write.WithContext(ctx).Where("month = ? AND stage = ?", m.Month, stage).Delete(table).Error; err != nil {
			return Compiled{}, nil, wrap("clear month", err)
		}
	}
	var carries []royalty.Listener
	page := make([]splitRow, 0, pageLines)
	var n int64
	flush := func() error {
		if len(page) == 0 {
			return nil
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return tx.CreateInBatches(page, pageLines/4).Error })
		page = page[:0]
		return wrap("write splits", err)
	}
	compiled, err := m.Compile(func(l royalty.SplitLine) error {
		page = append(page, splitRow{m.Month, stage, n, l.Pseudonym, l.Artist, l.Micro})
		n++
		if len(page) < cap(page) {
			return nil
		}
		return flush()
	}, func(l royalty.Listener) error { carries = append(carries, l); return nil })
	if err == nil {
		err = flush()
	}
	if err != nil {
		return Compiled{}, nil, err
	}
	text, err := json.Marshal(compiled.Statement)
	if err != nil {
		return Compiled{}, nil, err
	}
	now, err := s.chosen(ctx, m.Month)
	if err != nil {
		return Compiled{}, nil, err
	}
	chosen, err := json.Marshal(now)
	if err != nil {
		return Compiled{}, nil, err
	}
	totals := make([]totalRow, 0, len(compiled.Artists))
	for artist, micro := range compiled.Artists {
		if _, withheld := m.Withheld[contract.Digest("payee", artist)]; withheld {
			continue // it is not among the totals of the statement
		}
		totals = append(totals, totalRow{m.Month, stage, artist, micro})
	}
	err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.CreateInBatches(totals, pageLines/4).Error; err != nil {
			return err
		}
		return tx.Create(&monthRow{m.Month, stage, string(text), string(chosen), s.Now().UTC()}).Error
	})
	return compiled, carries, wrap("write month", err)
}
