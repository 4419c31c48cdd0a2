package report

import (
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"

	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

// Leave takes the name of a listener who is going out of what is carried, inside tx: it stays for the books under the
// pseudonym of its month, and is compiled as before. What the listener said of decisions goes. What artists have earned,
// where it is sent, and what was sent, stays for as long as the books: it is owed all the same.
func Leave(ctx context.Context, tx *gorm.DB, names Pseudonyms, listener string) error {
	tx = tx.WithContext(ctx)
	var rows []carryRow
	if err := tx.Where("listener = ?", listener).Find(&rows).Error; err != nil {
		return wrap("read what is carried", err)
	}
	var said []royalty.Month
	if err := tx.Model(&Decision{}).Where("appeal <> ''").Distinct("month").Pluck("month", &said).Error; err != nil {
		return wrap("read decisions", err)
	}
	for _, r := range rows {
		said = append(said, r.Month)
	}
	slices.Sort(said)
	for _, month := range slices.Compact(said) {
		name, err := names.Of(ctx, tx, month, listener)
		if errors.Is(err, pseudonym.ErrForgotten) {
			// A month as old as that is long divided: only the name is left of it.
			if err := tx.Where("month = ? AND listener = ?", month, listener).Delete(&carryRow{}).Error; err != nil {
				return wrap("forget what was carried", err)
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := tx.Model(&carryRow{}).Where("month = ? AND listener = ?", month, listener).Update("listener", name).Error; err != nil {
			return wrap("keep what is carried", err)
		}
		if err := tx.Model(&Decision{}).Where("month = ? AND pseudonym = ?", month, name).Update("appeal", "").Error; err != nil {
			return wrap("forget what was said", err)
		}
	}
	return nil
}
