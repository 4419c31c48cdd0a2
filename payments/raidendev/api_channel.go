package raidendev

import (
	"fmt"
	"net/http"
	"strconv"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// channelView is a channel as the API shows it.
type channelView struct {
	Identifier   string        `json:"channel_identifier"`
	TokenNetwork eip55.Address `json:"token_network_address"`
	Partner      eip55.Address `json:"partner_address"`
	Token        eip55.Address `json:"token_address"`
	Balance      string        `json:"balance"`
	Deposit      amount.Units  `json:"total_deposit"`
	Withdraw     amount.Units  `json:"total_withdraw"`
	State        string        `json:"state"`
	Settle       string        `json:"settle_timeout"`
	Reveal       string        `json:"reveal_timeout"`
}

func (n *node) view(c *channel, side int) channelView {
	v := channelView{
		Identifier: strconv.FormatUint(c.id, 10), TokenNetwork: n.network.tokenNetwork, Partner: c.ends[1-side].address,
		Token: n.network.token, Balance: c.balance(side).String(), Deposit: c.ends[side].deposit, Withdraw: c.ends[side].withdrawn,
		State: "opened", Settle: strconv.Itoa(lockBlocks), Reveal: strconv.Itoa(hopBlocks),
	}
	if c.closed {
		v.State, v.Balance = "settled", "0"
	}
	return v
}

func (n *node) getChannels(r *http.Request) (int, any, error) {
	if err := n.pathToken(r); err != nil {
		return 0, nil, err
	}
	out := []channelView{}
	err := n.network.read(func() error {
		for c, side := range n.openChannels() {
			out = append(out, n.view(c, side))
		}
		return nil
	})
	return http.StatusOK, out, err
}

func (n *node) getChannel(r *http.Request) (int, any, error) {
	var out channelView
	err := n.withChannel(r, n.network.read, func(c *channel, side int) error {
		out = n.view(c, side)
		return nil
	})
	return http.StatusOK, out, err
}

// withChannel finds the channel that the path names and runs fn on it under the given lock.
func (n *node) withChannel(r *http.Request, lock func(func() error) error, fn func(c *channel, side int) error) error {
	if err := n.pathToken(r); err != nil {
		return err
	}
	partner, err := pathAddress(r, "partner")
	if err != nil {
		return err
	}
	return lock(func() error {
		c := n.network.state.open[pairOf(n.address, partner)]
		if c == nil {
			return notFound("no open channel with this partner")
		}
		side, err := c.side(n.address)
		if err != nil {
			return err
		}
		return fn(c, side)
	})
}

func (n *node) putChannel(r *http.Request) (int, any, error) {
	var in struct {
		Partner eip55.Address `json:"partner_address"`
		Token   eip55.Address `json:"token_address"`
		Deposit decimal       `json:"total_deposit"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	if err := n.checkToken(in.Token); err != nil {
		return 0, nil, err
	}
	deposit := amount.Units{}
	if in.Deposit != "" {
		var err error
		if deposit, err = in.Deposit.units(); err != nil {
			return 0, nil, err
		}
	}
	var out channelView
	err := n.network.write(func() error {
		switch {
		case n.network.nodes[in.Partner] == nil || in.Partner == n.address:
			return failure{http.StatusConflict, "no such partner on the development network"}
		case n.network.state.open[pairOf(n.address, in.Partner)] != nil:
			return failure{http.StatusConflict, "channel exists"}
		}
		id := uint64(len(n.network.state.channels)) + 1
		if err := n.network.commit(record{Open: &opened{Channel: id, Parties: [2]eip55.Address{n.address, in.Partner}}}); err != nil {
			return err
		}
		if err := n.network.commit(record{Deposit: &funded{Channel: id, Party: n.address, Total: deposit}}); err != nil {
			return err
		}
		out = n.view(n.network.state.channels[id-1], 0)
		return nil
	})
	return http.StatusCreated, out, err
}

func (n *node) patchChannel(r *http.Request) (int, any, error) {
	var in struct {
		Deposit  decimal `json:"total_deposit"`
		Withdraw decimal `json:"total_withdraw"`
		State    string  `json:"state"`
	}
	if err := readBody(r, &in); err != nil {
		return 0, nil, err
	}
	var out channelView
	err := n.withChannel(r, n.network.write, func(c *channel, side int) error {
		var err error
		switch {
		case in.Deposit != "" && in.Withdraw == "" && in.State == "":
			err = n.deposit(c, in.Deposit)
		case in.Withdraw != "" && in.Deposit == "" && in.State == "":
			err = n.withdraw(c, side, in.Withdraw)
		case in.State == "closed" && in.Deposit == "" && in.Withdraw == "":
			err = n.network.commit(record{Close: &closing{Channel: c.id}})
		default:
			err = badRequest(`exactly one of total_deposit, total_withdraw and state "closed" is wanted`)
		}
		out = n.view(c, side)
		return err
	})
	return http.StatusOK, out, err
}

func (n *node) deposit(c *channel, total decimal) error {
	units, err := total.units()
	if err != nil {
		return err
	}
	return n.network.commit(record{Deposit: &funded{Channel: c.id, Party: n.address, Total: units}})
}

// withdraw gives deposit back to the faucet. Both parties sign, as on a chain, and each verifies the other.
func (n *node) withdraw(c *channel, side int, total decimal) error {
	units, err := total.units()
	if err != nil {
		return err
	}
	partner := n.network.nodes[c.ends[1-side].address]
	block := n.network.block() + lockBlocks
	packed := packWithdraw(n.network.tokenNetwork, c.id, n.address, units, block)
	mine, theirs := sign(n.key, packed), sign(partner.key, packed)
	if err := mine.verify(n.address, packed); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	if err := theirs.verify(partner.address, packed); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	return n.network.commit(record{Withdraw: &funded{
		Channel: c.id, Party: n.address, Total: units, Block: block, Signatures: []signature{mine, theirs},
	}})
}
