package raiden

import (
	"context"
	"fmt"
	"net/http"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// PayRequest is one payment to make. The identifier is the payee's; nodes do not check that it is used once.
type PayRequest struct {
	Token      eip55.Address
	Target     eip55.Address
	Amount     amount.Units
	Identifier uint64
}

// Payment is a payment that was made. Secret and SecretHash are the proof of it and are zero where the node does not
// tell them.
type Payment struct {
	Initiator  eip55.Address
	Target     eip55.Address
	Token      eip55.Address
	Amount     amount.Units
	Identifier uint64
	Secret     Secret
	SecretHash Hash
}

// Pay sends a payment and blocks until the node says that it is done. It does NOT look whether the identifier was
// paid before, and two at once stall the light node: use Payer.PayOnce. Errors: ErrNoRoute, ErrInsufficientFunds,
// ErrBadRequest, ErrUnavailable, ErrNotFound, ErrUnauthorized mean that nothing was sent; ErrUnknownOutcome means what
// it says.
func (c *Client) Pay(ctx context.Context, req PayRequest) (Payment, error) {
	if req.Amount.IsZero() || req.Identifier == 0 || req.Token.IsZero() || req.Target.IsZero() {
		return Payment{}, fmt.Errorf("pay: %w: amount, identifier, token and target must not be zero", ErrBadRequest)
	}
	body := struct {
		Amount     amount.Units `json:"amount"`
		Identifier uint64       `json:"identifier,string"`
	}{req.Amount, req.Identifier}
	var w wirePayment
	r := call{method: http.MethodPost, path: "/payments/" + req.Token.String() + "/" + req.Target.String(), body: body, out: &w, blocks: true}
	if err := c.do(ctx, r); err != nil {
		if e, ok := err.(*Error); ok && e.kind == ErrProtocol {
			e.kind = ErrUnknownOutcome
		}
		return Payment{}, err
	}
	p, err := w.payment()
	switch {
	case err != nil:
		return Payment{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "unreadable answer", kind: ErrUnknownOutcome, cause: err}
	case p.Amount != req.Amount || p.Identifier != req.Identifier || p.Target != req.Target || (p.Token != req.Token && !p.Token.IsZero()):
		return Payment{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "answer is about another payment", kind: ErrUnknownOutcome}
	case p.Secret != Secret{} && p.SecretHash != Hash{} && p.Secret.Hash() != p.SecretHash:
		return Payment{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "secret does not open the lock", kind: ErrUnknownOutcome}
	}
	p.Token = req.Token
	return p, nil
}

// wirePayment is the answer to a payment: python's names end in _address, light's do not.
type wirePayment struct {
	Initiator        address `json:"initiator"`
	InitiatorAddress address `json:"initiator_address"`
	Target           address `json:"target"`
	TargetAddress    address `json:"target_address"`
	Token            address `json:"token_address"`
	Amount           number  `json:"amount"`
	Identifier       number  `json:"identifier"`
	Secret           bytes32 `json:"secret"`
	SecretHash       bytes32 `json:"secret_hash"`
}

func (w *wirePayment) payment() (Payment, error) {
	units, err := w.Amount.units()
	if err != nil {
		return Payment{}, fmt.Errorf("amount: %w", err)
	}
	id, err := w.Identifier.uint64()
	if err != nil {
		return Payment{}, fmt.Errorf("identifier: %w", err)
	}
	return Payment{
		Initiator: first(w.Initiator, w.InitiatorAddress), Target: first(w.Target, w.TargetAddress), Token: w.Token.Address,
		Amount: units, Identifier: id, Secret: w.Secret.v, SecretHash: w.SecretHash.v,
	}, nil
}
