package contract

import (
	"encoding/json"
	"fmt"
	"math/big"

	"antiphon/payments/amount"
)

const recordRefund = "record_refund"

// Refund says that a recorded payment was given back whole: the payee is not owed it any more.
type Refund struct {
	// Order, Payee, Amount, Provider and PaymentHash are those of the payment.
	Order, Payee string
	Amount       amount.Amount
	Provider     string
	PaymentHash  string
}

// Call implements [Command].
func (r Refund) Call() (string, any, error) {
	if r.Order == "" || r.Payee == "" {
		return "", nil, fmt.Errorf("%w: order and payee are needed", ErrInvalid)
	}
	return recordRefund, paymentArgs{
		Amount: r.Amount, Order: Digest("order", r.Order), Payee: Digest("payee", r.Payee), PaymentHash: r.PaymentHash, Provider: r.Provider,
	}, nil
}

// runRecordRefund undoes what runRecordPayment did, once, for the order that the payment was recorded for.
func runRecordRefund(s State, args []byte) error {
	var in paymentArgs
	if err := json.Unmarshal(args, &in); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	asset, err := in.check()
	if err != nil {
		return err
	}
	order, found, err := s.Get("payment/" + in.PaymentHash)
	if err != nil {
		return err
	}
	if !found || order != in.Order {
		return fmt.Errorf("%w: no such payment for this order", ErrInvalid)
	}
	refunded := "refund/" + in.PaymentHash
	if _, twice, err := s.Get(refunded); err != nil {
		return err
	} else if twice {
		return ErrDuplicate
	}
	if err := s.Put(refunded, in.Order); err != nil {
		return err
	}
	splits, err := keptSplits(s, in.PaymentHash)
	if err != nil {
		return err
	}
	taken, err := owing(in.Amount.Units, in.Payee, splits)
	if err != nil {
		return err
	}
	for _, p := range taken {
		p.units.Neg(p.units)
	}
	return post(s, asset, append(taken, posting{"received/" + in.Provider, new(big.Int).Neg(in.Amount.Units.Big())}))
}
