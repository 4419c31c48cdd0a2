package auth

import (
	"database/sql/driver"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// The lengths of what the browser sends.
const (
	// AuthSize is the length of auth.
	AuthSize = 32
	// SeedSize is the length of a listener's seed.
	SeedSize = 32
	// WrappedSize is the length of a wrapped seed: nonce (24), seed (32), tag (16).
	WrappedSize = 72
)

// Secret is bytes that no log and no message may show. In JSON it is base64url without padding.
type Secret []byte

// LogValue keeps the secret out of logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// Format prints [redacted] whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[redacted]") }

// MarshalJSON writes the secret, for the one answer that gives it to its owner.
func (s Secret) MarshalJSON() ([]byte, error) {
	return json.Marshal(base64.RawURLEncoding.EncodeToString(s))
}

// UnmarshalJSON reads at most 1 KiB of base64url without padding.
func (s *Secret) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	if len(text) > 1024 {
		return fmt.Errorf("secret of %d characters", len(text))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return fmt.Errorf("secret is not base64url without padding: %w", err)
	}
	*s = b
	return nil
}

// Value stores the bytes; a nil Secret is NULL.
func (s Secret) Value() (driver.Value, error) {
	if s == nil {
		return nil, nil
	}
	return []byte(s), nil
}

// Scan reads what Value stored.
func (s *Secret) Scan(src any) error {
	switch b := src.(type) {
	case nil:
		*s = nil
	case []byte:
		*s = append(Secret{}, b...) // SQLite gives an empty blob as nil
	default:
		return fmt.Errorf("secret stored as %T", src)
	}
	return nil
}
