package httpsig

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"strings"
)

const (
	minRSABits  = 2048
	maxRSABits  = 8192 // beyond it one verification costs an attacker's peer too much
	maxPEMBytes = 8 << 10
)

// ErrWeakKey says that a key is of a kind or size that is not accepted.
var ErrWeakKey = errors.New("key is not acceptable")

// Key is a public key that can sign requests, and the actor it speaks for.
type Key struct {
	// ID is the key's URI, as it stands in keyId.
	ID string
	// Owner is the URI of the actor whose document lists this key. Whoever builds a Key has checked that.
	Owner string
	// Public is *rsa.PublicKey of 2048 to 8192 bits, or ed25519.PublicKey.
	Public crypto.PublicKey
}

// Keys finds keys by their URI. With fresh set, a cached copy must not be used. An error ends the verification and
// can be seen through errors.Is in what Verify returns.
type Keys interface {
	Key(ctx context.Context, keyID string, fresh bool) (Key, error)
}

// ParsePublicKey reads the PEM of an actor's publicKeyPem: PKIX or PKCS #1, RSA or Ed25519, one block and nothing
// else. Certificates, private keys, other curves and RSA keys outside of 2048 to 8192 bits give ErrWeakKey.
func ParsePublicKey(text string) (crypto.PublicKey, error) {
	if len(text) > maxPEMBytes {
		return nil, fmt.Errorf("public key of %d bytes: %w", len(text), ErrWeakKey)
	}
	block, rest := pem.Decode([]byte(strings.TrimSpace(text)))
	if block == nil || len(strings.TrimSpace(string(rest))) > 0 {
		return nil, fmt.Errorf("public key is not one PEM block: %w", ErrWeakKey)
	}
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("PEM block %q: %w", block.Type, ErrWeakKey)
	}
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w: %w", ErrWeakKey, err)
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return key, nil
}

// FormatPublicKey writes key as the PKIX PEM that goes into publicKeyPem.
func FormatPublicKey(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("format public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

func checkKey(key crypto.PublicKey) error {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if k == nil || k.N == nil {
			return fmt.Errorf("empty RSA key: %w", ErrWeakKey)
		}
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return fmt.Errorf("RSA key of %d bits: %w", bits, ErrWeakKey)
		}
		if k.E < 3 || k.E%2 == 0 || k.E > math.MaxInt32 {
			return fmt.Errorf("RSA exponent %d: %w", k.E, ErrWeakKey)
		}
		return nil
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return fmt.Errorf("Ed25519 key of %d bytes: %w", len(k), ErrWeakKey)
		}
		return nil
	}
	return fmt.Errorf("key of type %T: %w", key, ErrWeakKey)
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
