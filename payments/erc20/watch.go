package erc20

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"antiphon/payments"
	"antiphon/payments/amount"
)

const (
	// back is how many blocks before the first look are looked at: an order may have been placed while no look had
	// succeeded yet.
	back = 1000
	// rewind is how many times Confirmations are gone back when the chain was reorganized deeper than that.
	rewind = 10
)

// Received implements [payments.Provider]. Whatever the node says that does not fit together is an error, and then
// nothing is concluded: the cursor stands, and what was seen before stays seen.
func (c *Client) Received(ctx context.Context, cursor string) (payments.Look, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cursor != "" && cursor == c.cursor && c.Now().Sub(c.asked) < c.Poll {
		return c.look, nil
	}
	c.asked = c.Now()
	if err := c.checkChain(ctx); err != nil {
		return payments.Look{}, err
	}
	head, err := c.block(ctx, "latest")
	if err != nil {
		return payments.Look{}, err
	}
	if cursor != "" && cursor == c.cursor && head.Hash == c.head {
		return c.look, nil
	}
	from, err := c.resume(ctx, cursor, head)
	if err != nil {
		return payments.Look{}, err
	}
	look, seen, err := c.examine(ctx, from, head)
	if err != nil {
		return payments.Look{}, err
	}
	if look.Next == "" {
		look.Next = cursor
	}
	c.head, c.cursor, c.look, c.seen = head.Hash, look.Next, payments.Look{Tentative: look.Tentative, Next: look.Next}, seen
	if look.More {
		// The next look begins behind this one at once.
		c.head, c.asked = "", time.Time{}
	}
	return look, nil
}

// resume finds the first block to examine. Where the chain has another block than the cursor names, it was reorganized
// deeper than what counts as final: what was credited stays so, and the blocks before are examined again.
func (c *Client) resume(ctx context.Context, cursor string, head block) (uint64, error) {
	if cursor == "" {
		return uint64(head.Number) - min(uint64(head.Number), back), nil
	}
	number, hash, err := parseCursor(cursor)
	if err != nil {
		return 0, err
	}
	if uint64(head.Number) < number {
		return 0, fmt.Errorf("%w: it is at block %d, and block %d was final", ErrBehind, head.Number, number)
	}
	last, err := c.blockAt(ctx, number)
	if err != nil {
		return 0, err
	}
	if last.Hash == hash {
		return number + 1, nil
	}
	depth := uint64(rewind * c.Confirmations)
	c.Log.Warn("chain reorganized below what was final", "block", number, "was", hash, "is", last.Hash)
	return number - min(number, depth), nil
}

// examine reads the transfers from a block on, at most Span blocks, and tells what is final from what is not.
func (c *Client) examine(ctx context.Context, from uint64, head block) (payments.Look, map[string]transfer, error) {
	var look payments.Look
	top := uint64(head.Number)
	// The last block that has its confirmations; there may be none yet.
	final, deep := uint64(0), false
	if n := uint64(c.Confirmations); top+1 >= n {
		final, deep = top+1-n, true
	}
	to := min(top, from+uint64(c.Span)-1)
	all, end, err := c.stretch(ctx, from, &to, head)
	if err != nil {
		return look, nil, err
	}
	all, err = c.ours(ctx, all)
	if err != nil {
		return look, nil, err
	}
	seen := map[string]transfer{}
	found := map[string]bool{}
	for _, t := range all {
		found[t.ref()] = true
		if !deep || t.block > final {
			seen[t.ref()] = t
			look.Tentative = append(look.Tentative, c.tentative(t, top))
			continue
		}
		b, err := c.proven(ctx, t)
		if err != nil {
			return look, nil, err
		}
		p := c.payment(t)
		p.At = time.Unix(int64(b.Time), 0).UTC()
		look.Final = append(look.Final, p)
	}
	if err := c.missing(ctx, found, to); err != nil {
		return look, nil, err
	}
	for ref, t := range c.seen {
		if !found[ref] && t.block > to {
			// This look does not reach so far: what was seen there is neither confirmed nor gone.
			seen[ref] = t
			look.Tentative = append(look.Tentative, c.tentative(t, top))
		}
	}
	if !deep || from > min(to, final) {
		return look, seen, nil
	}
	last := end
	if to > final {
		if last, err = c.blockAt(ctx, final); err != nil {
			return look, nil, err
		}
	}
	look.Next, look.More = formatCursor(uint64(last.Number), last.Hash), to < top
	return look, seen, nil
}

// stretch asks for the transfers from a block to another one, which it brings nearer when the node will not answer for
// so many, and returns the last block. All of it was true at one moment: had the chain moved meanwhile, the logs might be
// of neither the old nor the new one.
func (c *Client) stretch(ctx context.Context, from uint64, to *uint64, head block) ([]transfer, block, error) {
	for {
		end, err := head, error(nil)
		if *to != uint64(head.Number) {
			if end, err = c.blockAt(ctx, *to); err != nil {
				return nil, end, err
			}
		}
		if from > *to {
			return nil, end, nil
		}
		all, err := c.transfers(ctx, from, *to)
		if errors.Is(err, ErrRefused) && *to > from {
			*to = from + (*to-from)/2
			continue
		}
		if err != nil {
			return nil, end, err
		}
		again, err := c.blockAt(ctx, *to)
		if err == nil && again.Hash != end.Hash {
			err = fmt.Errorf("%w: the chain moved while it was read", ErrContradiction)
		}
		return all, end, err
	}
}

// missing looks after the transfers that were seen before and are not among the logs: either the chain has dropped
// them, or the node has forgotten what it knew, and then nothing may be concluded.
func (c *Client) missing(ctx context.Context, found map[string]bool, to uint64) error {
	for ref, t := range c.seen {
		if found[ref] || t.block > to {
			continue
		}
		r, err := c.receiptOf(ctx, t.transaction)
		if err != nil {
			return err
		}
		if r == nil || r.Status != 1 {
			c.Log.Info("a payment that was seen is gone", "transaction", t.transaction)
			continue
		}
		if uint64(r.BlockNumber) > to {
			continue
		}
		b, err := c.blockAt(ctx, uint64(r.BlockNumber))
		if err != nil {
			return err
		}
		if strings.EqualFold(b.Hash, r.BlockHash) {
			return fmt.Errorf("%w: transaction %s is in block %d, and its transfer is not among the logs", ErrContradiction, t.transaction, b.Number)
		}
	}
	return nil
}

// ours are the transfers of more than nothing to orders.
func (c *Client) ours(ctx context.Context, all []transfer) ([]transfer, error) {
	seen := map[string]bool{}
	var addresses []string
	for _, t := range all {
		if a := t.to.String(); !seen[a] && !t.units.IsZero() {
			seen[a] = true
			addresses = append(addresses, a)
		}
	}
	if len(addresses) == 0 {
		return nil, nil
	}
	known, err := c.Targets(ctx, addresses)
	if err != nil {
		return nil, errors.Join(errors.New("look up orders"), err)
	}
	var own []transfer
	for _, t := range all {
		if known[t.to.String()] && !t.units.IsZero() {
			own = append(own, t)
		}
	}
	return own, nil
}

func (c *Client) payment(t transfer) payments.Payment {
	return payments.Payment{
		Ref: t.ref(), Initiator: t.from.String(), Target: t.to.String(), Amount: amount.Amount{Units: t.units, Asset: c.Config.Asset},
	}
}

func (c *Client) tentative(t transfer, head uint64) payments.Tentative {
	return payments.Tentative{Payment: c.payment(t), Confirmations: max(0, int(int64(head)-int64(t.block)+1)), Needed: c.Confirmations, Block: t.block}
}
