package raidendev

import (
	"encoding/binary"
	"fmt"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"antiphon/payments/eip55"
)

// kind is a message's command.
type kind byte

// The commands, with Raiden's numbers.
const (
	processed      kind = 0
	secretRequest  kind = 3
	unlock         kind = 4
	lockedTransfer kind = 7
	revealSecret   kind = 11
	lockExpired    kind = 13
)

// message is what one node says to another about a transfer.
type message struct {
	Kind       kind          `json:"kind"`
	ID         uint64        `json:"id"`
	From       eip55.Address `json:"from"`
	To         eip55.Address `json:"to"`
	Initiator  eip55.Address `json:"initiator"`
	Target     eip55.Address `json:"target"`
	Identifier uint64        `json:"identifier"`
	Lock       lock          `json:"lock"`
	Secret     *secret       `json:"secret,omitempty"`    // RevealSecret, Unlock
	Proof      *proof        `json:"proof,omitempty"`     // LockedTransfer, Unlock, LockExpired
	Signature  *signature    `json:"signature,omitempty"` // the others
}

// pack is command(1) || id(8) || from(20) || to(20) || initiator(20) || target(20) || identifier(8) || lock(96) ||
// secret(32, if there is one).
func (m message) pack() []byte {
	out := append(make([]byte, 0, 225), byte(m.Kind))
	out = binary.BigEndian.AppendUint64(out, m.ID)
	for _, a := range []eip55.Address{m.From, m.To, m.Initiator, m.Target} {
		out = append(out, a[:]...)
	}
	out = binary.BigEndian.AppendUint64(out, m.Identifier)
	out = append(out, m.Lock.pack()...)
	if m.Secret != nil {
		out = append(out, m.Secret[:]...)
	}
	return out
}

// sign signs the message, or the balance proof in it, which covers the message by its hash.
func (m *message) sign(key *secp256k1.PrivateKey, tokenNetwork eip55.Address) {
	if m.Proof == nil {
		s := sign(key, m.pack())
		m.Signature = &s
		return
	}
	m.Proof.Additional = keccak(m.pack())
	m.Proof.Signature = sign(key, m.Proof.pack(tokenNetwork))
}

// verify checks that From said this.
func (m message) verify(tokenNetwork eip55.Address) error {
	switch {
	case m.Proof != nil:
		if m.Proof.Additional != keccak(m.pack()) {
			return fmt.Errorf("balance proof covers another message: %w", errSignature)
		}
		return m.Proof.Signature.verify(m.From, m.Proof.pack(tokenNetwork))
	case m.Signature != nil:
		return m.Signature.verify(m.From, m.pack())
	default:
		return errSignature
	}
}
