package witness_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/api"
	"antiphon/federation/witness"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	signs "antiphon/payments/ledger/witness"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// instance is a ledger, a witness and a server.
type instance struct {
	t       testing.TB
	db      *db.DB
	ledger  *ledger.Ledger
	witness *signs.Witness
	url     string
	clock   *testkit.Clock
	http    *httpx.Client
	asked   atomic.Int64
	down    atomic.Bool
}

func newInstance(t testing.TB, seed byte, allowed bool) *instance {
	t.Helper()
	i := &instance{t: t, clock: testkit.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)), http: httpx.New(httpx.Config{AllowLoopback: true})}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/witness/add-checkpoint" {
			i.asked.Add(1)
		}
		if i.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(i.http.Close)
	i.url = server.URL
	host := strings.TrimPrefix(server.URL, "http://")
	var err error
	if i.db, err = db.Open(t.Context(), filepath.Join(t.TempDir(), "antiphon.db"), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := i.db.Close(); err != nil {
			t.Error(err)
		}
	})
	secret := make([]byte, ed25519.SeedSize)
	secret[0] = seed
	key := ed25519.NewKeyFromSeed(secret)
	if i.ledger, err = ledger.New(ledger.Config{Origin: host + "/ledger", Key: key, Now: i.clock.Now}); err != nil {
		t.Fatal(err)
	}
	secret[1] = 1
	i.witness, err = signs.New(signs.Config{
		Name: host + "/witness", Key: ed25519.NewKeyFromSeed(secret), Log: slog.New(slog.DiscardHandler), Now: i.clock.Now,
		LogKey: witness.LogKeys{HTTP: i.http, Scheme: "http", Allowed: func(context.Context, string) bool { return allowed }}.LogKey,
	}, i.db)
	if err != nil {
		t.Fatal(err)
	}
	text, err := note.NewEd25519VerifierKey(host+"/ledger", key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	handler = (&api.Books{Ledger: i.ledger, Key: text, DB: i.db, Witness: i.witness, Entries: true, Log: slog.New(slog.DiscardHandler)}).Handler()
	return i
}

func (i *instance) pay(n int, units uint64) {
	i.t.Helper()
	err := i.db.Tx(i.t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		_, err := i.ledger.Post(ctx, tx, ledger.Payment{
			Order: fmt.Sprint("o", n), Payee: "p", Amount: amount.New(units, "iso4217:EUR"), Provider: "manual", PaymentHash: fmt.Sprintf("%064x", n),
		})
		return err
	})
	if err != nil {
		i.t.Fatal(err)
	}
}

func (i *instance) asks(witnesses ...string) *witness.Service {
	i.t.Helper()
	s, err := witness.New(witness.Config{Witnesses: witnesses, Every: time.Millisecond}, witness.Parts{
		DB: i.db, Ledger: i.ledger, HTTP: i.http, Log: slog.New(slog.DiscardHandler), Now: i.clock.Now,
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return s
}

// rewrite makes another past by hand, with the ledger's own key: the payments are of another amount.
func (i *instance) rewrite(payments int) {
	i.t.Helper()
	for _, table := range []string{"ledger_entries", "ledger_nodes", "ledger_checkpoints", "ledger_state", "ledger_cosignatures"} {
		if err := i.db.Write.Exec("DELETE FROM " + table).Error; err != nil {
			i.t.Fatal(err)
		}
	}
	for n := range payments {
		i.pay(n, 999)
	}
	if size, err := i.ledger.VerifyAll(i.t.Context(), i.db.Read); err != nil || size != int64(payments) {
		i.t.Fatalf("the new past is not whole: %d, %v", size, err)
	}
}

// TestRewritten: an instance that rewrites its ledger, whole and signed, is found out by its witness; cut back, grown
// again or to the same size.
func TestRewritten(t *testing.T) {
	t.Parallel()
	for name, payments := range map[string]int{"cut back": 3, "same size": 5, "grown": 8, "empty": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b := newInstance(t, 1, true), newInstance(t, 2, true)
			s := a.asks(b.url)
			for n := range 5 {
				a.pay(n, 10)
			}
			if err := s.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			if found, err := witness.Compare(t.Context(), a.http, a.ledger, a.db.Read, b.url); err != nil || found.Size != 5 || len(found.Forks) != 0 {
				t.Fatalf("before: %+v, %v", found, err)
			}
			a.rewrite(payments)
			if err := s.Ask(t.Context()); !errors.Is(err, witness.ErrRefused) {
				t.Errorf("asked: %v", err)
			}
			refusals, err := witness.Refusals(t.Context(), a.db.Read)
			if err != nil || len(refusals) != 1 || !strings.Contains(refusals[0], b.url) {
				t.Errorf("refusals %q, %v", refusals, err)
			}
			if _, err := witness.Compare(t.Context(), a.http, a.ledger, a.db.Read, b.url); !errors.Is(err, ledger.ErrTampered) {
				t.Errorf("compared: %v", err)
			}
			forks, err := b.witness.Forks(t.Context(), a.ledger.Verifier().Name())
			if err != nil || (len(forks) == 1) != (payments >= 5) {
				t.Errorf("%d forks are kept, %v", len(forks), err)
			}
			if signed, err := ledger.Witnesses(t.Context(), a.db.Read); err != nil || len(signed) != 0 {
				t.Errorf("the new past is signed: %+v, %v", signed, err)
			}
		})
	}
}

