package contract

import (
	"encoding/json"
	"fmt"
	"regexp"

	"antiphon/payments/amount"
)

const recordPayment = "record_payment"

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
	// Splits say who is owed the amount in the payee's place; without any it is the payee.
	Splits []Split
}

// paymentArgs is a payment as it is recorded.
type paymentArgs struct {
	Amount      amount.Amount `json:"amount"`
	Key         string        `json:"key,omitempty"`
	Order       string        `json:"order"`
	Payee       string        `json:"payee"`
	PaymentHash string        `json:"paymentHash"`
	Provider    string        `json:"provider"`
	Splits      []splitArgs   `json:"splits,omitempty"`
}

// Call implements [Command].
func (p Payment) Call() (string, any, error) {
	if p.Order == "" || p.Payee == "" {
		return "", nil, fmt.Errorf("%w: order and payee are needed", ErrInvalid)
	}
	return recordPayment, paymentArgs{
		Amount: p.Amount, Key: p.ProofKey, Order: Digest("order", p.Order), Payee: Digest("payee", p.Payee),
		PaymentHash: p.PaymentHash, Provider: p.Provider, Splits: splitsOf(p.Splits),
	}, nil
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

// runRecordPayment: received/<provider> gets the amount, owed/<payee> gives it, or all give it whom it is split among.
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
	given, err := owing(in.Amount.Units, in.Payee, in.Splits)
	if err != nil {
		return err
	}
	if err := keepSplits(s, in.PaymentHash, in.Splits); err != nil {
		return err
	}
	return post(s, asset, append(given, posting{"received/" + in.Provider, in.Amount.Units.Big()}))
}
