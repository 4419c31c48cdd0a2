package contract

import (
	"context"
	"fmt"

	"antiphon/payments/royalty"
)

// Subscribed is the hash of the payment that stands for a pseudonym's month, also when it was taken back; ErrUnknown when
// there is none.
func Subscribed(ctx context.Context, r Reader, month royalty.Month, pseudonym string) (paymentHash string, err error) {
	p, err := known(get[paid](view{ctx, r}, subscriptionKey(month, pseudonym)))
	return p.PaymentHash, err
}

// ReadSubscriptions reads the call of a batch of subscriptions as it was recorded; a call of anything else, and one that the
// contract would refuse by its form, is ErrInvalid.
func ReadSubscriptions(function string, args []byte) (Subscriptions, error) {
	if function != recordSubscriptions {
		return Subscriptions{}, fmt.Errorf("%w: %.60q is no batch of subscriptions", ErrInvalid, function)
	}
	b, err := read[Subscriptions](args)
	if err != nil {
		return b, err
	}
	if err := batch(len(b.Lines)); err != nil {
		return b, err
	}
	for i, line := range b.Lines {
		if err := line.check(); err != nil {
			return b, &LineError{i, err}
		}
	}
	return b, nil
}
