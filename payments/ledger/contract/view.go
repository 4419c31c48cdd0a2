package contract

import (
	"context"
	"errors"
	"time"

	"antiphon/payments/royalty"
)

// Reader is what can be read of a ledger; every Backend is one.
type Reader interface {
	Get(ctx context.Context, key string) (string, bool, error)
	Range(ctx context.Context, start, end string, fn func(key, value string) error) error
}

// view is the State of who only looks.
type view struct {
	ctx context.Context
	r   Reader
}

var errView = errors.New("a view of the ledger does not write")

func (v view) Get(key string) (string, bool, error) { return v.r.Get(v.ctx, key) }
func (v view) Range(start, end string, fn func(key, value string) error) error {
	return v.r.Range(v.ctx, start, end, fn)
}
func (view) Put(string, string) error  { return errView }
func (view) Delete(string) error       { return errView }
func (view) Emit(string, []byte) error { return errView }
func (view) TxID() string              { return "" }
func (view) Time() time.Time           { return time.Time{} }
func (view) Caller() string            { return "" }

// known turns what is not there into ErrUnknown.
func known[T any](v T, ok bool, err error) (T, error) {
	if err == nil && !ok {
		err = ErrUnknown
	}
	return v, err
}

// PolicyFor is the policy that holds for a month; ErrUnknown when there is none.
func PolicyFor(ctx context.Context, r Reader, month royalty.Month) (Policy, error) {
	return policyOf(view{ctx, r}, month)
}

// NodeAt is what the ledger says of an instance; ErrUnknown when it does not know it.
func NodeAt(ctx context.Context, r Reader, host string) (Node, error) {
	return nodeOf(view{ctx, r}, host)
}

// LastDay is the newest day that a node has reported, and the root of its report: what the next one follows. Both are
// empty when there is none.
func LastDay(ctx context.Context, r Reader, node string) (day, root string, err error) {
	last, _, err := get[lastDay](view{ctx, r}, lastDayKey(node))
	return last.Day, last.Root, err
}

// Payments counts the subscriptions of a node's month that were not taken back.
func Payments(ctx context.Context, r Reader, month royalty.Month, node string) (int64, error) {
	return payments(view{ctx, r}, month, node)
}

// Reported is a node's report of a month, and until when it can be disputed; ErrUnknown when there is none.
func Reported(ctx context.Context, r Reader, month royalty.Month, node string) (Statement, time.Time, error) {
	m, err := known(get[reported](view{ctx, r}, monthKey(month, node)))
	return m.Statement, m.Until, err
}

// Finally is a node's final statement of a month; ErrUnknown when there is none.
func Finally(ctx context.Context, r Reader, month royalty.Month, node string) (Statement, error) {
	return known(get[Statement](view{ctx, r}, finalKey(month, node)))
}

// CarriedInto is what a node's next report takes over from its last final statement.
func CarriedInto(ctx context.Context, r Reader, node string) (royalty.Micro, error) {
	c, _, err := get[carried](view{ctx, r}, carryKey(node))
	return c.Micro, err
}

// Due is what a node owes an artist, by the hash of Digest("payee", actor URI): what final statements name, without
// what they have under a root alone. It may be below zero after a Correction.
func Due(ctx context.Context, r Reader, node, artist string) (royalty.Micro, error) {
	due, _, err := get[royalty.Micro](view{ctx, r}, dueKey(node, artist))
	return due, err
}

// DisputeAt is a dispute; ErrUnknown when there is none of this id.
func DisputeAt(ctx context.Context, r Reader, id string) (Dispute, error) {
	d, err := disputeOf(view{ctx, r}, id)
	if err != nil {
		return Dispute{}, err
	}
	return *d, nil
}

// Disputes calls fn with each dispute of a node's month, in the order of their ids.
func Disputes(ctx context.Context, r Reader, month royalty.Month, node string, fn func(Dispute) error) error {
	start, end := under(disputesPrefix(month, node))
	return r.Range(ctx, start, end, func(_, id string) error {
		d, err := DisputeAt(ctx, r, id)
		if err != nil {
			return err
		}
		return fn(d)
	})
}

// Votes are those of a dispute's first round, or of its appeal, by node.
func Votes(ctx context.Context, r Reader, id string, appeal bool) (map[string]Vote, error) {
	return votesOf(view{ctx, r}, id, appeal)
}
