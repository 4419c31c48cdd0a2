package testkit

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm"
)

// Rows counts the rows of every table of a database, SQLite or PostgreSQL, so that a test can show that nothing was
// written. The queue's own housekeeping (River's leader, queues, clients) and the migrations' are left out; its jobs
// are counted.
func Rows(t testing.TB, tx *gorm.DB) map[string]int64 {
	t.Helper()
	tx = tx.WithContext(t.Context())
	tables, err := tx.Migrator().GetTables()
	if err != nil {
		t.Fatalf("list the tables: %v", err)
	}
	rows := map[string]int64{}
	for _, table := range tables {
		if strings.HasPrefix(table, "river_") && table != "river_job" || strings.HasPrefix(table, "sqlite_") || table == "goose_db_version" {
			continue
		}
		var n int64
		if err := tx.Table(table).Count(&n).Error; err != nil {
			t.Fatalf("count the rows of %s: %v", table, err)
		}
		rows[table] = n
	}
	if len(rows) == 0 {
		t.Fatal("the database has no tables: the test would see nothing")
	}
	return rows
}

// SameRows fails the test when a table has more or fewer rows than before. Tables that may differ are named.
func SameRows(t testing.TB, tx *gorm.DB, before map[string]int64, except ...string) {
	t.Helper()
	after := Rows(t, tx)
	for _, table := range slices.Sorted(maps.Keys(after)) {
		if after[table] != before[table] && !slices.Contains(except, table) {
			t.Errorf("table %s had %d rows and has %d", table, before[table], after[table])
		}
	}
}
