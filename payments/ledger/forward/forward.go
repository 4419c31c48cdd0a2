// Package forward brings records of the instance's own ledger to a ledger that it shares with others: the reports and
// the disputes that others are to hold it to, not its single payments. The own ledger stays the source: a record is
// posted there first, and its forwarding is a job of the same transaction.
//
// It is not for reading the shared ledger, nor for what its operators decide together there, and while there is none it
// posts to the own ledger and that is all. Begin with New; then Forwarder.Post takes the place of ledger.Ledger.Post.
package forward

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
)

// record is the job that forwards one record.
type record struct {
	N int64 `json:"n"`
}

// Kind implements [jobs.Args].
func (record) Kind() string { return "ledger_forward" }

// Options implements [jobs.Optioned].
func (record) Options() jobs.Options { return jobs.Options{Once: true} }

// Parts are what a Forwarder is joined to.
type Parts struct {
	DB   *db.DB
	Jobs *jobs.Queue
	// Own is the ledger in DB.
	Own *ledger.Ledger
	// To is the shared ledger; nil when there is none.
	To  contract.Backend
	Log *slog.Logger
}

// Forwarder queues and works the forwarding of records.
type Forwarder struct{ Parts }

// New makes a forwarder.
func New(p Parts) *Forwarder { return &Forwarder{p} }

// Post posts to the own ledger as [ledger.Ledger.Post] does, and queues in the same transaction that the record is
// forwarded, if it is of a kind that is.
func (f *Forwarder) Post(ctx context.Context, tx *gorm.DB, c contract.Command) (int64, error) {
	n, err := f.Own.Post(ctx, tx, c)
	if err != nil || f.To == nil || !shared(c) {
		return n, err
	}
	if err := f.Jobs.Insert(ctx, tx, record{n}); err != nil {
		return 0, fmt.Errorf("forward record %d: %w", n, err)
	}
	return n, nil
}

// Book is the own ledger for who has no transaction open; what is submitted to it is forwarded as Post forwards it.
func (f *Forwarder) Book() contract.Backend {
	return book{ledger.Embedded{Ledger: f.Own, DB: f.DB}, f}
}

type book struct {
	ledger.Embedded
	forwarder *Forwarder
}

// Submit implements [contract.Backend].
func (b book) Submit(ctx context.Context, c contract.Command) error {
	return b.DB.Tx(db.Grouped(ctx), func(ctx context.Context, tx *gorm.DB) error {
		_, err := b.forwarder.Post(ctx, tx, c)
		return err
	})
}

// shared reports whether others are to see a command: everything that a month's money is reckoned from, a batch at a
// time, but no single sale; and the policy and the nodes of the shared ledger are set there, by who operates it.
func shared(c contract.Command) bool {
	switch c.(type) {
	case contract.Payment, contract.Refund, contract.Policy, contract.Node:
		return false
	}
	return true
}

// Register gives the queue the worker of the job.
func (f *Forwarder) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[record]{Work: f.work, Timeout: 2 * time.Minute, Retry: retry})
}

// retry: what another record must come before is there in seconds; what an administrator must do first, in days. The
// 25 attempts take three days.
func retry(attempt int) time.Duration {
	return min(time.Second<<min(attempt-1, 15), 6*time.Hour)
}

// unavailable is the pause while nobody takes the record, which counts as no attempt: a network may be down for long.
const unavailable = time.Minute

// final are refusals that no waiting mends.
func final() []error {
	return []error{
		contract.ErrInvalid, contract.ErrSum, contract.ErrOverflow, contract.ErrOverdrawn, contract.ErrLate, contract.ErrFrivolous,
	}
}

// passing are refusals that end when something else is recorded there first.
func passing() []error {
	return []error{contract.ErrChain, contract.ErrUnknown, contract.ErrCaller, contract.ErrEarly, contract.ErrState}
}

func (f *Forwarder) work(ctx context.Context, job record, attempt int) error {
	if f.To == nil {
		f.Log.WarnContext(ctx, "record is not forwarded: there is no shared ledger any more", "record", job.N)
		return nil
	}
	command, err := ledger.Recorded(ctx, f.DB.Read, job.N)
	if err != nil {
		return err
	}
	err = f.To.Submit(ctx, command)
	switch {
	case err == nil, errors.Is(err, contract.ErrDuplicate):
		return nil
	case isAny(err, final()):
		f.Log.ErrorContext(ctx, "shared ledger refuses a record", "record", job.N, "err", err)
		return jobs.Cancel(fmt.Errorf("forward record %d: %w", job.N, err))
	case isAny(err, passing()):
		f.Log.WarnContext(ctx, "shared ledger does not take a record yet", "record", job.N, "attempt", attempt, "err", err)
		return fmt.Errorf("forward record %d: %w", job.N, err)
	default:
		f.Log.WarnContext(ctx, "shared ledger does not answer", "record", job.N, "err", err)
		return jobs.Later(unavailable)
	}
}

func isAny(err error, of []error) bool {
	for _, one := range of {
		if errors.Is(err, one) {
			return true
		}
	}
	return false
}
