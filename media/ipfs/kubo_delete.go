package ipfs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	shell "github.com/ipfs/go-ipfs-api"
)

// removeAtOnce is how many blocks are named in one request.
const removeAtOnce = 100

// Delete unpins c and removes it and the blocks below it from the daemon's disk, except what another pin needs; see
// Store. The daemon looks through all its pins to find that out.
func (k *Kubo) Delete(ctx context.Context, c CID) error {
	if _, err := ParseCID(string(c)); err != nil {
		return err
	}
	below, err := k.below(ctx, c)
	if err == nil {
		err = k.unpin(ctx, c)
	}
	if err == nil {
		// The root goes last: as long as it is there, a deletion that was cut short can be done again.
		slices.Reverse(below)
		for part := range slices.Chunk(append(below, string(c)), removeAtOnce) {
			if err = k.remove(ctx, part); err != nil {
				break
			}
		}
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", c, err)
	}
	return nil
}

// below lists the blocks under c that the daemon has.
func (k *Kubo) below(ctx context.Context, c CID) ([]string, error) {
	if c.Codec() == Raw {
		return nil, nil
	}
	var found []string
	req := k.api.Request("refs", string(c)).Option("recursive", true).Option("unique", true).Option("offline", true)
	err := k.call(ctx, k.cfg.FileTimeout, req, each(func(line struct{ Ref, Err string }) error {
		// A block that is missing ends that branch: it has been deleted before.
		if line.Err == "" && line.Ref != "" {
			found = append(found, line.Ref)
		}
		return nil
	}))
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return found, err
}

func (k *Kubo) unpin(ctx context.Context, c CID) error {
	req := k.api.Request("pin/rm", string(c)).Option("recursive", true)
	err := k.call(ctx, k.cfg.FileTimeout, req, decodeInto(&struct{ Pins []string }{}))
	if apiErr := (*shell.Error)(nil); errors.As(err, &apiErr) && strings.Contains(apiErr.Message, "not pinned") {
		return nil
	}
	return err
}

func (k *Kubo) remove(ctx context.Context, cids []string) error {
	req := k.api.Request("block/rm", cids...).Option("force", true)
	return k.call(ctx, k.cfg.FileTimeout, req, each(func(line struct{ Hash, Error string }) error {
		if line.Error != "" && !strings.HasPrefix(line.Error, "pinned") {
			return fmt.Errorf("%s: %s", line.Hash, line.Error)
		}
		return nil
	}))
}

// each reads an answer of one JSON value after another.
func each[T any](take func(T) error) func(io.Reader) error {
	return func(r io.Reader) error {
		dec := json.NewDecoder(r)
		for {
			var line T
			if err := dec.Decode(&line); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := take(line); err != nil {
				return err
			}
		}
	}
}
