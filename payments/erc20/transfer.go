package erc20

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// wireLog is an event as a node tells it.
type wireLog struct {
	Address     string   `json:"address"`
	Topics      []string `json:"topics"`
	Data        string   `json:"data"`
	BlockNumber quantity `json:"blockNumber"`
	BlockHash   string   `json:"blockHash"`
	Transaction string   `json:"transactionHash"`
	Index       quantity `json:"logIndex"`
	Removed     bool     `json:"removed"`
}

// transfer is one movement of the token.
type transfer struct {
	from, to    eip55.Address
	units       amount.Units
	block       uint64
	blockHash   string
	transaction string
	index       uint64
	// nth counts the token's transfers in the transaction: unlike the log's index, which counts through the block, it
	// stays the same when a reorganization puts the transaction into another block.
	nth int
}

// ref names a transfer among all of the token's.
func (t transfer) ref() string { return fmt.Sprintf("%s/%d", t.transaction, t.nth) }

// read checks that a log is a transfer of the token within the blocks that were asked for. Events of other forms are
// passed over: a token may have any.
func (c *Client) read(l wireLog, from, to uint64) (transfer, bool, error) {
	if l.Removed {
		return transfer{}, false, nil
	}
	address, err := eip55.Parse(strings.ToLower(l.Address))
	if err != nil || address != c.token || uint64(l.BlockNumber) < from || uint64(l.BlockNumber) > to ||
		len(l.BlockHash) != 66 || len(l.Transaction) != 66 {
		return transfer{}, false, fmt.Errorf("%w: a log that was not asked for, in block %d", ErrContradiction, l.BlockNumber)
	}
	if len(l.Topics) != 3 || !strings.EqualFold(l.Topics[0], transferTopic) {
		return transfer{}, false, nil
	}
	data, err := hex.DecodeString(strings.TrimPrefix(l.Data, "0x"))
	if err != nil || len(data) != 32 {
		return transfer{}, false, nil
	}
	t := transfer{
		block: uint64(l.BlockNumber), blockHash: strings.ToLower(l.BlockHash), transaction: strings.ToLower(l.Transaction), index: uint64(l.Index),
	}
	if t.units, err = amount.UnitsFromBig(new(big.Int).SetBytes(data)); err != nil {
		return transfer{}, false, err
	}
	for i, address := range []*eip55.Address{&t.from, &t.to} {
		topic, err := hex.DecodeString(strings.TrimPrefix(l.Topics[i+1], "0x"))
		if err != nil || len(topic) != 32 {
			return transfer{}, false, nil
		}
		copy(address[:], topic[12:])
	}
	return t, true, nil
}

// transfers asks for all of the token's transfers in a range of blocks, in their order.
func (c *Client) transfers(ctx context.Context, from, to uint64) ([]transfer, error) {
	var logs []wireLog
	err := c.ask(ctx, &logs, "eth_getLogs", map[string]any{
		"address": c.token.String(), "topics": []any{transferTopic}, "fromBlock": quantity(from).String(), "toBlock": quantity(to).String(),
	})
	if err != nil {
		return nil, err
	}
	return c.readAll(logs, from, to)
}

func (c *Client) readAll(logs []wireLog, from, to uint64) ([]transfer, error) {
	all := make([]transfer, 0, len(logs))
	for _, l := range logs {
		t, ok, err := c.read(l, from, to)
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, t)
		}
	}
	slices.SortStableFunc(all, func(a, b transfer) int {
		if a.block != b.block {
			return int(int64(a.block) - int64(b.block))
		}
		return int(int64(a.index) - int64(b.index))
	})
	count := map[string]int{}
	for i := range all {
		all[i].nth = count[all[i].transaction]
		count[all[i].transaction]++
	}
	return all, nil
}

// receipt is what a node says became of a transaction.
type receipt struct {
	Status      quantity  `json:"status"`
	BlockNumber quantity  `json:"blockNumber"`
	BlockHash   string    `json:"blockHash"`
	Logs        []wireLog `json:"logs"`
}

// receiptOf asks what became of a transaction; nil when the node knows of none that was mined.
func (c *Client) receiptOf(ctx context.Context, transaction string) (*receipt, error) {
	var r *receipt
	if err := c.ask(ctx, &r, "eth_getTransactionReceipt", transaction); err != nil {
		return nil, err
	}
	return r, nil
}

// proven asks for the receipt of a transfer that is about to count: it must have succeeded, in the same block, with the
// same transfer in it, and the block must be the one that the chain has at its height. It returns the block.
func (c *Client) proven(ctx context.Context, t transfer) (block, error) {
	b, err := c.blockAt(ctx, t.block)
	if err != nil {
		return b, err
	}
	r, err := c.receiptOf(ctx, t.transaction)
	if err != nil {
		return b, err
	}
	if !strings.EqualFold(b.Hash, t.blockHash) || r == nil || r.Status != 1 || !strings.EqualFold(r.BlockHash, t.blockHash) || uint64(r.BlockNumber) != t.block {
		return b, fmt.Errorf("%w: on transaction %s", ErrContradiction, t.transaction)
	}
	var own []wireLog
	for _, l := range r.Logs {
		if address, err := eip55.Parse(strings.ToLower(l.Address)); err == nil && address == c.token {
			own = append(own, l)
		}
	}
	all, err := c.readAll(own, t.block, t.block)
	if err != nil {
		return b, err
	}
	if !slices.Contains(all, t) {
		return b, fmt.Errorf("%w: on the transfers in transaction %s", ErrContradiction, t.transaction)
	}
	return b, nil
}
