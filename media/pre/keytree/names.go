package keytree

import (
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"strconv"

	"antiphon/media/pre/umbral"
)

// ArtistKeys are the keys that follow from an artist's seed. They print and log as [redacted].
type ArtistKeys struct{ root *Factory }

// Artist opens the tree of an artist's 32-byte seed; another length is ErrSeed.
func Artist(seed []byte) (*ArtistKeys, error) {
	root, err := NewFactory(seed)
	if err != nil {
		return nil, err
	}
	return &ArtistKeys{root}, nil
}

// Signing returns the key that signs the artist's kfrags; its public key is the artist's verifying key.
func (a *ArtistKeys) Signing() (*umbral.SecretKey, error) {
	return a.root.MakeKey([]byte("signing"))
}

// Product returns the delegating key of one version of one product. The version counts up from 1; a version is never
// reused for content that its grantees are not meant to have. Otherwise, or without a URI, the error is ErrLabel.
func (a *ArtistKeys) Product(uri string, version int) (*umbral.SecretKey, error) {
	if uri == "" || version < 1 {
		return nil, fmt.Errorf("%w: product %q version %d", ErrLabel, uri, version)
	}
	products, err := a.root.MakeFactory([]byte("products"))
	if err != nil {
		return nil, err
	}
	return products.MakeKey([]byte(uri + "/v" + strconv.Itoa(version)))
}

// Format prints [redacted] whatever the verb.
func (a *ArtistKeys) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the keys out of logs.
func (a *ArtistKeys) LogValue() slog.Value { return slog.StringValue(redacted) }

// ListenerKeys are the keys that follow from a listener's seed. They print and log as [redacted].
type ListenerKeys struct{ root *Factory }

// Listener opens the tree of a listener's 32-byte seed; another length is ErrSeed.
func Listener(seed []byte) (*ListenerKeys, error) {
	root, err := NewFactory(seed)
	if err != nil {
		return nil, err
	}
	return &ListenerKeys{root}, nil
}

// Receiving returns the n-th key that grants are made to. n counts up from 1, otherwise the error is ErrLabel.
func (l *ListenerKeys) Receiving(n int) (*umbral.SecretKey, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: receiving key %d", ErrLabel, n)
	}
	return l.root.MakeKey([]byte("receiving/" + strconv.Itoa(n)))
}

// Requesting returns the n-th Ed25519 key, which signs requests for re-encryption: its seed is the first 32 bytes of
// the secret "requesting/" + n. n counts up from 1, otherwise the error is ErrLabel.
func (l *ListenerKeys) Requesting(n int) (ed25519.PrivateKey, error) {
	if n < 1 {
		return nil, fmt.Errorf("%w: requesting key %d", ErrLabel, n)
	}
	secret, err := l.root.MakeSecret([]byte("requesting/" + strconv.Itoa(n)))
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(secret[:ed25519.SeedSize]), nil
}

// Format prints [redacted] whatever the verb.
func (l *ListenerKeys) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// LogValue keeps the keys out of logs.
func (l *ListenerKeys) LogValue() slog.Value { return slog.StringValue(redacted) }
