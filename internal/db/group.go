package db

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"gorm.io/gorm"

	"antiphon/migrations"
)

// maxGrouped is how many transactions share one commit at most.
const maxGrouped = 64

type groupKey struct{}

// Grouped returns a context with which [DB.Tx] shares its commit with others that wait at the same time: what a commit costs
// is the disk's turn, and one turn serves many. Each still happens as a whole or not at all, without its neighbors, and Tx
// still returns after the commit. A statement that fails must end its transaction, as ever.
func Grouped(ctx context.Context) context.Context { return context.WithValue(ctx, groupKey{}, true) }

type member struct {
	ctx  context.Context
	fn   func(ctx context.Context, tx *gorm.DB) error
	err  error
	done chan struct{}
	// changed is what fn has changed.
	changed *pending
}

// join waits until fn has been committed, or has failed.
func (d *DB) join(ctx context.Context, fn func(ctx context.Context, tx *gorm.DB) error) error {
	m := &member{ctx: ctx, fn: fn, done: make(chan struct{}), changed: &pending{keys: map[string]bool{}}}
	d.group.Join(m)
	<-m.done
	return m.err
}

// commit runs the members in one transaction, each behind a savepoint, and tells them.
func (d *DB) commit(members []*member) {
	// SQLite reads the text of every statement anew, unless it is prepared; PostgreSQL's driver prepares by itself.
	err := d.Write.Session(&gorm.Session{PrepareStmt: d.Dialect == migrations.SQLite}).Transaction(func(tx *gorm.DB) error {
		for _, m := range members {
			if err := tx.Exec("SAVEPOINT grouped").Error; err != nil {
				return fmt.Errorf("set savepoint: %w", err)
			}
			m.err = m.run(tx)
			end := "RELEASE SAVEPOINT grouped"
			if m.err != nil {
				end = "ROLLBACK TO SAVEPOINT grouped"
			}
			if err := tx.Exec(end).Error; err != nil {
				return errors.Join(fmt.Errorf("end savepoint: %w", err), m.err)
			}
		}
		return nil
	})
	for _, m := range members {
		if err != nil && m.err == nil {
			m.err = fmt.Errorf("shared transaction: %w", err)
		}
		if m.err == nil {
			d.changes.tell(m.changed.list())
		}
		close(m.done)
	}
}

// run keeps a panic from ending the process: it was somebody else's goroutine that asked. The end of a member's context
// is not told to the database, which would end the transaction of all.
func (m *member) run(tx *gorm.DB) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic in a transaction: %v\n%s", cause, debug.Stack())
		}
	}()
	if err := m.ctx.Err(); err != nil {
		return err
	}
	ctx := context.WithValue(context.WithoutCancel(m.ctx), txKey{}, m.changed)
	return m.fn(ctx, tx.WithContext(ctx))
}
