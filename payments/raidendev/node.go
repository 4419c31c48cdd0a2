package raidendev

import (
	"errors"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"antiphon/payments/eip55"
)

var errMessage = errors.New("message is out of place")

// node is one party's end of the protocol. The network's lock guards it.
type node struct {
	network *Network
	name    string
	address eip55.Address
	key     *secp256k1.PrivateKey
	online  bool
	// secrets are those that this node began transfers with and has not told yet. They are not journaled: a transfer
	// whose initiator was killed before it told the secret expires.
	secrets map[hash]secret
}

// say completes a message of this node about a transfer and signs it.
func (n *node) say(m message, k kind, to eip55.Address) message {
	n.network.messageID++
	m.Kind, m.ID, m.From, m.To, m.Proof, m.Signature = k, n.network.messageID, n.address, to, nil, nil
	if k != revealSecret && k != unlock {
		m.Secret = nil
	}
	m.sign(n.key, n.network.tokenNetwork)
	return m
}

// sayProof does so with the balance proof that the message needs.
func (n *node) sayProof(m message, k kind, c *channel) (message, error) {
	side, err := c.side(n.address)
	if err != nil {
		return message{}, err
	}
	n.network.messageID++
	m.Kind, m.ID, m.From, m.To, m.Signature = k, n.network.messageID, n.address, c.ends[1-side].address, nil
	if k != unlock {
		m.Secret = nil
	}
	after, err := c.after(side, m)
	if err != nil {
		return message{}, err
	}
	m.Proof = &after.last
	m.sign(n.key, n.network.tokenNetwork)
	return m, nil
}

// receive verifies a message, journals what it changes and returns the answers.
func (n *node) receive(m message) ([]message, error) {
	if err := m.verify(n.network.tokenNetwork); err != nil {
		return nil, err
	}
	if m.Kind == processed {
		return nil, nil
	}
	answer := []message{n.say(m, processed, m.From)}
	var more []message
	var err error
	switch m.Kind {
	case lockedTransfer:
		more, err = n.onLock(m)
	case secretRequest:
		more, err = n.onSecretRequest(m)
	case revealSecret:
		more, err = n.onSecret(m)
	case unlock:
		err = n.network.commit(record{Message: &m})
	case lockExpired:
		// Blocks are counted by the receiver as well: nobody may take a lock back early.
		if n.network.block() <= m.Lock.Expiration {
			err = fmt.Errorf("%w: lock has not expired", errMessage)
			break
		}
		err = n.network.commit(record{Message: &m})
	default:
		err = fmt.Errorf("%w: command %d", errMessage, m.Kind)
	}
	return append(answer, more...), err
}

func (n *node) onLock(m message) ([]message, error) {
	if err := n.network.commit(record{Message: &m}); err != nil {
		return nil, err
	}
	if m.Target == n.address {
		return []message{n.say(m, secretRequest, m.Initiator)}, nil
	}
	// Mediate: the same lock, shorter, to the target.
	c := n.network.state.open[pairOf(n.address, m.Target)]
	if c == nil || m.Lock.Expiration < n.network.block()+hopBlocks {
		return nil, nil // the lock will expire
	}
	m.Lock.Expiration -= hopBlocks
	next, err := n.sayProof(m, lockedTransfer, c)
	return []message{next}, err
}

// onSecretRequest tells the secret to the target, if it asks for what this node has begun.
func (n *node) onSecretRequest(m message) ([]message, error) {
	t := n.network.state.transfers[m.Lock.Hash]
	s, mine := n.secrets[m.Lock.Hash]
	if t == nil || !mine || t.initiator != n.address || t.target != m.From || t.amount != m.Lock.Amount || t.identifier != m.Identifier {
		return nil, fmt.Errorf("%w: request for a secret", errMessage)
	}
	delete(n.secrets, m.Lock.Hash)
	m.Secret = &s
	return []message{n.say(m, revealSecret, m.From)}, nil
}

// onSecret learns the secret: pay whom this node owes the transfer, and tell it to the node that owes this one.
func (n *node) onSecret(m message) ([]message, error) {
	t := n.network.state.transfers[m.Lock.Hash]
	if t == nil || m.Secret == nil || m.Secret.hash() != t.hash {
		return nil, fmt.Errorf("%w: secret", errMessage)
	}
	if t.secret == nil {
		if err := n.network.commit(record{Message: &m}); err != nil {
			return nil, err
		}
	}
	var out []message
	for _, l := range t.legs {
		sender, receiver := l.channel.ends[l.side].address, l.channel.ends[1-l.side].address
		switch {
		case l.done:
		case sender == n.address:
			pay, err := n.sayProof(t.message(l), unlock, l.channel)
			if err != nil {
				return nil, err
			}
			out = append(out, pay)
		case receiver == n.address:
			out = append(out, n.say(m, revealSecret, sender))
		}
	}
	return out, nil
}

// message is what every message about a leg has in common.
func (t *transfer) message(l *leg) message {
	return message{Initiator: t.initiator, Target: t.target, Identifier: t.identifier, Lock: l.lock, Secret: t.secret}
}
