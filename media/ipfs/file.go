package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs"
	unixfsio "github.com/ipfs/boxo/ipld/unixfs/io"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
)

// OpenFile opens a raw block or a file for reading; see Store.
func (e *Embedded) OpenFile(ctx context.Context, c CID) (io.ReadSeekCloser, error) {
	return openFile(ctx, e.Get, c)
}

// Size is the length in bytes of a raw block or a file; see Store.
func (e *Embedded) Size(ctx context.Context, c CID) (int64, error) {
	if c.Codec() == Raw {
		return e.length(ctx, c)
	}
	return fileSize(ctx, e.Get, c)
}

// getter is a store's Get: both stores read files through it, so both check every block.
type getter func(context.Context, CID) ([]byte, error)

var _ ipld.NodeGetter = getter(nil)

// OpenFile opens a raw block or a file whose blocks get gives; it checks that each is what its CID says. The caller
// closes the reader; it ends with ctx.
func OpenFile(ctx context.Context, get func(context.Context, CID) ([]byte, error), c CID) (io.ReadSeekCloser, error) {
	return openFile(ctx, func(ctx context.Context, c CID) ([]byte, error) {
		block, err := get(ctx, c)
		if err == nil && !c.Matches(block) {
			err = fmt.Errorf("%s: %w", c, ErrDamaged)
		}
		return block, err
	}, c)
}

func openFile(ctx context.Context, get getter, c CID) (io.ReadSeekCloser, error) {
	root, err := get.node(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("open file: %w", err)
	}
	r, err := unixfsio.NewDagReader(ctx, root, get)
	if err != nil {
		return nil, fmt.Errorf("open file %s: %w: %w", c, ErrNotFile, err)
	}
	return r, nil
}

func fileSize(ctx context.Context, get getter, c CID) (int64, error) {
	root, err := get.node(ctx, c)
	if err != nil {
		return 0, fmt.Errorf("file size: %w", err)
	}
	pb, ok := root.(*merkledag.ProtoNode)
	if !ok {
		return int64(len(root.RawData())), nil
	}
	fs, err := unixfs.FSNodeFromBytes(pb.Data())
	if err != nil {
		return 0, fmt.Errorf("file size %s: %w: %w", c, ErrNotFile, err)
	}
	size := int64(fs.FileSize())
	if t := fs.Type(); size < 0 || t != unixfs.TFile && t != unixfs.TRaw {
		return 0, fmt.Errorf("file size %s: %w", c, ErrNotFile)
	}
	return size, nil
}

func (get getter) node(ctx context.Context, c CID) (ipld.Node, error) {
	block, err := get(ctx, c)
	if err != nil {
		return nil, err
	}
	n, err := decode(c.cid(), block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c, ErrNotFile, err)
	}
	return n, nil
}

// block fetches what a link names, and refuses links that ParseCID would refuse.
func (get getter) block(ctx context.Context, k cid.Cid) ([]byte, error) {
	c, err := fromCid(k)
	if err != nil {
		return nil, err
	}
	return get(ctx, c)
}

// Get makes getter an ipld.NodeGetter.
func (get getter) Get(ctx context.Context, k cid.Cid) (ipld.Node, error) {
	block, err := get.block(ctx, k)
	if err != nil {
		return nil, err
	}
	return decode(k, block)
}

// readAhead is how many blocks of a file are fetched at once.
const readAhead = 4

// GetMany fetches the nodes in no set order. The channel holds them all, so an abandoned reader leaks nothing.
func (get getter) GetMany(ctx context.Context, ks []cid.Cid) <-chan *ipld.NodeOption {
	out := make(chan *ipld.NodeOption, len(ks))
	work := make(chan cid.Cid, len(ks))
	for _, k := range ks {
		work <- k
	}
	close(work)
	var workers sync.WaitGroup
	for range min(readAhead, len(ks)) {
		workers.Go(func() {
			for k := range work {
				n, err := get.Get(ctx, k)
				out <- &ipld.NodeOption{Node: n, Err: err}
			}
		})
	}
	go func() {
		workers.Wait()
		close(out)
	}()
	return out
}

// decode reads a block as the node that its CID says it is.
func decode(k cid.Cid, block []byte) (ipld.Node, error) {
	b, err := blocks.NewBlockWithCid(block, k)
	if err != nil {
		return nil, err
	}
	switch Codec(k.Type()) {
	case Raw:
		return merkledag.DecodeRawBlock(b)
	case DagPB:
		return merkledag.DecodeProtobufBlock(b)
	default:
		return nil, errors.New("neither raw nor dag-pb")
	}
}
