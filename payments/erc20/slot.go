package erc20

import (
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"golang.org/x/crypto/sha3"

	"antiphon/payments/eip55"
)

//go:embed contract/Till.json
var tillJSON []byte

// What is called, as the first four bytes of the hash of its signature: addressOf(bytes32), owner(), decimals().
const (
	selectorAddressOf = "\xbb\x34\x53\x4c"
	selectorOwner     = "\x8d\xa5\xcb\x5b"
	selectorDecimals  = "\x31\x3c\xe5\x67"
)

// transferTopic is the event of every ERC-20 transfer: Transfer(address,address,uint256).
const transferTopic = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"

// slotHash is keccak256 of the code that makes a slot (contract/Slot.json).
const slotHash = "\xcd\xa4\x1a\x7b\x2e\x06\x8d\xeb\x9f\x40\x73\x01\x85\xc0\x06\xc9\x09\x68\x6f\xc7\x57\x45\x1a\x26\xf5\xa8\x99\xc6\x51\x01\xea\xd6"

func keccak(parts ...[]byte) []byte {
	h := sha3.NewLegacyKeccak256()
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// TillCode is what a transaction without recipient has to carry to make a till of this owner.
func TillCode(owner eip55.Address) ([]byte, error) {
	if owner.IsZero() {
		return nil, fmt.Errorf("%w: the zero address can own nothing", ErrTill)
	}
	var compiled struct {
		Bytecode string `json:"bytecode"`
	}
	if err := json.Unmarshal(tillJSON, &compiled); err != nil {
		return nil, fmt.Errorf("read till: %w", err)
	}
	creation, err := hex.DecodeString(strings.TrimPrefix(compiled.Bytecode, "0x"))
	if err != nil {
		return nil, fmt.Errorf("read till: %w", err)
	}
	argument := make([]byte, 32)
	copy(argument[12:], owner[:])
	return append(creation, argument...), nil
}

// salt is an order's identifier as the till takes it.
func salt(identifier string) ([32]byte, error) {
	var out [32]byte
	n, err := strconv.ParseUint(identifier, 10, 64)
	if err != nil {
		return out, fmt.Errorf("identifier %.30q is not an unsigned 64-bit number", identifier)
	}
	new(big.Int).SetUint64(n).FillBytes(out[:])
	return out, nil
}

// slotAddress is where the slot of an order lies (EIP-1014).
func slotAddress(till eip55.Address, order [32]byte) eip55.Address {
	return eip55.Address(keccak([]byte{0xff}, till[:], order[:], []byte(slotHash))[12:])
}
