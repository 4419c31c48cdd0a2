package raiden

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// number is a decimal number that a node may send as a JSON number or as a string. The digits are kept as they came,
// so that nothing above 2^53 is rounded; signs, points, exponents and leading zeros are refused.
type number string

func (n *number) UnmarshalJSON(data []byte) error {
	if len(data) >= 2 && data[0] == '"' && data[len(data)-1] == '"' {
		data = data[1 : len(data)-1]
	}
	if _, err := amount.ParseUnits(string(data)); err != nil {
		return err
	}
	*n = number(data)
	return nil
}

func (n number) units() (amount.Units, error) { return amount.ParseUnits(string(n)) }

func (n number) uint64() (uint64, error) { return strconv.ParseUint(string(n), 10, 64) }

// Secret is a hash lock's preimage. Who holds it before the payment is done can take the payment, so it does not
// show itself in logs.
type Secret [32]byte

// LogValue hides the secret.
func (Secret) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the secret.
func (Secret) String() string { return "[redacted]" }

// GoString hides the secret.
func (Secret) GoString() string { return "[redacted]" }

// Hash is the lock that the secret opens: SHA-256, as in Raiden since its version 1.
func (s Secret) Hash() Hash { return sha256.Sum256(s[:]) }

// Hash is a secret's hash.
type Hash [32]byte

// String is the hash in hexadecimal with "0x".
func (h Hash) String() string { return "0x" + hex.EncodeToString(h[:]) }

// bytes32 is 32 bytes in hexadecimal with "0x"; "", "0x" and null mean none.
type bytes32 struct {
	v  [32]byte
	ok bool
}

func (b *bytes32) UnmarshalJSON(data []byte) error {
	*b = bytes32{}
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	s = strings.TrimPrefix(s, "0x")
	if s == "" {
		return nil
	}
	if len(s) != 64 {
		return fmt.Errorf("want 32 bytes in hexadecimal")
	}
	if _, err := hex.Decode(b.v[:], []byte(s)); err != nil {
		return fmt.Errorf("want 32 bytes in hexadecimal")
	}
	b.ok = true
	return nil
}

// address is an address that may be missing, null or empty.
type address struct{ eip55.Address }

func (a *address) UnmarshalJSON(data []byte) error {
	*a = address{}
	if bytes.Equal(data, []byte("null")) || bytes.Equal(data, []byte(`""`)) {
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	v, err := eip55.Parse(s)
	a.Address = v
	return err
}

// logTime reads the nodes' time stamps. Without a zone they are UTC.
func logTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t.UTC(), nil
	}
	return time.Parse("2006-01-02T15:04:05.999999999", s)
}

func first(a, b address) eip55.Address {
	if !a.IsZero() {
		return a.Address
	}
	return b.Address
}
