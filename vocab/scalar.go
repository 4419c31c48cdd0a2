package vocab

import (
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"time"

	"antiphon/vocab/multikey"
)

var (
	decimalPattern = regexp.MustCompile(`^(0|[1-9][0-9]{0,77})$`)
	cidPattern     = regexp.MustCompile(`^b[a-z2-7]{20,120}$`)
)

// integer asks for a whole number between low and high.
func (o *object) integer(name string, low, high int64) int64 {
	f, ok := o.get(name).(float64)
	if !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		o.fail(name, "is not a whole number from %d to %d", low, high)
		return 0
	}
	return int64(f)
}

func (o *object) maybeInteger(name string, low, high int64) int64 {
	if !o.has(name) {
		return 0
	}
	return o.integer(name, low, high)
}

func (o *object) boolean(name string) bool {
	v := o.get(name)
	b, ok := v.(bool)
	if v != nil && !ok {
		o.fail(name, "is neither true nor false")
	}
	return b
}

// decimal asks for a whole number of smallest units as text: no sign, no leading zero, at most 78 digits.
func (o *object) decimal(name string) string {
	s, _ := o.get(name).(string)
	if !decimalPattern.MatchString(s) {
		o.fail(name, "is not a decimal number")
		return ""
	}
	return s
}

// counter asks for an unsigned 64-bit number as text, which JSON numbers cannot carry.
func (o *object) counter(name string) uint64 {
	n, err := strconv.ParseUint(o.decimal(name), 10, 64)
	if err != nil {
		o.fail(name, "is not an unsigned 64-bit number")
	}
	return n
}

// instant asks for our own form of time: RFC 3339, UTC, whole seconds, Z.
func (o *object) instant(name string) time.Time {
	s, _ := o.get(name).(string)
	t, err := time.Parse(timeLayout, s)
	if err != nil || len(s) != len(timeLayout) {
		o.fail(name, "is not a time in UTC and whole seconds")
		return time.Time{}
	}
	return t.UTC()
}

// maybeInstant is instant, or the zero time for a member that is missing or null.
func (o *object) maybeInstant(name string) time.Time {
	if !o.has(name) {
		return time.Time{}
	}
	return o.instant(name)
}

// time reads the times of others: any RFC 3339, brought to UTC and whole seconds. Missing is the zero time.
func (o *object) time(name string) time.Time {
	v := o.get(name)
	if v == nil {
		return time.Time{}
	}
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		o.fail(name, "is not a time")
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

// bytes asks for exactly size bytes in base64url without padding.
func (o *object) bytes(name string, size int) []byte {
	s, _ := o.get(name).(string)
	b, ok := decodeBytes(s, size)
	if !ok {
		o.fail(name, "is not %d bytes in base64url", size)
		return nil
	}
	return b
}

// byteList asks for an array of low to high entries of exactly size bytes each.
func (o *object) byteList(name string, size, low, high int) [][]byte {
	var out [][]byte
	list, _ := o.get(name).([]any)
	if len(list) < low || len(list) > high {
		o.fail(name, "has not %d to %d entries", low, high)
		return nil
	}
	for _, v := range list {
		s, _ := v.(string)
		b, ok := decodeBytes(s, size)
		if !ok {
			o.fail(name, "holds what is not %d bytes in base64url", size)
			return nil
		}
		out = append(out, b)
	}
	return out
}

func decodeBytes(s string, size int) ([]byte, bool) {
	if len(s) != base64.RawURLEncoding.EncodedLen(size) {
		return nil, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return b, err == nil && len(b) == size
}

// secp256k1 asks for a Multikey of that curve and returns its text.
func (o *object) secp256k1(name string) string {
	s, _ := o.get(name).(string)
	if _, err := multikey.DecodeSecp256k1(s); err != nil {
		o.fail(name, "is not a secp256k1 Multikey")
		return ""
	}
	return s
}

// ed25519 asks for a Multikey of that kind and returns its text.
func (o *object) ed25519(name string) string {
	s, _ := o.get(name).(string)
	if _, err := multikey.DecodeEd25519(s); err != nil {
		o.fail(name, "is not an Ed25519 Multikey")
		return ""
	}
	return s
}

// cid asks for a CIDv1 in base32. Its codec and hash are for media/ipfs to judge.
func (o *object) cid(name string) string {
	s, _ := o.get(name).(string)
	if !cidPattern.MatchString(s) {
		o.fail(name, "is not a CID")
		return ""
	}
	return s
}
