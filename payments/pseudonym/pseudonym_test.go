package pseudonym_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
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
	"antiphon/internal/vault"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

const lin = "https://b.example/users/lin"

type world struct {
	*pseudonym.Service
	db  *db.DB
	now time.Time
}

func open(t *testing.T, dsn string, random *bytes.Reader) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), dsn, log)
	must(t, err)
	w := &world{db: database, now: time.Date(2026, 10, 31, 23, 59, 59, 0, time.UTC)}
	queue := jobs.New(database, log)
	safe, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	parts := pseudonym.Parts{DB: database, Jobs: queue, Vault: safe, Now: func() time.Time { return w.now }, Rand: rand.Reader}
	if random != nil {
		parts.Rand = random
	}
	w.Service = pseudonym.New(parts)
	w.Register(queue)
	must(t, queue.Open())
	t.Cleanup(func() { _ = database.Close() })
	return w
}

func (w *world) of(t *testing.T, month royalty.Month, listener string) (string, error) {
	t.Helper()
	var name string
	err := w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		var err error
		name, err = w.Of(ctx, tx, month, listener)
		return err
	})
	return name, err
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		secret := bytes.Repeat([]byte{7}, 32)
		w := open(t, fresh(), bytes.NewReader(append(secret, bytes.Repeat([]byte{8}, 32)...)))
		first, err := w.of(t, "2026-10", lin)
		must(t, err)
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte("2026-10|" + lin))
		if want := hex.EncodeToString(mac.Sum(nil))[:32]; first != want {
			t.Errorf("pseudonym %s, want %s", first, want)
		}
		again, err := w.of(t, "2026-10", lin)
		must(t, err)
		other, err := w.of(t, "2026-10", lin+"a")
		must(t, err)
		later, err := w.of(t, "2026-11", lin)
		must(t, err)
		if again != first || other == first || later == first {
			t.Errorf("again %s, another listener %s, another month %s, after %s", again, other, later, first)
		}
		// Whose account is gone stands under a pseudonym already.
		for _, month := range []royalty.Month{"2026-10", "2026-11"} {
			if name, err := w.of(t, month, first); err != nil || name != first {
				t.Errorf("%s: %s of the pseudonym %s, %v", month, name, first, err)
			}
		}
		for _, month := range []royalty.Month{"", "2026-13", "2026-1", "../etc"} {
			if _, err := w.of(t, month, lin); !errors.Is(err, royalty.ErrInvalid) {
				t.Errorf("month %q: %v", month, err)
			}
		}
		var sealed []byte
		must(t, w.db.Read.Raw("SELECT sealed FROM pseudonym_keys WHERE month = '2026-10'").Row().Scan(&sealed))
		if bytes.Contains(sealed, secret) {
			t.Error("the key rests in the clear")
		}
	})
}

func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := open(t, fresh(), nil)
		first, err := w.of(t, "2026-10", lin)
		must(t, err)
		_, err = w.of(t, "2026-11", lin)
		must(t, err)
		var waiting int64
		must(t, w.db.Read.Raw("SELECT COUNT(*) FROM river_job WHERE kind = 'forget_pseudonym_key' AND state = 'scheduled'").Scan(&waiting).Error)
		if waiting != 2 {
			t.Errorf("%d jobs wait to delete keys, want 2", waiting)
		}

		w.now = time.Date(2027, 11, 30, 23, 59, 59, 0, time.UTC)
		must(t, w.Forget(t.Context()))
		if again, err := w.of(t, "2026-10", lin); err != nil || again != first {
			t.Errorf("a second before its time: %s, %v", again, err)
		}
		w.now = w.now.Add(time.Second)
		if _, err := w.of(t, "2026-10", lin); !errors.Is(err, pseudonym.ErrForgotten) {
			t.Errorf("after 13 months, not yet deleted: %v", err)
		}
		must(t, w.Forget(t.Context()))
		must(t, w.Forget(t.Context()))
		var left []string
		must(t, w.db.Read.Raw("SELECT month FROM pseudonym_keys").Scan(&left).Error)
		if len(left) != 1 || left[0] != "2026-11" {
			t.Errorf("keys left: %v", left)
		}
		if _, err := w.of(t, "2026-10", lin); !errors.Is(err, pseudonym.ErrForgotten) {
			t.Errorf("after it was deleted: %v", err)
		}
	})
}

func TestOneKeyForAll(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		w := open(t, fresh(), nil)
		names := make([]string, 8)
		var wg sync.WaitGroup
		for i := range names {
			wg.Go(func() { names[i], _ = w.of(t, "2026-10", lin) })
		}
		wg.Wait()
		for _, name := range names {
			if name != names[0] || len(name) != pseudonym.Length {
				t.Fatalf("at once: %v", names)
			}
		}
	})
}

func TestKeyIsNotPrinted(t *testing.T) {
	t.Parallel()
	w := open(t, t.TempDir()+"/antiphon.db", bytes.NewReader(bytes.Repeat([]byte{'s'}, 32)))
	must(t, w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		key, err := w.Key(ctx, tx, "2026-10")
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key)
		if text := fmt.Sprintf("%v %+v %x %s", key, key, key, log.String()); strings.Contains(text, "ss") || strings.Contains(text, "7373") {
			t.Errorf("printed: %s", text)
		}
		return err
	}))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
