package report_test

import (
	"context"
	"crypto/ed25519"
	"errors"

	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/report"
	"antiphon/payments/royalty"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	october = royalty.Month("2026-10")
	node    = "alpha.example"
	usdp    = amount.Asset("eip155:1/erc20:0x8E870D67F660D95d5be530380D0eC0bd388289E1")
)

func artist(name string) string   { return "https://beta.example/users/" + name }
func listener(name string) string { return "https://alpha.example/users/" + name }

// world is one node with its ledger, and stands in for everything that reports are made from.
type world struct {
	t        testing.TB
	clock    *testkit.Clock
	db       *db.DB
	book     ledger.Embedded
	service  *report.Service
	heard    map[string][]report.Heard
	members  []string
	suspects []report.Suspicion
	moved    map[string]string
	blocked  map[string]bool
}

func (w *world) Lines(_ context.Context, day time.Time, yield func(report.Heard) error) error {
	for _, h := range w.heard[day.Format(time.DateOnly)] {
		if err := yield(h); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Members(_ context.Context, _ royalty.Month, yield func(string) error) error {
	for _, m := range w.members {
		if err := yield(m); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) Of(_ context.Context, _ *gorm.DB, month royalty.Month, listener string) (string, error) {
	return pseudonym(month, listener), nil
}

func pseudonym(month royalty.Month, listener string) string {
	return royalty.Pseudonym([32]byte{1}, month, listener)
}

func setup(t testing.TB, dsn string) *world {
	t.Helper()
	w := &world{t: t, clock: testkit.NewClock(october.Start()), heard: map[string][]report.Heard{}, moved: map[string]string{}, blocked: map[string]bool{}}
	var err error
	if w.db, err = db.Open(t.Context(), dsn, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.db.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := ledger.New(ledger.Config{Origin: node + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: w.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	w.book = ledger.Embedded{Ledger: l, DB: w.db}
	w.service, err = report.New(report.Config{Node: node, Asset: usdp, Decimals: 18}, report.Parts{
		DB: w.db, Jobs: jobs.New(w.db, slog.New(slog.DiscardHandler)), Book: w.book, Listens: w, Members: w, Pseudonyms: w,
		Suspect: func(_ context.Context, _ royalty.Month, yield func(report.Suspicion) error) error {
			for _, s := range w.suspects {
				if err := yield(s); err != nil {
					return err
				}
			}
			return nil
		},
		Moved: func(_ context.Context, artist string) (string, error) {
			if to := w.moved[artist]; to != "" {
				return to, nil
			}
			return artist, nil
		},
		Blocked: func(_ context.Context, artist string) (bool, error) { return w.blocked[artist], nil },
		Log:     slog.New(slog.DiscardHandler), Now: w.clock.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := contract.DefaultPolicy(october)
	policy.ReportOnly = []string{"R4"}
	w.must(w.book.Submit(t.Context(), policy))
	w.must(w.book.Submit(t.Context(), contract.Node{Host: node, Caller: node + "/ledger", Owner: contract.Digest("owner", node)}))
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// pay records that listeners have paid for a month.
func (w *world) pay(month royalty.Month, names ...string) {
	w.t.Helper()
	batch := contract.Subscriptions{Node: node}
	for _, name := range names {
		batch.Lines = append(batch.Lines, w.subscription(month, name))
		w.members = append(w.members, listener(name))
	}
	w.must(w.book.Submit(w.t.Context(), batch))
}

func (w *world) subscription(month royalty.Month, name string) contract.Subscription {
	micro, err := royalty.Fee.Tokens(18)
	w.must(err)
	paid, err := amount.Parse(micro.String(), string(usdp))
	w.must(err)
	p := pseudonym(month, listener(name))
	return contract.Subscription{Pseudonym: p, Month: month, Micro: royalty.Fee, Paid: paid, Provider: "manual", PaymentHash: contract.Digest("test", p)}
}

// hears says that somebody hears an artist's track so often on a day.
func (w *world) hears(day, name, of string, plays int64) {
	w.heard[day] = append(w.heard[day], report.Heard{
		Listener: listener(name), Track: artist(of) + "/1", Artists: []royalty.Share{{Artist: artist(of), Points: 10_000}}, Plays: plays, Seconds: 200 * plays,
	})
}

// days reports all days of a month, each in its morning.
func (w *world) days(month royalty.Month) {
	w.t.Helper()
	for at := month.Start(); at.Before(month.Next().Start()); at = at.AddDate(0, 0, 1) {
		w.clock.Set(at.AddDate(0, 0, 1).Add(2 * time.Hour))
		w.must(w.service.ReportDay(w.t.Context(), at))
	}
}

// settle goes to the 24th and makes the final statement.
func (w *world) settle(month royalty.Month) contract.Statement {
	w.t.Helper()
	w.clock.Set(month.Next().Day(24))
	w.must(w.service.StateFinal(w.t.Context(), month))
	st, err := contract.Finally(w.t.Context(), w.book, month, node)
	w.must(err)
	return st
}

func (w *world) report(month royalty.Month) contract.Statement {
	w.t.Helper()
	w.clock.Set(month.Next().Day(4).Add(time.Hour))
	w.must(w.service.ReportMonth(w.t.Context(), month))
	st, _, err := contract.Reported(w.t.Context(), w.book, month, node)
	w.must(err)
	return st
}

func (w *world) total(st contract.Statement, of string) string {
	micro, _ := st.Total(contract.Digest("payee", artist(of)))
	return micro.String()
}

// sums checks what must hold of every statement.
func (w *world) sums(st contract.Statement) {
	w.t.Helper()
	if royalty.Micro(st.Payments)*royalty.Fee != st.Operator+st.Pool || st.Pool+st.CarryIn != st.Splits+st.Held+st.CarryOut {
		w.t.Errorf("sums of %+v", st)
	}
}

func worked(w *world) {
	w.pay(october, "l1", "l2", "l3")
	w.hears("2026-10-03", "l1", "a", 50)
	w.hears("2026-10-05", "l1", "b", 30)
	w.hears("2026-10-05", "l1", "c", 20)
	w.hears("2026-10-07", "l2", "b", 10)
	w.hears("2026-10-31", "l2", "d", 5)
	w.hears("2026-10-01", "l3", "c", 1)
}

// The worked month: three listeners, thirty dollars.
func TestWorkedMonth(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := setup(t, fresh())
		worked(w)
		// Somebody who has not paid is reported by the day and has no part in the month.
		w.hears("2026-10-05", "stranger", "a", 9)
		w.days(october)
		w.must(w.service.ReportDay(t.Context(), october.Day(3))) // twice is once
		for range 2 {
			w.sums(w.report(october))
		}
		if err := w.service.StateFinal(t.Context(), october); !errors.Is(err, report.ErrNotYet) {
			t.Errorf("final on the 4th: %v", err)
		}
		st := w.settle(october)
		w.sums(st)
		got := strings.Join([]string{st.Operator.String(), w.total(st, "a"), w.total(st, "b"), w.total(st, "c"), w.total(st, "d")}, " ")
		if got != "3.000000 4.500000 8.700000 10.800000 3.000000" {
			t.Error(got)
		}
		w.must(w.service.StateFinal(t.Context(), october))

		w.must(w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			return w.service.SetAddress(ctx, tx, artist("b"), string(usdp), "0x00000000000000000000000000000000000000b0", []byte("signed"))
		}))
		w.clock.Set(october.Next().Day(25))
		w.must(w.service.ListPayouts(t.Context(), october))
		lines, err := w.service.Payouts(t.Context(), october)
		w.must(err)
		if len(lines) != 4 || lines[1].Units != "8700000000000000000" || lines[1].State != report.Unclaimed {
			t.Errorf("an address of the 24th is too late for the 25th: %+v", lines)
		}
		// In the next month it is in time.
		w.clock.Set(october.Next().Next().Day(25))
		w.must(w.service.ListPayouts(t.Context(), october))
		if lines, err = w.service.Payouts(t.Context(), october); err != nil || lines[1].State != report.Ready {
			t.Fatalf("%+v, %v", lines, err)
		}
		transfers := []report.Transfer{{Artist: artist("b"), Provider: "manual", Ref: "bank-1"}}
		w.must(w.service.Sent(t.Context(), october, transfers))
		if err := w.service.Sent(t.Context(), october, transfers); err == nil {
			t.Error("an artist was paid twice")
		}
		owed, err := w.service.Owed(t.Context(), artist("b"))
		if err != nil || owed != 0 {
			t.Errorf("still owed %s, %v", owed, err)
		}
		_, err = w.book.Ledger.VerifyAll(t.Context(), w.db.Read)
		w.must(err)
	})
}
