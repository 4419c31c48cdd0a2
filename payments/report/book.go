package report

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// PayersOf are those who paid a node for a month, as a ledger has them. They are read at once, 16 bytes each.
func PayersOf(ctx context.Context, r contract.Reader, month royalty.Month, node string) (iter.Seq2[string, error], error) {
	var all [][16]byte
	err := contract.Payers(ctx, r, month, node, func(name string) error {
		raw, err := hex.DecodeString(name)
		if err != nil || len(raw) != 16 {
			return fmt.Errorf("payer %.40q on the ledger", name)
		}
		all = append(all, [16]byte(raw))
		return nil
	})
	return func(yield func(string, error) bool) {
		for _, p := range all {
			if !yield(hex.EncodeToString(p[:]), nil) {
				return
			}
		}
	}, err
}

// Days are a node's reports of a month's days, as a ledger has them.
func Days(ctx context.Context, r contract.Reader, month royalty.Month, node string) ([]contract.Day, error) {
	var days []contract.Day
	err := contract.Days(ctx, r, month, node, func(d contract.Day) error { days = append(days, d); return nil })
	return days, err
}
