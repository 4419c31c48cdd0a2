// Package amount is Antiphon's money: a whole number of an asset's smallest units, and the asset. There are no
// floating-point numbers, no conversion between assets and no rounding. The int64 micro-dollars of royalty
// arithmetic are not for this package. Begin with New or Parse.
package amount

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

// ErrAsset is returned when two amounts of different assets meet.
var ErrAsset = errors.New("amounts of different assets")

// Amount is Units of an Asset. It is an immutable, comparable value, embeds into a gorm model as two text columns
// (`gorm:"embedded"`: units, asset) and reads and writes JSON as {"amount":"5000000","asset":"eip155:..."}.
type Amount struct {
	Units Units `json:"amount"`
	Asset Asset `json:"asset"`
}

// New is n of the smallest units of the asset.
func New(n uint64, asset Asset) Amount { return Amount{Units: NewUnits(n), Asset: asset} }

// FromBig is n of the smallest units of the asset; n must lie in 0 .. 2^256-1, otherwise the error wraps ErrInvalid.
func FromBig(n *big.Int, asset Asset) (Amount, error) {
	u, err := UnitsFromBig(n)
	if err != nil {
		return Amount{}, err
	}
	return Amount{Units: u, Asset: asset}, nil
}

// Parse reads a canonical decimal number of units and an asset, both from the wire. Errors wrap ErrInvalid.
func Parse(units, asset string) (Amount, error) {
	u, err := ParseUnits(units)
	if err != nil {
		return Amount{}, err
	}
	a, err := ParseAsset(asset)
	if err != nil {
		return Amount{}, err
	}
	return Amount{Units: u, Asset: a}, nil
}

// IsZero reports whether the amount is nothing, of whatever asset.
func (a Amount) IsZero() bool { return a.Units.IsZero() }

// Cmp is -1, 0 or +1 as a is less than, equal to or greater than b; ErrAsset when the assets differ.
func (a Amount) Cmp(b Amount) (int, error) {
	if a.Asset != b.Asset {
		return 0, fmt.Errorf("compare: %w", ErrAsset)
	}
	return a.Units.Cmp(b.Units), nil
}

// Add is a + b; ErrAsset when the assets differ, ErrInvalid when the sum does not fit.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Asset != b.Asset {
		return Amount{}, fmt.Errorf("add: %w", ErrAsset)
	}
	u, err := a.Units.Add(b.Units)
	if err != nil {
		return Amount{}, fmt.Errorf("add: %w", err)
	}
	return Amount{Units: u, Asset: a.Asset}, nil
}

// Sub is a - b; ErrAsset when the assets differ, ErrInvalid when b is the greater.
func (a Amount) Sub(b Amount) (Amount, error) {
	if a.Asset != b.Asset {
		return Amount{}, fmt.Errorf("subtract: %w", ErrAsset)
	}
	u, err := a.Units.Sub(b.Units)
	if err != nil {
		return Amount{}, fmt.Errorf("subtract: %w", err)
	}
	return Amount{Units: u, Asset: a.Asset}, nil
}

// Decimal is the number for display, without the asset: see Units.Decimal.
func (a Amount) Decimal(decimals int) string { return a.Units.Decimal(decimals) }

// String is units and asset, for logs.
func (a Amount) String() string { return a.Units.String() + " " + string(a.Asset) }

// UnmarshalJSON reads {"amount":"...","asset":"..."}; both must be there, and others are ignored.
func (a *Amount) UnmarshalJSON(data []byte) error {
	var in struct {
		Amount *Units `json:"amount"`
		Asset  *Asset `json:"asset"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return fmt.Errorf("read amount: %w", err)
	}
	if in.Amount == nil || in.Asset == nil {
		return fmt.Errorf("read amount: %w: amount or asset is missing", ErrInvalid)
	}
	*a = Amount{Units: *in.Amount, Asset: *in.Asset}
	return nil
}
