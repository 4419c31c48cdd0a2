package fabric

import (
	"context"
	"errors"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"antiphon/payments/ledger/contract"
)

// errEnd ends a following at what was asked for.
var errEnd = errors.New("the end of what was asked for")

// Events implements [contract.Backend]: with every event up to the newest block that the operator's own peer has.
func (b *Backend) Events(ctx context.Context, fn func(contract.Event) error) error {
	last, found, err := b.lastEvent(ctx)
	if err != nil || !found {
		return err
	}
	err = b.Follow(ctx, 0, func(_ uint64, e contract.Event) error {
		if err := fn(e); err != nil {
			return err
		}
		if e.TxID == last {
			return errEnd
		}
		return nil
	})
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// Follow calls fn with every event from a block on, the oldest first, with the number of its block, and then waits for
// more, until ctx ends or fn returns an error, which it returns. To go on later, begin with the last block again: what
// was seen of it is told by its transaction's id.
func (b *Backend) Follow(ctx context.Context, block uint64, fn func(block uint64, e contract.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	events, err := b.network.ChaincodeEvents(ctx, b.cfg.Chaincode, client.WithStartBlock(block))
	if err != nil {
		return b.read(err).err
	}
	defer drain(events, cancel)
	for e := range events {
		err := fn(e.BlockNumber, contract.Event{TxID: e.TransactionID, Name: e.EventName, Payload: e.Payload})
		if err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("%w: the peer ended the stream of events", ErrUnavailable)
}

// lastEvent is the transaction of the newest event; false when there is none yet.
func (b *Backend) lastEvent(ctx context.Context) (txID string, found bool, err error) {
	height, err := b.height(ctx)
	if err != nil {
		return "", false, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	blocks, err := b.network.FilteredBlockEvents(ctx, client.WithStartBlock(0))
	if err != nil {
		return "", false, b.read(err).err
	}
	defer drain(blocks, cancel)
	for block := range blocks {
		for _, tx := range block.GetFilteredTransactions() {
			if tx.GetTxValidationCode() != peer.TxValidationCode_VALID {
				continue
			}
			for _, action := range tx.GetTransactionActions().GetChaincodeActions() {
				if e := action.GetChaincodeEvent(); e.GetChaincodeId() == b.cfg.Chaincode && e.GetEventName() != "" {
					txID, found = tx.GetTxid(), true
				}
			}
		}
		if block.GetNumber()+1 >= height {
			return txID, found, nil
		}
	}
	return "", false, fmt.Errorf("%w: the peer ended the stream of blocks", ErrUnavailable)
}

// height is how many blocks the operator's own peer has.
func (b *Backend) height(ctx context.Context) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	raw, err := b.network.GetContract("qscc").EvaluateWithContext(ctx, "GetChainInfo", client.WithArguments(b.cfg.Channel))
	if err != nil {
		return 0, b.read(err).err
	}
	var info common.BlockchainInfo
	if err := proto.Unmarshal(raw, &info); err != nil {
		return 0, fmt.Errorf("%w: the peer's answer is no height: %w", ErrUnavailable, err)
	}
	return info.GetHeight(), nil
}

// drain ends a stream and takes what is still in it: the library's goroutine waits until somebody does.
func drain[T any](stream <-chan T, cancel context.CancelFunc) {
	cancel()
	for range stream {
	}
}
