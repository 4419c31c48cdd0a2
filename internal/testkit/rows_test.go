package testkit_test

import (
	"fmt"
	"log/slog"
	"testing"

	"antiphon/internal/db"
	"antiphon/internal/testkit"
)

// witness takes the failures of a helper that a test expects to fail.
type witness struct {
	testing.TB
	errors []string
}

func (w *witness) Helper() {}

func (w *witness) Errorf(format string, args ...any) {
	w.errors = append(w.errors, fmt.Sprintf(format, args...))
}

func TestRows(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		d, err := db.Open(t.Context(), fresh(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
		before := testkit.Rows(t, d.Read)
		if _, ok := before["activities"]; !ok {
			t.Fatalf("the tables are %v", before)
		}
		if _, ok := before["goose_db_version"]; ok {
			t.Error("the migrations' own table is counted")
		}
		testkit.SameRows(t, d.Read, before)
		if err := d.Write.Exec("CREATE TABLE planted (id BIGINT)").Error; err != nil {
			t.Fatal(err)
		}
		if err := d.Write.Exec("INSERT INTO planted VALUES (1)").Error; err != nil {
			t.Fatal(err)
		}
		w := &witness{TB: t}
		testkit.SameRows(w, d.Read, before)
		if len(w.errors) != 1 || w.errors[0] != "table planted had 0 rows and has 1" {
			t.Errorf("a planted row gives %q", w.errors)
		}
		testkit.SameRows(t, d.Read, before, "planted")
	})
}
