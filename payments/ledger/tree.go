package ledger

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
)

// node is a row of ledger_nodes.
type node struct {
	Idx  int64 `gorm:"primaryKey;autoIncrement:false"`
	Hash []byte
}

func (node) TableName() string { return "ledger_nodes" }

// entry is a row of ledger_entries.
type entry struct {
	N      int64 `gorm:"primaryKey;autoIncrement:false"`
	Record string
}

func (entry) TableName() string { return "ledger_entries" }

// size is the number of records.
func size(tx *gorm.DB) (int64, error) {
	var next int64
	if err := tx.Model(&entry{}).Select("COALESCE(MAX(n), -1) + 1").Scan(&next).Error; err != nil {
		return 0, fmt.Errorf("read size of the ledger: %w", err)
	}
	return next, nil
}

// reader reads stored hashes in one query.
func reader(tx *gorm.DB) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		var rows []node
		if err := tx.Where("idx IN ?", indexes).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("read ledger hashes: %w", err)
		}
		found := make(map[int64]tlog.Hash, len(rows))
		for _, r := range rows {
			if len(r.Hash) != tlog.HashSize {
				return nil, fmt.Errorf("%w: stored hash %d", ErrTampered, r.Idx)
			}
			found[r.Idx] = tlog.Hash(r.Hash)
		}
		out := make([]tlog.Hash, len(indexes))
		for i, idx := range indexes {
			h, ok := found[idx]
			if !ok {
				return nil, fmt.Errorf("%w: stored hash %d is missing", ErrTampered, idx)
			}
			out[i] = h
		}
		return out, nil
	})
}

// cache reads each stored hash once, and knows those that are about to be stored.
type cache struct {
	from  tlog.HashReader
	known map[int64]tlog.Hash
}

func (c *cache) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var missing []int64
	for _, index := range indexes {
		if _, ok := c.known[index]; !ok {
			missing = append(missing, index)
		}
	}
	if len(missing) > 0 {
		hashes, err := c.from.ReadHashes(missing)
		if err != nil {
			return nil, err
		}
		for i, index := range missing {
			c.known[index] = hashes[i]
		}
	}
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		out[i] = c.known[index]
	}
	return out, nil
}

// grow appends a record as number n with the hashes that it completes, and returns the root.
func grow(tx *gorm.DB, n int64, data []byte) (tlog.Hash, error) {
	c := &cache{reader(tx), map[int64]tlog.Hash{}}
	// One query reads what both the new hashes and the new root are made of: the roots of the complete trees so far.
	if n > 0 {
		if _, err := tlog.TreeHash(n, c); err != nil {
			return tlog.Hash{}, fmt.Errorf("hash ledger: %w", err)
		}
	}
	hashes, err := tlog.StoredHashes(n, data, c)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("hash record %d: %w", n, err)
	}
	if err := tx.Create(&entry{N: n, Record: string(data)}).Error; err != nil {
		return tlog.Hash{}, fmt.Errorf("write record %d: %w", n, err)
	}
	first := tlog.StoredHashIndex(0, n)
	rows := make([]node, len(hashes))
	for i, h := range hashes {
		rows[i] = node{Idx: first + int64(i), Hash: h[:]}
		c.known[rows[i].Idx] = h
	}
	if err := tx.Create(&rows).Error; err != nil {
		return tlog.Hash{}, fmt.Errorf("write hashes of record %d: %w", n, err)
	}
	root, err := tlog.TreeHash(n+1, c)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("hash ledger: %w", err)
	}
	return root, nil
}
