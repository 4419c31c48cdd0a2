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
// pseudonym of its month, and is compiled as before. What the account said of decisions goes, as a listener's and as an
// artist's. What artists have earned, where it is sent, and what was sent, stays for as long as the books: it is owed all the
// same.
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
		if err := unsay(tx, tx.Where("month = ? AND pseudonym = ?", month, name), func(w *Words) { w.Listener = "" }); err != nil {
			return err
		}
	}
	return unsay(tx, tx.Where("artist = ?", listener), func(w *Words) { w.Artist = "" })
}

// unsay takes somebody's words from decisions; the other side's stay.
func unsay(tx, which *gorm.DB, change func(w *Words)) error {
	var all []Decision
	if err := which.Where("appeal <> ''").Find(&all).Error; err != nil {
		return wrap("read decisions", err)
	}
	for _, d := range all {
		change(&d.Appeal)
		err := tx.Model(&Decision{}).Where("month = ? AND pseudonym = ? AND artist = ?", d.Month, d.Pseudonym, d.Artist).Update("appeal", d.Appeal).Error
		if err != nil {
			return wrap("forget what was said", err)
		}
	}
	return nil
}
