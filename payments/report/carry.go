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

// fund is who has what is to be divided among all artists of a month: what nobody has claimed, and what could not be divided
// before because there were no artists.
const fund = "fund"

// settleFund makes what is carried into a month by name come to what the ledger has: the rest is the common fund's, such as
// what artists have not claimed. It may be called again until the month is reported.
func (s *Service) settleFund(ctx context.Context, month royalty.Month) error {
	last, _, err := contract.CanLapse(ctx, s.Book, s.config.Node)
	if err != nil {
		return err
	}
	micro, err := contract.CarriedInto(ctx, s.Book, s.config.Node)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		// A month that nobody reported has left everything to this one.
		if last != "" && last.Next() < month {
			err := tx.Model(&carryRow{}).Where("month = ?", last.Next()).Update("month", month).Error
			if err != nil {
				return wrap("carry over a month", err)
			}
		}
		var rows []carryRow
		if err := tx.Where("month = ?", month).Find(&rows).Error; err != nil {
			return wrap("read what is carried", err)
		}
		rest := micro
		for _, r := range rows {
			if r.Listener != fund {
				rest -= r.Micro
			}
		}
		if rest < 0 {
			return fmt.Errorf("%w: %s more is carried by name than is on the ledger", ErrNotYet, -rest)
		}
		if err := tx.Where("month = ? AND listener = ?", month, fund).Delete(&carryRow{}).Error; err != nil || rest == 0 {
			return wrap("clear the fund", err)
		}
		return wrap("write the fund", tx.Create(&carryRow{month, fund, rest, maxCarry}).Error)
	})
}

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
