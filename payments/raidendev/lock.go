package raidendev

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"log/slog"

	"antiphon/payments/amount"
)

// secret opens a lock. Until the payment is done, who has it can take the money.
type secret [32]byte

// LogValue hides the secret.
func (secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the secret.
func (secret) String() string { return "[redacted]" }

// GoString hides the secret.
func (secret) GoString() string { return "[redacted]" }

// MarshalText writes hexadecimal with "0x"; the journal and the history need it.
func (s secret) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(s[:])), nil }

// UnmarshalText reads what MarshalText writes.
func (s *secret) UnmarshalText(text []byte) error { return decodeHex(s[:], text) }

func (s secret) hash() hash { return sha256.Sum256(s[:]) }

// hash is 32 bytes of SHA-256 (of a secret) or of Keccak-256 (of anything else).
type hash [32]byte

func (h hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// MarshalText writes hexadecimal with "0x".
func (h hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (h *hash) UnmarshalText(text []byte) error { return decodeHex(h[:], text) }

// lock holds an amount until its secret is shown or its block is reached.
type lock struct {
	Expiration uint64       `json:"expiration"`
	Amount     amount.Units `json:"amount"`
	Hash       hash         `json:"hash"`
}

// pack is expiration(32) || amount(32) || secret hash(32).
func (l lock) pack() []byte {
	out := word(l.Expiration)
	units := l.Amount.Bytes32()
	out = append(out, units[:]...)
	return append(out, l.Hash[:]...)
}

// locksroot is the Keccak-256 of the packed locks, one after another; with none it is that of nothing.
func locksroot(locks []lock) hash {
	var packed []byte
	for _, l := range locks {
		packed = append(packed, l.pack()...)
	}
	return keccak(packed)
}

// word is a number as a contract packs it: 32 bytes, big-endian.
func word(n uint64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 24, 32), n)
}
