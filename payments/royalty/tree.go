package royalty

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// Tree is the Merkle tree of RFC 6962 over lines as they come; it holds one hash a level. The zero Tree is empty.
type Tree struct {
	size int64
	// peaks are the roots of the perfect subtrees from left to right, one for each bit that is set in size.
	peaks []tlog.Hash
}

// Add appends a line.
func (t *Tree) Add(line string) {
	h := tlog.RecordHash([]byte(line))
	for n := t.size; n&1 == 1; n >>= 1 {
		last := len(t.peaks) - 1
		h = tlog.NodeHash(t.peaks[last], h)
		t.peaks = t.peaks[:last]
	}
	t.peaks = append(t.peaks, h)
	t.size++
}

// Size is how many lines there are.
func (t *Tree) Size() int64 { return t.size }

// Root is the tree's hash; of the empty tree SHA-256 of nothing.
func (t *Tree) Root() tlog.Hash {
	if t.size == 0 {
		// RFC 6962, section 2.1: the hash of an empty list is the hash of an empty string.
		return emptyRoot
	}
	root := t.peaks[len(t.peaks)-1]
	for i := len(t.peaks) - 2; i >= 0; i-- {
		root = tlog.NodeHash(t.peaks[i], root)
	}
	return root
}

// emptyRoot is SHA-256 of the empty string.
var emptyRoot = tlog.Hash{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// Prove proves that the n-th of the lines, from 0, is in their tree.
func Prove(lines []string, n int64) (tlog.RecordProof, error) {
	if n < 0 || n >= int64(len(lines)) {
		return nil, fmt.Errorf("%w: line %d of %d", ErrInvalid, n, len(lines))
	}
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hashes[i] = stored[index]
		}
		return hashes, nil
	})
	for i, line := range lines {
		hashes, err := tlog.StoredHashes(int64(i), []byte(line), read)
		if err != nil {
			return nil, fmt.Errorf("hash line %d: %w", i, err)
		}
		stored = append(stored, hashes...)
	}
	proof, err := tlog.ProveRecord(int64(len(lines)), n, read)
	if err != nil {
		return nil, fmt.Errorf("prove line %d: %w", n, err)
	}
	return proof, nil
}

// CheckLine checks that a line is the n-th of the size lines under root; ErrInvalid when it is not.
func CheckLine(proof tlog.RecordProof, size int64, root tlog.Hash, n int64, line string) error {
	if n < 0 || n >= size {
		return fmt.Errorf("%w: line %d of %d", ErrInvalid, n, size)
	}
	if err := tlog.CheckRecord(proof, size, root, n, tlog.RecordHash([]byte(line))); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}
