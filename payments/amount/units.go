package amount

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"math/big"
	"strings"
)

// maxDigits is the number of decimal digits of 2^256 - 1.
const maxDigits = 78

// maxDecimals bounds what an ERC-20 contract may claim for its decimals (a uint8 there; real ones say 0 to 24).
const maxDecimals = 77

// Units is a count of an asset's smallest units: an unsigned 256-bit integer. It is an immutable, comparable value;
// the zero value is 0. In JSON and SQL it is a decimal string, never a number.
type Units struct{ be [32]byte }

// NewUnits is the count n.
func NewUnits(n uint64) Units {
	u, _ := UnitsFromBig(new(big.Int).SetUint64(n))
	return u
}

// UnitsFromBig takes over n, which must lie in 0 .. 2^256-1; otherwise the error wraps ErrInvalid.
func UnitsFromBig(n *big.Int) (Units, error) {
	var u Units
	if n.Sign() < 0 || n.BitLen() > 256 {
		return u, fmt.Errorf("%w: not an unsigned 256-bit number", ErrInvalid)
	}
	n.FillBytes(u.be[:])
	return u, nil
}

// ParseUnits reads ^(0|[1-9][0-9]{0,77})$ up to 2^256-1: no sign, no leading zero, no exponent, ASCII digits only.
func ParseUnits(s string) (Units, error) {
	if s == "" || len(s) > maxDigits || (s[0] == '0' && s != "0") {
		return Units{}, fmt.Errorf("%w: not a canonical decimal number", ErrInvalid)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return Units{}, fmt.Errorf("%w: not a canonical decimal number", ErrInvalid)
		}
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return Units{}, fmt.Errorf("%w: not a canonical decimal number", ErrInvalid)
	}
	return UnitsFromBig(n)
}

// ParseDecimal reads a display number such as "5.25" of an asset with the given decimals (0 to 77) as units; at most
// `decimals` digits may follow the point, so that nothing is rounded. Errors wrap ErrInvalid.
func ParseDecimal(s string, decimals int) (Units, error) {
	if decimals < 0 || decimals > maxDecimals {
		return Units{}, fmt.Errorf("%w: %d decimals", ErrInvalid, decimals)
	}
	whole, fraction, point := strings.Cut(s, ".")
	if point && (fraction == "" || len(fraction) > decimals) {
		return Units{}, fmt.Errorf("%w: at most %d digits may follow the point", ErrInvalid, decimals)
	}
	if _, err := ParseUnits(whole); err != nil {
		return Units{}, err
	}
	digits := strings.TrimLeft(whole+fraction+strings.Repeat("0", decimals-len(fraction)), "0")
	if digits == "" {
		digits = "0"
	}
	return ParseUnits(digits)
}

// Big is a fresh copy as a big.Int.
func (u Units) Big() *big.Int { return new(big.Int).SetBytes(u.be[:]) }

// Bytes32 is the number as 32 big-endian bytes, as contracts pack it.
func (u Units) Bytes32() [32]byte { return u.be }

// String is the canonical decimal string.
func (u Units) String() string { return u.Big().String() }

// IsZero reports whether u is 0.
func (u Units) IsZero() bool { return u == Units{} }

// Cmp is -1, 0 or +1 as u is less than, equal to or greater than v.
func (u Units) Cmp(v Units) int { return bytes.Compare(u.be[:], v.be[:]) }

// Add is u + v; the error wraps ErrInvalid when the sum does not fit.
func (u Units) Add(v Units) (Units, error) { return UnitsFromBig(new(big.Int).Add(u.Big(), v.Big())) }

// Sub is u - v; the error wraps ErrInvalid when v is the greater.
func (u Units) Sub(v Units) (Units, error) { return UnitsFromBig(new(big.Int).Sub(u.Big(), v.Big())) }

// Decimal is the display number of an asset with the given decimals, without trailing zeros after the point:
// 5250000 with 6 decimals is "5.25". A number of decimals outside 0..77 is taken as 0.
func (u Units) Decimal(decimals int) string {
	digits := u.String()
	if decimals <= 0 || decimals > maxDecimals {
		return digits
	}
	if len(digits) <= decimals {
		digits = strings.Repeat("0", decimals+1-len(digits)) + digits
	}
	whole, fraction := digits[:len(digits)-decimals], strings.TrimRight(digits[len(digits)-decimals:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

// MarshalText writes the decimal string; in JSON it stands in quotes.
func (u Units) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText reads what ParseUnits reads. A JSON number or null is refused: it may have been rounded on its way.
func (u *Units) UnmarshalText(text []byte) error {
	v, err := ParseUnits(string(text))
	if err != nil {
		return err
	}
	*u = v
	return nil
}

// UnmarshalJSON reads a JSON string only; null and numbers are refused.
func (u *Units) UnmarshalJSON(data []byte) error {
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return fmt.Errorf("%w: want a decimal string", ErrInvalid)
	}
	return u.UnmarshalText(data[1 : len(data)-1])
}

// Value stores the number as text, so that no database rounds it.
func (u Units) Value() (driver.Value, error) { return u.String(), nil }

// Scan reads the number from a text column; a numeric column is refused.
func (u *Units) Scan(src any) error {
	text, err := scanText(src)
	if err != nil {
		return err
	}
	return u.UnmarshalText([]byte(text))
}

func scanText(src any) (string, error) {
	switch v := src.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	default:
		return "", fmt.Errorf("%w: column is %T, want text", ErrInvalid, src)
	}
}
