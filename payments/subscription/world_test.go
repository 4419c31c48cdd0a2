package subscription_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
)

const (
	asset  = amount.Asset("antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	artist = "https://s.example/users/ada"
	lin    = "https://b.example/users/lin"
	tier   = "https://s.example/products/tier"
)

// node is the listener's own payment node.
type node struct {
	mu   sync.Mutex
	paid []purchase.Invoice
	// deaf has the node pay, and its answer get lost.
	deaf bool
	err  error
}

func (n *node) Pays(a amount.Asset) bool                       { return a == asset }
func (n *node) Lacks(context.Context, purchase.Invoice) string { return "" }

// Pay pays an identifier once, as the real payer does, which looks in the node's history first.
func (n *node) Pay(_ context.Context, i purchase.Invoice) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	for _, done := range n.paid {
		if done.Identifier == i.Identifier {
			return nil
		}
	}
	n.paid = append(n.paid, i)
	if n.deaf {
		return errors.New("no answer")
	}
	return nil
}

func (n *node) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.paid)
}

// world has both sides in one database: what one tells the other is done by the test.
type world struct {
	*subscription.Service
	t         *testing.T
	db        *db.DB
	jobs      *jobs.Queue
	purchases *purchase.Service
	node      *node
	clock     *testkit.Clock
	mu        sync.Mutex
	said      []string
	// between are called once each, by table, behind the next look for subscriptions whose month is over.
	between map[string]func()
}

func each(t *testing.T, start string, test func(t *testing.T, w *world)) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		log := slog.New(slog.DiscardHandler)
		database, err := db.Open(t.Context(), fresh(), log)
		must(t, err)
		at, err := time.Parse(time.RFC3339, start)
		must(t, err)
		w := &world{t: t, db: database, jobs: jobs.New(database, log), node: &node{}, clock: testkit.NewClock(at)}
		w.purchases = purchase.New("https://b.example", purchase.Parts{
			DB: database, Jobs: w.jobs, Payer: w.node, Log: log, Now: w.clock.Now, Rand: rand.Reader,
		})
		w.purchases.Register(w.jobs)
		w.Service = subscription.New("https://s.example", subscription.Parts{
			DB: database, Jobs: w.jobs, Purchases: w.purchases, Log: log, Now: w.clock.Now,
			Keys: func(context.Context, string) (string, string, error) { return "zQ3s1", "z6Mk1", nil },
		})
		jobs.Handle(w.jobs, jobs.Handler[purchase.OfferMade]{Work: func(context.Context, purchase.OfferMade, int) error { return nil }})
		hear(w, func(f subscription.Wished) string { return "wished" })
		hear(w, func(f subscription.Canceled) string { return "canceled" })
		hear(w, func(f subscription.Answered) string { return "answered" })
		hear(w, func(f subscription.Added) string { return fmt.Sprint("added ", f.Period) })
		hear(w, func(f subscription.Removed) string { return fmt.Sprint("removed ", f.Period) })
		hear(w, func(f subscription.Warned) string { return fmt.Sprintf("warned %d %s", f.Days, f.Words) })
		must(t, database.Read.Callback().Query().After("gorm:query").Register("test:between", func(tx *gorm.DB) {
			if !strings.Contains(tx.Statement.SQL.String(), " OR ") {
				return
			}
			w.mu.Lock()
			fn := w.between[tx.Statement.Table]
			delete(w.between, tx.Statement.Table)
			w.mu.Unlock()
			if fn != nil {
				fn()
			}
		}))
		must(t, w.jobs.Open())
		must(t, w.jobs.Start(context.WithoutCancel(t.Context())))
		t.Cleanup(func() {
			_ = w.jobs.Stop(context.WithoutCancel(t.Context()))
			_ = database.Close()
		})
		test(t, w)
	})
}

