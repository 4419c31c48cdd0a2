// Package moderation is what an instance's admins and members do against what they do not want: policies about hosts and
// accounts with their lists, reports in both directions, takedowns of tracks, members' own blocks and mutes, and the
// record of every admin's act.
//
// What is decided here is written in one transaction with the record and with the jobs that carry it out. It is not where
// a policy is asked for: that is discover.Hosts, in memory, at every door. The package logs nobody in and draws no pages.
//
// Begin with New, then Service.Register; the inbox records what it received with TakeFlag.
package moderation

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/outbox"
	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/media"
)

// ErrNotFound is returned for what is not there, or not whom it was asked for.
var ErrNotFound = errors.New("no such report, list or account")

// ErrReason is returned for an act of an admin without a reason, or with one of more than 2,000 characters.
var ErrReason = errors.New("an act needs a reason of 1 to 2,000 characters")

// maxWords is how many characters a reason, a note or the words of a report may have.
const maxWords = 2000

// Tracks takes tracks down; *media.Service is one.
type Tracks interface {
	Remove(ctx context.Context, id media.TrackID, also func(ctx context.Context, tx *gorm.DB, t media.Track) error) error
	Restore(ctx context.Context, id media.TrackID, also func(ctx context.Context, tx *gorm.DB, t media.Track) error) error
	Drop(ctx context.Context, track string) error
}

// Parts are what the room is joined with.
type Parts struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	DB      *db.DB
	Jobs    *jobs.Queue
	Actors  *actor.Registry
	Hosts   *discover.Hosts
	Outbox  *outbox.Outbox
	// Tracks may be nil where no track is taken down.
	Tracks Tracks
	Log    *slog.Logger
	Now    func() time.Time
}

// Service is safe for concurrent use.
type Service struct{ Parts }

// New makes the room.
func New(p Parts) *Service { return &Service{p} }

// Register registers the jobs of this room.
func (s *Service) Register(q *jobs.Queue) {
	jobs.Handle(q, jobs.Handler[sever]{Work: s.sever, Timeout: time.Minute})
	jobs.Handle(q, jobs.Handler[dropBlocks]{
		Work:    func(ctx context.Context, job dropBlocks, _ int) error { return s.Tracks.Drop(ctx, job.Track) },
		Timeout: 10 * time.Minute,
	})
}

func (s *Service) utc() time.Time { return s.Now().UTC().Truncate(time.Second) }

func newID() string { return strings.ToLower(rand.Text()) }

// reason checks why an admin does something.
func reason(text string) (string, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, ""))
	if text == "" || len([]rune(text)) > maxWords {
		return "", ErrReason
	}
	return text, nil
}

// short cuts text to n characters.
func short(text string, n int) string {
	runes := []rune(strings.TrimSpace(strings.ToValidUTF8(text, "")))
	return string(runes[:min(len(runes), n)])
}

// Act is one act of an admin. Acts are only ever added.
type Act struct {
	ID string `gorm:"primaryKey"`
	// Who did it: an account's name.
	Who string
	// Act is what was done, in one word such as "suspend"; Subject to whom or what.
	Act, Subject, Why string
	CreatedAt         time.Time
}

// TableName is gorm's name for the table.
func (Act) TableName() string { return "audit" }

// Record writes down what an admin did, inside the transaction that does it.
func Record(ctx context.Context, tx *gorm.DB, who, act, subject, why string, now time.Time) error {
	row := Act{ID: newID(), Who: who, Act: act, Subject: short(subject, 500), Why: short(why, maxWords), CreatedAt: now.UTC()}
	if err := tx.WithContext(ctx).Create(&row).Error; err != nil {
		return fmt.Errorf("record what %s did: %w", who, err)
	}
	return nil
}

// Acts returns what admins did, the last first, and how many acts there are in all.
func Acts(ctx context.Context, tx *gorm.DB, offset, limit int) ([]Act, int64, error) {
	var total int64
	if err := tx.WithContext(ctx).Model(&Act{}).Count(&total).Error; err != nil {
		return nil, 0, fmt.Errorf("count acts: %w", err)
	}
	var rows []Act
	err := tx.WithContext(ctx).Order("created_at DESC, id").Offset(offset).Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, 0, fmt.Errorf("read acts: %w", err)
	}
	return rows, total, nil
}
