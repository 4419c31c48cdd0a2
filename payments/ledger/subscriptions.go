package ledger

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// FindSubscriptions returns the numbers of the records with payments for a month of listening, from record from on, at most
// limit.
func FindSubscriptions(ctx context.Context, tx *gorm.DB, month royalty.Month, from int64, limit int) ([]int64, error) {
	if _, err := royalty.ParseMonth(string(month)); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	var numbers []int64
	err := tx.WithContext(ctx).Model(&entry{}).Where("n >= ? AND record LIKE ? AND record LIKE ?", from,
		`%"fn":"record_subscriptions"%`, `%"month":"`+string(month)+`"%`).Order("n").Limit(limit).Pluck("n", &numbers).Error
	if err != nil {
		return nil, fmt.Errorf("find subscriptions: %w", err)
	}
	return numbers, nil
}

// ReadSubscriptions reads a record whose place in a ledger was proved; a record of anything else is ErrInvalid.
func ReadSubscriptions(data []byte) (contract.Subscriptions, error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return contract.Subscriptions{}, fmt.Errorf("%w: record: %w", ErrInvalid, err)
	}
	return contract.ReadSubscriptions(r.Function, r.Args)
}
