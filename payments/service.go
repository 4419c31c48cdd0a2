// Package payments is the seller's side of a purchase: orders, the providers that are paid through, and the watcher
// that confirms a payment by itself.
//
// It knows prices and payments, not tracks and keys: what is sold comes from a [Catalog], what is granted from a
// [Granter]. It states facts ([OrderPlaced], [OrderPaid]) as jobs in the same transaction; the outbox tells the world.
// Begin with [New] and [Service.Place]; run [Service.Watch]. The buyer's side is in payments/purchase.
package payments

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments/amount"
)

// TX is the caller's open transaction.
type TX = *gorm.DB

// OrderPlaced: an order was made; the buyer is to be sent the Accept with the invoice.
type OrderPlaced struct {
	Order string `json:"order"`
}

// Kind names the job.
func (OrderPlaced) Kind() string { return "order_placed" }

// OrderPaid: an order was paid and granted; the buyer is to be sent the receipt.
type OrderPaid struct {
	Order string `json:"order"`
}

// Kind names the job.
func (OrderPaid) Kind() string { return "order_paid" }

// OrderNoted: something about an order is unusual, such as a payment of less than its price; the buyer is to be told.
type OrderNoted struct {
	Order string `json:"order"`
	Words string `json:"words"`
	// Settled is set for words that matter also when the buyer has the grant.
	Settled bool `json:"settled,omitempty"`
}

// Kind names the job.
func (OrderNoted) Kind() string { return "order_noted" }

// Ledger records payments; a payment that it refuses is not credited.
type Ledger interface {
	// RecordPayment posts a paid order inside tx; the same payment twice is an error.
	RecordPayment(ctx context.Context, tx TX, o Order) error
	// RecordRefund posts inside tx that a paid order was paid back; twice is an error.
	RecordRefund(ctx context.Context, tx TX, o Order) error
}

// Config of the seller's side.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// InvoiceLife is how long a quoted price stands; 30 minutes when 0.
	InvoiceLife time.Duration
	// PollOpen is the pause between two looks at a provider while orders are open; 150 ms when 0.
	PollOpen time.Duration
	// PollIdle is the pause while none are; 5 s when 0.
	PollIdle time.Duration
}

// Parts are what the service is joined with.
type Parts struct {
	DB        *db.DB
	Jobs      *jobs.Queue
	Catalog   Catalog
	Granter   Granter
	Ledger    Ledger
	Providers []Provider
	Log       *slog.Logger
	Now       func() time.Time
	Rand      io.Reader
}

// Service is the seller's side.
type Service struct {
	config    Config
	base      string
	db        *db.DB
	jobs      *jobs.Queue
	catalog   Catalog
	granter   Granter
	ledger    Ledger
	providers []Provider
	log       *slog.Logger
	now       func() time.Time
	rand      io.Reader
	collector Collector
	tries     tries
	// wake has a channel for each provider's watcher.
	wake []chan struct{}
}

// New makes the seller's side; nothing runs before [Service.Watch].
func New(config Config, parts Parts) *Service {
	if config.InvoiceLife == 0 {
		config.InvoiceLife = 30 * time.Minute
	}
	if config.PollOpen == 0 {
		config.PollOpen = 150 * time.Millisecond
	}
	if config.PollIdle == 0 {
		config.PollIdle = 5 * time.Second
	}
	s := &Service{
		config: config, base: config.BaseURL, db: parts.DB, jobs: parts.Jobs, catalog: parts.Catalog, granter: parts.Granter,
		ledger: parts.Ledger, providers: parts.Providers, log: parts.Log, now: parts.Now, rand: parts.Rand,
	}
	for range parts.Providers {
		s.wake = append(s.wake, make(chan struct{}, 1))
	}
	return s
}

// Assets lists what can be asked for here, with the decimals of each.
func (s *Service) Assets() map[amount.Asset]int {
	assets := make(map[amount.Asset]int, len(s.providers))
	for _, p := range s.providers {
		asset, decimals := p.Asset()
		assets[asset] = decimals
	}
	return assets
}

func (s *Service) provider(asset amount.Asset) (Provider, bool) {
	for _, p := range s.providers {
		if a, _ := p.Asset(); a == asset {
			return p, true
		}
	}
	return nil, false
}

// Delivered records that the buyer's inbox has taken the grant of an order; twice is once. A grant without an order is none
// of its business.
func (s *Service) Delivered(ctx context.Context, grant string) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var o Order
		err := tx.Where("grant_uri = ?", grant).Take(&o).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil // it was given without an order
		}
		if err != nil {
			return err
		}
		if o.State != Granted {
			return nil
		}
		return move(tx, &o, Delivered, s.now().UTC())
	})
}

func (s *Service) nudge() {
	for _, wake := range s.wake {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}
