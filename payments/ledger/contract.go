package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"antiphon/payments/amount"
)

var (
	// ErrDuplicate means that a payment with this hash was recorded before.
	ErrDuplicate = errors.New("payment was recorded before")
	// ErrInvalid means that a command is incomplete or malformed.
	ErrInvalid = errors.New("invalid ledger command")
)

// State is what a contract function may see and change. It shows committed values only, never the function's own
// writes, so that the same function runs on any ledger that orders its transactions later.
type State interface {
	// Get returns a key's value; false when it has none.
	Get(key string) (string, bool, error)
	// Put sets a key once the function has returned without an error. A key may be put once per call.
	Put(key, value string) error
}

// Command is a call of a contract function. Payment is one.
type Command interface {
	call() (function string, args any, err error)
}

// function is contract code: deterministic, without clock, chance or map order.
type function func(s State, args []byte) error

const recordPayment = "record_payment"

// contract is every function by its name in the records.
var contract = map[string]function{recordPayment: runRecordPayment, recordRefund: runRecordRefund}

// Payment says that a payment for an order has become final: from now on the payee is owed its amount.
type Payment struct {
	// Order and Payee are the URIs of the agreement and of the artist; the record has their hashes only.
	Order, Payee string
	// Amount is never zero.
	Amount amount.Amount
	// Provider is the payment provider's name, such as "raiden".
	Provider string
	// PaymentHash is 64 hexadecimal digits and names the payment: it is recorded once.
	PaymentHash string
	// ProofKey is the Ed25519 Multikey that the payee signs receipts with, or empty. Whoever is shown the record needs
	// nobody else to know that the key was the payee's.
	ProofKey string
}

// paymentArgs is a payment as it is recorded.
type paymentArgs struct {
	Amount      amount.Amount `json:"amount"`
	Key         string        `json:"key,omitempty"`
	Order       string        `json:"order"`
	Payee       string        `json:"payee"`
	PaymentHash string        `json:"paymentHash"`
	Provider    string        `json:"provider"`
}

func (p Payment) call() (string, any, error) {
	if p.Order == "" || p.Payee == "" {
		return "", nil, fmt.Errorf("%w: order and payee are needed", ErrInvalid)
	}
	return recordPayment, paymentArgs{
		Amount: p.Amount, Key: p.ProofKey, Order: digest("order", p.Order), Payee: digest("payee", p.Payee),
		PaymentHash: p.PaymentHash, Provider: p.Provider,
	}, nil
}

// digest is what stands for a URI: SHA-256 of the word, a zero byte and the URI.
func digest(word, uri string) string {
	sum := sha256.Sum256([]byte("antiphon/ledger/" + word + "\x00" + uri))
	return hex.EncodeToString(sum[:])
}

var (
	hexHash  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	keyForm  = regexp.MustCompile(`^(?:z6Mk[1-9A-HJ-NP-Za-km-z]{40,48})?$`)
)

// check refuses what is malformed, and returns the amount's asset.
func (in paymentArgs) check() (amount.Asset, error) {
	asset, err := amount.ParseAsset(string(in.Amount.Asset))
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	case asset != in.Amount.Asset || in.Amount.IsZero():
		return "", fmt.Errorf("%w: want a canonical amount above zero", ErrInvalid)
	case !hexHash.MatchString(in.PaymentHash) || !hexHash.MatchString(in.Order) || !hexHash.MatchString(in.Payee):
		return "", fmt.Errorf("%w: want hashes of 64 hexadecimal digits", ErrInvalid)
	case !nameForm.MatchString(in.Provider):
		return "", fmt.Errorf("%w: provider's name", ErrInvalid)
	case !keyForm.MatchString(in.Key):
		return "", fmt.Errorf("%w: want an Ed25519 Multikey", ErrInvalid)
	}
	return asset, nil
}

// runRecordPayment: received/<provider> gets the amount, owed/<payee> gives it.
func runRecordPayment(s State, args []byte) error {
	var in paymentArgs
	if err := json.Unmarshal(args, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	asset, err := in.check()
	if err != nil {
		return err
	}
	paid := "payment/" + in.PaymentHash
	if _, found, err := s.Get(paid); err != nil {
		return err
	} else if found {
		return ErrDuplicate
	}
	if err := s.Put(paid, in.Order); err != nil {
		return err
	}
	units := in.Amount.Units.Big()
	return post(s, asset, []posting{
		{"received/" + in.Provider, units},
		{owed(in.Payee), new(big.Int).Neg(units)},
	})
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
		balance, err := readBalance(s, key)
		if err != nil {
			return err
		}
		if err := s.Put(key, balance.Add(balance, p.units).String()); err != nil {
			return err
		}
	}
	return nil
}

func readBalance(s State, key string) (*big.Int, error) {
	text, found, err := s.Get(key)
	if err != nil || !found {
		return new(big.Int), err
	}
	balance, ok := new(big.Int).SetString(text, 10)
	if !ok || balance.String() != strings.TrimSpace(text) {
		return nil, fmt.Errorf("balance %s is not a number", key)
	}
	return balance, nil
}
