package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
)

// recorded is the command of a record, to be submitted to another ledger as it was to this one.
type recorded struct {
	function string
	args     json.RawMessage
}

var _ contract.Command = recorded{}

func (r recorded) Call() (string, any, error) { return r.function, r.args, nil }

// Recorded is the command that record n was made by, or ErrNotFound.
func Recorded(ctx context.Context, tx *gorm.DB, n int64) (Command, error) {
	var row entry
	err := tx.WithContext(ctx).Where("n = ?", n).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: record %d", ErrNotFound, n)
	}
	if err != nil {
		return nil, fmt.Errorf("read record %d: %w", n, err)
	}
	var r record
	if err := json.Unmarshal([]byte(row.Record), &r); err != nil {
		return nil, fmt.Errorf("%w: record %d: %w", ErrTampered, n, err)
	}
	return recorded{r.Function, r.Args}, nil
}
