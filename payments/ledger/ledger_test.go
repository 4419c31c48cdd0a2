package ledger_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const origin = "music.example/ledger"

const token amount.Asset = "antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

type bundle struct {
	*ledger.Ledger
	db    *db.DB
	clock *testkit.Clock
}

func newLedger(t testing.TB, seed byte, now func() time.Time) *ledger.Ledger {
	t.Helper()
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	l, err := ledger.New(ledger.Config{Origin: origin, Key: key, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func setup(t testing.TB, dsn string) bundle {
	t.Helper()
	d, err := db.Open(t.Context(), dsn, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	clock := testkit.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	return bundle{newLedger(t, 1, clock.Now), d, clock}
}

func sqlite(t testing.TB) string { return filepath.Join(t.TempDir(), "antiphon.db") }

// both runs a test on both databases.
func both(t *testing.T, test func(t *testing.T, b bundle)) {
	t.Parallel()
	for name, dsn := range map[string]func(testing.TB) string{"sqlite": sqlite, "postgres": testkit.Postgres} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, dsn(t)))
		})
	}
}

func payment(n int, units uint64) ledger.Payment {
	return ledger.Payment{
		Order: fmt.Sprintf("https://a.example/agreements/%d", n), Payee: "https://a.example/users/ada",
		Amount: amount.New(units, token), Provider: "raiden", PaymentHash: fmt.Sprintf("%064x", n),
	}
}

func (b bundle) post(ctx context.Context, p ledger.Payment) (n int64, err error) {
	err = b.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		n, err = b.Post(ctx, tx, p)
		return err
	})
	return n, err
}

func (b bundle) verify(t testing.TB, want int64) {
	t.Helper()
	if n, err := b.VerifyAll(t.Context(), b.db.Read); err != nil || n != want {
		t.Fatalf("verified %d, %v; want %d", n, err, want)
	}
}

func TestPostAndProve(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		ctx := t.Context()
		if _, err := b.Checkpoint(ctx, b.db.Read); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("checkpoint of nothing: %v", err)
		}
		b.verify(t, 0)
		var heads [][]byte
		for i := range 9 {
			n, err := b.post(ctx, payment(i, 10))
			if err != nil || n != int64(i) {
				t.Fatalf("record %d, %v; want %d", n, err, i)
			}
			head, err := b.Checkpoint(ctx, b.db.Read)
			if err != nil {
				t.Fatal(err)
			}
			heads = append(heads, head)
			b.clock.Advance(5 * time.Hour)
		}
		b.verify(t, 9)
		for i := range 9 {
			p, err := b.ProveRecord(ctx, b.db.Read, int64(i))
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(origin, b.Verifier()); err != nil {
				t.Error(err)
			}
			if bytes.Contains(p.Record, []byte("a.example")) {
				t.Errorf("record %d names a person: %s", i, p.Record)
			}
			p.Record = bytes.Replace(p.Record, []byte(`"10"`), []byte(`"99"`), 1)
			if err := p.Check(origin, b.Verifier()); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("changed record %d: %v", i, err)
			}
			tree, err := b.ProveTree(ctx, b.db.Read, int64(i)+1)
			if err != nil {
				t.Fatal(err)
			}
			if err := tree.Check(heads[i], origin, b.Verifier()); err != nil {
				t.Error(err)
			}
		}
		if _, err := b.ProveRecord(ctx, b.db.Read, 9); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("record 9: %v", err)
		}
		if _, err := b.ProveTree(ctx, b.db.Read, 10); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("size 10: %v", err)
		}
		owed, err := ledger.Owed(ctx, b.db.Read, "https://a.example/users/ada", token)
		if err != nil || owed != amount.New(90, token) {
			t.Errorf("owed %v, %v", owed, err)
		}
		// Another key, another ledger.
		p, err := b.ProveRecord(ctx, b.db.Read, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Check(origin, newLedger(t, 2, b.clock.Now).Verifier()); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("signed by another key: %v", err)
		}
		// One checkpoint a day is kept: 9 posts, 5 hours apart, from noon of the first day to 4:00 of the third.
		var kept int64
		if err := b.db.Read.Table("ledger_checkpoints").Count(&kept).Error; err != nil || kept != 3 {
			t.Errorf("%d checkpoints, %v", kept, err)
		}
	})
}

