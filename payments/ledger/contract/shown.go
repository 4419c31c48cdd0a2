package contract

import (
	"bytes"
	"fmt"

	"github.com/gowebpki/jcs"
)

// Shown is what a record of a payment says. Order and payee are hashes in it: who knows their URIs can tell.
type Shown struct {
	args []byte
	// At is when the payment was recorded, RFC 3339.
	At string
}

// ShowPayment reads the call that a record tells of; ErrInvalid when it is not that of a payment.
func ShowPayment(function string, args []byte, at string) (Shown, error) {
	if function != recordPayment {
		return Shown{}, fmt.Errorf("%w: not the record of a payment", ErrInvalid)
	}
	in, err := read[paymentArgs](args)
	if err != nil {
		return Shown{}, err
	}
	if _, err := in.check(); err != nil {
		return Shown{}, err
	}
	whole, err := jcs.Transform(args)
	if err != nil {
		return Shown{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return Shown{whole, at}, nil
}

// Of reports whether the record is of this payment, in everything that it says.
func (s Shown) Of(p Payment) bool {
	_, args, err := Encode(p)
	return err == nil && bytes.Equal(args, s.args)
}
