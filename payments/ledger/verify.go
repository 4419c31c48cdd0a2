package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
)

// batch is how many records VerifyAll holds at a time.
const batch = 500

// VerifyAll goes through the whole ledger and returns its size: every record is run again and must come out the same
// to the byte, every stored hash, every signed checkpoint and every value of the state must be what follows from them,
// and the balances of each asset must add up to zero. It reads in one transaction of its own, so it may be given any
// handle. What it cannot see is a ledger that was cut back together with its checkpoints: that shows against a
// checkpoint that someone else has kept. Otherwise the error wraps ErrTampered.
func (l *Ledger) VerifyAll(ctx context.Context, db *gorm.DB) (int64, error) {
	v := &verification{ledger: l, state: newMemory(), days: map[int64]string{}}
	err := db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		if tx.Name() == "postgres" {
			if err := tx.Exec("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").Error; err != nil {
				return fmt.Errorf("open ledger for reading: %w", err)
			}
		}
		for _, check := range []func(*gorm.DB) error{v.records, v.nodes, v.checkpoints, v.cosignatures, v.values} {
			if err := check(tx); err != nil {
				return err
			}
		}
		return v.balances()
	})
	return v.size, err
}

type verification struct {
	ledger *Ledger
	size   int64
	hashes []tlog.Hash
	state  *memory
	// days are the days of the last records, by the size that the ledger had at their ends.
	days map[int64]string
	last string
}

func (v *verification) reader(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, idx := range indexes {
		out[i] = v.hashes[idx]
	}
	return out, nil
}

func (v *verification) records(tx *gorm.DB) error {
	for {
		var rows []entry
		if err := tx.Where("n >= ?", v.size).Order("n").Limit(batch).Find(&rows).Error; err != nil {
			return fmt.Errorf("read records: %w", err)
		}
		for _, row := range rows {
			if row.N != v.size {
				return fmt.Errorf("%w: record %d is missing", ErrTampered, v.size)
			}
			if err := v.rerun(row); err != nil {
				return fmt.Errorf("%w: record %d: %w", ErrTampered, row.N, err)
			}
			hashes, err := tlog.StoredHashes(row.N, []byte(row.Record), tlog.HashReaderFunc(v.reader))
			if err != nil {
				return fmt.Errorf("hash record %d: %w", row.N, err)
			}
			v.hashes = append(v.hashes, hashes...)
			v.size++
		}
		if len(rows) < batch {
			return nil
		}
	}
}

// rerun runs the call that a record tells of and compares.
func (v *verification) rerun(row entry) error {
	// What it wrote comes out again, and is not read.
	var r struct {
		Args     json.RawMessage `json:"args"`
		At       string          `json:"at"`
		Caller   string          `json:"caller"`
		Function string          `json:"fn"`
	}
	if err := json.Unmarshal([]byte(row.Record), &r); err != nil {
		return err
	}
	at, err := time.Parse(time.RFC3339, r.At)
	if err != nil {
		return err
	}
	again, err := run(v.state, call{row.N, r.Caller, r.Function, r.Args, at})
	if err != nil {
		return err
	}
	data, err := again.record().encode()
	if err != nil {
		return err
	}
	if !bytes.Equal(data, []byte(row.Record)) {
		return fmt.Errorf("it comes out otherwise")
	}
	v.state.commit(again)
	// A day's checkpoint is of its last record.
	day := at.UTC().Format(time.DateOnly)
	if day == v.last {
		delete(v.days, row.N)
	}
	v.days[row.N+1], v.last = day, day
	return nil
}

func (v *verification) nodes(tx *gorm.DB) error {
	seen := int64(0)
	for {
		var rows []node
		if err := tx.Where("idx >= ?", seen).Order("idx").Limit(batch).Find(&rows).Error; err != nil {
			return fmt.Errorf("read ledger hashes: %w", err)
		}
		for _, row := range rows {
			if row.Idx != seen || seen >= int64(len(v.hashes)) || !bytes.Equal(row.Hash, v.hashes[seen][:]) {
				return fmt.Errorf("%w: stored hash %d", ErrTampered, row.Idx)
			}
			seen++
		}
		if len(rows) < batch {
			break
		}
	}
	if seen != int64(len(v.hashes)) {
		return fmt.Errorf("%w: stored hash %d is missing", ErrTampered, seen)
	}
	return nil
}

func (v *verification) checkpoints(tx *gorm.DB) error {
	var rows []checkpoint
	if err := tx.Order("size").Find(&rows).Error; err != nil {
		return fmt.Errorf("read checkpoints: %w", err)
	}
	largest := int64(0)
	for _, row := range rows {
		if row.Size < 1 || row.Size > v.size {
			return fmt.Errorf("%w: checkpoint of size %d for %d records", ErrTampered, row.Size, v.size)
		}
		root, err := tlog.TreeHash(row.Size, tlog.HashReaderFunc(v.reader))
		if err != nil {
			return fmt.Errorf("hash ledger: %w", err)
		}
		// Signing the same text again gives the same bytes.
		want, err := note.Sign(&note.Note{Text: v.ledger.text(row.Size, root)}, v.ledger.signer)
		if err != nil {
			return fmt.Errorf("sign checkpoint: %w", err)
		}
		if row.Note != string(want) || row.Day != v.days[row.Size] {
			return fmt.Errorf("%w: checkpoint of size %d", ErrTampered, row.Size)
		}
		size := row.Size
		largest = max(largest, size)
	}
	if largest != v.size {
		return fmt.Errorf("%w: %d records, but checkpoints for %d", ErrTampered, v.size, largest)
	}
	return nil
}

func (v *verification) values(tx *gorm.DB) error {
	seen, last := 0, ""
	for {
		var rows []value
		if err := tx.Where("k > ?", last).Order("k").Limit(batch).Find(&rows).Error; err != nil {
			return fmt.Errorf("read ledger state: %w", err)
		}
		for _, row := range rows {
			if want, known := v.state.values[row.K]; !known || want != row.V {
				return fmt.Errorf("%w: value of %s", ErrTampered, row.K)
			}
			last = row.K
			seen++
		}
		if len(rows) < batch {
			break
		}
	}
	if seen != len(v.state.values) {
		return fmt.Errorf("%w: %d values, want %d", ErrTampered, seen, len(v.state.values))
	}
	return nil
}

func (v *verification) balances() error {
	sums := map[amount.Asset]*big.Int{}
	for key, value := range v.state.values {
		asset, units, isBalance, err := contract.Balance(key, value)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrTampered, err)
		}
		if !isBalance {
			continue
		}
		if sums[asset] == nil {
			sums[asset] = new(big.Int)
		}
		sums[asset].Add(sums[asset], units)
	}
	for asset, sum := range sums {
		if sum.Sign() != 0 {
			return fmt.Errorf("%w: balances of %s add up to %s", ErrTampered, asset, sum)
		}
	}
	return nil
}
