package treasury

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// Kind is what is done with a channel.
type Kind string

// The kinds of acts.
const (
	Open    Kind = "open"
	Deposit Kind = "deposit"
	Close   Kind = "close"
)

// State is how far an act is.
type State string

// The states of an act. Waiting, Doing and Unknown keep the next one out.
const (
	Waiting State = "waiting" // to be given to the node
	Doing   State = "doing"   // given to the node
	Done    State = "done"
	Refused State = "refused" // nothing was done, and why
	Unknown State = "unknown" // the answer was lost: it may have been done, or may still be
	Dropped State = "dropped" // unknown, and an admin has let it go
)

// Act is one thing that an admin has the node do.
type Act struct {
	ID      string `gorm:"primaryKey"`
	Lane    string
	Kind    Kind
	Partner string
	// Total is what our total deposit in the channel is to be in the end; zero for Close.
	Total amount.Units
	// Who is the admin's name.
	Who   string
	State State
	// Words say what is unusual about it; empty when nothing is.
	Words     string
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TableName is gorm's name for the table.
func (Act) TableName() string { return "channel_acts" }

// lane is the same for all acts of a node: one unfinished act is in it at most, in the database's own words.
const lane = "node"

var (
	// ErrBusy is returned while an act is unfinished.
	ErrBusy = errors.New("another act is unfinished")
	// ErrNotFound is returned for an act that does not exist, or is not unknown any more.
	ErrNotFound = errors.New("no such act")
)

// Refusal says why something is not begun; Words go to the admin.
type Refusal struct{ Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Words }

// Order is what an admin wants done.
type Order struct {
	Kind    Kind
	Partner eip55.Address
	// Total is our total deposit in the channel afterwards, not what is added; Seen is what it was when the admin
	// decided, so that nothing is decided twice. Both are for Deposit; Open has Total alone.
	Total, Seen amount.Units
	// Who and Why are for the record.
	Who, Why string
}

// Parts are what the room is joined with.
type Parts struct {
	DB     *db.DB
	Jobs   *jobs.Queue
	Client *raiden.Client
	// Payer is the one that also makes the node's payments.
	Payer *raiden.Payer
	Token eip55.Address
	Money Money
	// Record writes down what an admin did, inside the transaction that does it.
	Record func(ctx context.Context, tx *gorm.DB, who, act, subject, why string) error
	Log    *slog.Logger
	Now    func() time.Time
}

// Service has a node act. It is safe for concurrent use.
type Service struct {
	Parts
	// end is where the node's history ended when it was last looked at.
	end atomic.Int64
}

// New makes the room.
func New(p Parts) *Service { return &Service{Parts: p} }

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Second) }

// Look is the node's survey.
func (s *Service) Look(ctx context.Context) Survey { return Look(ctx, s.Client, s.Token) }

// Recent returns the last lines of the node's history in its token, the latest first. It says what the node says, which
// may call success what is still under way: nothing is credited by it.
func (s *Service) Recent(ctx context.Context, n int) ([]raiden.Event, error) {
	page, err := s.Client.Last(ctx, s.Token, int(s.end.Load()), n)
	if err != nil {
		return nil, err
	}
	s.end.Store(int64(page.Next))
	slices.Reverse(page.Events)
	return page.Events, nil
}

// Begin writes an act, its record and the job that does it, and returns the act. It is refused with [ErrBusy] while
// another one is unfinished, and with a [*Refusal] where it makes no sense, as far as the node tells.
func (s *Service) Begin(ctx context.Context, o Order) (Act, error) {
	if err := s.sensible(ctx, o); err != nil {
		return Act{}, err
	}
	now := s.utc()
	act := Act{
		ID: strings.ToLower(rand.Text()), Lane: lane, Kind: o.Kind, Partner: o.Partner.String(), Total: o.Total, Who: o.Who,
		State: Waiting, CreatedAt: now, UpdatedAt: now,
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Create(&act).Error; err != nil {
			return err
		}
		if err := s.Record(ctx, tx, o.Who, "raiden "+string(o.Kind), s.subject(act), o.Why); err != nil {
			return err
		}
		return s.Jobs.Insert(ctx, tx, changeChannel{Act: act.ID})
	})
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return Act{}, ErrBusy
	}
	return act, err
}

