// Package multikey writes and reads public keys as Multikey strings: "z", then base58btc of a two-byte code and
// the key. Ed25519 keys (code ed 01) begin with "z6Mk", secp256k1 keys (e7 01) with "zQ3s".
//
// It checks lengths and codes, not whether a secp256k1 point lies on the curve: that is for whoever computes with
// it (media/pre/umbral).
//
// Begin with DecodeEd25519 and DecodeSecp256k1.
package multikey

import (
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/mr-tron/base58"
)

// Secp256k1Size is the length of a compressed secp256k1 point.
const Secp256k1Size = 33

// maxText is longer than either form; base58 is quadratic.
const maxText = 64

// ErrMalformed says that a string is not the Multikey that was asked for.
var ErrMalformed = errors.New("malformed multikey")

var (
	codeEd25519   = [2]byte{0xed, 0x01}
	codeSecp256k1 = [2]byte{0xe7, 0x01}
)

// EncodeEd25519 returns the Multikey of key, which must have 32 bytes.
func EncodeEd25519(key ed25519.PublicKey) (string, error) {
	return encode(codeEd25519, key, ed25519.PublicKeySize)
}

// DecodeEd25519 reads a Multikey that holds an Ed25519 public key.
func DecodeEd25519(text string) (ed25519.PublicKey, error) {
	return decode(text, codeEd25519, ed25519.PublicKeySize)
}

// EncodeSecp256k1 returns the Multikey of a compressed point: 33 bytes, the first 2 or 3.
func EncodeSecp256k1(point []byte) (string, error) {
	if err := checkPoint(point); err != nil {
		return "", err
	}
	return encode(codeSecp256k1, point, Secp256k1Size)
}

// DecodeSecp256k1 reads a Multikey that holds a compressed secp256k1 point and returns its 33 bytes. The caller
// decodes the point and thereby checks that it is on the curve.
func DecodeSecp256k1(text string) ([]byte, error) {
	point, err := decode(text, codeSecp256k1, Secp256k1Size)
	if err != nil {
		return nil, err
	}
	return point, checkPoint(point)
}

func checkPoint(point []byte) error {
	if len(point) != Secp256k1Size || point[0] != 2 && point[0] != 3 {
		return fmt.Errorf("not a compressed point: %w", ErrMalformed)
	}
	return nil
}

func encode(code [2]byte, key []byte, size int) (string, error) {
	if len(key) != size {
		return "", fmt.Errorf("key of %d bytes, not %d: %w", len(key), size, ErrMalformed)
	}
	return "z" + base58.Encode(append(code[:], key...)), nil
}

func decode(text string, code [2]byte, size int) ([]byte, error) {
	if len(text) < 2 || len(text) > maxText || text[0] != 'z' {
		return nil, fmt.Errorf("%.10q is not base58btc: %w", text, ErrMalformed)
	}
	raw, err := base58.Decode(text[1:])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(raw) != len(code)+size || [2]byte(raw) != code {
		return nil, fmt.Errorf("%.10q holds another kind of key: %w", text, ErrMalformed)
	}
	return raw[len(code):], nil
}
