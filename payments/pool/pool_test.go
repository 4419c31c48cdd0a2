package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pool"
)

// TestAYear goes with one member through everything that can happen to a membership.
func TestAYear(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.Of(t.Context(), lin); !errors.Is(err, pool.ErrNotFound) {
			t.Fatalf("before: %v", err)
		}
		first := w.join(t, lin)
		if again := w.join(t, lin); again.URI != first.URI {
			t.Error("asked twice, there are two demands")
		}
		if first.Units.String() != "10000000" || first.Artist != base+"/actor" || first.Purpose != payments.Dues {
			t.Errorf("demand %+v", first)
		}
		w.state(t, lin, pool.Asked, "")
		w.pay(t, first, 10_000_000, other)
		if m := w.state(t, lin, pool.Asked, ""); !strings.Contains(m.Words, "does not count") {
			t.Errorf("another token: %q", m.Words)
		}
		w.pay(t, first, 4_000_000, asset)
		if m := w.state(t, lin, pool.Asked, ""); m.Words != "4 of 10 has arrived; the rest is still to be paid." {
			t.Errorf("words %q", m.Words)
		}
		w.pay(t, first, 6_000_000, asset)
		if m := w.state(t, lin, pool.Active, "2026-10"); m.Words != "" {
			t.Errorf("words %q", m.Words)
		}
		if n := w.posted(t, "2026-10"); n != 1 {
			t.Errorf("%d payments on the ledger", n)
		}
		if _, err := w.Invoice(t.Context(), lin); !errors.Is(err, pool.ErrState) {
			t.Errorf("an invoice for a month that is paid: %v", err)
		}

		// Reminders, the end of the month, and a late renewal.
		w.at(t, "2026-10-25T00:00:00Z")
		w.at(t, "2026-10-30T23:59:59Z")
		w.at(t, "2026-10-31T00:00:00Z")
		w.at(t, "2026-10-31T12:00:00Z")
		w.hasTold(t, "ends in seven days")
		w.hasTold(t, "ends tomorrow")
		if len(w.told) != 4 { // the two above, what has arrived, and the token
			t.Errorf("told %q", w.told)
		}
		w.at(t, "2026-10-31T23:59:59Z")
		w.state(t, lin, pool.Active, "2026-10")
		w.at(t, "2026-11-01T00:00:00Z")
		w.state(t, lin, pool.Late, "2026-10")
		w.hasTold(t, "November 2026 has begun")
		if is, err := w.IsMember(t.Context(), lin); err != nil || is {
			t.Errorf("who has not paid is a member: %v", err)
		}
		w.at(t, "2026-11-03T23:59:59Z")
		second, err := w.Invoice(t.Context(), lin)
		must(t, err)
		w.pay(t, second, 10_000_000, asset)
		w.state(t, lin, pool.Active, "2026-11")

		// Paid twice: the second one pays for December.
		w.pay(t, second, 10_000_000, asset)
		w.hasTold(t, "November 2026 was paid already. This payment is kept")
		w.at(t, "2026-12-01T00:00:00Z")
		w.state(t, lin, pool.Active, "2026-12")
		if n := w.posted(t, "2026-12"); n != 1 {
			t.Errorf("%d payments for December", n)
		}

		// Canceled, resumed, canceled, over; lapsed after an absence; back.
		must(t, w.Cancel(t.Context(), lin))
		must(t, w.Cancel(t.Context(), lin))
		w.state(t, lin, pool.Ending, "2026-12")
		must(t, w.Join(t.Context(), lin))
		w.state(t, lin, pool.Active, "2026-12")
		must(t, w.Cancel(t.Context(), lin))
		w.at(t, "2027-01-01T00:00:00Z")
		w.state(t, lin, pool.Ended, "2026-12")
		third := w.join(t, lin)
		w.state(t, lin, pool.Asked, "2026-12")
		w.pay(t, third, 10_000_000, asset)
		w.state(t, lin, pool.Active, "2027-01")
		w.at(t, "2027-02-04T00:00:00Z")
		w.state(t, lin, pool.Lapsed, "2027-01")
		w.hasTold(t, "has lapsed")
		// The old address, paid once more, is as good as a new demand.
		w.pay(t, third, 10_000_000, asset)
		w.state(t, lin, pool.Active, "2027-02")
		if n := w.posted(t, "2027-02"); n != 1 {
			t.Errorf("%d payments for February", n)
		}
	})
}

