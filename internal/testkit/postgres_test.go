package testkit_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"antiphon/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestPostgresGivesEachTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	var urls [2]string
	for i := range urls {
		urls[i] = testkit.Postgres(t)
		conn, err := pgx.Connect(t.Context(), urls[i])
		if err != nil {
			t.Fatal(err)
		}
		// Left open on purpose: the database is dropped all the same.
		if _, err := conn.Exec(t.Context(), "CREATE TABLE only_here (id bigint)"); err != nil {
			t.Errorf("database %d is not empty: %v", i, err)
		}
		cfg := conn.Config()
		if _, err := os.Stat(cfg.Host); err != nil || cfg.Host[0] != '/' {
			t.Errorf("server is not on a socket of its own: %q, %v", cfg.Host, err)
		}
	}
	if urls[0] == urls[1] {
		t.Errorf("both databases are %s", urls[0])
	}
}

func TestPostgresDropsTheDatabase(t *testing.T) {
	t.Parallel()
	var gone string
	t.Run("inner", func(t *testing.T) { gone = testkit.Postgres(t) })
	if conn, err := pgx.Connect(t.Context(), gone); err == nil {
		conn.Close(t.Context())
		t.Errorf("%s is still there", gone)
	}
}
