package auth_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/internal/db"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/pre/keytree"
	"antiphon/vocab/multikey"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const base = "https://a.example"

// cheap keeps the tests quick; the cost is not what they try.
var cheap = auth.Cost{Time: 1, Memory: 64, Threads: 1}

// bundle is one instance of its own.
type bundle struct {
	*auth.Service
	db    *db.DB
	clock *testkit.Clock
	path  string
}

// eachDatabase runs the same test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, run func(t *testing.T, open func(auth.Config) bundle)) {
	t.Helper()
	for name, dsn := range map[string]func(t *testing.T) string{
		"sqlite":   func(t *testing.T) string { return filepath.Join(t.TempDir(), "antiphon.db") },
		"postgres": func(t *testing.T) string { return testkit.Postgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(c auth.Config) bundle { return setupOn(t, dsn(t), c) })
		})
	}
}

func setup(t *testing.T, c auth.Config) bundle {
	t.Helper()
	return setupOn(t, filepath.Join(t.TempDir(), "antiphon.db"), c)
}

func setupOn(t *testing.T, dsn string, c auth.Config) bundle {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	d, err := db.Open(t.Context(), dsn, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	v, err := vault.New(make([]byte, 32), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clock := testkit.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))
	if c.BaseURL == "" {
		c.BaseURL = base
	}
	c.Hash = cheap
	s, err := auth.New(c, auth.Parts{DB: d, Vault: v, Actors: actors{c.BaseURL}, Log: log, Now: clock.Now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return bundle{s, d, clock, dsn}
}

// actors writes the row that federation/actor writes, without keys.
type actors struct{ base string }

func (a actors) Prepare(_ context.Context, l auth.Local) (func(context.Context, *gorm.DB) (string, error), error) {
	uri := a.base + "/users/" + l.Name
	return func(_ context.Context, tx *gorm.DB) (string, error) {
		return uri, tx.Exec("INSERT INTO actors (uri, local, name, host, kind, display, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			uri, true, l.Name, "a.example", l.Kind, l.Display, time.Now().UTC()).Error
	}, nil
}

// person is what a browser knows.
type person struct {
	auth.Application
	seed auth.Secret
}

func newPerson(t *testing.T, name string) person {
	t.Helper()
	seed := random(t, auth.SeedSize)
	keys, err := keytree.Listener(seed)
	if err != nil {
		t.Fatal(err)
	}
	receiving, err := keys.Receiving(1)
	if err != nil {
		t.Fatal(err)
	}
	requesting, err := keys.Requesting(1)
	if err != nil {
		t.Fatal(err)
	}
	receivingKey, err := multikey.EncodeSecp256k1(receiving.PublicKey().Bytes())
	if err != nil {
		t.Fatal(err)
	}
	requestingKey, err := multikey.EncodeEd25519(requesting.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return person{auth.Application{
		Name: name, Custody: auth.Own, Auth: random(t, auth.AuthSize), Wrapped: random(t, auth.WrappedSize), Recovery: random(t, auth.WrappedSize),
		ReceivingKey: receivingKey, RequestingKey: requestingKey,
	}, seed}
}

// delegate lets the instance keep the key.
func (p *person) delegate() { p.Custody, p.Wrapped, p.Recovery = auth.Delegated, p.seed, nil }

func random(t *testing.T, n int) auth.Secret {
	t.Helper()
	b := make(auth.Secret, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return b
}

const home = "192.0.2.7"

func (b bundle) signUp(t *testing.T, p person) auth.Account {
	t.Helper()
	account, err := b.SignUp(t.Context(), p.Application, home)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func count(t *testing.T, b bundle, table string) (n int64) {
	t.Helper()
	if err := b.db.Read.Table(table).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}
