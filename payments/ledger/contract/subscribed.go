package contract

import (
	"context"

	"antiphon/payments/royalty"
)

// Subscribed is the hash of the payment that stands for a pseudonym's month, also when it was taken back; ErrUnknown when
// there is none.
func Subscribed(ctx context.Context, r Reader, month royalty.Month, pseudonym string) (paymentHash string, err error) {
	p, err := known(get[paid](view{ctx, r}, subscriptionKey(month, pseudonym)))
	return p.PaymentHash, err
}