func TestRefused(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		if _, err := b.post(t.Context(), payment(1, 10)); err != nil {
			t.Fatal(err)
		}
		change := func(fn func(*ledger.Payment)) ledger.Payment {
			p := payment(2, 10)
			fn(&p)
			return p
		}
		for name, c := range map[string]struct {
			payment ledger.Payment
			want    error
		}{
			"duplicate":         {payment(1, 10), ledger.ErrDuplicate},
			"duplicate, dearer": {payment(1, 11), ledger.ErrDuplicate},
			"nothing":           {payment(2, 0), ledger.ErrInvalid},
			"no order":          {change(func(p *ledger.Payment) { p.Order = "" }), ledger.ErrInvalid},
			"no payee":          {change(func(p *ledger.Payment) { p.Payee = "" }), ledger.ErrInvalid},
			"short hash":        {change(func(p *ledger.Payment) { p.PaymentHash = "ab" }), ledger.ErrInvalid},
			"upper-case hash":   {change(func(p *ledger.Payment) { p.PaymentHash = strings.Repeat("A", 64) }), ledger.ErrInvalid},
			"provider":          {change(func(p *ledger.Payment) { p.Provider = "rai den" }), ledger.ErrInvalid},
			"asset":             {change(func(p *ledger.Payment) { p.Amount.Asset = "gold" }), ledger.ErrInvalid},
		} {
			// The caller's transaction goes on after a refusal.
			err := b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				if _, err := b.Post(ctx, tx, c.payment); !errors.Is(err, c.want) {
					t.Errorf("%s: %v, want %v", name, err, c.want)
				}
				return tx.Exec("INSERT INTO cursors (name, position) VALUES (?, '')", name).Error
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		b.verify(t, 1)
	})
}

func TestRollBack(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		failed := errors.New("failed")
		err := b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if _, err := b.Post(ctx, tx, payment(1, 10)); err != nil {
				return err
			}
			return failed
		})
		if !errors.Is(err, failed) {
			t.Fatal(err)
		}
		b.verify(t, 0)
		if n, err := b.post(t.Context(), payment(1, 10)); err != nil || n != 0 {
			t.Errorf("record %d, %v", n, err)
		}
	})
}

func TestConcurrent(t *testing.T) {
	both(t, func(t *testing.T, b bundle) {
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				// Every payment is posted by two at once: one of them is refused.
				if _, err := b.post(t.Context(), payment(i/2, 1)); err != nil && !errors.Is(err, ledger.ErrDuplicate) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		b.verify(t, 12)
	})
}

