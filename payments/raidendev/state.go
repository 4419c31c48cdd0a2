package raidendev

import (
	"errors"
	"fmt"
	"math/big"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// record is one change of state, as it is journaled. Exactly one of the pointers is set.
type record struct {
	N        uint64    `json:"n"`
	At       time.Time `json:"at"`
	Node     *joined   `json:"node,omitempty"`
	Open     *opened   `json:"open,omitempty"`
	Deposit  *funded   `json:"deposit,omitempty"`
	Withdraw *funded   `json:"withdraw,omitempty"`
	Close    *closing  `json:"close,omitempty"`
	Message  *message  `json:"message,omitempty"`
}

// joined: a node was added to the network.
type joined struct {
	Name    string        `json:"name"`
	Address eip55.Address `json:"address"`
}

// opened: a channel was opened.
type opened struct {
	Channel uint64           `json:"channel"`
	Parties [2]eip55.Address `json:"parties"`
}

// funded: a party's total deposit or total withdrawal was raised to Total. A withdrawal carries both signatures.
type funded struct {
	Channel    uint64        `json:"channel"`
	Party      eip55.Address `json:"party"`
	Total      amount.Units  `json:"total"`
	Block      uint64        `json:"block,omitempty"`
	Signatures []signature   `json:"signatures,omitempty"`
}

// closing: a channel was closed, and both parties got what was theirs.
type closing struct {
	Channel uint64 `json:"channel"`
}

// leg is a transfer's way through one channel.
type leg struct {
	channel *channel
	side    int // of the sender
	lock    lock
	done    bool
}

// transfer is a payment from its first lock on.
type transfer struct {
	initiator  eip55.Address
	target     eip55.Address
	identifier uint64
	amount     amount.Units
	hash       hash
	secret     *secret // once it was revealed
	legs       []*leg
	at         time.Time
	paid       bool // the target has its unlock
}

func (t *transfer) pending() bool {
	for _, l := range t.legs {
		if !l.done {
			return true
		}
	}
	return false
}

// event is a line of a node's history: a transfer seen from one of its legs.
type event struct {
	transfer *transfer
	leg      *leg
	received bool
	partner  eip55.Address
}

type pair [2]eip55.Address

func pairOf(a, b eip55.Address) pair {
	if string(a[:]) > string(b[:]) {
		a, b = b, a
	}
	return pair{a, b}
}

// state is what the records add up to. It holds no keys and starts nothing; apply is its only way to change.
type state struct {
	next      uint64 // the number of the next record
	names     map[string]eip55.Address
	channels  []*channel
	open      map[pair]*channel
	transfers map[hash]*transfer
	pending   []*transfer
	history   map[eip55.Address][]event
}

func newState() *state {
	return &state{
		names: map[string]eip55.Address{}, open: map[pair]*channel{}, transfers: map[hash]*transfer{}, history: map[eip55.Address][]event{},
	}
}

var errRecord = errors.New("record does not fit the state")

// apply makes the change, or refuses it and changes nothing. Signatures are the business of who receives a message.
func (s *state) apply(r record) error {
	if r.N != s.next {
		return fmt.Errorf("%w: number %d, want %d", errRecord, r.N, s.next)
	}
	var err error
	switch {
	case r.Node != nil:
		s.names[r.Node.Name] = r.Node.Address
	case r.Open != nil:
		err = s.applyOpen(*r.Open)
	case r.Deposit != nil:
		err = s.applyDeposit(*r.Deposit)
	case r.Withdraw != nil:
		err = s.applyWithdraw(*r.Withdraw)
	case r.Close != nil:
		err = s.applyClose(*r.Close)
	case r.Message != nil:
		err = s.applyMessage(*r.Message, r.At)
	default:
		err = fmt.Errorf("%w: it is empty", errRecord)
	}
	if err == nil {
		s.next++
	}
	return err
}

func (s *state) applyOpen(r opened) error {
	p := pairOf(r.Parties[0], r.Parties[1])
	if r.Channel != uint64(len(s.channels))+1 || s.open[p] != nil || p[0] == p[1] {
		return fmt.Errorf("%w: channel %d cannot be opened", errRecord, r.Channel)
	}
	c := &channel{id: r.Channel}
	c.ends[0].address, c.ends[1].address = r.Parties[0], r.Parties[1]
	s.channels = append(s.channels, c)
	s.open[p] = c
	return nil
}

func (s *state) find(id uint64, party eip55.Address) (*channel, int, error) {
	if id == 0 || id > uint64(len(s.channels)) {
		return nil, 0, fmt.Errorf("%w: no channel %d", errRecord, id)
	}
	c := s.channels[id-1]
	side, err := c.side(party)
	if err == nil && c.closed {
		err = fmt.Errorf("%w: channel %d is closed", errRecord, id)
	}
	return c, side, err
}

func (s *state) applyDeposit(r funded) error {
	c, side, err := s.find(r.Channel, r.Party)
	if err != nil {
		return err
	}
	both := new(big.Int).Add(r.Total.Big(), c.ends[1-side].deposit.Big())
	if r.Total.Cmp(c.ends[side].deposit) < 0 || both.BitLen() > 256 {
		return fmt.Errorf("%w: a total deposit only grows, up to 2^256-1 for both", errRecord)
	}
	c.ends[side].deposit = r.Total
	return nil
}

func (s *state) applyWithdraw(r funded) error {
	c, side, err := s.find(r.Channel, r.Party)
	if err != nil {
		return err
	}
	more, err := r.Total.Sub(c.ends[side].withdrawn)
	if err != nil {
		return fmt.Errorf("%w: a total withdrawal only grows", errRecord)
	}
	if more.Big().Cmp(c.balance(side)) > 0 {
		return fmt.Errorf("withdraw: %w", errFunds)
	}
	c.ends[side].withdrawn = r.Total
	return nil
}

func (s *state) applyClose(r closing) error {
	if r.Channel == 0 || r.Channel > uint64(len(s.channels)) || s.channels[r.Channel-1].closed {
		return fmt.Errorf("%w: no open channel %d", errRecord, r.Channel)
	}
	c := s.channels[r.Channel-1]
	if len(c.ends[0].locks)+len(c.ends[1].locks) > 0 {
		return fmt.Errorf("%w: a transfer is pending in channel %d", errRecord, c.id)
	}
	c.closed = true
	delete(s.open, pairOf(c.ends[0].address, c.ends[1].address))
	return nil
}

// applyMessage takes what changes money or makes a secret known: the other messages are not journaled.
func (s *state) applyMessage(m message, at time.Time) error {
	t := s.transfers[m.Lock.Hash]
	if m.Kind == revealSecret {
		if t == nil || m.Secret == nil || m.Secret.hash() != t.hash {
			return fmt.Errorf("%w: secret opens no lock", errRecord)
		}
		t.secret = m.Secret
		return nil
	}
	if m.Proof == nil {
		return fmt.Errorf("%w: message without balance proof", errRecord)
	}
	c, side, err := s.find(m.Proof.Channel, m.From)
	if err != nil {
		return err
	}
	if c.ends[1-side].address != m.To {
		return fmt.Errorf("%w: message to a stranger", errRecord)
	}
	after, err := c.after(side, m)
	if err != nil {
		return err
	}
	if after.last != m.Proof.unsigned() {
		return fmt.Errorf("%w: balance proof of channel %d", errRecord, c.id)
	}
	after.last = *m.Proof
	if m.Kind == lockedTransfer {
		return s.applyLock(m, at, c, side, after)
	}
	return s.applyRelease(m, t, c, side, after)
}

func (s *state) applyLock(m message, at time.Time, c *channel, side int, after end) error {
	t := s.transfers[m.Lock.Hash]
	if t == nil {
		t = &transfer{
			initiator: m.Initiator, target: m.Target, identifier: m.Identifier, amount: m.Lock.Amount, hash: m.Lock.Hash, at: at,
		}
		if m.From != m.Initiator {
			return fmt.Errorf("%w: transfer does not begin with its initiator", errRecord)
		}
		s.transfers[t.hash] = t
		s.pending = append(s.pending, t)
	} else if last := t.legs[len(t.legs)-1]; last.channel.ends[1-last.side].address != m.From || t.secret != nil ||
		m.Initiator != t.initiator || m.Target != t.target || m.Identifier != t.identifier || m.Lock.Amount != t.amount {
		return fmt.Errorf("%w: lock does not continue its transfer", errRecord)
	}
	l := &leg{channel: c, side: side, lock: m.Lock}
	t.legs = append(t.legs, l)
	c.ends[side] = after
	s.history[m.From] = append(s.history[m.From], event{transfer: t, leg: l, partner: m.To})
	s.history[m.To] = append(s.history[m.To], event{transfer: t, leg: l, received: true, partner: m.From})
	return nil
}

func (s *state) applyRelease(m message, t *transfer, c *channel, side int, after end) error {
	if t == nil || (m.Kind != unlock && m.Kind != lockExpired) || (m.Kind == unlock) != (t.secret != nil) {
		return fmt.Errorf("%w: lock is not to be released so", errRecord)
	}
	for _, l := range t.legs {
		if l.channel == c && l.side == side && !l.done {
			l.done = true
			c.ends[side] = after
			t.paid = t.paid || (m.Kind == unlock && m.To == t.target)
			if !t.pending() {
				s.settle(t)
			}
			return nil
		}
	}
	return fmt.Errorf("%w: transfer has no such leg", errRecord)
}

func (s *state) settle(t *transfer) {
	for i, p := range s.pending {
		if p == t {
			s.pending = append(s.pending[:i], s.pending[i+1:]...)
			return
		}
	}
}
