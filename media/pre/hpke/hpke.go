// Package hpke seals a message to an instance's sealing key: HPKE (RFC 9180) in base mode with the one suite that
// Antiphon uses, X-Wing (KEM 0x647a: X25519 and ML-KEM-768), HKDF-SHA256 (0x0001) and ChaCha20Poly1305 (0x0003).
//
// It is not a general HPKE library and does not authenticate the sender: a proof around the sealed object does. Start
// with GenerateKey, publish PublicKey.Bytes, then Seal and Open:
//
//	enc, ciphertext, err := hpke.Seal(rand.Reader, publicKey, info, aad, kfrag)
//	kfrag, err := secretKey.Open(enc, ciphertext, info, aad)
//
// It stays secret as long as one of the two exchanges does, so also from a later quantum computer.
package hpke

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/cloudflare/circl/hpke"
	"github.com/cloudflare/circl/kem"
)

// The suite's code points, as they stand in an instance's sealing key.
const (
	KEM  = uint16(hpke.KEM_XWING)
	KDF  = uint16(hpke.KDF_HKDF_SHA256)
	AEAD = uint16(hpke.AEAD_ChaCha20Poly1305)
)

const (
	// SecretKeySize is the length in bytes of an encoded SecretKey: X-Wing's seed.
	SecretKeySize = 32
	// PublicKeySize is the length in bytes of an encoded public key.
	PublicKeySize = 1216
	// EncapsulationSize is the length in bytes of enc, the encapsulated key.
	EncapsulationSize = 1120
	// CiphertextOverhead is how many bytes a ciphertext is longer than its plaintext.
	CiphertextOverhead = 16
)

var (
	// ErrKey says that bytes are not a secret or public key of the suite.
	ErrKey = errors.New("hpke: malformed key")
	// ErrOpen says that key, enc, info, aad and ciphertext do not belong together, or were changed.
	ErrOpen = errors.New("hpke: message does not open")
)

// SecretKey opens what was sealed to its public key. It prints and logs as [redacted].
type SecretKey struct {
	key    kem.PrivateKey
	seed   [SecretKeySize]byte
	public []byte
}

// GenerateKey makes a key from 32 bytes of rand.
func GenerateKey(rand io.Reader) (*SecretKey, error) {
	var seed [SecretKeySize]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return nil, fmt.Errorf("hpke: generate key: %w", err)
	}
	return ParseSecretKey(seed[:])
}

// ParseSecretKey decodes 32 bytes; another length is ErrKey.
func ParseSecretKey(b []byte) (*SecretKey, error) {
	if len(b) != SecretKeySize {
		return nil, fmt.Errorf("%w: secret key of %d bytes", ErrKey, len(b))
	}
	secret, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPrivateKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	encoded, err := secret.Public().MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return &SecretKey{key: secret, seed: [SecretKeySize]byte(b), public: encoded}, nil
}

// Bytes returns the 32-byte encoding. It is the secret itself.
func (k *SecretKey) Bytes() []byte { return append([]byte(nil), k.seed[:]...) }

// PublicKey returns the encoded public key, 1216 bytes.
func (k *SecretKey) PublicKey() []byte { return append([]byte(nil), k.public...) }

// Format prints [redacted] whatever the verb.
func (k *SecretKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// LogValue keeps the key out of logs.
func (k *SecretKey) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Seal encrypts plaintext to an encoded public key. It returns the encapsulated key, 1120 bytes, and the ciphertext, 16
// bytes longer than the plaintext; info and aad are not sent, the receiver must know them. ErrKey says that the public
// key is malformed.
func Seal(rand io.Reader, publicKey, info, aad, plaintext []byte) (enc, ciphertext []byte, err error) {
	public, err := parsePublicKey(publicKey)
	if err != nil {
		return nil, nil, err
	}
	sender, err := suite().NewSender(public, info)
	if err != nil {
		return nil, nil, fmt.Errorf("hpke: seal: %w", err)
	}
	enc, sealer, err := sender.Setup(rand)
	if err != nil {
		return nil, nil, fmt.Errorf("hpke: seal: %w", err)
	}
	ciphertext, err = sealer.Seal(plaintext, aad)
	if err != nil {
		return nil, nil, fmt.Errorf("hpke: seal: %w", err)
	}
	return enc, ciphertext, nil
}

// Open decrypts what Seal made with the same info and aad. Any failure is ErrOpen.
func (k *SecretKey) Open(enc, ciphertext, info, aad []byte) ([]byte, error) {
	if len(enc) != EncapsulationSize || len(ciphertext) < CiphertextOverhead {
		return nil, fmt.Errorf("%w: wrong length", ErrOpen)
	}
	receiver, err := suite().NewReceiver(k.key, info)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	opener, err := receiver.Setup(enc)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	plaintext, err := opener.Open(ciphertext, aad)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return plaintext, nil
}

// CheckPublicKey returns ErrKey unless b is an encoded public key that can be sealed to.
func CheckPublicKey(b []byte) error {
	_, err := parsePublicKey(b)
	return err
}

func parsePublicKey(b []byte) (kem.PublicKey, error) {
	if len(b) != PublicKeySize {
		return nil, fmt.Errorf("%w: public key of %d bytes", ErrKey, len(b))
	}
	public, err := hpke.KEM_XWING.Scheme().UnmarshalBinaryPublicKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return public, nil
}

func suite() hpke.Suite {
	return hpke.NewSuite(hpke.KEM_XWING, hpke.KDF_HKDF_SHA256, hpke.AEAD_ChaCha20Poly1305)
}
