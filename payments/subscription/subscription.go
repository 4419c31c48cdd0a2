// Package subscription is who subscribes to an artist's tier, and until when, on both sides: the seller's record
// ([Subscription]), the listener's ([Held]), and the standing orders by which the listener's own payment node renews.
//
// A month of a tier is bought like anything else, by an offer, an order, a receipt and a grant; this room says which
// month is bought next ([Service.Months]), notes that it was paid ([Service.Paid], in the transaction of the grant), and
// lets subscriptions run out. Each side keeps its state by its own clock in [Service.Round] and states what the other
// should know as jobs; federation/trade sends them. It knows no keys and no network. Begin with [Service.Join].
package subscription

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/purchase"
)

// ErrNotFound is returned for a subscription that does not exist, or not for whoever asks.
var ErrNotFound = errors.New("no such subscription")

// ErrState is returned for what cannot be done with a subscription as it stands.
var ErrState = errors.New("not with this subscription, as it stands")

// Answered: a seller has taken a listener's wish to subscribe; the listener is to be told.
type Answered struct {
	Subscription string `json:"subscription"`
	// Offer is the activity that is answered.
	Offer string `json:"offer"`
}

// Kind names the job.
func (Answered) Kind() string { return "subscription_answered" }

// Added: a month was paid; the listener is to be told that the subscription stands until its end.
type Added struct {
	Subscription string `json:"subscription"`
	Period       Period `json:"period"`
}

// Kind names the job.
func (Added) Kind() string { return "subscriber_added" }

// Removed: a subscription is over; the listener is to be told.
type Removed struct {
	Subscription string `json:"subscription"`
	Period       Period `json:"period"`
}

// Kind names the job.
func (Removed) Kind() string { return "subscriber_removed" }

// Wished: a listener wants to subscribe, or to go on; the seller is to be told.
type Wished struct {
	Held string `json:"held"`
	// Offer is the activity's URI, new for each wish.
	Offer string `json:"offer"`
}

// Kind names the job.
func (Wished) Kind() string { return "subscription_wished" }

// Canceled: a listener does not go on; the seller is to be told.
type Canceled struct {
	Held string `json:"held"`
	// Offer is the wish that is taken back.
	Offer string `json:"offer"`
}

// Kind names the job.
func (Canceled) Kind() string { return "subscription_canceled" }

// Warned: a listener is to be reminded that a month ends in so many days and is not paid beyond. Days 0 says that it
// could not be renewed, for the reason in Words.
type Warned struct {
	Held  string `json:"held"`
	Days  int    `json:"days"`
	Words string `json:"words,omitempty"`
}

// Kind names the job.
func (Warned) Kind() string { return "subscription_warned" }

// Subscription is the seller's record of one listener and one tier.
type Subscription struct {
	URI string `gorm:"primaryKey"`
	// Tier is the product's URI.
	Tier     string
	Artist   string
	Listener string
	// Offer is the listener's last wish, an activity's URI; empty for who only paid.
	Offer string
	State State
	// Shown says that the listener wants to be seen among the subscribers.
	Shown bool
	// Period is the last month that was paid, 0 before the first; EndTime is its end, without the grace.
	Period Period
	// Agreement is the last one that was paid.
	Agreement string
	StartTime *time.Time
	EndTime   *time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Purchases is the listener's side of a sale; payments/purchase implements it.
type Purchases interface {
	Begin(ctx context.Context, r purchase.Request) (purchase.Purchase, error)
	ByID(ctx context.Context, id string) (purchase.Purchase, error)
	ByAgreement(ctx context.Context, artist, agreement string) (purchase.Purchase, error)
	// CanPay reports whether the instance's own node can pay it now; Pay has it do so, once.
	CanPay(p purchase.Purchase) bool
	Pay(ctx context.Context, id string) error
}

// Parts are what the room is joined with.
type Parts struct {
	DB        *db.DB
	Jobs      *jobs.Queue
	Purchases Purchases
	// Keys returns the listener's current public keys, as Multikeys, which the next month is granted to.
	Keys func(ctx context.Context, listener string) (receiving, requesting string, err error)
	Log  *slog.Logger
	Now  func() time.Time
	// Pause is the pause between two rounds; 5 seconds when 0.
	Pause time.Duration
}

// Service holds both sides.
type Service struct {
	base string
	Parts
}

// New makes the room; baseURL is the instance's, without a trailing slash.
func New(baseURL string, p Parts) *Service { return &Service{base: baseURL, Parts: p} }

// Tend lets subscriptions run out, reminds, and renews by standing orders, until ctx ends.
func (s *Service) Tend(ctx context.Context) {
	pause := s.Pause
	if pause == 0 {
		pause = 5 * time.Second
	}
	for {
		if err := s.Round(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("tending subscriptions failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// batch is how much one round takes up of each kind of work.
const batch = 500

// Round is one round of [Service.Tend]. What fails does not keep the rest from being done.
func (s *Service) Round(ctx context.Context) error {
	var failed []error
	for _, work := range []func(context.Context) error{s.runOut, s.runOutHeld, s.warn, s.renew} {
		if ctx.Err() != nil {
			break
		}
		failed = append(failed, work(ctx))
	}
	return errors.Join(failed...)
}

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Second) }

func newID() string { return strings.ToLower(rand.Text()) }

// move changes a row's state and whatever else was set on it, if that is legal and nobody has moved it meanwhile.
func move[T any](tx *gorm.DB, row *T, state *State, next State) error {
	from := *state
	if from != next {
		if err := from.To(next); err != nil {
			return fmt.Errorf("%w: %w", ErrState, err)
		}
	}
	*state = next
	result := tx.Model(row).Where("state = ?", from).Select("*").Updates(row)
	if result.Error != nil {
		return fmt.Errorf("move subscription: %w", result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("%w: it was moved by someone else", ErrState)
	}
	return nil
}

// runOut calls move with some of the rows whose month or grace is over at that moment, in one transaction.
func runOut[T any](ctx context.Context, s *Service, now time.Time, move func(ctx context.Context, tx *gorm.DB, row T) error) error {
	look := func(tx *gorm.DB) ([]T, error) {
		var rows []T
		err := tx.Where("state IN ? AND end_time <= ?", []State{Active, Ending}, now).
			Or("state = ? AND end_time <= ?", Late, now.Add(-Grace)).Order("end_time").Limit(batch).Find(&rows).Error
		if err != nil {
			return nil, fmt.Errorf("look for subscriptions that end: %w", err)
		}
		return rows, nil
	}
	if rows, err := look(s.DB.Read.WithContext(ctx)); err != nil || len(rows) == 0 {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		// What was paid meanwhile is not among them any more.
		rows, err := look(db.Locked(tx))
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := move(ctx, tx, row); err != nil {
				return err
			}
		}
		return nil
	})
}

// fall moves a row on as far as its end says: who was away for long passes through the grace at once.
func fall[T any](tx *gorm.DB, row *T, state *State, updated *time.Time, end, now time.Time) error {
	*updated = now
	for next := state.due(end, now); next != *state; next = state.due(end, now) {
		if err := move(tx, row, state, next); err != nil {
			return err
		}
	}
	return nil
}