func TestReversed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.join(t, lin)
		w.pay(t, o, 10_000_000, asset)
		if n := w.posted(t, "2026-10"); n != 1 {
			t.Fatalf("%d payments", n)
		}
		paid, err := w.Payments(t.Context(), lin, 10)
		must(t, err)
		for range 2 {
			must(t, w.Reverse(t.Context(), paid[0].Hash))
		}
		w.state(t, lin, pool.Reversed, "2026-10")
		w.hasTold(t, "taken back")
		w.until(t, "the ledger has the reversal", func() bool {
			n, err := contract.Payments(t.Context(), w.books, "2026-10", host)
			return err == nil && n == 0
		})
		members := 0
		must(t, w.Members(t.Context(), "2026-10", func(pool.Member) error { members++; return nil }))
		if is, err := w.IsMember(t.Context(), lin); err != nil || is || members != 0 {
			t.Errorf("member %t, %d of the month, %v", is, members, err)
		}
		if _, err := w.Invoice(t.Context(), lin); !errors.Is(err, pool.ErrState) {
			t.Errorf("an invoice for a month that cannot be bought again: %v", err)
		}
		// What comes all the same is for the next month.
		w.pay(t, o, 10_000_000, asset)
		w.state(t, lin, pool.Reversed, "2026-10")
		w.at(t, "2026-11-01T00:00:00Z")
		w.state(t, lin, pool.Active, "2026-11")
		if n := w.posted(t, "2026-11"); n != 1 {
			t.Errorf("%d payments for November", n)
		}
		if err := w.Reverse(t.Context(), strings.Repeat("0", 64)); !errors.Is(err, pool.ErrNotFound) {
			t.Errorf("an unknown payment: %v", err)
		}
	})
}

func TestGivenBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.join(t, lin)
		w.pay(t, o, 10_000_000, asset)
		w.pay(t, o, 10_000_000, asset)
		w.pay(t, o, 1, asset)
		w.hasTold(t, "0.000001 came, which is less than a month costs")
		list, err := w.Unsettled(t.Context(), 10)
		must(t, err)
		if len(list) != 2 || list[0].State == list[1].State {
			t.Fatalf("unsettled: %+v", list)
		}
		for _, p := range list {
			must(t, w.GiveBack(t.Context(), p.Hash))
			must(t, w.GiveBack(t.Context(), p.Hash))
		}
		w.at(t, "2026-11-01T00:00:00Z")
		w.state(t, lin, pool.Late, "2026-10")
		all, err := w.Payments(t.Context(), lin, 10)
		must(t, err)
		for _, p := range all {
			if err := w.GiveBack(t.Context(), p.Hash); p.State == pool.Counted && !errors.Is(err, pool.ErrState) {
				t.Errorf("giving back what bought a month: %v", err)
			}
		}
	})
}

// TestARush has 620 members paid at once: few batches, none over 500, each payment once, also when the process is killed
// behind every write to the ledger.
func TestARush(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const members = 620
		w.books.kill = 2
		must(t, w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			for i := range members {
				m := pool.Membership{Listener: fmt.Sprintf("%s/users/l%04d", base, i), State: pool.Asked, JoinedAt: w.now(), UpdatedAt: w.now()}
				if err := tx.Create(&m).Error; err != nil {
					return err
				}
				paid := w.now()
				o := payments.Order{
					URI: fmt.Sprintf("%s/agreements/%d", base, i), Buyer: m.Listener, Units: amount.NewUnits(10_000_000), Asset: asset, Decimals: 6,
					Provider: "raiden", PaymentHash: fmt.Sprintf("%064x", i+1), PaidAt: &paid,
				}
				if err := w.Collected(ctx, tx, o); err != nil {
					return err
				}
			}
			return nil
		}))
		w.until(t, "all is posted", func() bool {
			return w.count(t, "pool_batches", "state = 'posted'") == 2 && w.count(t, "pool_payments", "posted_at IS NULL") == 0
		})
		if n := w.posted(t, "2026-10"); n != members || w.count(t, "pool_batches", "lines > 500") != 0 {
			t.Errorf("%d payments on the ledger", n)
		}
		w.books.mu.Lock()
		submits := w.books.submits
		w.books.mu.Unlock()
		if submits != 2 || w.books.kill != 0 {
			t.Errorf("%d batches were written to the ledger, want 2", submits)
		}
		seen := map[string]bool{}
		must(t, w.Members(t.Context(), "2026-10", func(m pool.Member) error {
			seen[m.Pseudonym] = true
			hash, err := contract.Subscribed(t.Context(), w.books, "2026-10", m.Pseudonym)
			if err == nil && hash != m.Payment.Hash {
				err = fmt.Errorf("%s has another payment on the ledger", m.Listener)
			}
			return err
		}))
		if len(seen) != members {
			t.Errorf("%d members, want %d", len(seen), members)
		}
		if _, err := w.books.Ledger.VerifyAll(t.Context(), w.db.Read); err != nil {
			t.Error(err)
		}
	})
}

