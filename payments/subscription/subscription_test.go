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

func (n *node) Pays(a amount.Asset) bool { return a == asset }

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

func TestFromJoiningToTheEnd(t *testing.T) {
	each(t, "2026-11-21T13:00:00Z", func(t *testing.T, w *world) {
		ctx := t.Context()
		h, p := w.join(5_000_000)
		if again, same := w.join(5_000_000); again.ID != h.ID || same.ID != p.ID || p.Period != 202611 {
			t.Errorf("joined twice: %+v %+v", again, same)
		}
		ask := func(offer string) {
			w.in(func(ctx context.Context, tx *gorm.DB) error {
				return w.Ask(ctx, tx, subscription.Wish{Offer: offer, Tier: tier, Artist: artist, Listener: lin, Shown: true})
			})
		}
		ask(h.Offer)
		ask(h.Offer)
		w.states(subscription.Asked, subscription.Asked)
		w.invoiced(p, 1_666_667)
		w.paid(p)
		w.paid(p)
		w.states(subscription.Active, subscription.Active)
		if s := w.sold(); s.Period != 202611 || !s.EndTime.Equal(subscription.Period(202611).End()) || !s.Shown {
			t.Errorf("paid: %+v", s)
		}
		if w.heard("answered") != 1 || w.heard("wished") != 1 || w.heard("added 202611") != 1 {
			t.Errorf("said: %q", w.said)
		}
		if next, _, _, err := w.Next(ctx, tier, lin); err != nil || next != 0 {
			t.Errorf("before the last week: %d %v", next, err)
		}

		// Canceled and resumed in the month; the seller hears both.
		must(t, w.Cancel(ctx, lin, h.ID))
		must(t, w.Cancel(ctx, lin, h.ID))
		w.in(func(ctx context.Context, tx *gorm.DB) error { return w.Withdraw(ctx, tx, lin, h.Offer) })
		w.states(subscription.Ending, subscription.Ending)
		h, p = w.join(5_000_000)
		if p.ID != "" {
			t.Errorf("resumed, and paid once more: %+v", p)
		}
		w.in(func(ctx context.Context, tx *gorm.DB) error {
			return w.Withdraw(ctx, tx, lin, "https://b.example/offers/older")
		})
		ask(h.Offer)
		w.states(subscription.Active, subscription.Active)

		// Reminded in the last week and on the last day, once each.
		w.at("2026-11-24T01:00:00Z")
		w.round()
		if next, held, goes, err := w.Next(ctx, tier, lin); err != nil || next != 202612 || held != 202611 || !goes {
			t.Errorf("in the last week: %d %d %v %v", next, held, goes, err)
		}
		w.at("2026-11-30T01:00:00Z")
		w.round()
		if w.heard("warned 7 ") != 1 || w.heard("warned 1 ") != 1 {
			t.Errorf("said: %q", w.said)
		}

		// Not renewed: the grace, and then it is over.
		w.at("2026-12-01T00:00:00Z")
		w.states(subscription.Late, subscription.Late)
		w.at("2026-12-03T23:59:59Z")
		w.states(subscription.Late, subscription.Late)
		w.at("2026-12-04T00:00:00Z")
		w.states(subscription.Lapsed, subscription.Lapsed)
		if w.heard("removed 202611") != 1 {
			t.Errorf("said: %q", w.said)
		}
		w.in(func(ctx context.Context, tx *gorm.DB) error {
			return w.Over(ctx, tx, artist, lin, "https://s.example/agreements/"+firstOf(t, w).ID)
		})
		if next, _, goes, err := w.Next(ctx, tier, lin); err != nil || next != 202612 || goes {
			t.Errorf("after the grace: %d %v %v", next, goes, err)
		}

		// Joined anew, canceled before the end: over at the end, without a grace.
		h, p = w.join(5_000_000)
		ask(h.Offer)
		w.states(subscription.Asked, subscription.Asked)
		w.invoiced(p, 4_500_000)
		w.paid(p)
		must(t, w.Cancel(ctx, lin, h.ID))
		w.in(func(ctx context.Context, tx *gorm.DB) error { return w.Withdraw(ctx, tx, lin, h.Offer) })
		w.at("2027-03-01T00:00:00Z")
		w.states(subscription.Ended, subscription.Ended)
		if w.heard("removed 202612") != 1 {
			t.Errorf("said: %q", w.said)
		}
		if err := w.Cancel(ctx, "https://b.example/users/eve", h.ID); !errors.Is(err, subscription.ErrNotFound) {
			t.Errorf("somebody else cancels: %v", err)
		}
	})
}

func firstOf(t *testing.T, w *world) purchase.Purchase {
	t.Helper()
	all, err := w.purchases.Of(t.Context(), lin, 10)
	must(t, err)
	return all[len(all)-1]
}

