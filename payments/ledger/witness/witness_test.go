package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/witness"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const origin = "music.example/ledger"

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func open(t testing.TB, dsn string) *db.DB {
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
	return d
}

// log is somebody's ledger.
type log struct {
	t  testing.TB
	l  *ledger.Ledger
	db *db.DB
}

func newLog(t testing.TB, seed byte) log {
	t.Helper()
	now := func() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }
	l, err := ledger.New(ledger.Config{Origin: origin, Key: key(seed), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return log{t, l, open(t, filepath.Join(t.TempDir(), "log.db"))}
}

// grow records n payments, whose hashes begin with first.
func (l log) grow(first, n int) log {
	l.t.Helper()
	for i := range n {
		err := l.db.Tx(l.t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			_, err := l.l.Post(ctx, tx, ledger.Payment{
				Order: fmt.Sprint("o", i), Payee: "p", Amount: amount.New(1, "iso4217:EUR"), Provider: "manual", PaymentHash: fmt.Sprintf("%064x", first+i),
			})
			return err
		})
		if err != nil {
			l.t.Fatal(err)
		}
	}
	return l
}

// from is the submission of the newest checkpoint after a size.
func (l log) from(old int64) witness.Submission {
	l.t.Helper()
	if old == 0 {
		signed, err := l.l.Checkpoint(l.t.Context(), l.db.Read)
		if err != nil {
			l.t.Fatal(err)
		}
		return witness.Submission{Note: signed}
	}
	p, err := l.l.ProveTree(l.t.Context(), l.db.Read, old)
	if err != nil {
		l.t.Fatal(err)
	}
	return witness.Submission{Old: old, Proof: p.Hashes, Note: p.Checkpoint}
}

