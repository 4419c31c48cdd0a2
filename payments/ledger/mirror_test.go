package ledger_test

import (
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/ledger"
)

// tiles reads a ledger's tiles as if from elsewhere.
type tiles struct {
	t testing.TB
	b bundle
}

func (r tiles) Height() int                         { return ledger.TileHeight }
func (r tiles) SaveTiles(_ []tlog.Tile, _ [][]byte) {}
func (r tiles) ReadTiles(all []tlog.Tile) ([][]byte, error) {
	var out [][]byte
	for _, tile := range all {
		data, err := ledger.Tile(r.t.Context(), r.b.db.Read, tile)
		if err != nil {
			return nil, err
		}
		out = append(out, data)
	}
	return out, nil
}

// TestMirror reads tiles and records as a mirror does, and comes to the same root.
func TestMirror(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlite(t))
	const n = 300
	for i := range n {
		if _, err := b.post(t.Context(), payment(i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			out[i] = hashes[index]
		}
		return out, nil
	})
	var records [][]byte
	for int64(len(records)) < n {
		some, err := ledger.Entries(t.Context(), b.db.Read, int64(len(records)))
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range some {
			more, err := tlog.StoredHashes(int64(len(records)), record, reader)
			if err != nil {
				t.Fatal(err)
			}
			hashes, records = append(hashes, more...), append(records, record)
		}
	}
	root, err := tlog.TreeHash(n, reader)
	if err != nil {
		t.Fatal(err)
	}
	head, err := b.ProveRecord(t.Context(), b.db.Read, n-1)
	if err != nil {
		t.Fatal(err)
	}
	if err := tlog.CheckRecord(head.Hashes, n, root, n-1, tlog.RecordHash(records[n-1])); err != nil {
		t.Fatal(err)
	}
	// The tiles are checked against the root while they are read.
	read := tlog.TileHashReader(tlog.Tree{N: n, Hash: root}, tiles{t, b})
	for i := range int64(n) {
		got, err := read.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
		if err != nil || got[0] != tlog.RecordHash(records[i]) {
			t.Fatalf("record %d: %v", i, err)
		}
	}
	for _, tile := range []tlog.Tile{
		{H: 8, L: 0, N: 1, W: 45}, {H: 8, L: 1, N: 0, W: 2}, {H: 8, L: 2, N: 0, W: 1}, {H: 7, L: 0, N: 0, W: 1}, {H: 8, L: -1, N: 0, W: 1},
		{H: 8, L: 0, N: -1, W: 1}, {H: 8, L: 0, N: 0, W: 0}, {H: 8, L: 0, N: 0, W: 257}, {H: 8, L: 60, N: 0, W: 1},
	} {
		if _, err := ledger.Tile(t.Context(), b.db.Read, tile); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("tile %+v: %v", tile, err)
		}
	}
	for _, first := range []int64{-1, n} {
		if _, err := ledger.Entries(t.Context(), b.db.Read, first); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("records from %d on: %v", first, err)
		}
	}
}