// TestAlteredInPlace: a byte is changed in one of the ledger's tables, and the rest is left as it is. The next day nothing
// of it is shown to the witness, which signs again when the byte is what it was.
func TestAlteredInPlace(t *testing.T) {
	t.Parallel()
	for table, change := range map[string]string{
		"ledger_entries": "UPDATE ledger_entries SET record = replace(record, '\"10\"', '\"90\"') WHERE n = 1", "ledger_nodes": "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE idx = 0",
		"ledger_state": "UPDATE ledger_state SET v = '\"7\"' WHERE k = (SELECT MIN(k) FROM ledger_state)",
	} {
		t.Run(table, func(t *testing.T) {
			t.Parallel()
			a, b := newInstance(t, 1, true), newInstance(t, 2, true)
			s := a.asks(b.url)
			for n := range 5 {
				a.pay(n, 10)
			}
			if err := s.Ask(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.db.Write.Exec("CREATE TABLE kept AS SELECT * FROM " + table).Error; err != nil {
				t.Fatal(err)
			}
			if r := a.db.Write.Exec(change); r.Error != nil || r.RowsAffected != 1 {
				t.Fatalf("%d rows changed, %v", r.RowsAffected, r.Error)
			}
			if _, err := a.ledger.VerifyAll(t.Context(), a.db.Read); !errors.Is(err, ledger.ErrTampered) {
				t.Fatalf("verify: %v", err)
			}
			a.clock.Advance(25 * time.Hour)
			before := b.asked.Load()
			for range 3 {
				if err := s.Ask(t.Context()); !errors.Is(err, ledger.ErrTampered) {
					t.Errorf("asked: %v", err)
				}
			}
			if b.asked.Load() != before {
				t.Error("it was shown to the witness")
			}
			for _, mend := range []string{"DELETE FROM " + table, "INSERT INTO " + table + " SELECT * FROM kept"} {
				if err := a.db.Write.Exec(mend).Error; err != nil {
					t.Fatal(err)
				}
			}
			a.clock.Advance(time.Hour)
			a.pay(6, 10)
			if err := s.Ask(t.Context()); err != nil || b.asked.Load() != before+1 {
				t.Errorf("mended: %v", err)
			}
		})
	}
}

// TestWatch: each growth is signed, several at once once; who was away signs when it is back.
func TestWatch(t *testing.T) {
	t.Parallel()
	a, b := newInstance(t, 1, true), newInstance(t, 2, true)
	s := a.asks(b.url)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Watch(ctx) }()
	defer func() { cancel(); <-done }()
	signed := func(want int64) {
		t.Helper()
		testkit.Until(t, fmt.Sprintf("%d records are signed", want), func() bool {
			all, err := ledger.Witnesses(t.Context(), a.db.Read)
			if err != nil {
				t.Fatal(err)
			}
			return len(all) == 1 && all[0].Size == want
		})
	}
	a.pay(0, 1)
	signed(1)
	b.down.Store(true)
	before := b.asked.Load()
	for n := 1; n < 6; n++ {
		a.pay(n, 1)
	}
	testkit.Until(t, "the witness is asked", func() bool { return b.asked.Load() > before })
	b.down.Store(false)
	a.clock.Advance(2 * time.Hour)
	signed(6)
	if n, err := a.ledger.VerifyAll(t.Context(), a.db.Read); err != nil || n != 6 {
		t.Errorf("%d, %v", n, err)
	}
	head, err := a.ledger.Checkpoint(t.Context(), a.db.Read)
	if err != nil || !strings.Contains(string(head), b.witness.Key()[:strings.Index(b.witness.Key(), "+")]) {
		t.Errorf("checkpoint %s, %v", head, err)
	}
}

