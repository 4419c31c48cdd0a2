package raidendev

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

var errFunds = errors.New("insufficient funds")

// channel is money that two parties owe each other the division of.
type channel struct {
	id     uint64
	ends   [2]end
	closed bool
}

// end is one party's side of a channel.
type end struct {
	address     eip55.Address
	deposit     amount.Units
	withdrawn   amount.Units
	transferred amount.Units // to the other side, in all
	locks       []lock       // given to the other side
	nonce       uint64
	last        proof // the newest this end has signed
}

// side is the index of a party's end.
func (c *channel) side(a eip55.Address) (int, error) {
	switch a {
	case c.ends[0].address:
		return 0, nil
	case c.ends[1].address:
		return 1, nil
	default:
		return 0, fmt.Errorf("%s has no part in channel %d", a, c.id)
	}
}

// balance is what an end can still send: deposit - withdrawn + received - sent - locked.
func (c *channel) balance(side int) *big.Int {
	e := c.ends[side]
	b := e.deposit.Big()
	b.Sub(b, e.withdrawn.Big())
	b.Add(b, c.ends[1-side].transferred.Big())
	b.Sub(b, e.transferred.Big())
	return b.Sub(b, e.locked())
}

func (e *end) locked() *big.Int {
	sum := new(big.Int)
	for _, l := range e.locks {
		sum.Add(sum, l.Amount.Big())
	}
	return sum
}

// after is the side's end once it has sent m (LockedTransfer, Unlock or LockExpired), with the balance proof that m
// must carry, but for the signature.
func (c *channel) after(side int, m message) (end, error) {
	e := c.ends[side]
	e.nonce++
	at := slices.Index(e.locks, m.Lock)
	switch {
	case c.closed:
		return end{}, fmt.Errorf("channel %d is closed", c.id)
	case m.Kind == lockedTransfer:
		if m.Lock.Amount.Big().Cmp(c.balance(side)) > 0 {
			return end{}, fmt.Errorf("channel %d: %w", c.id, errFunds)
		}
		// The sum must stay a number that a contract can hold, whatever becomes of the locks.
		sum := e.locked()
		sum.Add(sum, e.transferred.Big()).Add(sum, m.Lock.Amount.Big())
		if sum.BitLen() > 256 {
			return end{}, fmt.Errorf("channel %d is used up: %w", c.id, errFunds)
		}
		e.locks = append(slices.Clone(e.locks), m.Lock)
	case at < 0:
		return end{}, fmt.Errorf("channel %d has no such lock", c.id)
	default:
		e.locks = slices.Delete(slices.Clone(e.locks), at, at+1)
	}
	if m.Kind == unlock {
		sum, err := e.transferred.Add(m.Lock.Amount)
		if err != nil {
			return end{}, fmt.Errorf("channel %d: %w", c.id, err)
		}
		e.transferred = sum
	}
	locked, err := amount.UnitsFromBig(e.locked())
	if err != nil {
		return end{}, fmt.Errorf("channel %d: %w", c.id, err)
	}
	e.last = proof{Channel: c.id, Nonce: e.nonce, Transferred: e.transferred, Locked: locked, Locksroot: locksroot(e.locks)}
	return e, nil
}
