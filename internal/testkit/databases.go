package testkit

import (
	"path/filepath"
	"testing"
)

// OnDatabases runs a test on SQLite and on PostgreSQL, side by side. fresh returns the address of a new, empty database
// at each call.
func OnDatabases(t *testing.T, test func(t *testing.T, fresh func() string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, func() string { return filepath.Join(t.TempDir(), "antiphon.db") })
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, func() string { return Postgres(t) })
	})
}