// TestDownWhenAMonthCloses: a payment that was not posted in time pays for the next month.
func TestDownWhenAMonthCloses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		must(t, w.queue.Stop(ctx))
		o := w.join(t, lin)
		w.pay(t, o, 10_000_000, asset)
		w.at(t, "2026-11-04T00:00:00Z")
		must(t, w.queue.Start(t.Context()))
		w.until(t, "the batch is done", func() bool { return w.count(t, "pool_batches", "state <> 'posted'") == 0 })
		w.hasTold(t, "was down when October 2026 closed")
		must(t, w.Round(t.Context()))
		w.state(t, lin, pool.Active, "2026-11")
		if n := w.posted(t, "2026-11"); n != 1 {
			t.Errorf("%d payments for November", n)
		}
	})
}

// TestKilledBeforeAMonthCloses: what stands on the ledger is no credit, however late that is found.
func TestKilledBeforeAMonthCloses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.books.mu.Lock()
		w.books.kill = 1
		w.books.mu.Unlock()
		w.pay(t, w.join(t, lin), 10_000_000, asset)
		w.until(t, "the batch is written, and the process killed behind that", func() bool {
			w.books.mu.Lock()
			defer w.books.mu.Unlock()
			return w.books.kill == 0
		})
		w.at(t, "2026-11-04T00:00:00Z")
		w.until(t, "the batch is done", func() bool { return w.count(t, "pool_batches", "state <> 'posted'") == 0 })
		must(t, w.Round(t.Context()))
		if n := w.count(t, "pool_payments", "month = '2026-10' AND posted_at IS NOT NULL"); n != 1 {
			t.Errorf("%d payments of October are noted as posted", n)
		}
		w.state(t, lin, pool.Lapsed, "2026-10")
	})
}

// TestPaidAsTheMonthBegins pays between the look for those who are late and their being moved.
func TestPaidAsTheMonthBegins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.pay(t, w.join(t, lin), 10_000_000, asset)
		o, err := w.orders.Demand(t.Context(), payments.Demand{
			Offer: w.URI() + "/demands/early", Payee: w.Payee(), Payer: lin, Product: w.URI(), Amount: amount.New(10_000_000, asset),
		})
		must(t, err)
		pay := func() { w.pay(t, o, 10_000_000, asset) }
		w.between.Store(&pay)
		w.at(t, "2026-11-01T00:00:01Z")
		m, err := w.Of(t.Context(), lin)
		must(t, err)
		if m.State != pool.Active || m.Month != "2026-11" {
			t.Errorf("who has paid is %s, paid for %s", m.State, m.Month)
		}
	})
}

// TestForgotten: after 13 months nothing leads from the ledger to a listener.
func TestForgotten(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.join(t, lin)
		w.pay(t, o, 10_000_000, asset)
		w.posted(t, "2026-10")
		w.at(t, "2027-11-30T23:59:59Z")
		if w.count(t, "pool_payments", "") != 1 {
			t.Error("forgotten too early")
		}
		w.at(t, "2027-12-01T00:00:00Z")
		for _, table := range []string{"pool_payments", "payments", "orders"} {
			if n := w.count(t, table, ""); n != 0 {
				t.Errorf("%d rows left in %s", n, table)
			}
		}
	})
}

func TestTransitions(t *testing.T) {
	t.Parallel()
	// from, then all that it may become; written anew, not read from the code.
	legal := map[pool.State]string{
		pool.Asked: "active ended", pool.Active: "late ending reversed", pool.Late: "active lapsed ended reversed",
		pool.Lapsed: "asked active ended reversed", pool.Ending: "active ended reversed", pool.Ended: "asked active reversed",
		pool.Reversed: "asked active ended",
	}
	if len(legal) != len(pool.States()) {
		t.Fatal("a state is missing here")
	}
	for from, list := range legal {
		for _, to := range pool.States() {
			err := from.To(to)
			if may := slices.Contains(strings.Fields(list), string(to)); may != (err == nil) || err != nil && !errors.Is(err, pool.ErrState) {
				t.Errorf("from %s to %s: %v", from, to, err)
			}
		}
	}
}

func TestPrice(t *testing.T) {
	t.Parallel()
	for decimals, want := range map[int]string{6: "10000000", 8: "1000000000", 18: "10000000000000000000"} {
		if got, err := pool.Price(asset, decimals); err != nil || got.Units.String() != want {
			t.Errorf("%d decimals: %s, %v; want %s", decimals, got.Units, err, want)
		}
	}
	for _, decimals := range []int{-1, 0, 2, 5, 78} {
		if _, err := pool.Price(asset, decimals); err == nil || decimals < 6 && !strings.Contains(err.Error(), "needs at least 6") {
			t.Errorf("%d decimals: %v", decimals, err)
		}
	}
	orders := payments.New(payments.Config{}, payments.Parts{Providers: []payments.Provider{&till{}}})
	if _, err := pool.New(pool.Config{Asset: other}, pool.Parts{Orders: orders}); err == nil || !strings.Contains(err.Error(), "not paid in") {
		t.Errorf("an asset that nobody is paid in: %v", err)
	}
}
