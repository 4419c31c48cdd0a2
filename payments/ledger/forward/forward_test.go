package forward_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/contracttest"
	"antiphon/payments/ledger/forward"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// shared is a ledger elsewhere; it answers each payment hash's first submits with what says says, then takes it.
type shared struct {
	contract.Backend

	mu    sync.Mutex
	says  map[string][]error
	asked map[string]int
	taken map[string]string // arguments by payment hash
	told  chan string
}

func (s *shared) Submit(_ context.Context, c contract.Command) error {
	function, args, err := contract.Encode(c)
	if err != nil {
		return err
	}
	var batch struct {
		Lines []struct{ PaymentHash string }
	}
	if err := json.Unmarshal(args, &batch); err != nil || len(batch.Lines) != 1 {
		return fmt.Errorf("%s %s is not a batch of one: %w", function, args, err)
	}
	in := batch.Lines[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.asked[in.PaymentHash]
	s.asked[in.PaymentHash]++
	if n < len(s.says[in.PaymentHash]) {
		err = s.says[in.PaymentHash][n]
	} else {
		s.taken[in.PaymentHash] = function + " " + string(args)
	}
	s.told <- in.PaymentHash
	return err
}

func hashOf(n int) string { return fmt.Sprintf("%064x", n) }

// sale is not forwarded.
func sale(n int) contract.Payment {
	return contract.Payment{
		Order: fmt.Sprintf("https://a.example/agreements/%d", n), Payee: "https://a.example/users/ada",
		Amount: amount.New(10, "iso4217:EUR"), Provider: "raiden", PaymentHash: hashOf(100 + n),
	}
}

// paid is a batch of one listener's payment, which is forwarded.
func paid(t *testing.T, n int) contract.Subscriptions {
	t.Helper()
	books := contracttest.Keep(t, contracttest.Alpha, contracttest.October, 1, nil)
	return books.Paid(t, n, fmt.Sprint("L", n))
}

type world struct {
	db     *db.DB
	jobs   *jobs.Queue
	ledger *ledger.Ledger
	*forward.Forwarder
}

func october() time.Time { return time.Date(2026, 10, 5, 9, 0, 0, 0, time.UTC) }

func open(t *testing.T, to contract.Backend) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	d, err := db.Open(t.Context(), filepath.Join(t.TempDir(), "antiphon.db"), log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{db: d, jobs: jobs.New(d, log)}
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	if w.ledger, err = ledger.New(ledger.Config{Origin: "a.example/ledger", Key: key, Now: october}); err != nil {
		t.Fatal(err)
	}
	w.Forwarder = forward.New(forward.Parts{DB: d, Jobs: w.jobs, Own: w.ledger, To: to, Log: log})
	w.Register(w.jobs)
	if err := w.jobs.Open(); err != nil {
		t.Fatal(err)
	}
	// The own ledger knows its operator and the node.
	for _, c := range []contract.Command{contract.DefaultPolicy(contracttest.October), contracttest.Nodes("a.example/ledger")[0]} {
		if err := w.post(t.Context(), c, nil); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// post posts a command in a transaction that then fails with the given error.
func (w *world) post(ctx context.Context, c contract.Command, fails error) error {
	return w.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if _, err := w.Post(ctx, tx, c); err != nil {
			return err
		}
		return fails
	})
}

func (w *world) queued(t *testing.T) map[string]int {
	t.Helper()
	var rows []struct {
		State string
		Count int
	}
	err := w.db.Read.Raw("SELECT state, COUNT(*) AS count FROM river_job WHERE kind = 'ledger_forward' GROUP BY state").Scan(&rows).Error
	if err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, r := range rows {
		states[r.State] = r.Count
	}
	return states
}

// TestForward: what is committed is forwarded once, with the arguments as they stand in the own ledger; each kind of
// answer has its consequence.
func TestForward(t *testing.T) {
	t.Parallel()
	to := &shared{asked: map[string]int{}, taken: map[string]string{}, told: make(chan string, 100), says: map[string][]error{
		hashOf(1): {fmt.Errorf("x: %w", contract.ErrChain)},
		hashOf(2): {fmt.Errorf("x: %w", contract.ErrDuplicate)},
		hashOf(3): {fmt.Errorf("x: %w", contract.ErrSum)},
		hashOf(4): {errors.New("the network sleeps")},
	}}
	w := open(t, to)
	rolledBack := errors.New("rolled back")
	if err := w.post(t.Context(), paid(t, 9), rolledBack); !errors.Is(err, rolledBack) {
		t.Fatal(err)
	}
	for n := range 5 {
		own := func() error { return w.post(t.Context(), paid(t, n), nil) }
		if n == 0 {
			own = func() error { return w.Book().Submit(t.Context(), paid(t, n)) }
		}
		if err := errors.Join(own(), w.post(t.Context(), sale(n), nil)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.post(t.Context(), paid(t, 4), nil); !errors.Is(err, contract.ErrDuplicate) {
		t.Fatal(err)
	}
	if got := w.queued(t); got["available"] != 5 || len(got) != 1 {
		t.Fatalf("queued %v, want the five that were committed", got)
	}
	if err := w.jobs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Five records, and the first refusal that passes is tried once more.
	for range 6 {
		select {
		case <-to.told:
		case <-time.After(30 * time.Second):
			t.Fatalf("only %v was submitted", to.asked)
		}
	}
	if err := w.jobs.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got := w.queued(t); got["completed"] != 3 || got["cancelled"] != 1 || got["scheduled"] != 1 {
		t.Errorf("jobs are %v, want three completed, one cancelled, one put off", got)
	}
	if len(to.taken) != 2 || to.asked[hashOf(1)] != 2 || to.asked[hashOf(9)] != 0 {
		t.Errorf("taken %v of %v", to.taken, to.asked)
	}
	function, args, err := contract.Encode(paid(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	if want := function + " " + string(args); to.taken[hashOf(1)] != want {
		t.Errorf("forwarded %s, want %s", to.taken[hashOf(1)], want)
	}
}

// TestOff: without a shared ledger nothing is queued.
func TestOff(t *testing.T) {
	t.Parallel()
	w := open(t, nil)
	if err := w.post(t.Context(), paid(t, 1), nil); err != nil {
		t.Fatal(err)
	}
	if got := w.queued(t); len(got) != 0 {
		t.Errorf("queued %v", got)
	}
	if _, err := ledger.Recorded(t.Context(), w.db.Read, 99); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a record that is not there: %v", err)
	}
}
