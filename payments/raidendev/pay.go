package raidendev

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

var (
	errNoRoute    = errors.New("no route to the target")
	errSecretUsed = errors.New("secret was used before")
	errPending    = errors.New("transfer is still pending")
)

// order is a payment that a node is asked to make.
type order struct {
	initiator  eip55.Address
	target     eip55.Address
	amount     amount.Units
	identifier uint64
	secret     *secret // nil: a random one
}

// pay makes a payment and returns after the journal has it for good. errPending means that it was begun and will end
// by itself, one way or the other; other errors mean that no money has moved.
func (n *Network) pay(o order) (*transfer, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.settle(); err != nil {
		return nil, err
	}
	path, err := n.route(o)
	if err != nil {
		return nil, err
	}
	var s secret
	if o.secret != nil {
		s = *o.secret
	} else if _, err := io.ReadFull(n.cfg.Rand, s[:]); err != nil {
		return nil, fmt.Errorf("make secret: %w", err)
	}
	if n.state.transfers[s.hash()] != nil {
		return nil, errSecretUsed
	}
	payer := n.nodes[o.initiator]
	first, err := payer.sayProof(message{
		Initiator: o.initiator, Target: o.target, Identifier: o.identifier,
		Lock: lock{Expiration: n.block() + lockBlocks, Amount: o.amount, Hash: s.hash()},
	}, lockedTransfer, path)
	if err != nil {
		return nil, err
	}
	payer.secrets[s.hash()] = s
	if err := n.run(first); err != nil {
		return nil, fmt.Errorf("%w: %w", errPending, err)
	}
	if err := n.journal.sync(); err != nil {
		return nil, fmt.Errorf("%w: %w", errPending, err)
	}
	t := n.state.transfers[s.hash()]
	if t == nil || t.pending() || !t.paid {
		return nil, errPending
	}
	return t, nil
}

// route finds the channel to begin with: straight to the target or to the hub, which is given what it lacks.
func (n *Network) route(o order) (*channel, error) {
	target, hub := n.nodes[o.target], n.state.names[Hub]
	if target == nil || !target.online {
		return nil, fmt.Errorf("%w: it is offline or unknown", errNoRoute)
	}
	need := o.amount.Big()
	poor := false
	if c := n.state.open[pairOf(o.initiator, o.target)]; c != nil {
		if c.spendable(o.initiator).Cmp(need) >= 0 {
			return c, nil
		}
		poor = true
	}
	if o.initiator != hub && o.target != hub {
		first, last := n.state.open[pairOf(o.initiator, hub)], n.state.open[pairOf(hub, o.target)]
		if first != nil && last != nil {
			if first.spendable(o.initiator).Cmp(need) >= 0 {
				return first, n.topUp(last, hub, need)
			}
			poor = true
		}
	}
	if poor {
		return nil, errFunds
	}
	return nil, errNoRoute
}

func (c *channel) spendable(a eip55.Address) *big.Int {
	side, err := c.side(a)
	if err != nil {
		return new(big.Int)
	}
	return c.balance(side)
}

// topUp lets the faucet give the hub what it needs in a channel, and as much as a deposit at a time.
func (n *Network) topUp(c *channel, hub eip55.Address, need *big.Int) error {
	lack := new(big.Int).Sub(need, c.spendable(hub))
	if lack.Sign() <= 0 {
		return nil
	}
	if more := n.cfg.Deposit.Big(); more.Cmp(lack) > 0 {
		lack = more
	}
	side, err := c.side(hub)
	if err != nil {
		return err
	}
	total, err := amount.UnitsFromBig(lack.Add(lack, c.ends[side].deposit.Big()))
	if err != nil {
		return fmt.Errorf("%w: the hub's channel is full", errNoRoute)
	}
	if err := n.commit(record{Deposit: &funded{Channel: c.id, Party: hub, Total: total}}); err != nil {
		if errors.Is(err, errRecord) {
			return fmt.Errorf("%w: the hub's channel is full", errNoRoute)
		}
		return err
	}
	return nil
}

// run delivers messages, and the answers to them, until there are no more.
func (n *Network) run(queue ...message) error {
	for len(queue) > 0 {
		m := queue[0]
		queue = queue[1:]
		if n.lose != nil && n.lose(m) {
			continue
		}
		to := n.nodes[m.To]
		if to == nil {
			return fmt.Errorf("%w: to a stranger", errMessage)
		}
		answers, err := to.receive(m)
		if err != nil {
			return fmt.Errorf("node %s: %w", to.name, err)
		}
		queue = append(queue, answers...)
	}
	return nil
}

// settle ends what was left undone, by a killed process for one: a transfer whose secret was told is paid, from the
// target's end on; of any other the locks are taken back once they have expired.
func (n *Network) settle() error {
	if n.journal.err != nil {
		return n.journal.err
	}
	now, changed := n.block(), false
	for _, t := range slices.Clone(n.state.pending) {
		for _, l := range slices.Backward(t.legs) {
			if l.done || (t.secret == nil && l.lock.Expiration >= now) {
				continue
			}
			sender, end := n.nodes[l.channel.ends[l.side].address], unlock
			if t.secret == nil {
				end = lockExpired
				delete(sender.secrets, t.hash)
			}
			m, err := sender.sayProof(t.message(l), end, l.channel)
			if err != nil {
				return fmt.Errorf("settle transfer: %w", err)
			}
			if err := n.run(m); err != nil {
				return fmt.Errorf("settle transfer: %w", err)
			}
			changed = true
		}
	}
	if changed {
		return n.journal.sync()
	}
	return nil
}
