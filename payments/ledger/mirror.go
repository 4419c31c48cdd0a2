package ledger

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"
)

// TileHeight is the height of the tiles that mirrors read (c2sp.org/tlog-tiles): 256 hashes wide.
const TileHeight = 8

// Size is the number of records.
func Size(ctx context.Context, tx *gorm.DB) (int64, error) { return size(tx.WithContext(ctx)) }

// Tile returns the hashes of a tile of TileHeight, one after another, or ErrNotFound when the ledger does not go so far. A
// tile's path is tlog.Tile's, and tiles of data have none: see Entries.
func Tile(ctx context.Context, tx *gorm.DB, t tlog.Tile) ([]byte, error) {
	tx = tx.WithContext(ctx)
	n, err := size(tx)
	if err != nil {
		return nil, err
	}
	// The last of the tile's hashes covers that many records.
	if t.H != TileHeight || t.L < 0 || t.L > 7 || t.N < 0 || t.W < 1 || t.W > 1<<TileHeight || t.N >= 1<<40 ||
		(t.N<<TileHeight+int64(t.W)) > n>>(TileHeight*t.L) {
		return nil, fmt.Errorf("%w: tile %s", ErrNotFound, t.Path())
	}
	data, err := tlog.ReadTileData(t, reader(tx))
	if err != nil {
		return nil, fmt.Errorf("read tile %s: %w", t.Path(), err)
	}
	return data, nil
}

// MaxEntries is how many records Entries returns at most, and maxEntryBytes when it ends earlier.
const (
	MaxEntries    = 256
	maxEntryBytes = 4 << 20
)

// Entries are the records from number first on: at most MaxEntries, and at least one unless there is none, which is
// ErrNotFound.
func Entries(ctx context.Context, tx *gorm.DB, first int64) ([][]byte, error) {
	if first < 0 {
		return nil, fmt.Errorf("%w: record %d", ErrNotFound, first)
	}
	var out [][]byte
	bytes := 0
	rows, err := tx.WithContext(ctx).Model(&entry{}).Select("record").Where("n >= ?", first).Order("n").Limit(MaxEntries).Rows()
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	for rows.Next() && bytes < maxEntryBytes {
		var record string
		if err := rows.Scan(&record); err != nil {
			return nil, errors.Join(fmt.Errorf("read records: %w", err), rows.Close())
		}
		out = append(out, []byte(record))
		bytes += len(record)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: record %d", ErrNotFound, first)
	}
	return out, nil
}
