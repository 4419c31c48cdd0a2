// Package db opens the database: SQLite in one file, or PostgreSQL. It knows nothing of what the tables hold.
//
// SQLite has one writer connection (BEGIN IMMEDIATE, WAL, synchronous FULL) and a pool of readers; PostgreSQL has one
// pool for both. Begin with [Open]; state changes go through [DB.Tx].
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"antiphon/migrations"
)

// ErrNested is returned when a transaction is opened inside another one: on SQLite's single writer it would wait for
// itself for ever.
var ErrNested = errors.New("a transaction is open already: use its handle")

// DB is an open, migrated database.
type DB struct {
	// Write is the handle for statements that change something; on SQLite it has one connection.
	Write *gorm.DB
	// Read sees what was committed; on SQLite it refuses to write.
	Read *gorm.DB
	// Dialect tells which database this is.
	Dialect migrations.Dialect

	changes watchers
	// group are the transactions that wait for the next shared commit.
	group Turns[*member]
}

// Open opens the database at dsn and migrates it. A dsn that begins with postgres:// or postgresql:// is PostgreSQL's;
// anything else is the path of SQLite's file.
func Open(ctx context.Context, dsn string, log *slog.Logger) (*DB, error) {
	d, err := connect(dsn)
	if err != nil {
		return nil, err
	}
	d.group.Most, d.group.Serve = maxGrouped, d.commit
	version, err := migrations.Up(ctx, d.SQL(), d.Dialect)
	if err == nil {
		err = d.watchTables()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	log.Info("database open", "dialect", d.Dialect, "schema", version)
	return d, nil
}

func connect(dsn string) (*DB, error) {
	config := &gorm.Config{
		Logger:         logger.Discard,
		NowFunc:        func() time.Time { return time.Now().UTC() },
		TranslateError: true,
		// Statements are prepared only where many transactions share a commit.
		PrepareStmtMaxSize: 200,
	}
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		g, err := gorm.Open(postgres.Open(dsn), config)
		if err != nil {
			return nil, fmt.Errorf("open postgresql: %w", err)
		}
		pool, err := g.DB()
		if err != nil {
			return nil, fmt.Errorf("open postgresql: %w", err)
		}
		pool.SetMaxOpenConns(16)
		return &DB{Write: g, Read: g, Dialect: migrations.Postgres}, nil
	}
	write, err := openSQLite(dsn, config, 1, "_txlock=immediate", "_pragma=cache_size(-16000)")
	if err != nil {
		return nil, err
	}
	read, err := openSQLite(dsn, config, 4, "_pragma=query_only(1)")
	if err != nil {
		return nil, err
	}
	return &DB{Write: write, Read: read, Dialect: migrations.SQLite}, nil
}

func openSQLite(path string, config *gorm.Config, conns int, options ...string) (*gorm.DB, error) {
	pragmas := []string{
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)", "_pragma=busy_timeout(10000)",
	}
	own := *config // gorm writes the pool into it
	g, err := gorm.Open(sqlite.Open("file:"+(&url.URL{Path: path}).EscapedPath()+"?"+strings.Join(append(pragmas, options...), "&")), &own)
	if err != nil {
		return nil, fmt.Errorf("open sqlite %s: %w", path, err)
	}
	pool, err := g.DB()
	if err != nil {
		return nil, fmt.Errorf("open sqlite %s: %w", path, err)
	}
	pool.SetMaxOpenConns(conns)
	return g, nil
}

// SQL is the writing pool under gorm, for the job queue and the migrations.
func (d *DB) SQL() *sql.DB {
	pool, err := d.Write.DB()
	if err != nil {
		// gorm.Open has returned this pool once already.
		panic(fmt.Sprintf("gorm lost its pool: %v", err))
	}
	return pool
}

type txKey struct{}

// Tx runs fn in one transaction and commits it when fn returns nil. Inside fn only the handle tx may be used; ctx, as
// given to fn, refuses a second transaction with [ErrNested].
func (d *DB) Tx(ctx context.Context, fn func(ctx context.Context, tx *gorm.DB) error) error {
	if ctx.Value(txKey{}) != nil {
		return ErrNested
	}
	if ctx.Value(groupKey{}) != nil {
		return d.join(ctx, fn)
	}
	changed := &pending{keys: map[string]bool{}}
	ctx = context.WithValue(ctx, txKey{}, changed)
	if err := d.Write.WithContext(ctx).Transaction(func(tx *gorm.DB) error { return fn(ctx, tx) }); err != nil {
		return err
	}
	d.changes.tell(changed.list())
	return nil
}

// Close closes the pools.
func (d *DB) Close() error {
	err := d.SQL().Close()
	if d.Read != d.Write {
		pool, e := d.Read.DB()
		if e == nil {
			e = pool.Close()
		}
		err = errors.Join(err, e)
	}
	return err
}
