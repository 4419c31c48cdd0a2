package pool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/jobs"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/pseudonym"
	"antiphon/payments/royalty"
)

// The states of a batch. An open one takes payments; a closed one is on its way to the ledger and is posted there.
const (
	batchOpen   = "open"
	batchClosed = "closed"
	batchPosted = "posted"
)

type batchRow struct {
	ID        string `gorm:"primaryKey"`
	State     string
	Lines     int
	CreatedAt time.Time
}

func (batchRow) TableName() string { return "pool_batches" }

// postBatch: payments are gathered in a batch; they are to be posted to the ledger.
type postBatch struct {
	Batch string `json:"batch"`
	// gather is not stored.
	gather time.Duration
}

// Kind names the job.
func (postBatch) Kind() string { return "post_pool_payments" }

// Options give payments that come at the same time the time to come together.
func (p postBatch) Options() jobs.Options { return jobs.Options{After: p.gather, MaxAttempts: 100} }

// Register registers this room's jobs.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[postBatch]{
		Work:  func(ctx context.Context, job postBatch, _ int) error { return s.post(ctx, job.Batch) },
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
	jobs.Handle(q, jobs.Handler[postReversal]{
		Work:  func(ctx context.Context, job postReversal, _ int) error { return s.reverse(ctx, job) },
		Retry: func(attempt int) time.Duration { return min(time.Second<<min(attempt, 12), time.Hour) },
	})
}

// batch is one that takes a payment, inside tx: its job, which posts it, commits with the first payment.
func (s *Service) batch(ctx context.Context, tx *gorm.DB) (string, error) {
	var row batchRow
	err := tx.Where("state = ? AND lines < ?", batchOpen, contract.MaxLines).Order("created_at, id").Take(&row).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return "", fmt.Errorf("look up batch: %w", err)
	}
	if err == nil {
		taken := tx.Model(&batchRow{}).Where("id = ? AND state = ? AND lines < ?", row.ID, batchOpen, contract.MaxLines).
			Update("lines", gorm.Expr("lines + 1"))
		if taken.Error != nil || taken.RowsAffected == 1 {
			return row.ID, taken.Error
		}
	}
	row = batchRow{ID: newID(), State: batchOpen, Lines: 1, CreatedAt: s.utc()}
	if err := tx.Create(&row).Error; err != nil {
		return "", fmt.Errorf("write batch: %w", err)
	}
	return row.ID, s.Jobs.Insert(ctx, tx, postBatch{Batch: row.ID, gather: s.config.Gather})
}

// post posts the payments of a batch to the ledger, each once: killed anywhere and run again, it finds what stands there
// already.
func (s *Service) post(ctx context.Context, id string) error {
	err := s.DB.Write.WithContext(ctx).Model(&batchRow{}).Where("id = ? AND state = ?", id, batchOpen).Update("state", batchClosed).Error
	if err != nil {
		return fmt.Errorf("close batch: %w", err)
	}
	var rows []Payment
	err = s.DB.Read.WithContext(ctx).Where("batch = ? AND state = ? AND posted_at IS NULL", id, Counted).Find(&rows).Error
	if err != nil {
		return fmt.Errorf("read batch %s: %w", id, err)
	}
	lines, err := s.lines(ctx, rows)
	if err != nil {
		return err
	}
	if lines, err = s.missing(ctx, lines); err != nil {
		return err
	}
	if lines, err = s.inTime(ctx, rows, lines); err != nil {
		return err
	}
	if len(lines) > 0 {
		if err := s.submit(ctx, lines); err != nil {
			return fmt.Errorf("post batch %s: %w", id, err)
		}
	}
	return s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		err := tx.Model(&Payment{}).Where("batch = ? AND state = ? AND posted_at IS NULL", id, Counted).Update("posted_at", s.utc()).Error
		if err != nil {
			return fmt.Errorf("note batch %s: %w", id, err)
		}
		return tx.Model(&batchRow{}).Where("id = ?", id).Update("state", batchPosted).Error
	})
}

// inTime leaves out the lines of payments for months that the ledger has closed, because this instance was down for days:
// they become credit, and pay for the month that is now.
func (s *Service) inTime(ctx context.Context, rows []Payment, lines []contract.Subscription) ([]contract.Subscription, error) {
	now := s.utc()
	closed := func(line contract.Subscription) bool { return !now.Before(line.Month.Next().Start().Add(Grace)) }
	late := map[string]bool{}
	for _, line := range lines {
		if closed(line) {
			late[line.PaymentHash] = true
		}
	}
	if len(late) == 0 {
		return lines, nil
	}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, p := range rows {
			if !late[p.Hash] {
				continue
			}
			err := tx.Model(&Payment{}).Where("hash = ? AND state = ? AND posted_at IS NULL", p.Hash, Counted).
				Updates(map[string]any{"state": Credit, "month": "", "batch": ""}).Error
			if err != nil {
				return fmt.Errorf("keep late payment: %w", err)
			}
			err = s.say(ctx, tx, p.Listener, fmt.Sprintf("This server was down when %s closed, so your payment could not be counted for it. It pays for the next month instead.", words(p.Month)))
			if err != nil {
				return err
			}
		}
		return nil
	})
	return slices.DeleteFunc(lines, closed), err
}

