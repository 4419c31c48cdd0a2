package contract

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"

	"antiphon/payments/amount"
)

// Digest is what stands for a URI: SHA-256 of the word, a zero byte and the URI.
func Digest(word, uri string) string {
	sum := sha256.Sum256([]byte("antiphon/ledger/" + word + "\x00" + uri))
	return hex.EncodeToString(sum[:])
}

// posting adds to an account; what is owed is below zero.
type posting struct {
	account string
	units   *big.Int
}

func owed(payee string) string { return "owed/" + payee }

func balanceKey(asset amount.Asset, account string) string {
	return "balance/" + account + " " + string(asset)
}

// post makes the postings, each to another account, if they add up to zero.
func post(s State, asset amount.Asset, postings []posting) error {
	sum := new(big.Int)
	for _, p := range postings {
		sum.Add(sum, p.units)
	}
	if sum.Sign() != 0 {
		return fmt.Errorf("%w: postings add up to %s", ErrInvalid, sum)
	}
	for _, p := range postings {
		key := balanceKey(asset, p.account)
		balance, err := readBalance(s.Get, key)
		if err != nil {
			return err
		}
		if err := s.Put(key, balance.Add(balance, p.units).String()); err != nil {
			return err
		}
	}
	return nil
}

func readBalance(get func(key string) (string, bool, error), key string) (*big.Int, error) {
	text, found, err := get(key)
	if err != nil || !found {
		return new(big.Int), err
	}
	balance, ok := new(big.Int).SetString(text, 10)
	if !ok || balance.String() != strings.TrimSpace(text) {
		return nil, fmt.Errorf("balance %s is not a number", key)
	}
	return balance, nil
}

// Owed is what a payee, by URI, is owed of an asset for orders, as get reads committed values.
func Owed(get func(key string) (string, bool, error), payee string, asset amount.Asset) (amount.Amount, error) {
	balance, err := readBalance(get, balanceKey(asset, owed(Digest("payee", payee))))
	if err != nil {
		return amount.Amount{}, err
	}
	return amount.FromBig(balance.Neg(balance), asset)
}

// Balance reads a key and its value as the balance of an account in an asset; false for any other key.
func Balance(key, value string) (asset amount.Asset, units *big.Int, ok bool, err error) {
	account, name, found := strings.Cut(key, " ")
	if !found || !strings.HasPrefix(account, "balance/") {
		return "", nil, false, nil
	}
	units, err = readBalance(func(string) (string, bool, error) { return value, true, nil }, key)
	return amount.Asset(name), units, err == nil, err
}
