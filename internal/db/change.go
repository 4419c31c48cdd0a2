package db

import (
	"context"
	"sync"

	"gorm.io/gorm"
)

// watchers are told what was changed by this process.
type watchers struct {
	mu  sync.RWMutex
	fns []func(key string)
}

func (w *watchers) tell(keys []string) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	for _, fn := range w.fns {
		for _, key := range keys {
			fn(key)
		}
	}
}

// OnChange has fn called after each commit of this process, once for every table that was written through gorm and
// every key that was given to [Touch]. It is called with a lock held and must return at once. What other processes
// change is not told.
func (d *DB) OnChange(fn func(key string)) {
	d.changes.mu.Lock()
	defer d.changes.mu.Unlock()
	d.changes.fns = append(d.changes.fns, fn)
}

// pending are the changes of an open transaction.
type pending struct {
	mu   sync.Mutex
	keys map[string]bool
}

func (p *pending) add(keys ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, key := range keys {
		p.keys[key] = true
	}
}

func (p *pending) list() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]string, 0, len(p.keys))
	for key := range p.keys {
		out = append(out, key)
	}
	return out
}

// Touch notes inside a transaction that something changed which has a name of its own, such as a URI. Those who watch
// are told when the transaction commits, and not at all when it does not. Outside of [DB.Tx] it does nothing.
func Touch(ctx context.Context, keys ...string) {
	if p, ok := ctx.Value(txKey{}).(*pending); ok {
		p.add(keys...)
	}
}

// watchTables notes the tables that statements write to.
func (d *DB) watchTables() error {
	note := func(tx *gorm.DB) {
		if tx.Error != nil || tx.Statement.Table == "" || tx.Statement.Context == nil {
			return
		}
		if p, ok := tx.Statement.Context.Value(txKey{}).(*pending); ok {
			p.add(tx.Statement.Table)
			return
		}
		d.changes.tell([]string{tx.Statement.Table})
	}
	const committed, name = "gorm:commit_or_rollback_transaction", "antiphon:changed"
	callbacks := d.Write.Callback()
	if err := callbacks.Create().After(committed).Register(name, note); err != nil {
		return err
	}
	if err := callbacks.Update().After(committed).Register(name, note); err != nil {
		return err
	}
	return callbacks.Delete().After(committed).Register(name, note)
}
