package ledger

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/payments/ledger/contract"
)

// Event is what a function of the contract has emitted.
type Event = contract.Event

// Embedded is the ledger with the database that it lies in: the contract's Backend for who has no transaction open.
type Embedded struct {
	Ledger *Ledger
	DB     *db.DB
}

var _ contract.Backend = Embedded{}

// Submit runs a command in a transaction of its own, which shares its commit with others that come at the same time.
func (e Embedded) Submit(ctx context.Context, c Command) error {
	return e.DB.Tx(db.Grouped(ctx), func(ctx context.Context, tx *gorm.DB) error {
		_, err := e.Ledger.Post(ctx, tx, c)
		return err
	})
}

// Get implements [contract.Backend].
func (e Embedded) Get(ctx context.Context, key string) (string, bool, error) {
	return table{e.DB.Read.WithContext(ctx)}.get(key)
}

// Range implements [contract.Backend].
func (e Embedded) Range(ctx context.Context, start, end string, fn func(key, value string) error) error {
	return table{e.DB.Read.WithContext(ctx)}.scan(start, end, fn)
}

// Events implements [contract.Backend].
func (e Embedded) Events(ctx context.Context, fn func(Event) error) error {
	for next := int64(0); ; {
		var rows []entry
		err := e.DB.Read.WithContext(ctx).Where("n >= ? AND record LIKE ?", next, `%,"event":{"name":%`).Order("n").Limit(batch).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, row := range rows {
			next = row.N + 1
			var r record
			if err := json.Unmarshal([]byte(row.Record), &r); err != nil {
				return fmt.Errorf("record %d: %w", row.N, err)
			}
			if r.Event == nil {
				continue
			}
			payload, err := base64.StdEncoding.DecodeString(r.Event.Payload)
			if err != nil {
				return fmt.Errorf("record %d: %w", row.N, err)
			}
			if err := fn(Event{TxID: fmt.Sprint(row.N), Name: r.Event.Name, Payload: payload}); err != nil {
				return err
			}
		}
		if len(rows) < batch {
			return nil
		}
	}
}