func newWitness(t testing.TB, d *db.DB, change func(*witness.Config)) *witness.Witness {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(origin, key(1).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	cfg := witness.Config{
		Name: "w.example/witness", Key: key(9), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		LogKey: func(_ context.Context, of string) (string, error) {
			if of != origin {
				return "", witness.ErrUnknown
			}
			return vkey, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	w, err := witness.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAdd(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d := open(t, fresh())
		w := newWitness(t, d, nil)
		good := newLog(t, 1).grow(0, 3)
		add := func(s witness.Submission) error {
			_, err := w.Add(t.Context(), s)
			return err
		}
		conflict := func(name string, s witness.Submission, want witness.Conflict) {
			t.Helper()
			got := (*witness.Conflict)(nil)
			if err := add(s); !errors.As(err, &got) || *got != want {
				t.Errorf("%s: %v, want %+v", name, err, want)
			}
		}
		if _, err := w.Seen(t.Context(), origin); !errors.Is(err, witness.ErrUnknown) {
			t.Errorf("seen of a log not met: %v", err)
		}
		conflict("first, from the middle", good.from(2), witness.Conflict{})
		line, err := w.Add(t.Context(), good.from(0))
		if err != nil {
			t.Fatal(err)
		}
		verifier, err := fnote.NewVerifierForCosignatureV1(w.Key())
		if err != nil {
			t.Fatal(err)
		}
		n, err := note.Open(append(good.from(0).Note, line...), note.VerifierList(verifier))
		if err != nil || len(n.Sigs) != 1 || n.Sigs[0].Name != "w.example/witness" {
			t.Fatalf("cosigned: %v", err)
		}
		if err := add(good.from(3)); err != nil {
			t.Errorf("the same again: %v", err)
		}
		good.grow(3, 4)
		conflict("from nothing", good.from(0), witness.Conflict{Size: 3})
		conflict("from elsewhere", good.from(4), witness.Conflict{Size: 3})
		if err := add(good.from(3)); err != nil {
			t.Error(err)
		}
		conflict("back", witness.Submission{Old: 3, Note: good.from(0).Note}, witness.Conflict{Size: 7})

		// Another past under the same key: as long, longer, and one that is shorter.
		other := newLog(t, 1).grow(100, 7)
		conflict("another past of the same size", witness.Submission{Old: 7, Note: other.from(0).Note}, witness.Conflict{Size: 7, Fork: true})
		other.grow(200, 2)
		if err := add(other.from(7)); !errors.Is(err, witness.ErrProof) {
			t.Errorf("another past that has grown: %v", err)
		}
		if err := add(witness.Submission{Old: 7, Note: other.from(0).Note}); !errors.Is(err, witness.ErrProof) {
			t.Errorf("without a proof: %v", err)
		}
		forks, err := w.Forks(t.Context(), origin)
		if err != nil || len(forks) != 2 {
			t.Fatalf("%d forks, %v", len(forks), err)
		}
		proved := 0
		for _, f := range forks {
			if f.Proved {
				proved++
			}
			for _, signed := range []string{f.Seen, f.Refused} {
				if _, err := note.Open([]byte(signed), note.VerifierList(good.l.Verifier())); err != nil {
					t.Errorf("evidence without the log's signature: %v", err)
				}
			}
			if f.Seen == f.Refused {
				t.Error("evidence of one past")
			}
		}
		if proved != 1 {
			t.Errorf("%d forks prove themselves", proved)
		}
		// The witness has not moved.
		seen, err := w.Seen(t.Context(), origin)
		if err != nil || !strings.HasPrefix(string(seen), string(good.from(0).Note)) {
			t.Errorf("seen %s, %v", seen, err)
		}
		if _, err := good.l.Holds(t.Context(), good.db.Read, seen); err != nil {
			t.Error(err)
		}
		if _, err := other.l.Holds(t.Context(), other.db.Read, seen); !errors.Is(err, ledger.ErrTampered) {
			t.Errorf("the other one holds it too: %v", err)
		}
		// Opened again, it still knows.
		if _, err := newWitness(t, d, nil).Add(t.Context(), other.from(7)); !errors.Is(err, witness.ErrProof) {
			t.Errorf("opened again: %v", err)
		}
	})
}

func TestRefused(t *testing.T) {
	t.Parallel()
	w := newWitness(t, open(t, filepath.Join(t.TempDir(), "w.db")), nil)
	good := newLog(t, 1).grow(0, 2).from(0)
	signed := string(good.Note)
	for name, c := range map[string]struct {
		s    witness.Submission
		want error
	}{
		"another key":         {newLog(t, 2).grow(0, 2).from(0), witness.ErrSignature},
		"no signature":        {witness.Submission{Note: []byte(signed[:strings.Index(signed, "\n\n")+2])}, witness.ErrMalformed},
		"no checkpoint":       {witness.Submission{Note: []byte("hello\n\n— x y\n")}, witness.ErrMalformed},
		"unknown log":         {witness.Submission{Note: []byte(strings.ReplaceAll(signed, "music", "other"))}, witness.ErrUnknown},
		"changed size":        {witness.Submission{Note: []byte(strings.Replace(signed, "\n2\n", "\n3\n", 1))}, witness.ErrSignature},
		"size in other words": {witness.Submission{Note: []byte(strings.Replace(signed, "\n2\n", "\n02\n", 1))}, witness.ErrMalformed},
		"more in it":          {witness.Submission{Note: []byte(strings.Replace(signed, "\n\n", "\nmore\n\n", 1))}, witness.ErrMalformed},
		"old beyond":          {witness.Submission{Old: 3, Note: good.Note}, witness.ErrOld},
		"proof of nothing":    {witness.Submission{Proof: tlog.TreeProof{{}}, Note: good.Note}, witness.ErrProof},
	} {
		if _, err := w.Add(t.Context(), c.s); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	full := newWitness(t, open(t, filepath.Join(t.TempDir(), "w.db")), func(c *witness.Config) { c.Logs = -1 })
	if _, err := full.Add(t.Context(), good); !errors.Is(err, witness.ErrFull) {
		t.Errorf("full: %v", err)
	}
	busy := false
	for range 200 {
		_, err := w.Add(t.Context(), witness.Submission{})
		busy = busy || errors.Is(err, witness.ErrBusy)
	}
	if !busy {
		t.Error("a flood is looked at whole")
	}
}

// TestRace: of two pasts that are sent at the same time, one is signed.
func TestRace(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := newWitness(t, open(t, fresh()), nil)
		var wg sync.WaitGroup
		var mu sync.Mutex
		signed := 0
		for i := range 3 {
			s := newLog(t, 1).grow(100*i, 2).from(0)
			wg.Go(func() {
				_, err := w.Add(t.Context(), s)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					signed++
				} else if c := (*witness.Conflict)(nil); !errors.As(err, &c) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if signed != 1 {
			t.Errorf("%d pasts are signed", signed)
		}
	})
}

func TestSubmission(t *testing.T) {
	t.Parallel()
	s := witness.Submission{Old: 7, Proof: tlog.TreeProof{{1}, {2}}, Note: []byte("a\n1\nb\n\n— x y\n")}
	again, err := witness.ParseSubmission(s.Marshal())
	if err != nil || !bytes.Equal(again.Marshal(), s.Marshal()) || again.Old != 7 || len(again.Proof) != 2 {
		t.Errorf("%+v, %v", again, err)
	}
	hash := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	for _, body := range []string{
		"", "old 1\n", "old 01\n\nx", "old -1\n\nx", "old\n\nx", "old 1 \n\nx", "new 1\n\nx", "old 99999999999999999999\n\nx",
		"old 1\nAAAA\n\nx", "old 1\n" + hash[:42] + "B=\n\nx", "old 1\n" + strings.Repeat(hash, 64) + "\nx", "old 1\n\n" + strings.Repeat("x", witness.MaxBody),
	} {
		if _, err := witness.ParseSubmission([]byte(body)); !errors.Is(err, witness.ErrMalformed) {
			t.Errorf("%.60q is taken: %v", body, err)
		}
	}
}

func FuzzParseSubmission(f *testing.F) {
	f.Add([]byte("old 0\n\na\n1\nb\n\n— x y\n"))
	f.Add(witness.Submission{Old: 7, Proof: tlog.TreeProof{{1}, {2}}, Note: []byte("a\n1\nb\n\n— x y\n")}.Marshal())
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := witness.ParseSubmission(body)
		if err == nil && !bytes.Equal(s.Marshal(), body) {
			t.Errorf("%q is written as %q", body, s.Marshal())
		}
	})
}
