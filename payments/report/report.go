package report

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/royalty"
)

var (
	// ErrAltered means that the lines of a day are not those that were reported.
	ErrAltered = errors.New("lines are not those that were reported")
	// ErrTwice means that a source names a listener's track twice in a day, or a listener twice in a month.
	ErrTwice = errors.New("named twice")
	// ErrNotYet means that something has to happen first.
	ErrNotYet = errors.New("not yet")
	// ErrUnknown means that there is no such month, artist or decision here.
	ErrUnknown = errors.New("no such report")
)

// Heard is what one listener heard of one track on one day.
type Heard struct {
	// Listener is the account's actor URI.
	Listener, Track string
	// Artists have shares that sum to 10,000 basis points.
	Artists []royalty.Share
	// Plays count, and Seconds are those of them. HeldPlays and HeldSeconds are not among these: rules hold them until
	// somebody has looked; Rule names the first, Evidence is the hash of what it looked at, as hexadecimal digits. Dropped
	// are no plays.
	Plays, Seconds, HeldPlays, HeldSeconds, Dropped int64
	Rule, Evidence                                  string
	// Note is the first rule that has marked some of Plays and only tells; empty when there is none.
	Note, NoteEvidence string
}

// ListenSource knows what was heard.
type ListenSource interface {
	// Lines calls yield with what was heard on a UTC day that is over, one call for each listener and track, in any order.
	Lines(ctx context.Context, day time.Time, yield func(Heard) error) error
}

// Members knows who belongs to the pool.
type Members interface {
	// Members calls yield with the actor URI of everybody who has paid for the month, each once, in any order.
	Members(ctx context.Context, month royalty.Month, yield func(listener string) error) error
}

// Pseudonyms names listeners, a month at a time.
type Pseudonyms interface {
	// Of is the pseudonym of a listener in a month; tx is the caller's transaction.
	Of(ctx context.Context, tx *gorm.DB, month royalty.Month, listener string) (string, error)
}

// Book is the ledger that reports are written into.
type Book interface {
	contract.Reader
	// Submit runs a command in the own name and returns when its writes are committed.
	Submit(ctx context.Context, c contract.Command) error
}

// Suspicion is what a rule says of one listener's plays of one artist in a month.
type Suspicion struct {
	Listener, Artist string
	// Rule is such as "R6", Evidence the hash of what it looked at, as hexadecimal digits.
	Rule, Evidence string
}

// Config of the room.
type Config struct {
	// Node is the instance's host, as the ledger names it.
	Node string
	// Asset is what artists are paid in, and Decimals those of its smallest unit: at least 6. Without an Asset the list of
	// payouts has dollars alone.
	Asset    amount.Asset
	Decimals int
	// Pause is how long after midnight a day is reported; an hour when 0.
	Pause time.Duration
}

// Parts are what the room is joined with.
type Parts struct {
	DB         *db.DB
	Jobs       *jobs.Queue
	Book       Book
	Listens    ListenSource
	Members    Members
	Pseudonyms Pseudonyms
	// Suspect calls yield with what the rules that look at a whole month say; it may be nil.
	Suspect func(ctx context.Context, month royalty.Month, yield func(Suspicion) error) error
	// Prove proves the own node's report of a month, or its final statement, in the own ledger; it may be nil.
	Prove func(ctx context.Context, month royalty.Month, final bool) (*ledger.RecordProof, error)
	// Moved is the actor that an artist has moved to, as both say, or the artist; it may be nil.
	Moved func(ctx context.Context, artist string) (string, error)
	// Blocked says that an artist's instance is blocked here or gone: what is owed stays owed. It may be nil.
	Blocked func(ctx context.Context, artist string) (bool, error)
	Log     *slog.Logger
	Now     func() time.Time
}

// Service is the room. It is safe for concurrent use.
type Service struct {
	Parts
	config Config
}

// New makes the room; nothing is reported before its jobs run. An asset with fewer than 6 decimals cannot hold a
// millionth of a dollar and is refused.
func New(config Config, p Parts) (*Service, error) {
	if config.Pause == 0 {
		config.Pause = time.Hour
	}
	if config.Asset != "" {
		if _, err := amount.ParseAsset(string(config.Asset)); err != nil {
			return nil, fmt.Errorf("payouts: %w", err)
		}
		if _, err := royalty.Micro(1).Tokens(config.Decimals); err != nil {
			return nil, fmt.Errorf("payouts: a token of %d decimals cannot hold a millionth of a dollar: %w", config.Decimals, err)
		}
	}
	return &Service{p, config}, nil
}

// Node is the instance's host, as the ledger names it.
func (s *Service) Node() string { return s.config.Node }

// done takes a report that was made before for one that is made now.
func done(err error) error {
	if errors.Is(err, contract.ErrDuplicate) {
		return nil
	}
	return err
}
