// Package ipfs is a content-addressed store: bytes go in, a CID comes out, and whoever holds the CID can check the bytes.
// It keeps sealed segments, playlists and downloads. There are two stores behind one interface, and one conformance
// suite (media/ipfs/ipfstest) that both pass:
//
//   - Embedded keeps the blocks in files of one folder, needs no other program, and is the default.
//   - Kubo hands them to an IPFS daemon through its HTTP RPC API.
//
// It is not for secrets (whatever is put may be served to strangers: encrypt first, see media/seal), not for names or
// metadata, and it counts no owners: a CID put twice is there once, and one Delete lets go of it.
//
// Begin with OpenEmbedded or OpenKubo, then Put for one block and AddFile for a file of any size.
package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// MaxBlock is the most bytes that one block may hold, 1 MiB: every IPFS implementation carries blocks of this size.
const MaxBlock = 1 << 20

var (
	// ErrNotFound is returned when the store does not have a block.
	ErrNotFound = errors.New("block not found")
	// ErrDamaged is returned when the stored bytes do not hash to their CID. It is also an ErrNotFound, because to a
	// reader a damaged block is as good as none; putting the block again repairs it.
	ErrDamaged = fmt.Errorf("stored block is damaged: %w", ErrNotFound)
	// ErrTooLarge is returned for a block of more than MaxBlock bytes.
	ErrTooLarge = errors.New("block is larger than 1 MiB")
	// ErrNotFile is returned when a CID names something other than a file: a directory, a symbolic link, a broken node.
	ErrNotFile = errors.New("not a file")
)

// Store keeps blocks and files by their CID. Its methods may be called from many goroutines. A CID that ParseCID
// would refuse gives ErrBadCID.
type Store interface {
	// Put keeps block as one raw block and returns its CID. When it returns, the block is durable. Putting a block
	// that is there already changes nothing, unless the stored one is damaged: then it is repaired.
	Put(ctx context.Context, block []byte) (CID, error)
	// Get returns the bytes of one block, raw or dag-pb, after checking that they hash to c.
	Get(ctx context.Context, c CID) ([]byte, error)
	// Has reports whether the store holds the block of c, without reading it and without asking any other node.
	Has(ctx context.Context, c CID) (bool, error)
	// Delete lets go of c and of the blocks below it. Blocks that another file still needs stay. Deleting what is
	// not there is no error.
	Delete(ctx context.Context, c CID) error
	// AddFile keeps what r yields as a file and returns its CID and its length in bytes. The CID is the one that
	// `ipfs add --cid-version=1 --raw-leaves` gives (chunks of 262,144 bytes, 174 links a node); a file of one chunk
	// is one raw block. When r fails, there is no file;
	// Embedded removes at once what was already written, Kubo when the daemon next collects its garbage.
	AddFile(ctx context.Context, r io.Reader) (CID, int64, error)
	// OpenFile opens a raw block or a file of many blocks for reading. Each block is checked as it is read. The
	// caller closes the reader; it ends with ctx.
	OpenFile(ctx context.Context, c CID) (io.ReadSeekCloser, error)
	// Size is the length in bytes of what OpenFile would read. For a dag-pb CID it is what the root node says.
	Size(ctx context.Context, c CID) (int64, error)
	// Close releases what the store holds open. No other method may be called after it.
	Close() error
}
