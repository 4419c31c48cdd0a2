package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
)

// Checkpoint returns the newest signed checkpoint, with the cosignatures of those who have witnessed it, or ErrNotFound while the ledger is empty.
func (l *Ledger) Checkpoint(ctx context.Context, tx *gorm.DB) ([]byte, error) {
	row, err := newest(tx.WithContext(ctx))
	return []byte(row.Note), err
}

func newest(tx *gorm.DB) (checkpoint, error) {
	var row checkpoint
	err := tx.Order("size DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return row, fmt.Errorf("%w: no checkpoint", ErrNotFound)
	}
	if err != nil {
		return row, fmt.Errorf("read checkpoint: %w", err)
	}
	return cosigned(tx, row)
}

// RecordProof shows that a record stands in the ledger of a checkpoint.
type RecordProof struct {
	N          int64            `json:"n"`
	Record     []byte           `json:"record"`
	Hashes     tlog.RecordProof `json:"hashes"`
	Checkpoint []byte           `json:"checkpoint"`
}

// ProveRecord proves record n by the newest checkpoint; ErrNotFound when there is no such record.
func (l *Ledger) ProveRecord(ctx context.Context, tx *gorm.DB, n int64) (RecordProof, error) {
	tx = tx.WithContext(ctx)
	head, err := newest(tx)
	if err != nil {
		return RecordProof{}, err
	}
	if n < 0 || n >= head.Size {
		return RecordProof{}, fmt.Errorf("%w: record %d", ErrNotFound, n)
	}
	var row entry
	if err := tx.Where("n = ?", n).Take(&row).Error; err != nil {
		return RecordProof{}, fmt.Errorf("read record %d: %w", n, err)
	}
	hashes, err := tlog.ProveRecord(head.Size, n, reader(tx))
	if err != nil {
		return RecordProof{}, fmt.Errorf("prove record %d: %w", n, err)
	}
	return RecordProof{N: n, Record: []byte(row.Record), Hashes: hashes, Checkpoint: []byte(head.Note)}, nil
}

// Check verifies the proof against the ledger's origin and key; otherwise the error wraps ErrTampered.
func (p RecordProof) Check(origin string, key note.Verifier) error {
	size, root, err := open(p.Checkpoint, origin, key)
	if err != nil {
		return err
	}
	if err := tlog.CheckRecord(p.Hashes, size, root, p.N, tlog.RecordHash(p.Record)); err != nil {
		return fmt.Errorf("%w: record %d: %w", ErrTampered, p.N, err)
	}
	return nil
}

// TreeProof shows that the ledger of a checkpoint begins with all that an older checkpoint covers.
type TreeProof struct {
	Hashes     tlog.TreeProof `json:"hashes"`
	Checkpoint []byte         `json:"checkpoint"`
}

// ProveTree proves that the ledger still begins as it did at the given size, from 1 on.
func (l *Ledger) ProveTree(ctx context.Context, tx *gorm.DB, size int64) (TreeProof, error) {
	tx = tx.WithContext(ctx)
	head, err := newest(tx)
	if err != nil {
		return TreeProof{}, err
	}
	if size < 1 || size > head.Size {
		return TreeProof{}, fmt.Errorf("%w: size %d", ErrNotFound, size)
	}
	hashes, err := tlog.ProveTree(head.Size, size, reader(tx))
	if err != nil {
		return TreeProof{}, fmt.Errorf("prove size %d: %w", size, err)
	}
	return TreeProof{Hashes: hashes, Checkpoint: []byte(head.Note)}, nil
}

// Check verifies the proof against an older signed checkpoint of the same ledger; otherwise the error wraps
// ErrTampered.
func (p TreeProof) Check(older []byte, origin string, key note.Verifier) error {
	oldSize, oldRoot, err := open(older, origin, key)
	if err != nil {
		return err
	}
	size, root, err := open(p.Checkpoint, origin, key)
	if err != nil {
		return err
	}
	if err := tlog.CheckTree(p.Hashes, size, root, oldSize, oldRoot); err != nil {
		return fmt.Errorf("%w: since size %d: %w", ErrTampered, oldSize, err)
	}
	return nil
}

func open(signed []byte, origin string, key note.Verifier) (int64, tlog.Hash, error) {
	c, _, _, err := log.ParseCheckpoint(signed, origin, key)
	if err != nil {
		return 0, tlog.Hash{}, fmt.Errorf("%w: checkpoint: %w", ErrTampered, err)
	}
	if len(c.Hash) != tlog.HashSize || c.Size > 1<<62 {
		return 0, tlog.Hash{}, fmt.Errorf("%w: checkpoint: size or hash", ErrTampered)
	}
	return int64(c.Size), tlog.Hash(c.Hash), nil
}

// SizeOf is the size that a checkpoint speaks of, unchecked.
func SizeOf(signed []byte) (int64, error) {
	var c log.Checkpoint
	if _, err := c.Unmarshal(signed); err != nil {
		return 0, fmt.Errorf("%w: checkpoint: %w", ErrInvalid, err)
	}
	return int64(min(c.Size, 1<<62)), nil
}

// Holds checks that the ledger begins with what a checkpoint of it, kept by somebody else, says, and returns how many
// records that are. Otherwise the error wraps ErrTampered.
func (l *Ledger) Holds(ctx context.Context, tx *gorm.DB, signed []byte) (int64, error) {
	tx = tx.WithContext(ctx)
	was, root, err := open(signed, l.origin, l.verifier)
	if err != nil {
		return 0, err
	}
	have, err := size(tx)
	if err != nil {
		return 0, err
	}
	if was > have {
		return 0, fmt.Errorf("%w: there were %d records, and there are %d", ErrTampered, was, have)
	}
	if was == 0 {
		return 0, nil
	}
	today, err := tlog.TreeHash(was, reader(tx))
	if err != nil {
		return 0, fmt.Errorf("hash ledger: %w", err)
	}
	if today != root {
		return 0, fmt.Errorf("%w: the first %d records are not what they were", ErrTampered, was)
	}
	return was, nil
}
