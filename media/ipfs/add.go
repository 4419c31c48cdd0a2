package ipfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/boxo/blockservice"
	"github.com/ipfs/boxo/chunker"
	"github.com/ipfs/boxo/ipld/merkledag"
	"github.com/ipfs/boxo/ipld/unixfs/importer/balanced"
	"github.com/ipfs/boxo/ipld/unixfs/importer/helpers"
	blocks "github.com/ipfs/go-block-format"
	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"
)

// The shape of a file's tree, which decides its CID: the defaults of `ipfs add --cid-version=1 --raw-leaves`.
const (
	chunkSize    = 262144
	linksPerNode = 174
)

// A growing file is written flushAt bytes at a time, flushes of them side by side: waiting for the disk takes longer
// than hashing, and a disk makes many writes durable in about the time of one.
const (
	flushAt = 4 << 20
	flushes = 4
)

// AddFile keeps what r yields as a file; see Store.
func (e *Embedded) AddFile(ctx context.Context, r io.Reader) (CID, int64, error) {
	first := make([]byte, chunkSize+1)
	n, err := io.ReadFull(r, first)
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		c, err := e.Put(ctx, first[:n])
		return c, int64(n), err
	case err != nil:
		return "", 0, fmt.Errorf("add file: %w", err)
	}

	src := &meter{ctx: ctx, r: io.MultiReader(bytes.NewReader(first), r)}
	g := &growth{shelf: e.files, store: e, mine: map[string]cid.Cid{}}
	writes, writing := errgroup.WithContext(ctx)
	writes.SetLimit(flushes)
	g.writes, g.writing = writes, writing
	root, err := g.build(ctx, src)
	err = errors.Join(err, writes.Wait())
	if err == nil {
		err = e.pin(ctx, root)
	}
	if err := errors.Join(err, g.end(ctx, err != nil)); err != nil {
		return "", 0, fmt.Errorf("add file: %w", err)
	}
	return root, src.n, nil
}

// growth is the blockstore that one AddFile writes into: it gathers blocks and tells Delete to leave them alone.
type growth struct {
	*shelf
	store   *Embedded
	mine    map[string]cid.Cid // by multihash
	pending []blocks.Block
	bytes   int
	// writes are the flushes under way; writing is their context, which ends with the first that fails.
	writes  *errgroup.Group
	writing context.Context
}

func (g *growth) build(ctx context.Context, r io.Reader) (CID, error) {
	params := helpers.DagBuilderParams{
		Maxlinks:   linksPerNode,
		RawLeaves:  true,
		CidBuilder: merkledag.V1CidPrefix(),
		Dagserv:    merkledag.NewDAGService(blockservice.New(g, nil, blockservice.WriteThrough(true))),
	}
	helper, err := params.New(chunk.NewSizeSplitter(r, chunkSize))
	if err != nil {
		return "", err
	}
	root, err := balanced.Layout(helper)
	if err != nil {
		return "", err
	}
	g.flush()
	return fromCid(root.Cid())
}

// Put is called by the builder for each block, from one goroutine.
func (g *growth) Put(_ context.Context, b blocks.Block) error {
	g.pending = append(g.pending, b)
	if g.bytes += len(b.RawData()); g.bytes >= flushAt {
		g.flush()
	}
	return g.writing.Err()
}

// flush begins to write what is pending; it waits only when too much is under way.
func (g *growth) flush() {
	g.store.mu.Lock()
	for _, b := range g.pending {
		key := string(b.Cid().Hash())
		if _, known := g.mine[key]; !known {
			g.mine[key] = b.Cid()
			g.store.growing[key]++
		}
	}
	g.store.mu.Unlock()
	batch := g.pending
	g.pending, g.bytes = nil, 0
	g.writes.Go(func() error { return g.PutMany(g.writing, batch) })
}

// end gives the blocks back to the rule of the pins, and takes those of a failed file away again.
func (g *growth) end(ctx context.Context, failed bool) error {
	g.store.mu.Lock()
	defer g.store.mu.Unlock()
	for key := range g.mine {
		if g.store.growing[key]--; g.store.growing[key] == 0 {
			delete(g.store.growing, key)
		}
	}
	if !failed {
		return nil
	}
	return g.store.sweep(context.WithoutCancel(ctx), g.mine)
}

// meter counts what is read and stops with its context.
type meter struct {
	ctx context.Context
	r   io.Reader
	n   int64
}

func (m *meter) Read(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.r.Read(p)
	m.n += int64(n)
	return n, err
}