// lines are payments as the ledger has them, in the order of month and pseudonym, which tells nothing of who came when.
func (s *Service) lines(ctx context.Context, rows []Payment) ([]contract.Subscription, error) {
	lines := make([]contract.Subscription, 0, len(rows))
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		keys := map[royalty.Month]pseudonym.Key{}
		for _, p := range rows {
			key, known := keys[p.Month]
			if !known {
				var err error
				if key, err = s.Pseudonyms.Key(ctx, tx, p.Month); err != nil {
					return err
				}
				keys[p.Month] = key
			}
			lines = append(lines, contract.Subscription{
				Pseudonym: key.Of(p.Listener), Month: p.Month, Micro: royalty.Fee, Paid: p.Amount(), Provider: p.Provider, PaymentHash: p.Hash,
			})
		}
		return nil
	})
	slices.SortFunc(lines, func(a, b contract.Subscription) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.Pseudonym, b.Pseudonym))
	})
	return lines, err
}

// missing are the lines that do not stand on the ledger yet.
func (s *Service) missing(ctx context.Context, lines []contract.Subscription) ([]contract.Subscription, error) {
	var left []contract.Subscription
	for _, line := range lines {
		stands, err := contract.Subscribed(ctx, s.Ledger, line.Month, line.Pseudonym)
		switch {
		case errors.Is(err, contract.ErrUnknown):
			left = append(left, line)
		case err != nil:
			return nil, fmt.Errorf("look at the ledger: %w", err)
		case stands != line.PaymentHash:
			return nil, fmt.Errorf("a payment for %s stands on the ledger as another one", line.Month)
		}
	}
	return left, nil
}

// submit posts lines, and makes sure before that the ledger knows this instance.
func (s *Service) submit(ctx context.Context, lines []contract.Subscription) error {
	_, err := contract.NodeAt(ctx, s.Ledger, s.config.Host)
	if errors.Is(err, contract.ErrUnknown) {
		err = s.introduce(ctx, lines[0].Month)
	}
	if err != nil {
		return err
	}
	return s.Ledger.Submit(ctx, contract.Subscriptions{Node: s.config.Host, Lines: lines})
}

// introduce writes this instance on the ledger, with the default policy where there is none. On a ledger of several
// instances that is for their operator to do.
func (s *Service) introduce(ctx context.Context, month royalty.Month) error {
	_, err := contract.PolicyFor(ctx, s.Ledger, month)
	if errors.Is(err, contract.ErrUnknown) {
		err = s.Ledger.Submit(ctx, contract.DefaultPolicy(month))
	}
	if err == nil {
		err = s.Ledger.Submit(ctx, contract.Node{Host: s.config.Host, Caller: s.config.Caller, Owner: contract.Digest("owner", s.config.BaseURL)})
	}
	if errors.Is(err, contract.ErrCaller) {
		return fmt.Errorf("the operator of the ledger has to admit %s to it, as node, with the caller %s: %w", s.config.Host, s.config.Caller, err)
	}
	return err
}

// Posted reports whether a listener's payment for a month stands on the ledger.
func (s *Service) Posted(ctx context.Context, listener string, month royalty.Month) (bool, error) {
	var n int64
	err := s.DB.Read.WithContext(ctx).Model(&Payment{}).
		Where("listener = ? AND month = ? AND state = ? AND posted_at IS NOT NULL", listener, month, Counted).Count(&n).Error
	if err != nil {
		return false, fmt.Errorf("look up payment: %w", err)
	}
	return n > 0, nil
}

// Member is who has paid for a month.
type Member struct {
	// Listener is the URI of the actor, Pseudonym what stands for it on the ledger and in reports.
	Listener, Pseudonym string
	Payment             Payment
}

// memberPage is how many members are read at once.
const memberPage = 500

// Members calls yield with everybody whose payment for a month counts, in the order of their URIs. An error of yield ends
// it and is returned.
func (s *Service) Members(ctx context.Context, month royalty.Month, yield func(Member) error) error {
	var key pseudonym.Key
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		key, err = s.Pseudonyms.Key(ctx, tx, month)
		return err
	})
	if err != nil {
		return err
	}
	for after := ""; ; {
		var rows []Payment
		err := s.DB.Read.WithContext(ctx).Where("month = ? AND state = ? AND listener > ?", month, Counted, after).
			Order("listener").Limit(memberPage).Find(&rows).Error
		if err != nil {
			return fmt.Errorf("read members of %s: %w", month, err)
		}
		for _, p := range rows {
			if err := yield(Member{Listener: p.Listener, Pseudonym: key.Of(p.Listener), Payment: p}); err != nil {
				return err
			}
		}
		if len(rows) < memberPage {
			return nil
		}
		after = rows[len(rows)-1].Listener
	}
}
