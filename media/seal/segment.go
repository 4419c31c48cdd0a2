package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ErrCiphertext means that a segment or file could not be opened: wrong key,
// wrong IV or additional data, damaged, cut short or extended. Which of them is
// not told.
var ErrCiphertext = errors.New("seal: wrong key or damaged data")

// IV is the initialization vector of one segment. It is public and must never
// be used twice with one key.
type IV [aes.BlockSize]byte

// NewIV reads a fresh IV from random.
func NewIV(random io.Reader) (IV, error) {
	var iv IV
	if _, err := io.ReadFull(random, iv[:]); err != nil {
		return IV{}, fmt.Errorf("read iv: %w", err)
	}
	return iv, nil
}

// EncryptedSize is the length of Encrypt's output for a plaintext of n bytes:
// the next multiple of 16 above n.
func EncryptedSize(n int) int {
	return n - n%aes.BlockSize + aes.BlockSize
}

// Encrypt appends to dst the plaintext under AES-128-CBC with PKCS#7 padding
// (RFC 8216 section 4.3.2.4) and returns the extended slice. The spare capacity
// of dst must not overlap plaintext.
func Encrypt(dst []byte, key SegmentKey, iv IV, plaintext []byte) []byte {
	mode := cipher.NewCBCEncrypter(block(key), iv[:])
	start := len(dst)
	out := slices.Grow(dst, EncryptedSize(len(plaintext)))[:start+EncryptedSize(len(plaintext))]

	whole := len(plaintext) - len(plaintext)%aes.BlockSize
	mode.CryptBlocks(out[start:start+whole], plaintext[:whole])

	last := out[start+whole:]
	pad := byte(aes.BlockSize - copy(last, plaintext[whole:]))
	for i := aes.BlockSize - int(pad); i < aes.BlockSize; i++ {
		last[i] = pad
	}
	mode.CryptBlocks(last, last)
	return out
}

// Decrypt appends to dst the plaintext of a segment that Encrypt made and
// returns the extended slice. The spare capacity of dst must not overlap
// ciphertext. The padding is checked strictly and without branching on its
// bytes; every failure is ErrCiphertext.
func Decrypt(dst []byte, key SegmentKey, iv IV, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) == 0 || len(ciphertext)%aes.BlockSize != 0 {
		return nil, ErrCiphertext
	}
	start := len(dst)
	out := slices.Grow(dst, len(ciphertext))[:start+len(ciphertext)]
	cipher.NewCBCDecrypter(block(key), iv[:]).CryptBlocks(out[start:], ciphertext)

	last := out[len(out)-aes.BlockSize:]
	pad := int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, pad) & subtle.ConstantTimeLessOrEq(pad, aes.BlockSize)
	for i, b := range last {
		inPadding := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, pad)
		good &= subtle.ConstantTimeSelect(inPadding, subtle.ConstantTimeByteEq(b, byte(pad)), 1)
	}
	if good != 1 {
		clear(out[start:])
		return nil, ErrCiphertext
	}
	return out[:len(out)-pad], nil
}

func block(key SegmentKey) cipher.Block {
	b, err := aes.NewCipher(key[:])
	if err != nil {
		panic("seal: aes: " + err.Error()) // the key's length is in its type
	}
	return b
}
