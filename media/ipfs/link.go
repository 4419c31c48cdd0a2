package ipfs

import (
	"fmt"

	"github.com/ipfs/boxo/ipld/merkledag"
)

// Links are the blocks that a block names: those below a node of a file, none below a raw block. A node with more links
// than any that AddFile makes, or with one that ParseCID would refuse, is no file of ours: ErrNotFile.
func Links(c CID, block []byte) ([]CID, error) {
	if c.Codec() == Raw {
		return nil, nil
	}
	n, err := decode(c.cid(), block)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", c, ErrNotFile, err)
	}
	node, ok := n.(*merkledag.ProtoNode)
	if !ok || len(node.Links()) > linksPerNode {
		return nil, fmt.Errorf("%s: %w", c, ErrNotFile)
	}
	var links []CID
	for _, l := range node.Links() {
		child, err := fromCid(l.Cid)
		if err != nil {
			return nil, fmt.Errorf("%s: %w: %w", c, ErrNotFile, err)
		}
		links = append(links, child)
	}
	return links, nil
}
