package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/payments/ledger/contract"
)

// Called is a call as the log has it.
type Called struct {
	// N is the record's number, from 0.
	N                int64
	Caller, Function string
	// Args are canonical JSON.
	Args []byte
}

// Calls are those of the records from n on, in order, at most limit of them.
func Calls(ctx context.Context, tx *gorm.DB, n int64, limit int) ([]Called, error) {
	var rows []entry
	if err := tx.WithContext(ctx).Where("n >= ?", n).Order("n").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	out := make([]Called, len(rows))
	for i, row := range rows {
		var r record
		if err := json.Unmarshal([]byte(row.Record), &r); err != nil {
			return nil, fmt.Errorf("record %d: %w", row.N, err)
		}
		out[i] = Called{row.N, r.Caller, r.Function, r.Args}
	}
	return out, nil
}

// Origin names the ledger in its checkpoints, and is the caller of what is posted here.
func (l *Ledger) Origin() string { return l.origin }

// Head is the size of the ledger and its root as 64 hexadecimal digits, by the newest checkpoint; ErrNotFound while it is
// empty.
func (l *Ledger) Head(ctx context.Context, tx *gorm.DB) (size int64, root string, err error) {
	head, err := newest(tx.WithContext(ctx))
	if err != nil {
		return 0, "", err
	}
	size, hash, err := open([]byte(head.Note), l.origin, l.verifier)
	return size, fmt.Sprintf("%x", hash[:]), err
}

// FindStatement returns the number of the record in which a node has stated a month, or ErrNotFound.
func FindStatement(ctx context.Context, tx *gorm.DB, node, month string, final bool) (int64, error) {
	if strings.ContainsAny(node+month, `%_"\`) {
		return 0, fmt.Errorf("%w: node or month", ErrInvalid)
	}
	var row entry
	err := tx.WithContext(ctx).Where("record LIKE ? AND record LIKE ? AND record LIKE ?",
		`%"fn":"`+contract.StatementFunction(final)+`"%`, `%"month":"`+month+`"%`, `%"node":"`+node+`"%`).Order("n").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, fmt.Errorf("%w: %s of %s", ErrNotFound, month, node)
	}
	if err != nil {
		return 0, fmt.Errorf("find statement: %w", err)
	}
	return row.N, nil
}

// ReadStatement reads a record whose place in a ledger was proved as a month's statement.
func ReadStatement(data []byte) (st contract.Statement, final bool, err error) {
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		return st, false, fmt.Errorf("%w: record: %w", ErrInvalid, err)
	}
	return contract.ShowStatement(r.Function, r.Args)
}