func TestTampered(t *testing.T) {
	t.Parallel()
	whole := sqlite(t)
	first := setup(t, whole)
	for i := range 3 {
		if _, err := first.post(t.Context(), payment(i, 10)); err != nil {
			t.Fatal(err)
		}
	}
	first.verify(t, 3)
	if err := first.db.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	for name, sql := range map[string]string{
		"amount":            `UPDATE ledger_entries SET record = replace(record, '"10"', '"11"') WHERE n = 1`,
		"white space":       `UPDATE ledger_entries SET record = record || ' ' WHERE n = 1`,
		"time":              `UPDATE ledger_entries SET record = replace(record, '2026', '2025') WHERE n = 1`,
		"last record gone":  `DELETE FROM ledger_entries WHERE n = 2`,
		"first record gone": `DELETE FROM ledger_entries WHERE n = 0`,
		"hash":              `UPDATE ledger_nodes SET hash = zeroblob(32) WHERE idx = 2`,
		"hash too short":    `UPDATE ledger_nodes SET hash = zeroblob(31) WHERE idx = 0`,
		"hash gone":         `DELETE FROM ledger_nodes WHERE idx = (SELECT max(idx) FROM ledger_nodes)`,
		"hash too many":     `INSERT INTO ledger_nodes (idx, hash) VALUES (99, zeroblob(32))`,
		"checkpoint gone":   `DELETE FROM ledger_checkpoints`,
		"checkpoint":        `UPDATE ledger_checkpoints SET note = replace(note, 'music', 'Music')`,
		"checkpoint's size": `UPDATE ledger_checkpoints SET size = 2`,
		"balance":           `UPDATE ledger_state SET v = '-31' WHERE k LIKE 'balance/owed/%'`,
		"value gone":        `DELETE FROM ledger_state WHERE k LIKE 'payment/%1'`,
		"value too many":    `INSERT INTO ledger_state (k, v) VALUES ('payment/zz', '')`,
		"records cut back":  `DELETE FROM ledger_entries WHERE n > 0`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := sqlite(t)
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			b := setup(t, path)
			b.verify(t, 3)
			if r := b.db.Write.Exec(sql); r.Error != nil || r.RowsAffected == 0 {
				t.Fatalf("changed %d rows, %v", r.RowsAffected, r.Error)
			}
			if _, err := b.VerifyAll(t.Context(), b.db.Read); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRewritten: who has the database and the key can write another past, but not one that fits a checkpoint that
// somebody has kept.
func TestRewritten(t *testing.T) {
	t.Parallel()
	b, other := setup(t, sqlite(t)), setup(t, sqlite(t))
	for i := range 3 {
		if _, err := b.post(t.Context(), payment(i, 10)); err != nil {
			t.Fatal(err)
		}
		if _, err := other.post(t.Context(), payment(i, 9)); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := b.Checkpoint(t.Context(), b.db.Read)
	if err != nil {
		t.Fatal(err)
	}
	proof, err := other.ProveTree(t.Context(), other.db.Read, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.Check(kept, origin, b.Verifier()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("got %v", err)
	}
}

// TestOwedAddsUp: no sum is lost above what a 64-bit number holds, and payees and assets are kept apart.
func TestOwedAddsUp(t *testing.T) {
	t.Parallel()
	b := setup(t, sqlite(t))
	chance := rand.New(rand.NewPCG(1, 2))
	assets := []amount.Asset{token, "iso4217:EUR"}
	want := map[string]amount.Amount{}
	for n := range 60 {
		payee := fmt.Sprintf("https://a.example/users/%d", chance.IntN(3))
		p := payment(n, 1+chance.Uint64N(1<<64-2))
		p.Payee, p.Amount.Asset = payee, assets[chance.IntN(2)]
		if _, err := b.post(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		key := payee + " " + string(p.Amount.Asset)
		before, known := want[key]
		if !known {
			before = amount.New(0, p.Amount.Asset)
		}
		sum, err := before.Add(p.Amount)
		if err != nil {
			t.Fatal(err)
		}
		want[key] = sum
	}
	for key, sum := range want {
		payee, _, _ := strings.Cut(key, " ")
		if got, err := ledger.Owed(t.Context(), b.db.Read, payee, sum.Asset); err != nil || got != sum {
			t.Errorf("%s is owed %v, %v; want %v", key, got, err, sum)
		}
	}
	b.verify(t, 60)
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	for name, c := range map[string]ledger.Config{
		"no origin": {Key: key}, "space": {Origin: "a b", Key: key}, "plus": {Origin: "a+b", Key: key}, "no key": {Origin: origin},
	} {
		if _, err := ledger.New(c); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkPost(b *testing.B) {
	l := setup(b, sqlite(b))
	for n := 0; b.Loop(); n++ {
		if _, err := l.post(b.Context(), payment(n, 10)); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRefund takes back what a payment recorded, once, and for nobody else.
func TestRefund(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		b := setup(t, fresh())
		const order, payee = "https://s.example/agreements/1", "https://s.example/users/ada"
		hash := strings.Repeat("ab", 32)
		post := func(c ledger.Command) error {
			return b.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				_, err := b.Post(ctx, tx, c)
				return err
			})
		}
		refund := ledger.Refund{Order: order, Payee: payee, Amount: amount.New(5, token), Provider: "manual", PaymentHash: hash}
		if err := post(refund); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("refund of what was never paid: %v", err)
		}
		if err := post(ledger.Payment{Order: order, Payee: payee, Amount: amount.New(5, token), Provider: "manual", PaymentHash: hash}); err != nil {
			t.Fatal(err)
		}
		other := refund
		other.Order += "2"
		if err := post(other); !errors.Is(err, ledger.ErrInvalid) {
			t.Errorf("refund of another order: %v", err)
		}
		if err := post(refund); err != nil {
			t.Fatal(err)
		}
		if err := post(refund); !errors.Is(err, ledger.ErrDuplicate) {
			t.Errorf("refund again: %v", err)
		}
		if owed, err := ledger.Owed(t.Context(), b.db.Read, payee, token); err != nil || !owed.IsZero() {
			t.Errorf("owed %v, %v", owed, err)
		}
		if n, err := b.VerifyAll(t.Context(), b.db.Read); err != nil || n != 2 {
			t.Errorf("verified %d, %v", n, err)
		}
	})
}
