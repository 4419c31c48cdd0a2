package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

var (
	// ErrNotFound is returned for who is no member and for what is not there.
	ErrNotFound = errors.New("not in the pool")
	// ErrState is returned for what cannot be done with a membership as it stands.
	ErrState = errors.New("not with this membership, as it stands")
)

// Grace is how long after its end what was granted for a month plays on, so that a late renewal interrupts nothing: the
// days in which a month can still be reported.
const Grace = 72 * time.Hour

// Config of a pool.
type Config struct {
	// BaseURL is the instance's, without a trailing slash; Host its host, with the port where it has one, which names it
	// on the ledger.
	BaseURL, Host string
	// Caller is who speaks for the instance on the ledger.
	Caller string
	// Asset is the token that stands for dollars, one for one.
	Asset amount.Asset
	// Peers are the hosts of the other instances of the pool: their members may hear what artists of this one have put
	// into it.
	Peers []string
	// Gather is how long payments are gathered before they are posted together; 5 seconds when 0.
	Gather time.Duration
	// Pause is the pause between two rounds of [Service.Tend]; 5 seconds when 0.
	Pause time.Duration
	// Patience is how long an instance that was asked for a grant may take; 1 minute when 0.
	Patience time.Duration
}

// Orders is the till; payments.Service implements it.
type Orders interface {
	// Assets lists what can be paid here, with the decimals of each.
	Assets() map[amount.Asset]int
	// Demand asks somebody to pay.
	Demand(ctx context.Context, d payments.Demand) (payments.Order, error)
}

// Ledger is the part of a contract.Backend that is needed.
type Ledger interface {
	contract.Reader
	Submit(ctx context.Context, c contract.Command) error
}

// Parts are what the room is joined with.
type Parts struct {
	DB         *db.DB
	Jobs       *jobs.Queue
	Orders     Orders
	Ledger     Ledger
	Pseudonyms *pseudonym.Service
	// Tell writes something to a member, inside tx.
	Tell func(ctx context.Context, tx *gorm.DB, listener, words string) error
	// Records reads the ledgers of the other instances; nil where there are none.
	Records Records
	Log     *slog.Logger
	Now     func() time.Time
}

// Service is the pool of one instance.
type Service struct {
	config Config
	Parts
	price amount.Amount
	// decimals are those of the price.
	decimals int
}

// New opens the pool. It refuses an asset in which this instance is not paid, or whose smallest unit is larger than a
// millionth: a listener's money could not be divided exactly then.
func New(config Config, p Parts) (*Service, error) {
	decimals, ok := p.Orders.Assets()[config.Asset]
	if !ok {
		return nil, fmt.Errorf("pool: this instance is not paid in %q: name the asset of a payment provider that is configured", config.Asset)
	}
	price, err := Price(config.Asset, decimals)
	if err != nil {
		return nil, err
	}
	for _, d := range []struct {
		field    *time.Duration
		fallback time.Duration
	}{{&config.Gather, 5 * time.Second}, {&config.Pause, 5 * time.Second}, {&config.Patience, time.Minute}} {
		if *d.field == 0 {
			*d.field = d.fallback
		}
	}
	return &Service{config: config, Parts: p, price: price, decimals: decimals}, nil
}

// Price is what a month costs in a token with that many decimals: royalty.Fee times 10^(decimals-6). A token of fewer than
// six decimals is refused.
func Price(asset amount.Asset, decimals int) (amount.Amount, error) {
	units, err := royalty.Fee.Tokens(decimals)
	if err != nil {
		return amount.Amount{}, fmt.Errorf("pool: the token %s has %d decimals, and needs at least 6 to be divided to the millionth of a dollar: "+
			"choose another one: %w", asset, decimals, err)
	}
	return amount.FromBig(new(big.Int).Set(units), asset)
}

// Price is what a month costs, and its decimals.
func (s *Service) Price() (amount.Amount, int) { return s.price, s.decimals }

// URI names the pool of this instance; it is what dues are paid for.
func (s *Service) URI() string { return s.config.BaseURL + "/pool" }

// Payee is the actor that dues are paid to.
func (s *Service) Payee() string { return s.config.BaseURL + "/actor" }

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Second) }

// Month is the present one.
func (s *Service) Month() royalty.Month { return royalty.MonthOf(s.Now()) }

func newID() string { return strings.ToLower(rand.Text()) }

// words are a month as people say it: "October 2026".
func words(month royalty.Month) string { return month.Start().Format("January 2006") }
