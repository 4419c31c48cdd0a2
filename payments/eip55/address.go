// Package eip55 holds Ethereum addresses and their mixed-case checksum (EIP-55).
//
// It knows nothing of keys, tokens or chains: an Address is twenty bytes that print themselves with the checksum
// and refuse to be read when the checksum is wrong. Begin with Parse.
package eip55

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/sha3"
)

// ErrInvalid is wrapped by every refusal of an address.
var ErrInvalid = errors.New("invalid address")

// Address is an Ethereum address. It is comparable; the zero value is the zero address, which nobody owns.
type Address [20]byte

// Parse reads "0x" and 40 hexadecimal digits. Digits all of one case carry no checksum and are accepted; mixed
// case must be the checksum of EIP-55. Errors wrap ErrInvalid.
func Parse(s string) (Address, error) {
	var a Address
	if len(s) != 42 || s[:2] != "0x" {
		return a, fmt.Errorf("%w: want 0x and 40 hexadecimal digits", ErrInvalid)
	}
	if _, err := hex.Decode(a[:], []byte(s[2:])); err != nil {
		return Address{}, fmt.Errorf("%w: not hexadecimal", ErrInvalid)
	}
	digits := s[2:]
	if digits != strings.ToLower(digits) && digits != strings.ToUpper(digits) && a.String() != s {
		return Address{}, fmt.Errorf("%w: wrong EIP-55 checksum", ErrInvalid)
	}
	return a, nil
}

// String is the address with its EIP-55 checksum.
func (a Address) String() string {
	out := []byte("0x" + hex.EncodeToString(a[:]))
	h := sha3.NewLegacyKeccak256()
	h.Write(out[2:])
	sum := h.Sum(nil)
	for i, c := range out[2:] {
		nibble := sum[i/2] >> 4
		if i%2 == 1 {
			nibble = sum[i/2] & 0xf
		}
		if c >= 'a' && nibble >= 8 {
			out[2+i] = c - 'a' + 'A'
		}
	}
	return string(out)
}

// IsZero reports whether a is the zero address.
func (a Address) IsZero() bool { return a == Address{} }

// MarshalText writes the checksummed form.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what Parse reads.
func (a *Address) UnmarshalText(text []byte) error {
	v, err := Parse(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}
