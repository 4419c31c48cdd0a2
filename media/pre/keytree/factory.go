// Package keytree derives all long-lived keys of an artist or a listener from one 32-byte seed.
//
// Factory is Umbral's SecretKeyFactory, byte for byte; Artist and Listener give its branches the names that Antiphon
// uses. It neither stores nor seals seeds. Start with Artist or Listener:
//
//	artist, err := keytree.Artist(seed)
//	delegating, err := artist.Product("https://s.example/products/9", 3)
//
// Whoever has the seed has every key of the tree; a key tells nothing about the seed or about other keys.
package keytree

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"antiphon/media/pre/umbral"
)

const (
	// SeedSize is the length in bytes of a seed.
	SeedSize = 32
	// SecretSize is the length in bytes of what Factory.MakeSecret returns.
	SecretSize = 64
)

// The tags of the tree's three kinds of branch.
const (
	tagSecret  = "SECRET_DERIVATION/"
	tagKey     = "KEY_DERIVATION/"
	tagFactory = "FACTORY_DERIVATION/"
)

var (
	// ErrSeed says that a seed is not 32 bytes.
	ErrSeed = errors.New("keytree: seed is not 32 bytes")
	// ErrLabel says that a product has no URI or that a version or number is below 1.
	ErrLabel = errors.New("keytree: unfit name of a key")
)

// Factory is a node of the key tree. It prints and logs as [redacted].
type Factory struct{ seed [SeedSize]byte }

// NewFactory makes the root of a tree from 32 random bytes; another length is ErrSeed.
func NewFactory(seed []byte) (*Factory, error) {
	if len(seed) != SeedSize {
		return nil, ErrSeed
	}
	return &Factory{[SeedSize]byte(seed)}, nil
}

// MakeSecret returns 64 bytes: HKDF-SHA256(seed, "SECRET_DERIVATION/" || label).
func (f *Factory) MakeSecret(label []byte) ([]byte, error) {
	return f.derive(tagSecret, label, SecretSize)
}

// MakeKey returns the secret key of a label: HKDF-SHA256(seed, "KEY_DERIVATION/" || label) to 64 bytes, hashed to a
// scalar under the same info.
func (f *Factory) MakeKey(label []byte) (*umbral.SecretKey, error) {
	material, err := f.derive(tagKey, label, SecretSize)
	if err != nil {
		return nil, err
	}
	return umbral.HashToSecretKey(append([]byte(tagKey), label...), material)
}

// MakeFactory returns the subtree of a label, with the seed HKDF-SHA256(seed, "FACTORY_DERIVATION/" || label).
func (f *Factory) MakeFactory(label []byte) (*Factory, error) {
	seed, err := f.derive(tagFactory, label, SeedSize)
	if err != nil {
		return nil, err
	}
	return NewFactory(seed)
}

func (f *Factory) derive(tag string, label []byte, size int) ([]byte, error) {
	b, err := hkdf.Key(sha256.New, f.seed[:], nil, tag+string(label), size)
	if err != nil {
		return nil, fmt.Errorf("keytree: derive: %w", err)
	}
	return b, nil
}

// Format prints [redacted] whatever the verb.
func (f *Factory) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the seed out of logs.
func (f *Factory) LogValue() slog.Value { return slog.StringValue(redacted) }

const redacted = "[redacted]"
