package ipfs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/ipfs/go-datastore"
	"github.com/ipfs/go-datastore/query"
)

// Delete lets go of c; see Store. For a file of many blocks it looks through the inner nodes of every other file, to
// spare the blocks they share: it is as slow as there are files, and meant to be rare.
func (e *Embedded) Delete(ctx context.Context, c CID) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	k, err := c.parsed()
	if err != nil {
		return err
	}
	if err := e.deleteRaw(ctx, k); err != nil {
		return fmt.Errorf("delete %s: %w", c, err)
	}
	if c.Codec() == Raw {
		return nil
	}
	// Half a deletion would leave blocks that nothing names, so it is not stopped with the request that asked for it.
	if err := e.deleteFile(context.WithoutCancel(ctx), c, k); err != nil {
		return fmt.Errorf("delete %s: %w", c, err)
	}
	return nil
}

func (e *Embedded) deleteRaw(ctx context.Context, k cid.Cid) error {
	defer e.locked(k)()
	return e.raw.DeleteBlock(ctx, k)
}

func (e *Embedded) deleteFile(ctx context.Context, c CID, k cid.Cid) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	below := map[string]cid.Cid{}
	if err := e.walk(ctx, k, func(k cid.Cid) bool {
		below[string(k.Hash())] = k
		return true
	}); err != nil {
		return err
	}
	if err := e.pins.Delete(ctx, pinKey(c)); err != nil {
		return err
	}
	return e.sweep(ctx, below)
}

// Collect removes the blocks of files that were still being added when the process was killed, and reports how many
// they were. It reads the inner nodes of every file, and holds new files back while it works.
func (e *Embedded) Collect(ctx context.Context) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := map[string]cid.Cid{}
	keys, err := e.files.AllKeysChan(ctx)
	if err != nil {
		return 0, fmt.Errorf("collect: %w", err)
	}
	for k := range keys {
		all[string(k.Hash())] = k
	}
	if err := errors.Join(ctx.Err(), e.sweep(ctx, all)); err != nil {
		return 0, fmt.Errorf("collect: %w", err)
	}
	return len(all), nil
}

// sweep removes those of the given blocks that no file needs, and leaves in the map those it removed. e.mu is held.
func (e *Embedded) sweep(ctx context.Context, doomed map[string]cid.Cid) error {
	for key := range doomed {
		if e.growing[key] > 0 {
			delete(doomed, key)
		}
	}
	pins, err := e.pins.Query(ctx, query.Query{KeysOnly: true})
	if err != nil {
		return err
	}
	defer pins.Close()
	for len(doomed) > 0 {
		pin, more := pins.NextSync()
		if !more {
			break
		}
		if pin.Error != nil {
			return pin.Error
		}
		root, err := ParseCID(strings.ToLower(strings.TrimPrefix(pin.Key, "/")))
		if err != nil {
			return fmt.Errorf("pin: %w", err)
		}
		if err := e.walk(ctx, root.cid(), func(k cid.Cid) bool {
			delete(doomed, string(k.Hash()))
			return len(doomed) > 0
		}); err != nil {
			return fmt.Errorf("pin %s: %w", root, err)
		}
	}
	for _, k := range doomed {
		if err := e.files.DeleteBlock(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// walk calls visit for k and all that lies below it, each once, and reads only inner nodes. A missing node has
// nothing below it: a deletion that was cut short can be walked again.
func (e *Embedded) walk(ctx context.Context, k cid.Cid, visit func(cid.Cid) bool) error {
	seen := cid.NewSet()
	next := []cid.Cid{k}
	for len(next) > 0 {
		k := next[len(next)-1]
		next = next[:len(next)-1]
		if !seen.Visit(k) {
			continue
		}
		if !visit(k) {
			return nil
		}
		if k.Type() == cid.Raw {
			continue
		}
		block, err := e.files.read(ctx, k)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		node, err := decode(k, block)
		if err != nil {
			continue // not a node, so it has no links
		}
		for _, link := range node.Links() {
			next = append(next, link.Cid)
		}
	}
	return nil
}

func (e *Embedded) pin(ctx context.Context, root CID) error {
	return e.pins.Put(ctx, pinKey(root), nil)
}

// pinKey is in upper case because flatfs takes no other.
func pinKey(c CID) datastore.Key {
	return datastore.NewKey(strings.ToUpper(string(c)))
}
