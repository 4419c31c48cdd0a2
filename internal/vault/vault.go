// Package vault seals secrets that rest in the database or on disk with the instance's master key.
//
// Every sealed value is bound to its place: the associated data is table, id and version, so that a row cannot be
// moved to another one. The cipher is XChaCha20-Poly1305 with a random 24-byte nonce in front. Begin with [Load].
// Not for what travels: that is sealed to its receiver's key.
package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrOpen is returned when a value was not sealed with this key for this place.
var ErrOpen = errors.New("sealed value does not open with this master key")

// Place is where a sealed value belongs.
type Place struct {
	Table   string
	ID      string
	Version int64
}

func (p Place) bytes() []byte {
	return fmt.Appendf(nil, "%d:%s/%d:%s/%d", len(p.Table), p.Table, len(p.ID), p.ID, p.Version)
}

// Vault holds the master key.
type Vault struct {
	key  [32]byte
	aead cipher.AEAD
	rand io.Reader
}

// New makes a vault from a master key of 32 bytes.
func New(key []byte, random io.Reader) (*Vault, error) {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	return &Vault{key: [32]byte(key), aead: aead, rand: random}, nil
}

// Load reads the master key from path, base64 of 32 bytes. With create, a missing file is made, readable by its owner
// alone.
func Load(path string, create bool, random io.Reader) (*Vault, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && create {
		return generate(path, random)
	}
	if err != nil {
		return nil, fmt.Errorf("read master key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != chacha20poly1305.KeySize {
		return nil, fmt.Errorf("master key in %s is not base64 of 32 bytes", path)
	}
	return New(key, random)
}

func generate(path string, random io.Reader) (*Vault, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("draw master key: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make folder of master key: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write master key: %w", err)
	}
	return New(key, random)
}

// Seal encrypts plaintext for its place.
func (v *Vault) Seal(place Place, plaintext []byte) ([]byte, error) {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plaintext)+chacha20poly1305.Overhead)
	if _, err := io.ReadFull(v.rand, nonce); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	return v.aead.Seal(nonce, nonce, plaintext, place.bytes()), nil
}

// Open decrypts what was sealed for the same place, or returns [ErrOpen].
func (v *Vault) Open(place Place, sealed []byte) ([]byte, error) {
	if len(sealed) < chacha20poly1305.NonceSizeX {
		return nil, ErrOpen
	}
	plaintext, err := v.aead.Open(nil, sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:], place.bytes())
	if err != nil {
		return nil, ErrOpen
	}
	return plaintext, nil
}

// Key derives a 32-byte key for a purpose of its own, such as masters on disk: HKDF-SHA256 with the purpose as info.
func (v *Vault) Key(purpose string) ([32]byte, error) {
	key, err := hkdf.Key(sha256.New, v.key[:], nil, "antiphon/vault/"+purpose, 32)
	if err != nil {
		return [32]byte{}, fmt.Errorf("derive key: %w", err)
	}
	return [32]byte(key), nil
}

// LogValue keeps the key out of logs.
func (v *Vault) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Format keeps the key out of printed text.
func (v *Vault) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }
