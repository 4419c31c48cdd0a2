package manual_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/manual"
	"antiphon/payments/providertest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	ada  = "https://s.example/users/ada"
	euro = amount.Asset("iso4217:EUR")
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dsn string) *db.DB {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func order(t testing.TB, d *db.DB, identifier, target string, units uint64, state payments.State) string {
	t.Helper()
	uri := "https://s.example/agreements/" + identifier
	o := payments.Order{
		URI: uri, Offer: uri + "/offer", Artist: ada, Provider: manual.Name, Target: target, Identifier: identifier,
		Units: amount.NewUnits(units), Asset: euro, Decimals: 2, Ground: payments.GroundPayment, State: state,
		ExpiresAt: now, CreatedAt: now, UpdatedAt: now,
	}
	if err := d.Write.WithContext(t.Context()).Create(&o).Error; err != nil {
		t.Fatal(err)
	}
	return uri
}

func TestProvider(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		providertest.Run(t, func(t testing.TB) providertest.Subject {
			d := open(t, fresh())
			p, err := manual.New(d, "EUR")
			if err != nil {
				t.Fatal(err)
			}
			return providertest.Subject{Provider: p, Pay: func(t testing.TB, identifier, target string, units uint64) {
				uri := order(t, d, identifier, target, units, payments.Awaiting)
				for range 2 {
					if err := manual.Mark(context.WithoutCancel(t.Context()), d, ada, uri, now); err != nil {
						t.Fatal(err)
					}
				}
			}}
		})
	})
}

func TestMark(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d := open(t, fresh())
		paid := order(t, d, "1", "x", 5, payments.Granted)
		for _, c := range []struct {
			artist, order string
			err           error
		}{
			{ada, paid, payments.ErrSettled}, {ada + "2", paid, payments.ErrNotFound}, {ada, paid + "2", payments.ErrNotFound},
		} {
			if err := manual.Mark(t.Context(), d, c.artist, c.order, now); !errors.Is(err, c.err) {
				t.Errorf("%s marks %s: %v, want %v", c.artist, c.order, err, c.err)
			}
		}
	})
}

func TestInstructions(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d := open(t, fresh())
		for _, text := range []string{"", "By transfer to DE00 0000\nor in cash.", ""} {
			if err := manual.SetInstructions(t.Context(), d.Write, ada, " "+text+"\n", now); err != nil {
				t.Fatal(err)
			}
			if got, err := manual.Instructions(t.Context(), d.Read, ada); err != nil || got != text {
				t.Errorf("%q, %v, want %q", got, err, text)
			}
		}
		if err := manual.SetInstructions(t.Context(), d.Write, ada, strings.Repeat("x", 2001), now); !errors.Is(err, manual.ErrTooLong) {
			t.Errorf("too long: %v", err)
		}
	})
}

func TestCurrencies(t *testing.T) {
	t.Parallel()
	for code, decimals := range map[string]int{"EUR": 2, "JPY": 0, "eur": -1, "XXX": -1, "": -1} {
		p, err := manual.New(nil, code)
		if decimals < 0 {
			if err == nil {
				t.Errorf("%q is taken", code)
			}
			continue
		}
		if _, d := p.Asset(); err != nil || d != decimals {
			t.Errorf("%s has %d decimals, %v", code, d, err)
		}
	}
}