// subscribed is a listener whose November is paid, with a standing order.
func subscribed(t *testing.T, w *world, maximum uint64, until string) subscription.Held {
	t.Helper()
	h, p := w.join(5_000_000)
	w.invoiced(p, 5_000_000)
	w.paid(p)
	end, err := time.Parse(time.RFC3339, until)
	must(t, err)
	must(t, w.SetStanding(t.Context(), lin, h.ID, amount.NewUnits(maximum), end))
	return h
}

// december is the purchase of the second month.
func december(t *testing.T, w *world) (purchase.Purchase, bool) {
	t.Helper()
	all, err := w.purchases.Of(t.Context(), lin, 100)
	must(t, err)
	var found []purchase.Purchase
	for _, p := range all {
		if p.Period == 202612 {
			found = append(found, p)
		}
	}
	if len(found) > 1 {
		t.Fatalf("%d purchases of December", len(found))
	}
	if len(found) == 0 {
		return purchase.Purchase{}, false
	}
	return found[0], true
}

// TestSilentSellers renews what is left when more sellers than one round takes up do not answer.
func TestSilentSellers(t *testing.T) {
	each(t, "2026-12-01T00:00:01Z", func(t *testing.T, w *world) {
		const many = 501
		rows, end := make([]subscription.Held, many), subscription.Period(202611).End()
		for i := range rows {
			name := fmt.Sprintf("%04d", i)
			rows[i] = subscription.Held{
				ID: name, Listener: lin, Artist: artist, Tier: tier + name, Offer: "https://b.example/offers/" + name, State: subscription.Active,
				Period: 202611, EndTime: &end, Asset: asset, CreatedAt: end, UpdatedAt: end,
			}
		}
		must(t, w.db.Write.CreateInBatches(rows, 100).Error)
		w.round()
		w.round()
		var asked int64
		must(t, w.db.Read.Table("renewals").Where("period = 202612").Count(&asked).Error)
		if asked != many {
			t.Errorf("%d of %d sellers were asked", asked, many)
		}
	})
}

// TestPaidAsTheMonthEnds pays between the look for those whose month is over and their being moved, on both sides.
func TestPaidAsTheMonthEnds(t *testing.T) {
	each(t, "2026-11-25T10:00:00Z", func(t *testing.T, w *world) {
		h, p := w.join(5_000_000)
		w.in(func(ctx context.Context, tx *gorm.DB) error {
			return w.Ask(ctx, tx, subscription.Wish{Offer: h.Offer, Tier: tier, Artist: artist, Listener: lin})
		})
		w.invoiced(p, 5_000_000)
		w.paid(p)
		_, next := w.join(5_000_000)
		w.invoiced(next, 5_000_000)
		deal, december := "https://s.example/agreements/"+next.ID, subscription.Period(next.Period)
		w.mu.Lock()
		w.between = map[string]func(){
			"subscriptions": func() {
				w.in(func(ctx context.Context, tx *gorm.DB) error {
					return w.Paid(ctx, tx, subscription.Payment{Tier: tier, Artist: artist, Listener: lin, Agreement: deal, Period: december})
				})
			},
			"subscriptions_held": func() {
				w.in(func(ctx context.Context, tx *gorm.DB) error {
					return w.Stands(ctx, tx, artist, lin, deal, december.End())
				})
			},
		}
		w.mu.Unlock()
		w.at("2026-12-01T00:00:01Z")
		w.states(subscription.Active, subscription.Active)
		if h, s := w.held(), w.sold(); h.Period != 202612 || s.Period != 202612 || s.Agreement != deal {
			t.Errorf("paid for %d on the one side, %d on the other, by %s", h.Period, s.Period, s.Agreement)
		}
	})
}

