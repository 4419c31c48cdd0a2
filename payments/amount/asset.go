package amount

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/currency"

	"antiphon/payments/eip55"
)

// ErrInvalid is wrapped by every refusal of an asset or a number.
var ErrInvalid = errors.New("invalid amount")

// DevNamespace is the chain namespace of the development network; its tokens are worth nothing.
const DevNamespace = "antiphon-dev"

// Asset names what an amount counts: "eip155:42161/erc20:0x...", "antiphon-dev:1/erc20:0x..." (the form of CAIP-19)
// or "iso4217:EUR". An Asset from ParseAsset or Token is canonical (the address carries its EIP-55 checksum), so
// assets are compared with ==.
type Asset string

// Token is the asset of the ERC-20 contract on a chain of the namespace "eip155" or DevNamespace.
func Token(namespace string, chain uint64, contract eip55.Address) Asset {
	return Asset(fmt.Sprintf("%s:%d/erc20:%s", namespace, chain, contract))
}

// ParseAsset reads an asset and brings the contract's address into canonical form. Errors wrap ErrInvalid.
func ParseAsset(s string) (Asset, error) {
	if code, ok := strings.CutPrefix(s, "iso4217:"); ok {
		return parseCurrency(code)
	}
	chainID, contract, ok := strings.Cut(s, "/erc20:")
	if !ok {
		return "", fmt.Errorf("%w: asset is neither erc20 nor iso4217", ErrInvalid)
	}
	namespace, reference, ok := strings.Cut(chainID, ":")
	if !ok || (namespace != "eip155" && namespace != DevNamespace) {
		return "", fmt.Errorf("%w: unknown chain namespace", ErrInvalid)
	}
	chain, err := strconv.ParseUint(reference, 10, 64)
	if err != nil || strconv.FormatUint(chain, 10) != reference || chain == 0 {
		return "", fmt.Errorf("%w: chain id is not a positive decimal number", ErrInvalid)
	}
	address, err := eip55.Parse(contract)
	if err != nil {
		return "", fmt.Errorf("%w: contract: %w", ErrInvalid, err)
	}
	return Token(namespace, chain, address), nil
}

func parseCurrency(code string) (Asset, error) {
	unit, err := currency.ParseISO(code)
	if err != nil || unit.String() != code || code[0] == 'X' && (code == "XXX" || code == "XTS") {
		return "", fmt.Errorf("%w: unknown ISO 4217 currency", ErrInvalid)
	}
	return Asset("iso4217:" + code), nil
}

// Contract is the ERC-20 contract of a token asset, and false for a currency.
func (a Asset) Contract() (eip55.Address, bool) {
	_, contract, ok := strings.Cut(string(a), "/erc20:")
	if !ok {
		return eip55.Address{}, false
	}
	address, err := eip55.Parse(contract)
	return address, err == nil
}

// Development reports whether the asset belongs to the development network and is worth nothing.
func (a Asset) Development() bool { return strings.HasPrefix(string(a), DevNamespace+":") }

// MarshalText writes the canonical form.
func (a Asset) MarshalText() ([]byte, error) { return []byte(a), nil }

// UnmarshalText reads what ParseAsset reads.
func (a *Asset) UnmarshalText(text []byte) error {
	v, err := ParseAsset(string(text))
	if err != nil {
		return err
	}
	*a = v
	return nil
}

// Value stores the asset as text.
func (a Asset) Value() (driver.Value, error) { return string(a), nil }

// Scan reads the asset from a text column. The empty text is no asset: that of what costs nothing.
func (a *Asset) Scan(src any) error {
	text, err := scanText(src)
	if err != nil {
		return err
	}
	if text == "" {
		*a = ""
		return nil
	}
	return a.UnmarshalText([]byte(text))
}
