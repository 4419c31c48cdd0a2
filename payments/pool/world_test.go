package pool_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

const (
	asset  = amount.Asset("antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	other  = amount.Asset("antiphon-dev:1/erc20:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
	target = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
	base   = "https://b.example"
	host   = "b.example"
	lin    = base + "/users/lin"
)

// till is a provider whose payments the test makes up.
type till struct {
	mu   sync.Mutex
	paid []payments.Payment
}

func (t *till) Name() string                                   { return "raiden" }
func (t *till) Asset() (amount.Asset, int)                     { return asset, 6 }
func (t *till) Target(context.Context, string) (string, error) { return target, nil }

func (t *till) Received(_ context.Context, cursor string) (payments.Look, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	at := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &at); err != nil {
			return payments.Look{}, err
		}
	}
	return payments.Look{Final: t.paid[at:], Next: fmt.Sprint(len(t.paid))}, nil
}

// books are the ledger, which can be made to fail after it has written.
type books struct {
	ledger.Embedded
	mu      sync.Mutex
	kill    int
	submits int
}

var errKilled = errors.New("killed behind the write")

func (b *books) Submit(ctx context.Context, c contract.Command) error {
	err := b.Embedded.Submit(ctx, c)
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, is := c.(contract.Subscriptions); is && err == nil {
		b.submits++
		if b.kill > 0 {
			b.kill--
			return errKilled
		}
	}
	return err
}

type world struct {
	*pool.Service
	db     *db.DB
	queue  *jobs.Queue
	orders *payments.Service
	names  *pseudonym.Service
	till   *till
	books  *books
	parts  pool.Parts

	// between is called once, behind the next look for memberships outside of what it is written in.
	between atomic.Pointer[func()]

	mu    sync.Mutex
	clock time.Time
	told  []string
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

// at sets the clock and does a round.
func (w *world) at(t *testing.T, text string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	must(t, err)
	w.mu.Lock()
	w.clock = at
	w.mu.Unlock()
	must(t, w.Round(t.Context()))
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) { test(t, open(t, fresh())) })
}

func open(t *testing.T, dsn string) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), dsn, log)
	must(t, err)
	w := &world{db: database, queue: jobs.New(database, log), till: &till{}, clock: time.Date(2026, 10, 15, 12, 0, 0, 0, time.UTC)}
	must(t, database.Read.Callback().Query().After("gorm:query").Register("test:between", func(tx *gorm.DB) {
		if !strings.Contains(tx.Statement.SQL.String(), "month <") || tx.Statement.Table != "pool_members" {
			return
		}
		if fn := w.between.Swap(nil); fn != nil {
			(*fn)()
		}
	}))
	w.orders = payments.New(payments.Config{BaseURL: base, PollOpen: 5 * time.Millisecond, PollIdle: 10 * time.Millisecond}, payments.Parts{
		DB: database, Jobs: w.queue, Providers: []payments.Provider{w.till}, Log: log, Now: w.now, Rand: rand.Reader,
	})
	safe, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	w.names = pseudonym.New(pseudonym.Parts{DB: database, Jobs: w.queue, Vault: safe, Now: w.now, Rand: rand.Reader})
	w.names.Register(w.queue)
	book, err := ledger.New(ledger.Config{Origin: host + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: w.now})
	must(t, err)
	w.books = &books{Embedded: ledger.Embedded{Ledger: book, DB: database}}
	w.parts = pool.Parts{
		DB: database, Jobs: w.queue, Orders: w.orders, Ledger: w.books, Pseudonyms: w.names, Log: log, Now: w.now,
		Tell: func(_ context.Context, _ *gorm.DB, listener, words string) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, listener[strings.LastIndex(listener, "/")+1:]+": "+words)
			return nil
		},
	}
	w.Service, err = pool.New(config(), w.parts)
	must(t, err)
	w.orders.Collect(w.Service)
	w.Register(w.queue)
	must(t, w.queue.Open())
	must(t, w.queue.Start(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
		_ = w.queue.Stop(context.WithoutCancel(ctx))
		_ = database.Close()
	})
	go func() {
		defer close(done)
		w.orders.Watch(ctx)
	}()
	return w
}

func config() pool.Config {
	return pool.Config{BaseURL: base, Host: host, Caller: host + "/ledger", Asset: asset, Gather: 20 * time.Millisecond}
}

// sharing is the same pool, which another instance shares.
func (w *world) sharing(t *testing.T, records pool.Records) *pool.Service {
	t.Helper()
	c, parts := config(), w.parts
	c.Peers, parts.Records = []string{far}, records
	s, err := pool.New(c, parts)
	must(t, err)
	return s
}

// pay pays a demand at the till, and waits until it was looked at.
func (w *world) pay(t *testing.T, o payments.Order, micro uint64, in amount.Asset) {
	t.Helper()
	w.till.mu.Lock()
	n := len(w.till.paid) + 1
	w.till.paid = append(w.till.paid, payments.Payment{
		Ref: fmt.Sprint(n), Initiator: "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb", Target: target, Identifier: o.Identifier, Amount: amount.New(micro, in),
	})
	w.till.mu.Unlock()
	w.until(t, "the payment is looked at", func() bool { return w.count(t, "payments", "") == n })
}

func (w *world) join(t *testing.T, listener string) payments.Order {
	t.Helper()
	must(t, w.Join(t.Context(), listener))
	o, err := w.Invoice(t.Context(), listener)
	must(t, err)
	return o
}

func (w *world) until(t *testing.T, what string, done func() bool) {
	t.Helper()
	defer func() {
		if t.Failed() {
			var failed []string
			w.db.Read.Raw("SELECT CAST(errors AS TEXT) FROM river_job WHERE errors IS NOT NULL").Scan(&failed)
			t.Log(failed)
		}
	}()
	testkit.Until(t, what, done)
}

func (w *world) count(t *testing.T, table, where string, args ...any) int {
	t.Helper()
	var n int64
	q := w.db.Read.WithContext(t.Context()).Table(table)
	if where != "" {
		q = q.Where(where, args...)
	}
	must(t, q.Count(&n).Error)
	return int(n)
}

// posted waits until every batch is on the ledger, and returns how many payments of a month count there.
func (w *world) posted(t *testing.T, month royalty.Month) int64 {
	t.Helper()
	w.until(t, "the batches are posted", func() bool { return w.count(t, "pool_batches", "state <> 'posted'") == 0 })
	n, err := contract.Payments(t.Context(), w.books, month, host)
	must(t, err)
	return n
}

func (w *world) state(t *testing.T, listener string, state pool.State, month royalty.Month) pool.Membership {
	t.Helper()
	m, err := w.Of(t.Context(), listener)
	must(t, err)
	if m.State != state || m.Month != month {
		t.Errorf("%s is %s, paid for %q (%s); want %s, %q", listener, m.State, m.Month, m.Words, state, month)
	}
	return m
}

func (w *world) hasTold(t *testing.T, words string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.ContainsFunc(w.told, func(s string) bool { return strings.Contains(s, words) }) {
		t.Errorf("nobody was told %q, only %q", words, w.told)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