func hear[T jobs.Args](w *world, say func(T) string) {
	jobs.Handle(w.jobs, jobs.Handler[T]{Work: func(_ context.Context, f T, _ int) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.said = append(w.said, say(f))
		return nil
	}})
}

// heard counts how often something was said, once every job has ended.
func (w *world) heard(what string) int {
	w.t.Helper()
	w.settled()
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, said := range w.said {
		if said == what {
			n++
		}
	}
	return n
}

// settled waits until no job is left that can be worked now.
func (w *world) settled() {
	w.t.Helper()
	testkit.Until(w.t, "the jobs are worked", func() bool {
		var n int64
		must(w.t, w.db.Read.Table("river_job").Where("state IN ('available', 'running')").Count(&n).Error)
		return n == 0
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) in(fn func(ctx context.Context, tx *gorm.DB) error) {
	w.t.Helper()
	must(w.t, w.db.Tx(w.t.Context(), fn))
}

func (w *world) round() { w.t.Helper(); must(w.t, w.Round(w.t.Context())) }

// at moves the clock and has both sides look at it.
func (w *world) at(text string) {
	w.t.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	must(w.t, err)
	w.clock.Set(moment)
	w.round()
}

func (w *world) join(units uint64) (subscription.Held, purchase.Purchase) {
	w.t.Helper()
	h, p, err := w.Join(w.t.Context(), subscription.Joining{
		Listener: lin, Artist: artist, Tier: tier, Name: "Engine Room", Price: amount.New(units, asset), Decimals: 6,
	})
	must(w.t, err)
	return h, p
}

// held is the subscription as the listener has it.
func (w *world) held() subscription.Held {
	w.t.Helper()
	h, err := w.HeldOf(w.t.Context(), lin, tier)
	must(w.t, err)
	return h
}

// sold is the subscription as the seller has it.
func (w *world) sold() subscription.Subscription {
	w.t.Helper()
	rows, err := w.Of(w.t.Context(), artist, 0, 10)
	must(w.t, err)
	if len(rows) != 1 {
		w.t.Fatalf("%d subscriptions", len(rows))
	}
	return rows[0]
}

// invoiced answers a purchase with an invoice.
func (w *world) invoiced(p purchase.Purchase, units uint64) {
	w.t.Helper()
	w.in(func(_ context.Context, tx *gorm.DB) error {
		return w.purchases.Accepted(tx, artist, p.Offer, purchase.Terms{
			Agreement: "https://s.example/agreements/" + p.ID, Product: tier, Amount: amount.New(units, asset), ReceivingKey: "zQ3s1", RequestingKey: "z6Mk1",
			Invoice: &purchase.Invoice{
				Provider: "raiden", Asset: asset, Units: amount.NewUnits(units), Decimals: 6, Target: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
				Identifier: p.ID, Expires: w.clock.Now().Add(30 * time.Minute),
			},
		})
	})
}

// paid confirms a purchase on both sides.
func (w *world) paid(p purchase.Purchase) {
	w.t.Helper()
	deal := "https://s.example/agreements/" + p.ID
	period := subscription.Period(p.Period)
	w.in(func(ctx context.Context, tx *gorm.DB) error {
		return w.Paid(ctx, tx, subscription.Payment{Tier: tier, Artist: artist, Listener: lin, Agreement: deal, Period: period})
	})
	w.in(func(ctx context.Context, tx *gorm.DB) error {
		return w.Stands(ctx, tx, artist, lin, deal, period.End())
	})
	w.in(func(_ context.Context, tx *gorm.DB) error {
		return w.purchases.GrantArrived(tx, artist, deal, "https://s.example/grants/"+p.ID, lin, tier, "zQ3s1", "z6Mk1")
	})
}

func (w *world) states(held, sold subscription.State) {
	w.t.Helper()
	if h, s := w.held().State, w.sold().State; h != held || s != sold {
		w.t.Errorf("the listener has it as %s, the seller as %s; want %s and %s", h, s, held, sold)
	}
}
