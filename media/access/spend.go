package access

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// errSpent answers a request whose nonce was used.
var errSpent = &Refusal{"bad-signature", "This request was sent before."}

type nonceRow struct {
	KeyID  string `gorm:"primaryKey"`
	Nonce  string `gorm:"primaryKey"`
	SeenAt time.Time
}

func (nonceRow) TableName() string { return "nonces" }

// spending is a nonce on its way to the disk.
type spending struct {
	row  nonceRow
	err  error
	done chan struct{}
}

// purse writes the nonces of requests that come at the same time in one transaction: a disk commits some hundred times
// a second, and a proxy answers more often.
type purse struct {
	mu      sync.Mutex
	waiting []*spending
	busy    bool
	write   func([]*spending) error
}

// spend records a nonce durably, or returns [errSpent].
func (p *purse) spend(row nonceRow) error {
	one := &spending{row: row, done: make(chan struct{})}
	p.mu.Lock()
	p.waiting = append(p.waiting, one)
	lead := !p.busy
	p.busy = true
	p.mu.Unlock()
	if lead {
		go p.run()
	}
	<-one.done
	return one.err
}

// run writes until nobody waits.
func (p *purse) run() {
	for {
		p.mu.Lock()
		all := p.waiting
		p.waiting = nil
		p.busy = len(all) > 0
		p.mu.Unlock()
		if len(all) == 0 {
			return
		}
		err := p.write(all)
		for _, one := range all {
			if err != nil {
				one.err = err
			}
			close(one.done)
		}
	}
}

// writeNonces records nonces in one transaction. One that was seen in the last ten minutes is spent.
func (s *Service) writeNonces(all []*spending) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for _, one := range all {
			result := tx.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "key_id"}, {Name: "nonce"}},
				Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("nonces.seen_at < ?", one.row.SeenAt.Add(-nonceLife))}},
				DoUpdates: clause.AssignmentColumns([]string{"seen_at"}),
			}).Create(&one.row)
			if result.Error != nil {
				return fmt.Errorf("write nonce: %w", result.Error)
			}
			if result.RowsAffected == 0 {
				one.err = errSpent
			}
		}
		return nil
	})
}

// tally counts what was re-encrypted, by artist, until it is written.
type tally struct {
	mu    sync.Mutex
	count map[string]int64
}

func (t *tally) add(artist string, capsules int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.count == nil {
		t.count = map[string]int64{}
	}
	t.count[artist] += int64(capsules)
}

func (t *tally) take() map[string]int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	count := t.count
	t.count = nil
	return count
}

// reencryptionRow says how often this instance helped the buyers of an artist on a day. It names no buyer.
type reencryptionRow struct {
	Day      string `gorm:"primaryKey"`
	Artist   string `gorm:"primaryKey"`
	Capsules int64
}

func (reencryptionRow) TableName() string { return "reencryptions" }

// writeTally adds what was counted to the day's row of each artist.
func (s *Service) writeTally(ctx context.Context) error {
	count := s.helped.take()
	if len(count) == 0 {
		return nil
	}
	day := s.utc().Format(time.DateOnly)
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for artist, n := range count {
			err := tx.Clauses(clause.OnConflict{
				Columns:   []clause.Column{{Name: "day"}, {Name: "artist"}},
				DoUpdates: clause.Assignments(map[string]any{"capsules": gorm.Expr("reencryptions.capsules + ?", n)}),
			}).Create(&reencryptionRow{Day: day, Artist: artist, Capsules: n}).Error
			if err != nil {
				return fmt.Errorf("count re-encryptions: %w", err)
			}
		}
		return nil
	})
}
