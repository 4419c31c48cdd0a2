package ipfs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ipfs/go-cid"
	ipld "github.com/ipfs/go-ipld-format"
	carv2 "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"
)

// maxCARBlocks bounds one archive: 16 GiB of a file that AddFile made.
const maxCARBlocks = 1 << 16

// ErrTooManyBlocks is returned by WriteCAR for a file of more than 65,536 blocks.
var ErrTooManyBlocks = errors.New("too many blocks for one archive")

// WriteCAR writes c and all blocks below it as a CARv1 archive with the one root c, depth first, each block once
// (what a trustless gateway answers for application/vnd.ipld.car; order=dfs; dups=n). When the first block cannot be
// read, nothing is written; a later failure leaves w with the beginning of an archive.
func WriteCAR(ctx context.Context, s Store, c CID, w io.Writer) error {
	root, err := s.Get(ctx, c)
	if err != nil {
		return fmt.Errorf("write car: %w", err)
	}
	car, err := storage.NewWritable(w, []cid.Cid{c.cid()}, carv2.WriteAsCarV1(true), carv2.UseWholeCIDs(true))
	if err != nil {
		return fmt.Errorf("write car %s: %w", c, err)
	}
	seen := cid.NewSet()
	next := []cid.Cid{c.cid()}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen.Visit(k) {
			continue
		}
		if seen.Len() > maxCARBlocks {
			return fmt.Errorf("write car %s: %w", c, ErrTooManyBlocks)
		}
		block, node, err := root, ipld.Node(nil), error(nil)
		if seen.Len() > 1 {
			block, err = getter(s.Get).block(ctx, k)
		}
		if err == nil {
			node, err = decode(k, block)
		}
		if err == nil {
			err = car.Put(ctx, k.KeyString(), block)
		}
		if err != nil {
			return fmt.Errorf("write car %s: %w", c, err)
		}
		links := node.Links()
		for i := range links {
			next = append(next, links[len(links)-1-i].Cid)
		}
	}
	if err := car.Finalize(); err != nil {
		return fmt.Errorf("write car %s: %w", c, err)
	}
	return nil
}