func TestStandingOrders(t *testing.T) {
	each(t, "2026-11-01T00:00:00Z", func(t *testing.T, w *world) {
		subscribed(t, w, 6_000_000, "2027-11-01T00:00:00Z")
		w.at("2026-11-30T12:00:00Z")
		if w.heard("warned 1 ")+w.heard("warned 7 ") != 0 {
			t.Errorf("who has a standing order is reminded: %q", w.said)
		}
		if _, ok := december(t, w); ok {
			t.Error("renewed before the month")
		}
		// Rounds that overlap begin one purchase and one payment.
		w.clock.Set(time.Date(2026, 12, 1, 0, 0, 5, 0, time.UTC))
		rounds := func() {
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() { _ = w.Round(context.WithoutCancel(t.Context())) })
			}
			all.Wait()
		}
		rounds()
		p, ok := december(t, w)
		if !ok || p.Units.String() != "5000000" {
			t.Fatalf("renewal: %+v", p)
		}
		w.invoiced(p, 5_000_000)

		// The node pays, and the process dies before it hears of that: nothing is paid twice, also when the invoice has
		// expired and the seller has said nothing.
		w.node.deaf = true
		rounds()
		testkit.Until(w.t, "the payment is made", func() bool { return w.node.count() == 1 })
		must(t, w.jobs.Stop(context.WithoutCancel(t.Context())))
		w.node.mu.Lock()
		w.node.deaf = false
		w.node.mu.Unlock()
		must(t, w.db.Write.Exec("UPDATE river_job SET state = 'discarded', finalized_at = created_at WHERE kind = 'pay_invoice'").Error)
		must(t, w.db.Write.Exec("UPDATE purchases SET state = 'invoiced' WHERE id = ?", p.ID).Error)
		for _, at := range []string{"2026-12-01T02:00:00Z", "2026-12-01T04:00:00Z"} {
			w.at(at)
			if q, _ := december(t, w); q.ID != p.ID {
				t.Fatalf("another purchase: %+v", q)
			}
		}
		if p, _ = december(t, w); p.State != purchase.Paying {
			t.Fatalf("a payment in doubt is not taken up again: %+v", p)
		}
		must(t, w.purchases.Pay(t.Context(), p.ID))
		w.paid(p)
		w.at("2026-12-02T00:00:00Z")
		if n := w.node.count(); n != 1 {
			t.Errorf("%d payments", n)
		}
		w.states(subscription.Active, subscription.Active)
		if h := w.held(); h.Period != 202612 {
			t.Errorf("renewed: %+v", h)
		}
	})
}

// TestWhatAStandingOrderDoesNotCover is paid by nobody, and told once.
func TestWhatAStandingOrderDoesNotCover(t *testing.T) {
	for name, tc := range map[string]struct {
		maximum uint64
		until   string
		change  func(t *testing.T, w *world, h subscription.Held)
		// renewed is whether a purchase is begun; asked is what its invoice asks for, 0 for a refusal.
		renewed bool
		asked   uint64
		told    string
	}{
		"the seller refuses the old price": {6_000_000, "2027-11-01T00:00:00Z", nil, true, 0, "warned 0 The price is 6."},
		"until is over":                    {6_000_000, "2026-11-30T23:59:59Z", nil, true, 5_000_000, "warned 0 The standing order does not cover it."},
		"revoked": {6_000_000, "2027-11-01T00:00:00Z", func(t *testing.T, w *world, h subscription.Held) {
			must(t, w.Revoke(t.Context(), lin, h.ID))
		}, false, 0, ""},
		"canceled": {6_000_000, "2027-11-01T00:00:00Z", func(t *testing.T, w *world, h subscription.Held) {
			must(t, w.Cancel(t.Context(), lin, h.ID))
		}, false, 0, ""},
		"the maximum is less than the price": {5_000_000, "2027-11-01T00:00:00Z", func(t *testing.T, w *world, _ subscription.Held) {
			must(t, w.db.Write.Exec("UPDATE standing_orders SET maximum = '4999999'").Error)
		}, true, 5_000_000, "warned 0 The standing order does not cover it."},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, "2026-11-01T00:00:00Z", func(t *testing.T, w *world) {
				h := subscribed(t, w, tc.maximum, tc.until)
				if tc.change != nil {
					tc.change(t, w, h)
				}
				w.at("2026-12-01T00:00:05Z")
				p, ok := december(t, w)
				if ok != tc.renewed {
					t.Fatalf("renewal begun: %v", ok)
				}
				switch {
				case !ok:
				case tc.asked == 0:
					w.in(func(_ context.Context, tx *gorm.DB) error {
						return w.purchases.Rejected(tx, artist, p.Offer, "The price is 6.")
					})
				default:
					w.invoiced(p, tc.asked)
				}
				for range 3 {
					w.round()
				}
				if n := w.node.count(); n != 0 {
					t.Errorf("%d payments", n)
				}
				if tc.told != "" && w.heard(tc.told) != 1 {
					t.Errorf("said: %q, want once %q", w.said, tc.told)
				}
				if tc.asked != 0 || tc.told == "" {
					return
				}
				// The listener agrees to the new price, and it is paid.
				w.clock.Advance(time.Minute)
				w.join(6_000_000)
				w.round()
				all, err := w.purchases.Of(t.Context(), lin, 1)
				must(t, err)
				if all[0].Units.String() != "6000000" || all[0].Period != 202612 {
					t.Fatalf("after the new price: %+v", all[0])
				}
				w.invoiced(all[0], 6_000_000)
				w.round()
				testkit.Until(w.t, "it is paid", func() bool { return w.node.count() == 1 })
			})
		})
	}
}
