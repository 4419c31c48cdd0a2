package raiden

import (
	"context"
	"net/http"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// Channel is one payment channel as its node sees it. Balance is what the node can still send.
type Channel struct {
	Identifier     string
	Token          eip55.Address
	TokenNetwork   eip55.Address
	Partner        eip55.Address
	Balance        amount.Units
	TotalDeposit   amount.Units
	TotalWithdraw  amount.Units
	State          string // opened, closed, settled, and the steps between; as the node says
	SettleTimeout  string
	RevealTimeout  string
	PartnerNetwork string // python only: reachable, unreachable, unknown
}

// Open reports whether payments can go through the channel.
func (c Channel) Open() bool { return c.State == "opened" }

// Online says whether the partner is there: "reachable", "unreachable" or "unknown", where the node does not tell.
func (c Channel) Online() string {
	switch c.PartnerNetwork {
	case "reachable", "unreachable":
		return c.PartnerNetwork
	default:
		return "unknown"
	}
}

// TheirsAtLeast is what the partner can certainly send: what it was paid through the channel and has not paid back. What
// the partner deposited itself no node tells.
func (c Channel) TheirsAtLeast() amount.Units {
	deposit, gone := c.TotalDeposit.Big(), c.TotalWithdraw.Big()
	paid := deposit.Sub(deposit, gone)
	paid.Sub(paid, c.Balance.Big())
	units, err := amount.UnitsFromBig(paid)
	if err != nil {
		return amount.Units{} // it has paid more than it was paid
	}
	return units
}

// OpenRequest asks for a channel. Timeouts are in blocks and optional; the light dialect ignores them.
type OpenRequest struct {
	Token         eip55.Address
	Partner       eip55.Address
	TotalDeposit  amount.Units
	SettleTimeout uint64
	RevealTimeout uint64
}

// Channels lists the node's channels of a token, or of all tokens when the token is the zero address.
func (c *Client) Channels(ctx context.Context, token eip55.Address) ([]Channel, error) {
	path := "/channels"
	if !token.IsZero() {
		path += "/" + token.String()
	}
	var in []*wireChannel
	r := call{method: http.MethodGet, path: path, out: &in}
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	out := make([]Channel, 0, len(in))
	for _, w := range in {
		if w == nil {
			continue
		}
		ch, err := w.channel(r)
		if err != nil {
			return nil, err
		}
		out = append(out, ch)
	}
	return out, nil
}

// Channel asks for one channel; ErrNotFound when there is none.
func (c *Client) Channel(ctx context.Context, token, partner eip55.Address) (Channel, error) {
	return c.changeChannel(ctx, call{method: http.MethodGet, path: channelPath(token, partner)})
}

// OpenChannel opens a channel and blocks until the chain has taken it; ErrConflict when there already is one.
func (c *Client) OpenChannel(ctx context.Context, req OpenRequest) (Channel, error) {
	body := struct {
		Partner eip55.Address `json:"partner_address"`
		Token   eip55.Address `json:"token_address"`
		Deposit amount.Units  `json:"total_deposit"`
		Settle  uint64        `json:"settle_timeout,omitempty,string"`
		Reveal  uint64        `json:"reveal_timeout,omitempty,string"`
	}{req.Partner, req.Token, req.TotalDeposit, req.SettleTimeout, req.RevealTimeout}
	return c.changeChannel(ctx, call{method: http.MethodPut, path: "/channels", body: body, blocks: true})
}

// Deposit raises the channel's total deposit to total (not by total) and blocks until the chain has taken it.
func (c *Client) Deposit(ctx context.Context, token, partner eip55.Address, total amount.Units) (Channel, error) {
	return c.patchChannel(ctx, token, partner, map[string]any{"total_deposit": total})
}

// Withdraw raises the channel's total withdrawn amount to total (not by total).
func (c *Client) Withdraw(ctx context.Context, token, partner eip55.Address, total amount.Units) (Channel, error) {
	return c.patchChannel(ctx, token, partner, map[string]any{"total_withdraw": total})
}

// Close closes the channel on chain; the deposits come back when it settles.
func (c *Client) Close(ctx context.Context, token, partner eip55.Address) (Channel, error) {
	return c.patchChannel(ctx, token, partner, map[string]any{"state": "closed"})
}

func (c *Client) patchChannel(ctx context.Context, token, partner eip55.Address, body any) (Channel, error) {
	return c.changeChannel(ctx, call{method: http.MethodPatch, path: channelPath(token, partner), body: body, blocks: true})
}

func (c *Client) changeChannel(ctx context.Context, r call) (Channel, error) {
	var w wireChannel
	r.out = &w
	if err := c.do(ctx, r); err != nil {
		return Channel{}, err
	}
	return w.channel(r)
}

func channelPath(token, partner eip55.Address) string {
	return "/channels/" + token.String() + "/" + partner.String()
}

type wireChannel struct {
	Identifier   number  `json:"channel_identifier"`
	TokenNetwork address `json:"token_network_address"`
	Partner      address `json:"partner_address"`
	Token        address `json:"token_address"`
	Balance      number  `json:"balance"`
	Deposit      number  `json:"total_deposit"`
	Withdraw     number  `json:"total_withdraw"`
	State        string  `json:"state"`
	Settle       number  `json:"settle_timeout"`
	Reveal       number  `json:"reveal_timeout"`
	Network      string  `json:"network_state"`
}

func (w *wireChannel) channel(r call) (Channel, error) {
	balance, err1 := w.Balance.units()
	deposit, err2 := w.Deposit.units()
	withdraw, err3 := w.Withdraw.units()
	if err1 != nil || err2 != nil || err3 != nil || w.Partner.IsZero() || w.Token.IsZero() || w.State == "" {
		return Channel{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "incomplete channel", kind: ErrProtocol}
	}
	return Channel{
		Identifier: string(w.Identifier), Token: w.Token.Address, TokenNetwork: w.TokenNetwork.Address, Partner: w.Partner.Address,
		Balance: balance, TotalDeposit: deposit, TotalWithdraw: withdraw, State: w.State,
		SettleTimeout: string(w.Settle), RevealTimeout: string(w.Reveal), PartnerNetwork: w.Network,
	}, nil
}