// TestForgetful: who has lost its own note of how far a witness was goes on where the witness says.
func TestForgetful(t *testing.T) {
	t.Parallel()
	a, b := newInstance(t, 1, true), newInstance(t, 2, true)
	s := a.asks(b.url)
	a.pay(0, 1)
	if err := s.Ask(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := a.db.Write.Exec("DELETE FROM witnesses").Error; err != nil {
		t.Fatal(err)
	}
	a.pay(1, 1)
	if err := s.Ask(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Ask(t.Context()); err != nil || b.asked.Load() != 3 {
		t.Errorf("asked %d times, %v", b.asked.Load(), err)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	a, stranger := newInstance(t, 1, true), newInstance(t, 2, false)
	a.pay(0, 1)
	if err := a.asks(stranger.url).Ask(t.Context()); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("asked one that does not sign for it: %v", err)
	}
	// A key that is configured counts, and not the one that the witness says it has.
	b, c := newInstance(t, 3, true), newInstance(t, 4, true)
	if err := a.asks(b.url+"/witness "+b.witness.Key(), c.url+"/witness "+b.witness.Key()).Ask(t.Context()); !errors.Is(err, ledger.ErrTampered) {
		t.Errorf("a witness with another key: %v", err)
	}
	if signed, err := ledger.Witnesses(t.Context(), a.db.Read); err != nil || len(signed) != 1 {
		t.Errorf("%+v, %v", signed, err)
	}
	for _, bad := range []string{"w.example", "https://", "https://w.example?x", "https://w.example nokey"} {
		if _, err := witness.New(witness.Config{Witnesses: []string{bad}}, witness.Parts{}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := witness.New(witness.Config{Witnesses: make([]string, 17)}, witness.Parts{}); err == nil {
		t.Error("17 witnesses are taken")
	}
	host := strings.TrimPrefix(a.url, "http://")
	keys := witness.LogKeys{HTTP: a.http, Scheme: "http", Allowed: func(context.Context, string) bool { return true }}
	if _, err := keys.LogKey(t.Context(), host+"/ledger"); err != nil {
		t.Error(err)
	}
	for _, origin := range []string{"", "ledger", host, host + "/other", "user@" + host + "/ledger", host + "/ledger/key", "a b/ledger"} {
		if _, err := keys.LogKey(t.Context(), origin); !errors.Is(err, signs.ErrUnknown) {
			t.Errorf("%q: %v", origin, err)
		}
	}
	if _, err := witness.Compare(t.Context(), a.http, a.ledger, a.db.Read, stranger.url); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("compared with one that has seen nothing: %v", err)
	}
}

// TestPages reads every address of the two parts.
func TestPages(t *testing.T) {
	t.Parallel()
	a, b := newInstance(t, 1, true), newInstance(t, 2, true)
	status := func(method, path, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, a.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := b.http.Do(t.Context(), req, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Status, string(resp.Body)
	}
	want := func(method, path, body string, code int, holds string) {
		t.Helper()
		if got, text := status(method, path, body); got != code || !strings.Contains(text, holds) {
			t.Errorf("%s %s: %d %.200q, want %d %q", method, path, got, text, code, holds)
		}
	}
	want("GET", "/ledger/checkpoint", "", 404, "")
	for n := range 3 {
		a.pay(n, 1)
	}
	want("GET", "/ledger/key", "", 200, a.ledger.Verifier().Name()+"+")
	want("GET", "/ledger/checkpoint", "", 200, "/ledger\n3\n")
	want("GET", "/ledger/proof?old=2", "", 200, "old 2\n")
	want("GET", "/ledger/proof?old=4", "", 404, "")
	want("GET", "/ledger/proof?old=x", "", 404, "")
	want("GET", "/ledger/tile/0/000.p/3", "", 200, "")
	want("GET", "/ledger/tile/0/000", "", 404, "")
	want("GET", "/ledger/tile/-1/000", "", 404, "")
	want("GET", "/ledger/tile/x", "", 404, "")
	want("GET", "/ledger/entries?from=1", "", 200, `"fn":"record_payment"`)
	want("GET", "/ledger/entries?from=3", "", 404, "")
	want("GET", "/ledger/entries", "", 404, "")
	want("GET", "/witness/key", "", 200, "/witness+")
	want("GET", "/witness/checkpoint?origin=x", "", 404, "")
	want("GET", "/witness/forks?origin=x", "", 200, `{"forks":[]}`)
	want("GET", "/witness/add-checkpoint", "", 405, "")
	want("POST", "/witness/add-checkpoint", "", 400, "malformed")
	want("POST", "/witness/add-checkpoint", strings.Repeat("x", 70<<10), 400, "malformed")
	b.pay(0, 1)
	signed, err := b.ledger.Checkpoint(t.Context(), b.db.Read)
	if err != nil {
		t.Fatal(err)
	}
	want("POST", "/witness/add-checkpoint", "old 0\n\n"+string(signed), 200, "— ")
	want("POST", "/witness/add-checkpoint", "old 0\n\n"+string(signed), 409, "1\n")
	want("POST", "/witness/add-checkpoint", "old 2\n\n"+string(signed), 400, "larger")
	want("POST", "/witness/add-checkpoint", "old 0\n\n"+strings.Replace(string(signed), "\n1\n", "\n2\n", 1), 403, "")
	want("POST", "/witness/add-checkpoint", "old 0\n"+strings.Repeat("A", 43)+"=\n\n"+string(signed), 422, "")
	want("POST", "/witness/add-checkpoint", "old 0\n\n"+strings.Replace(string(signed), "/ledger\n", "/other\n", 1), 404, "")
}
