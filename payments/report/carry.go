package report

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// carryRow is a row of report_carries.
type carryRow struct {
	Month    royalty.Month `gorm:"primaryKey"`
	Listener string        `gorm:"primaryKey"`
	Micro    royalty.Micro
	Months   int
}

func (carryRow) TableName() string { return "report_carries" }

// carried is what was left of earlier months, by this month's pseudonyms.
func (s *Service) carried(ctx context.Context, month royalty.Month) (map[string]Carry, error) {
	out := map[string]Carry{}
	var rows []carryRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Find(&rows).Error; err != nil || len(rows) == 0 {
		return out, wrap("read what was carried", err)
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, r := range rows {
			name, err := s.Pseudonyms.Of(ctx, tx, month, r.Listener)
			if err != nil {
				return err
			}
			out[name] = Carry{r.Micro, r.Months}
		}
		return nil
	})
	return out, err
}

// fund is who has what could not be divided among artists because there were none.
const fund = "fund"

// carryOn writes what is left of listeners for the next month, under their own names: the next month's pseudonyms are
// others.
func (s *Service) carryOn(ctx context.Context, st contract.Statement, left []royalty.Listener) error {
	month := st.Month
	byName := map[string]royalty.Listener{}
	rest := st.CarryOut
	for _, l := range left {
		byName[l.Pseudonym] = l
		rest -= l.Carried
	}
	var listeners []string
	if len(left) > 0 {
		err := s.Members.Members(ctx, month, func(listener string) error { listeners = append(listeners, listener); return nil })
		if err != nil {
			return err
		}
	}
	var before []carryRow
	if err := s.DB.Read.WithContext(ctx).Where("month = ?", month).Find(&before).Error; err != nil {
		return wrap("read what was carried", err)
	}
	for _, r := range before {
		listeners = append(listeners, r.Listener)
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Where("month = ?", month.Next()).Delete(&carryRow{}).Error; err != nil {
			return wrap("clear what is carried", err)
		}
		var rows []carryRow
		if rest > 0 {
			rows = append(rows, carryRow{month.Next(), fund, rest, maxCarry})
		}
		for _, listener := range listeners {
			name, err := s.Pseudonyms.Of(ctx, tx, month, listener)
			if err != nil {
				return err
			}
			if l, ok := byName[name]; ok {
				rows = append(rows, carryRow{month.Next(), listener, l.Carried, l.Months})
				delete(byName, name)
			}
		}
		if len(byName) > 0 {
			return fmt.Errorf("%w: %d listeners with something left are no members", ErrUnknown, len(byName))
		}
		return wrap("write what is carried", tx.CreateInBatches(rows, pageLines/4).Error)
	})
}

// maxCarry is for how many months nothing is ever carried.
const maxCarry = 1200
