package raidendev

import (
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"antiphon/payments/eip55"
)

var errSignature = errors.New("signature does not verify")

// seed is what every key of a network derives from.
type seed [32]byte

// LogValue hides the seed.
func (seed) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the seed.
func (seed) String() string { return "[redacted]" }

// GoString hides the seed.
func (seed) GoString() string { return "[redacted]" }

// key is the node's key: the first of keccak(seed, purpose, name, counter) that is a scalar of the group.
func (s seed) key(name string) *secp256k1.PrivateKey {
	for counter := 0; ; counter++ {
		sum := keccak(s[:], []byte("\x00node\x00"+name+"\x00"+strconv.Itoa(counter)))
		var scalar secp256k1.ModNScalar
		if overflow := scalar.SetBytes(&sum); overflow == 0 && !scalar.IsZero() {
			return secp256k1.NewPrivateKey(&scalar)
		}
	}
}

// contract is the address of an imaginary contract, different for every network.
func (s seed) contract(name string) eip55.Address {
	sum := keccak(s[:], []byte("\x00contract\x00"+name))
	return eip55.Address(sum[12:])
}

func keccak(parts ...[]byte) [32]byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return [32]byte(h.Sum(nil))
}

func addressOf(pub *secp256k1.PublicKey) eip55.Address {
	sum := keccak(pub.SerializeUncompressed()[1:])
	return eip55.Address(sum[12:])
}

// signature is r || s || v with v = 27 or 28, as Ethereum has it.
type signature [65]byte

// sign signs data as a personal message (EIP-191, version 0x45).
func sign(key *secp256k1.PrivateKey, data []byte) signature {
	digest := personal(data)
	compact := ecdsa.SignCompact(key, digest[:], false)
	var out signature
	copy(out[:], compact[1:])
	out[64] = compact[0]
	return out
}

// verify recovers the signer of data and compares.
func (s signature) verify(signer eip55.Address, data []byte) error {
	if s[64] != 27 && s[64] != 28 {
		return errSignature
	}
	digest := personal(data)
	pub, _, err := ecdsa.RecoverCompact(append([]byte{s[64]}, s[:64]...), digest[:])
	if err != nil || addressOf(pub) != signer {
		return errSignature
	}
	return nil
}

func personal(data []byte) [32]byte {
	return keccak([]byte("\x19Ethereum Signed Message:\n"+strconv.Itoa(len(data))), data)
}

// MarshalText writes hexadecimal with "0x".
func (s signature) MarshalText() ([]byte, error) { return []byte("0x" + hex.EncodeToString(s[:])), nil }

// UnmarshalText reads what MarshalText writes.
func (s *signature) UnmarshalText(text []byte) error { return decodeHex(s[:], text) }

func decodeHex(dst, text []byte) error {
	if len(text) != 2+2*len(dst) || text[0] != '0' || text[1] != 'x' {
		return fmt.Errorf("want %d bytes in hexadecimal", len(dst))
	}
	if _, err := hex.Decode(dst, text[2:]); err != nil {
		return fmt.Errorf("want %d bytes in hexadecimal", len(dst))
	}
	return nil
}
