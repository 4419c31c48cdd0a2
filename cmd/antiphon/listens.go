package main

import (
	"context"
	"errors"

	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/listen"
	"antiphon/payments"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

// members have their plays recorded; guests, who have no page to look at them or to remove them, do not.
type members struct{ house *house }

// Ticket implements [play.Listens].
func (m members) Ticket(ctx context.Context, listener, artist, track string, seconds int64) (string, error) {
	if !m.house.actors.Own(listener) {
		return "", nil
	}
	return m.house.listens.Ticket(ctx, listener, artist, track, seconds)
}

// pooled reports whether a track is in the listening pool, by what its artist says.
func (h *house) pooled(ctx context.Context, uri string) (bool, error) {
	if h.actors.Own(uri) {
		t, err := media.ByURI(ctx, h.db.Read, uri)
		if errors.Is(err, media.ErrNotFound) {
			return false, nil
		}
		return t.Pooled, err
	}
	t, err := (&remoteTracks{house: h}).Track(ctx, uri, false)
	if err != nil {
		// Nothing is known of it, so nothing is known of a wish to be in the pool.
		return false, nil
	}
	return t.Pooled, nil
}

// credits are the artists of a track of this instance that share what it earns. What others share is theirs to divide.
func (h *house) credits(ctx context.Context, uri string) ([]listen.Credit, error) {
	if !h.actors.Own(uri) {
		return nil, nil
	}
	product, err := h.access.ProductOf(ctx, uri)
	if errors.Is(err, access.ErrUnknownProduct) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	splits, err := payments.SplitsOf(ctx, h.db.Read, product.URI)
	if err != nil {
		return nil, err
	}
	var out []listen.Credit
	for _, part := range splits {
		out = append(out, listen.Credit{Artist: part.Payee, Share: int64(part.BasisPoints)})
	}
	return out, nil
}

// policyFor is the policy that the ledger names for a month.
func (h *house) policyFor(ctx context.Context, month royalty.Month) (contract.Policy, error) {
	return contract.PolicyFor(ctx, h.forward.Book(), month)
}
