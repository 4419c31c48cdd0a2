// Package migrations brings a database to today's schema, on SQLite and on PostgreSQL.
//
// The SQL files are the same for both: they keep to types that both take (TEXT, BIGINT, BYTEA, BOOLEAN, TIMESTAMP in
// UTC). River's own tables are made by River's migrator as the first version, so that they lie in the same history.
// Migrations go forward only. Begin with [Up]. Not for queries: those stand in the packages that own the tables.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed *.sql
var files embed.FS

// Dialect is the kind of database that is migrated.
type Dialect string

// The two databases that Antiphon runs on.
const (
	SQLite   Dialect = "sqlite"
	Postgres Dialect = "postgres"
)

// Up applies every migration that db lacks, each in its own transaction, and returns the version reached.
// Running it again changes nothing.
func Up(ctx context.Context, db *sql.DB, dialect Dialect) (int64, error) {
	gooseDialect, queue := goose.DialectSQLite3, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
		migrator, err := rivermigrate.New(riversqlite.New(nil), nil)
		if err != nil {
			return fmt.Errorf("open river's migrations: %w", err)
		}
		_, err = migrator.MigrateTx(ctx, tx, rivermigrate.DirectionUp, riverVersion())
		return err
	}}
	if dialect == Postgres {
		// River adds a value to an enum and uses it later, which PostgreSQL refuses in one transaction: here each of
		// River's migrations has its own, and River remembers how far it came.
		gooseDialect, queue = goose.DialectPostgres, &goose.GoFunc{RunDB: func(ctx context.Context, db *sql.DB) error {
			migrator, err := rivermigrate.New(riverdatabasesql.New(db), nil)
			if err != nil {
				return fmt.Errorf("open river's migrations: %w", err)
			}
			_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, riverVersion())
			return err
		}}
	}
	provider, err := goose.NewProvider(gooseDialect, db, files,
		goose.WithGoMigrations(goose.NewGoMigration(1, queue, nil)), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return 0, fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return provider.GetDBVersion(ctx)
}

// riverVersion is pinned: a newer River brings a migration of its own here.
func riverVersion() *rivermigrate.MigrateOpts { return &rivermigrate.MigrateOpts{TargetVersion: 6} }
