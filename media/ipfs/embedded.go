package ipfs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/ipfs/boxo/blockstore"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	flatfs "github.com/ipfs/go-ds-flatfs"
	ipld "github.com/ipfs/go-ipld-format"
)

// ErrLocked is returned by OpenEmbedded when another process has the folder open.
var ErrLocked = errors.New("the folder is in use by another process")

// EmbeddedConfig configures an embedded store.
type EmbeddedConfig struct {
	// Dir is the folder of the store. It is created when missing and belongs to one process at a time.
	Dir string
	// NoSync leaves writing to the disk to the operating system: faster, and safe when the process is killed, but
	// not when the machine loses power. Default false.
	NoSync bool
}

// Embedded is a Store in a folder of its own.
//
// The folder has three parts: blocks/ holds what Put kept, files/ the blocks of files, pins/ one empty entry per file.
// Blocks and files lie apart so that deleting a block never has to ask which files share it.
type Embedded struct {
	lock   *os.File
	raw    *shelf
	files  *shelf
	pins   *flatfs.Datastore
	stripe [64]sync.Mutex // orders Put and Delete of one block
	mu     sync.Mutex     // guards growing, and holds new blocks of files back while Delete works
	// growing counts, per multihash, the AddFile calls under way that need the block.
	growing map[string]int
}

var _ Store = (*Embedded)(nil)

// shelf is one flatfs folder and the blockstore over it.
type shelf struct {
	disk *flatfs.Datastore
	blockstore.Blockstore
}

// OpenEmbedded opens the store in cfg.Dir, which it creates when missing. The caller closes it.
func OpenEmbedded(cfg EmbeddedConfig) (_ *Embedded, err error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open block store: %w", err)
	}
	e := &Embedded{growing: map[string]int{}}
	if e.lock, err = lockFile(filepath.Join(cfg.Dir, "lock")); err != nil {
		return nil, fmt.Errorf("open block store: %w", err)
	}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	if e.raw, err = openShelf(filepath.Join(cfg.Dir, "blocks"), !cfg.NoSync); err != nil {
		return nil, err
	}
	if e.files, err = openShelf(filepath.Join(cfg.Dir, "files"), !cfg.NoSync); err != nil {
		return nil, err
	}
	if e.pins, err = openFlat(filepath.Join(cfg.Dir, "pins"), !cfg.NoSync); err != nil {
		return nil, err
	}
	return e, nil
}

func openShelf(path string, sync bool) (*shelf, error) {
	disk, err := openFlat(path, sync)
	if err != nil {
		return nil, err
	}
	// Write-through: without it a damaged block could never be repaired, since it is already "there".
	return &shelf{disk, blockstore.NewBlockstore(disk, blockstore.NoPrefix(), blockstore.WriteThrough(true))}, nil
}

// openFlat creates the folder under another name first: flatfs refuses a folder in which it was killed half-way.
func openFlat(path string, sync bool) (*flatfs.Datastore, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		fresh := path + ".new"
		if err := os.RemoveAll(fresh); err != nil {
			return nil, fmt.Errorf("create block store: %w", err)
		}
		if err := flatfs.Create(fresh, flatfs.NextToLast(2)); err != nil {
			return nil, fmt.Errorf("create block store: %w", err)
		}
		if err := os.Rename(fresh, path); err != nil {
			return nil, fmt.Errorf("create block store: %w", err)
		}
	}
	disk, err := flatfs.Open(path, sync)
	if err != nil {
		return nil, fmt.Errorf("open block store %s: %w", path, err)
	}
	return disk, nil
}

// Close ends the store's goroutines and lets another process open the folder. Closing twice is safe.
func (e *Embedded) Close() error {
	var errs []error
	for _, s := range []*shelf{e.raw, e.files} {
		if s != nil {
			errs = append(errs, s.disk.Close())
		}
	}
	if e.pins != nil {
		errs = append(errs, e.pins.Close())
	}
	if err := e.lock.Close(); !errors.Is(err, os.ErrClosed) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Put keeps block as one raw block; see Store.
func (e *Embedded) Put(ctx context.Context, block []byte) (CID, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if len(block) > MaxBlock {
		return "", fmt.Errorf("put: %d bytes: %w", len(block), ErrTooLarge)
	}
	c := CIDOf(block)
	k := c.cid()
	defer e.locked(k)()
	// Reading and hashing what is there costs less than writing it again, and finds damage.
	if _, err := e.raw.read(ctx, k); err == nil {
		return c, nil
	}
	b, err := blocks.NewBlockWithCid(block, k)
	if err != nil {
		return "", fmt.Errorf("put %s: %w", c, err)
	}
	if err := e.raw.Put(ctx, b); err != nil {
		return "", fmt.Errorf("put %s: %w", c, err)
	}
	return c, nil
}

// Get returns the checked bytes of one block; see Store.
func (e *Embedded) Get(ctx context.Context, c CID) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := c.parsed()
	if err != nil {
		return nil, err
	}
	block, rawErr := e.raw.read(ctx, k)
	if rawErr == nil {
		return block, nil
	}
	block, err = e.files.read(ctx, k)
	if errors.Is(err, ErrNotFound) && errors.Is(rawErr, ErrDamaged) {
		err = rawErr // "damaged" tells more than "not in the other folder"
	}
	if err != nil {
		return nil, fmt.Errorf("get %s: %w", c, err)
	}
	return block, nil
}

// Has reports whether the block of c is stored; see Store.
func (e *Embedded) Has(ctx context.Context, c CID) (bool, error) {
	_, err := e.length(ctx, c)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// length is the stored length of a block, which for an undamaged one is its length.
func (e *Embedded) length(ctx context.Context, c CID) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	k, err := c.parsed()
	if err != nil {
		return 0, err
	}
	n, err := e.raw.GetSize(ctx, k)
	if ipld.IsNotFound(err) {
		n, err = e.files.GetSize(ctx, k)
	}
	if err != nil {
		return 0, fmt.Errorf("look up %s: %w", c, storeError(err))
	}
	return int64(n), nil
}

// read returns a block's bytes once they are known to hash to k.
func (s *shelf) read(ctx context.Context, k cid.Cid) ([]byte, error) {
	n, err := s.GetSize(ctx, k)
	if err != nil {
		return nil, storeError(err)
	}
	if n > MaxBlock { // nothing larger was ever put
		return nil, ErrDamaged
	}
	b, err := s.Blockstore.Get(ctx, k)
	if err != nil {
		return nil, storeError(err)
	}
	if sum, err := k.Prefix().Sum(b.RawData()); err != nil || !sum.Equals(k) {
		return nil, ErrDamaged
	}
	return b.RawData(), nil
}

// locked takes the lock that orders the writes of k and returns its release: flatfs answers a Put that meets a
// running Delete of the same block with success, and the block is gone.
func (e *Embedded) locked(k cid.Cid) func() {
	h := k.Hash()
	mu := &e.stripe[h[len(h)-1]%byte(len(e.stripe))]
	mu.Lock()
	return mu.Unlock
}

func storeError(err error) error {
	if ipld.IsNotFound(err) {
		return ErrNotFound
	}
	return err
}
