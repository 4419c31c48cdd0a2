package treasury

import (
	"context"
	"errors"
	"math/big"
	"slices"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// Survey is what a node says of itself at one moment. Where it did not answer a question, the error stands beside it.
type Survey struct {
	// Reached is why the node could not be asked at all; nothing else is known then.
	Reached error
	Address eip55.Address
	Dialect raiden.Dialect
	Version string
	Status  raiden.Status
	// Synced is why the status could not be had.
	Synced error
	// Token is what is paid in, and Registered says whether the node knows it.
	Token       eip55.Address
	Registered  bool
	TokensErr   error
	Channels    []raiden.Channel
	ChannelsErr error
	// Pending are the transfers that are under way.
	Pending    []raiden.PendingTransfer
	PendingErr error
	// UserDeposit is what services of the network can be paid from; nil where the node does not tell.
	UserDeposit *amount.Units
}

// Look asks a node everything that matters for paying and being paid in a token. It changes nothing. It does not fail:
// what went wrong is part of the survey.
func Look(ctx context.Context, node *raiden.Client, token eip55.Address) Survey {
	s := Survey{Token: token}
	if s.Address, s.Reached = node.Address(ctx); s.Reached != nil {
		// A node that is not synced yet may serve its status alone.
		if status, err := node.Status(ctx); err == nil && status.State != raiden.Ready {
			s.Status = status
		}
		return s
	}
	s.Dialect, s.Reached = node.Dialect(ctx)
	if s.Reached != nil {
		return s
	}
	s.Version, _ = node.Version(ctx) // a node that does not tell its version works all the same
	s.Status, s.Synced = node.Status(ctx)
	tokens, err := node.Tokens(ctx)
	s.Registered, s.TokensErr = slices.Contains(tokens, token), err
	s.Channels, s.ChannelsErr = node.Channels(ctx, token)
	if errors.Is(s.ChannelsErr, raiden.ErrNotFound) && !s.Registered {
		s.ChannelsErr = nil
	}
	s.Pending, s.PendingErr = node.PendingTransfers(ctx, token)
	if errors.Is(s.PendingErr, raiden.ErrNotFound) && !s.Registered {
		s.PendingErr = nil
	}
	if deposit, err := node.UserDeposit(ctx); err == nil {
		s.UserDeposit = &deposit
	}
	return s
}

// Open are the channels that payments can go through.
func (s Survey) Open() []raiden.Channel {
	var open []raiden.Channel
	for _, c := range s.Channels {
		if c.Open() {
			open = append(open, c)
		}
	}
	return open
}

// CanSend is the largest payment that can be made now: one payment goes through one channel, and not through one whose
// partner is known to be away.
func (s Survey) CanSend() amount.Units {
	var most amount.Units
	for _, c := range s.Open() {
		if c.Online() != "unreachable" && c.Balance.Cmp(most) > 0 {
			most = c.Balance
		}
	}
	return most
}

// TheirsAtLeast is the most that one partner can certainly pay us now; what partners deposited themselves is not told.
func (s Survey) TheirsAtLeast() amount.Units {
	var most amount.Units
	for _, c := range s.Open() {
		if theirs := c.TheirsAtLeast(); c.Online() != "unreachable" && theirs.Cmp(most) > 0 {
			most = theirs
		}
	}
	return most
}

// Locked is the sum that pending transfers hold.
func (s Survey) Locked() amount.Units {
	sum := new(big.Int)
	for _, p := range s.Pending {
		sum.Add(sum, p.Locked.Big())
	}
	units, err := amount.UnitsFromBig(sum)
	if err != nil {
		return amount.Units{} // more than there is in the world
	}
	return units
}
