package access

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

const (
	// sellerPatience is how long a seller's list of revocations is waited for.
	sellerPatience = 3 * time.Second
	// maxPages bounds how much of one seller's list is read at once.
	maxPages = 20
	// readers is how many sellers are asked side by side.
	readers = 8
)

// readRow is how far a seller's list was read.
type readRow struct {
	Seller string `gorm:"primaryKey"`
	Cursor string
	ReadAt time.Time
}

func (readRow) TableName() string { return "revocation_reads" }

// sellers remembers whose list was read, or tried to be read, since this process began.
type sellers struct {
	mu    sync.Mutex
	state map[string]chan struct{}
}

func newSellers() *sellers { return &sellers{state: map[string]chan struct{}{}} }

// begin returns a channel that is closed once the seller's list was tried; first says that it is for the caller to try.
func (c *sellers) begin(seller string) (done chan struct{}, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done, ok := c.state[seller]
	if !ok {
		if len(c.state) >= maxTracked {
			clear(c.state)
		}
		done = make(chan struct{})
		c.state[seller] = done
	}
	return done, !ok
}

// has reports whether the seller's list was tried already.
func (c *sellers) has(seller string) bool {
	c.mu.Lock()
	done := c.state[seller]
	c.mu.Unlock()
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// caughtUp reports whether a seller's revocations were heard of since the start; our own always are.
func (s *Service) caughtUp(seller string) bool { return seller == s.base || s.caught.has(seller) }

// catchUp reads a seller's revocations before the first re-encryption for that seller since the start: what was missed
// while this instance was down is heard of first. A seller that does not answer in time does not keep buyers from what
// is theirs.
func (s *Service) catchUp(ctx context.Context, seller string) {
	if seller == s.base {
		return
	}
	done, first := s.caught.begin(seller)
	if !first {
		select {
		case <-done:
		case <-ctx.Done():
		}
		return
	}
	defer close(done)
	// Others wait for this too: it does not end with the request that happens to be the first.
	if err := s.readSeller(context.WithoutCancel(ctx), seller); err != nil {
		s.log.Warn("revocations not read", "seller", seller, "error", err)
	}
}

// readSeller reads what a seller has revoked since the last time, and erases it here.
func (s *Service) readSeller(ctx context.Context, seller string) error {
	ctx, cancel := context.WithTimeout(ctx, sellerPatience)
	defer cancel()
	var read readRow
	err := s.db.Read.WithContext(ctx).Where("seller = ?", seller).Take(&read).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read cursor: %w", err)
	}
	read.Seller = seller
	for range maxPages {
		page, err := s.peers.Revocations(ctx, seller, read.Cursor)
		if err != nil {
			return err
		}
		if err := s.take(ctx, &read, page); err != nil {
			return err
		}
		// What was erased is said by asking from behind it.
		if len(page) == 0 {
			return nil
		}
	}
	return nil
}

// take erases what a page names and keeps how far the list was read, together.
func (s *Service) take(ctx context.Context, read *readRow, page []Revocation) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for _, r := range page {
			if err := s.bury(tx, r.Grant, "", r.Deleted.UTC()); err != nil {
				return err
			}
			read.Cursor = r.Cursor
		}
		read.ReadAt = s.utc()
		err := tx.Clauses(clause.OnConflict{UpdateAll: true}).Create(read).Error
		if err != nil {
			return fmt.Errorf("keep cursor: %w", err)
		}
		return nil
	})
}

// readSellers reads the lists of all sellers whose fragments are held here, several at a time.
func (s *Service) readSellers(ctx context.Context) error {
	var all []string
	err := s.db.Read.WithContext(ctx).Model(&heldRow{}).Where("host <> ? AND host <> ''", s.base).Distinct().Pluck("host", &all).Error
	if err != nil {
		return fmt.Errorf("list sellers: %w", err)
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, readers)
	for _, seller := range all {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			wg.Wait()
			return ctx.Err()
		}
		wg.Go(func() {
			defer func() { <-slots }()
			done, first := s.caught.begin(seller)
			if first {
				defer close(done)
			}
			if err := s.readSeller(ctx, seller); err != nil && ctx.Err() == nil {
				s.log.Warn("revocations not read", "seller", seller, "error", err)
			}
		})
	}
	wg.Wait()
	return nil
}
