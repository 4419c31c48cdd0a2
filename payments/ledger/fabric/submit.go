package fabric

import (
	"context"
	"fmt"

	"github.com/hyperledger/fabric-gateway/pkg/client"
	"github.com/hyperledger/fabric-protos-go-apiv2/common"
	"github.com/hyperledger/fabric-protos-go-apiv2/gateway"
	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"antiphon/payments/ledger/contract"
)

// Submit implements [contract.Backend]. It returns when the operator's own peer has committed the transaction.
// ErrUnavailable means that nobody knows yet whether it will be: to submit the same again is right, and when it had been
// committed after all the contract says that it is a duplicate.
func (b *Backend) Submit(ctx context.Context, c contract.Command) error {
	name, args, err := contract.Encode(c)
	if err != nil {
		return err
	}
	return b.retry(ctx, func(ctx context.Context) error {
		return b.submit(ctx, name, args)
	})
}

// notCommitted means that a transaction was ordered and then found not to hold.
type notCommitted struct{ code peer.TxValidationCode }

func (n *notCommitted) Error() string { return "transaction was not committed: " + n.code.String() }

func (b *Backend) submit(ctx context.Context, name string, args []byte) error {
	p, err := b.contract.NewProposal(name, client.WithBytesArguments(args))
	if err != nil {
		return err
	}
	if b.cfg.Now != nil {
		if p, err = b.restamp(p); err != nil {
			return fmt.Errorf("set the transaction's time: %w", err)
		}
	}
	tx, err := p.EndorseWithContext(ctx)
	if err != nil {
		return err
	}
	commit, err := tx.SubmitWithContext(ctx)
	if err != nil {
		return err
	}
	status, err := commit.StatusWithContext(ctx)
	if err != nil {
		return err
	}
	if !status.Successful {
		return &notCommitted{status.Code}
	}
	return nil
}

// restamp is a proposal with the time of the backend's clock; the library knows the system's only.
func (b *Backend) restamp(p *client.Proposal) (*client.Proposal, error) {
	raw, err := p.Bytes()
	if err != nil {
		return nil, err
	}
	var (
		proposed gateway.ProposedTransaction
		proposal peer.Proposal
		header   common.Header
		channel  common.ChannelHeader
	)
	if err := proto.Unmarshal(raw, &proposed); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(proposed.GetProposal().GetProposalBytes(), &proposal); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(proposal.GetHeader(), &header); err != nil {
		return nil, err
	}
	if err := proto.Unmarshal(header.GetChannelHeader(), &channel); err != nil {
		return nil, err
	}
	channel.Timestamp = timestamppb.New(b.cfg.Now())
	if header.ChannelHeader, err = proto.Marshal(&channel); err != nil {
		return nil, err
	}
	if proposal.Header, err = proto.Marshal(&header); err != nil {
		return nil, err
	}
	if proposed.Proposal.ProposalBytes, err = proto.Marshal(&proposal); err != nil {
		return nil, err
	}
	if raw, err = proto.Marshal(&proposed); err != nil {
		return nil, err
	}
	return b.gateway.NewProposal(raw)
}

// Ready reports whether a command would be endorsed at the moment: by the operator's own peer and by as many others as
// the channel asks for. Nothing is written.
func (b *Backend) Ready(ctx context.Context) error {
	return b.retry(ctx, func(ctx context.Context) error {
		p, err := b.contract.NewProposal(readKey, client.WithArguments("ready"))
		if err != nil {
			return err
		}
		_, err = p.EndorseWithContext(ctx)
		return err
	})
}
