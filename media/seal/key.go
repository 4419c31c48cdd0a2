package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// ContentKey is the secret of one track, 32 random bytes. It prints and logs
// as [redacted]; slice it (k[:]) to get at the bytes.
type ContentKey [32]byte

// NewContentKey reads a fresh content key from random.
func NewContentKey(random io.Reader) (ContentKey, error) {
	var k ContentKey
	if _, err := io.ReadFull(random, k[:]); err != nil {
		return ContentKey{}, fmt.Errorf("read content key: %w", err)
	}
	return k, nil
}

// SegmentKey is the AES-128 key of one rendition: what an HLS player is given.
// It prints and logs as [redacted].
type SegmentKey [16]byte

// FileKey is the key of one sealed file. It prints and logs as [redacted].
type FileKey [32]byte

// Key derives the segment key of a rendition: HKDF-SHA256 (RFC 5869) of the
// content key with an empty salt and the info "hls/" + rendition.
func Key(k ContentKey, rendition string) SegmentKey {
	return SegmentKey(derive(k, "hls/"+rendition, 16))
}

// DownloadKey derives the key of a track's download file in a format such as
// "flac": HKDF-SHA256 of the content key with an empty salt and the info
// "dl/" + format.
func DownloadKey(k ContentKey, format string) FileKey {
	return FileKey(derive(k, "dl/"+format, 32))
}

// ContentKeyHash is what a track publishes so that a buyer can check an opened
// key: SHA-256("antiphon/content-key/v1" || key).
func ContentKeyHash(k ContentKey) [32]byte {
	return sha256.Sum256(append([]byte("antiphon/content-key/v1"), k[:]...))
}

func derive(k ContentKey, info string, length int) []byte {
	out, err := hkdf.Key(sha256.New, k[:], nil, info, length)
	if err != nil {
		// Only a length over 8160 bytes or a short key in FIPS mode can fail.
		panic("seal: hkdf: " + err.Error())
	}
	return out
}

// LogValue keeps the key out of logs.
func (ContentKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the key out of every fmt verb.
func (ContentKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// MarshalText keeps the key out of JSON.
func (ContentKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the key out of logs.
func (SegmentKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the key out of every fmt verb.
func (SegmentKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// MarshalText keeps the key out of JSON.
func (SegmentKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue keeps the key out of logs.
func (FileKey) LogValue() slog.Value { return slog.StringValue(redacted) }

// Format keeps the key out of every fmt verb.
func (FileKey) Format(s fmt.State, _ rune) { io.WriteString(s, redacted) }

// MarshalText keeps the key out of JSON.
func (FileKey) MarshalText() ([]byte, error) { return []byte(redacted), nil }
