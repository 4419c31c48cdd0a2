package umbral

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/group"
)

const (
	// SecretKeySize is the length in bytes of an encoded SecretKey.
	SecretKeySize = scalarSize
	// PublicKeySize is the length in bytes of an encoded PublicKey.
	PublicKeySize = pointSize
)

// SecretKey is a scalar in [1, n-1] with its public key: a delegating, a receiving or a signing key. It prints and logs
// as [redacted]. Make one with GenerateSecretKey, ParseSecretKey or a SecretKeyFactory.
type SecretKey struct {
	k      group.Scalar
	public PublicKey
}

// GenerateSecretKey draws a secret key: 32 bytes of rand at a time, until they are in [1, n-1].
func GenerateSecretKey(rand io.Reader) (*SecretKey, error) {
	k, err := drawScalar(rand)
	if err != nil {
		return nil, err
	}
	return newSecretKey(k)
}

// ParseSecretKey decodes 32 bytes, big-endian, in [1, n-1]; anything else is ErrEncoding.
func ParseSecretKey(b []byte) (*SecretKey, error) {
	k, err := parseScalar(b)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	if k.IsZero() {
		return nil, fmt.Errorf("secret key: %w: zero", ErrEncoding)
	}
	return newSecretKey(k)
}

// HashToSecretKey hashes material, which must have the entropy of a key, to a secret key under a domain separation tag.
// It is the last step of the key tree (media/pre/keytree).
func HashToSecretKey(tag, material []byte) (*SecretKey, error) {
	return newSecretKey(hashToScalar(tag, material))
}

func newSecretKey(k group.Scalar) (*SecretKey, error) {
	p, err := mulGen(k)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return &SecretKey{k: k, public: PublicKey{p}}, nil
}

// Bytes returns the 32-byte big-endian encoding. It is the secret itself.
func (k *SecretKey) Bytes() []byte {
	b := encodeScalar(k.k)
	return b[:]
}

// PublicKey returns the public key.
func (k *SecretKey) PublicKey() *PublicKey { return &k.public }

// Format prints [redacted] whatever the verb.
func (k *SecretKey) Format(f fmt.State, _ rune) { redact(f) }

// LogValue keeps the key out of logs.
func (k *SecretKey) LogValue() slog.Value { return redacted() }

// PublicKey is a point other than the identity.
type PublicKey struct{ p point }

// ParsePublicKey decodes exactly 33 bytes: tag 02 or 03, then x; anything else is ErrEncoding.
func ParsePublicKey(b []byte) (*PublicKey, error) {
	p, err := parsePoint(b)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return &PublicKey{p}, nil
}

// Bytes returns the 33-byte compressed encoding.
func (k *PublicKey) Bytes() []byte { return bytes.Clone(k.p.enc[:]) }

// Equal returns whether both are the same key.
func (k *PublicKey) Equal(other *PublicKey) bool { return k.p.enc == other.p.enc }

// String returns the encoding in hexadecimal.
func (k *PublicKey) String() string { return fmt.Sprintf("%x", k.p.enc[:]) }

// Keys are the public keys that a fragment is checked against. All three are needed.
type Keys struct {
	Verifying  *PublicKey // VK, of the key that signs kfrags
	Delegating *PublicKey // A
	Receiving  *PublicKey // B
}

// Check returns ErrKeys unless all three keys are given, differ from each other, and the receiving key is neither of
// the scheme's generators. Call it on keys from outside before granting anything to them.
func (k Keys) Check() error {
	switch {
	case k.Verifying == nil || k.Delegating == nil || k.Receiving == nil:
		return fmt.Errorf("%w: a key is missing", ErrKeys)
	case k.Verifying.Equal(k.Delegating):
		return fmt.Errorf("%w: delegating key signs", ErrKeys)
	case k.Receiving.Equal(k.Verifying) || k.Receiving.Equal(k.Delegating):
		return fmt.Errorf("%w: receiving key has another role", ErrKeys)
	case k.Receiving.p.enc == parameterEncoding || k.Receiving.p.e.IsEqual(curve.Generator()):
		return fmt.Errorf("%w: receiving key is a generator", ErrKeys)
	}
	return nil
}

func redact(f fmt.State) { _, _ = io.WriteString(f, "[redacted]") }

func redacted() slog.Value { return slog.StringValue("[redacted]") }
