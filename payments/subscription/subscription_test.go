package subscription_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
)

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
