package umbral

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"

	"golang.org/x/crypto/chacha20poly1305"
)

// CiphertextOverhead is how many bytes a ciphertext is longer than its plaintext: the nonce and the tag.
const CiphertextOverhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// dataKey derives the key of the data encapsulation from the shared point: HKDF-SHA256 without salt or info.
func dataKey(seed point) ([]byte, error) {
	return hkdf.Key(sha256.New, seed.enc[:], nil, "", chacha20poly1305.KeySize)
}

// sealData returns nonce || XChaCha20-Poly1305(plaintext), with the capsule as additional data.
func sealData(rand io.Reader, seed point, plaintext []byte, capsule *Capsule) ([]byte, error) {
	key, err := dataKey(seed)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX, len(plaintext)+CiphertextOverhead)
	if _, err := io.ReadFull(rand, nonce); err != nil {
		return nil, fmt.Errorf("draw nonce: %w", err)
	}
	return aead.Seal(nonce, nonce, plaintext, capsule.Bytes()), nil
}

func openData(seed point, ciphertext []byte, capsule *Capsule) ([]byte, error) {
	if len(ciphertext) < CiphertextOverhead {
		return nil, fmt.Errorf("%w: %d bytes", ErrCiphertext, len(ciphertext))
	}
	key, err := dataKey(seed)
	if err != nil {
		return nil, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	nonce, sealed := ciphertext[:chacha20poly1305.NonceSizeX], ciphertext[chacha20poly1305.NonceSizeX:]
	plaintext, err := aead.Open(nil, nonce, sealed, capsule.Bytes())
	if err != nil {
		return nil, ErrCiphertext
	}
	return plaintext, nil
}