// subject tells an act in the record.
func (s *Service) subject(a Act) string {
	if a.Kind == Close {
		return a.Partner
	}
	return a.Partner + ", total deposit " + s.Money.Words(a.Total)
}

// sensible refuses what the node would refuse, in words.
func (s *Service) sensible(ctx context.Context, o Order) error {
	own, err := s.Client.Address(ctx)
	if err != nil {
		return &Refusal{"The node does not answer. Nothing was done."}
	}
	if o.Partner.IsZero() || o.Partner == own {
		return &Refusal{"The partner is another node, with its own address."}
	}
	c, found, err := s.channel(ctx, o.Partner)
	if err != nil {
		return &Refusal{"The node does not show its channels. Nothing was done."}
	}
	switch {
	case o.Kind == Open && found && c.Open():
		return &Refusal{"There is an open channel with this partner already: top it up instead."}
	case o.Kind == Open:
		return nil
	case o.Kind != Deposit && o.Kind != Close:
		return &Refusal{"A channel is opened, topped up or closed."}
	case !found || !c.Open():
		return &Refusal{"There is no open channel with this partner."}
	case o.Kind == Deposit && c.TotalDeposit != o.Seen:
		return &Refusal{"The deposit has changed meanwhile. Look at the page again, and decide again."}
	case o.Kind == Deposit && o.Total.Cmp(c.TotalDeposit) <= 0:
		return &Refusal{"A deposit only grows: the new total must be more than the old one."}
	}
	return nil
}

// channel is the channel with a partner, an open one before a closed one.
func (s *Service) channel(ctx context.Context, partner eip55.Address) (raiden.Channel, bool, error) {
	all, err := s.Client.Channels(ctx, s.Token)
	var found raiden.Channel
	var ok bool
	for _, c := range all {
		if c.Partner == partner && (!ok || c.Open()) {
			found, ok = c, true
		}
	}
	return found, ok, err
}

// Acts returns the last acts, the latest first.
func (s *Service) Acts(ctx context.Context, limit int) ([]Act, error) {
	var acts []Act
	err := s.DB.Read.WithContext(ctx).Order("created_at DESC, id").Limit(limit).Find(&acts).Error
	if err != nil {
		return nil, fmt.Errorf("read acts: %w", err)
	}
	return acts, nil
}

// LookAgain looks whether an unknown act has been done; it sends nothing.
func (s *Service) LookAgain(ctx context.Context, id string) error {
	a, err := s.unknown(ctx, id)
	if err != nil {
		return err
	}
	done, err := s.happened(ctx, a)
	switch {
	case err != nil:
		return &Refusal{"The node does not answer. It is still not known whether this was done."}
	case done:
		return s.move(ctx, a, Done, "")
	default:
		return s.move(ctx, a, Unknown, "Looked at "+s.utc().Format("2 January 15:04 UTC")+": it is not there so far.")
	}
}

// Drop lets an unknown act go, so that another one can be begun. Should the node still do it, its channels show it.
func (s *Service) Drop(ctx context.Context, id, who string) error {
	a, err := s.unknown(ctx, id)
	if err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := s.Record(ctx, tx, who, "raiden let go", s.subject(a), string(a.Kind)); err != nil {
			return err
		}
		return change(tx, a, Dropped, a.Words, s.utc())
	})
}

func (s *Service) unknown(ctx context.Context, id string) (Act, error) {
	var a Act
	err := s.DB.Read.WithContext(ctx).Where("id = ? AND state = ?", id, Unknown).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return a, fmt.Errorf("%w: %s", ErrNotFound, id)
	}
	return a, err
}

func (s *Service) move(ctx context.Context, a Act, next State, words string) error {
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return change(tx, a, next, words, s.utc()) })
}

// change moves an act on, unless somebody else has.
func change(tx *gorm.DB, a Act, next State, words string, now time.Time) error {
	result := tx.Model(&Act{}).Where("id = ? AND state = ?", a.ID, a.State).
		Updates(map[string]any{"state": next, "words": words, "updated_at": now})
	if result.Error != nil {
		return fmt.Errorf("move act %s: %w", a.ID, result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("move act %s: it was moved by someone else", a.ID)
	}
	return nil
}
