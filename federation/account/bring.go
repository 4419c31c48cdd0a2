package account

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
)

// The bounds of a list of follows.
const (
	MaxListBytes = 1 << 20
	maxLines     = 5000
	// bringBatch is how many accounts are looked up in one job, and bringPace the time between two such jobs.
	bringBatch = 5
	bringPace  = time.Second
	lookupTime = 20 * time.Second
)

// ErrList is returned for a file that is no list of accounts.
var ErrList = errors.New("not a list of accounts")

// The states of a line.
const (
	Waiting  = "waiting"
	Followed = "followed"
	Missed   = "missed"
)

// Import is a list of accounts that a member wants to follow.
type Import struct {
	ID        string `gorm:"primaryKey"`
	Owner     string
	Total     int64
	CreatedAt time.Time
}

// Line is one account of an Import. Words is why it was missed: notfound, blocked, self or unreachable.
type Line struct {
	Import  string `gorm:"primaryKey"`
	N       int64  `gorm:"primaryKey"`
	Address string
	State   string
	Words   string
}

// TableName is gorm's name for the table.
func (Line) TableName() string { return "import_lines" }

// bringFollows is the job that follows some accounts of a list.
type bringFollows struct {
	Import string `json:"import"`
	After  int64  `json:"after"`
	at     time.Time
}

// Kind names the job.
func (bringFollows) Kind() string { return "bring_follows" }

// Options make the job one of its kind, until a day after it has ended.
func (b bringFollows) Options() jobs.Options { return jobs.Options{Once: true, At: b.at} }

// readFollows reads the addresses of a CSV file, Mastodon's or only addresses, one on each line.
func readFollows(raw []byte) ([]string, error) {
	if len(raw) > MaxListBytes || bytes.IndexByte(raw, 0) >= 0 {
		return nil, ErrList
	}
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	in.FieldsPerRecord, in.LazyQuotes, in.TrimLeadingSpace = -1, true, true
	seen := map[string]bool{}
	var out []string
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrList, err)
		}
		address := strings.TrimPrefix(strings.TrimSpace(row[0]), "@")
		if name, host, ok := strings.Cut(address, "@"); !ok || name == "" || host == "" || len(address) > 320 || strings.ContainsAny(address, " \t/?#") {
			if len(out) == 0 && strings.EqualFold(address, "Account address") {
				continue
			}
			return nil, fmt.Errorf("%w: %.60q is not name@host", ErrList, address)
		}
		if address = strings.ToLower(address); !seen[address] {
			seen[address] = true
			out = append(out, address)
		}
		if len(out) > maxLines {
			return nil, fmt.Errorf("%w: more than %d lines", ErrList, maxLines)
		}
	}
	if len(out) == 0 {
		return nil, ErrList
	}
	return out, nil
}

// BringFollows begins to follow the accounts of a CSV file for a member.
func (s *Service) BringFollows(ctx context.Context, owner string, raw []byte) (Import, error) {
	addresses, err := readFollows(raw)
	if err != nil {
		return Import{}, err
	}
	i := Import{ID: newID(), Owner: owner, Total: int64(len(addresses)), CreatedAt: s.utc()}
	lines := make([]Line, len(addresses))
	for n, a := range addresses {
		lines[n] = Line{Import: i.ID, N: int64(n + 1), Address: a, State: Waiting}
	}
	return i, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := errors.Join(tx.Create(&i).Error, tx.CreateInBatches(lines, 500).Error); err != nil {
			return fmt.Errorf("write import: %w", err)
		}
		return s.Jobs.Insert(ctx, tx, bringFollows{Import: i.ID})
	})
}

// bringFollows follows some accounts, and leaves the rest to the next job.
func (s *Service) bringFollows(ctx context.Context, job bringFollows, _ int) error {
	var i Import
	err := s.DB.Read.WithContext(ctx).Where("id = ?", job.Import).Take(&i).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read import: %w", err)
	}
	var lines []Line
	err = s.DB.Read.WithContext(ctx).Where("import = ? AND n > ?", i.ID, job.After).Order("n").Limit(bringBatch).Find(&lines).Error
	if err != nil {
		return fmt.Errorf("read import: %w", err)
	}
	for _, line := range lines {
		if line.State != Waiting {
			continue
		}
		state, words := s.bring(ctx, i.Owner, line.Address)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		err := s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&Line{}).Where("import = ? AND n = ?", line.Import, line.N).Updates(map[string]any{"state": state, "words": words}).Error
		})
		if err != nil {
			return fmt.Errorf("write import: %w", err)
		}
	}
	if len(lines) < bringBatch {
		return nil
	}
	next := bringFollows{Import: i.ID, After: lines[len(lines)-1].N, at: time.Now().Add(bringPace)}
	return s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Jobs.Insert(ctx, tx, next) })
}

// bring follows one account and tells what came of it.
func (s *Service) bring(ctx context.Context, owner, address string) (state, words string) {
	_, host, _ := strings.Cut(address, "@")
	if blocked, err := s.Hosts.IsBlocked(ctx, host); err == nil && blocked {
		return Missed, "blocked"
	}
	limited, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	_, err := s.Outbox.Follow(limited, owner, address)
	switch {
	case err == nil:
		return Followed, ""
	case errors.Is(err, outbox.ErrSelf):
		return Missed, "self"
	case limited.Err() != nil:
		return Missed, "unreachable"
	case errors.Is(err, actor.ErrNotFound):
		return Missed, "notfound"
	}
	s.Log.Info("account of a list not followed", "address", address, "error", err)
	return Missed, "unreachable"
}

// Progress is how far an import has come.
type Progress struct {
	Import
	Followed, Missed int64
	// Failed are lines that could not be followed, at most 200 of them.
	Failed []Line
}

// Waiting is how many accounts are still to be followed.
func (p Progress) Waiting() int64 { return p.Total - p.Followed - p.Missed }

// Imports returns a member's last imports, the newest first, with how far they have come.
func (s *Service) Imports(ctx context.Context, owner string) ([]Progress, error) {
	var rows []Import
	tx := s.DB.Read.WithContext(ctx)
	if err := tx.Where("owner = ?", owner).Order("created_at DESC, id").Limit(5).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read imports: %w", err)
	}
	out := make([]Progress, len(rows))
	for n, row := range rows {
		out[n].Import = row
		for state, to := range map[string]*int64{Followed: &out[n].Followed, Missed: &out[n].Missed} {
			if err := tx.Model(&Line{}).Where("import = ? AND state = ?", row.ID, state).Count(to).Error; err != nil {
				return nil, fmt.Errorf("count import: %w", err)
			}
		}
		if err := tx.Where("import = ? AND state = ?", row.ID, Missed).Order("n").Limit(200).Find(&out[n].Failed).Error; err != nil {
			return nil, fmt.Errorf("read import: %w", err)
		}
	}
	return out, nil
}
