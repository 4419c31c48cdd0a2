package outbox

import (
	"context"
	"slices"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/jobs"
)

// batch is how many deliveries are queued in one transaction, so that none holds SQLite's one writer for long.
const batch = 50

// spread is the job that makes the deliveries of one activity to the followers of its actor.
type spread struct {
	Activity string `json:"activity"`
	From     string `json:"from"`
	// Music leaves out servers that do not speak our vocabulary.
	Music bool `json:"music,omitempty"`
}

// Kind names the job.
func (spread) Kind() string { return "spread" }

// Options make the job one of its kind for ever.
func (spread) Options() jobs.Options { return jobs.Options{Once: true} }

// spread queues one delivery for each inbox of followers elsewhere. Run again, it makes those that are missing.
func (o *Outbox) spread(ctx context.Context, s spread, _ int) error {
	boxes, err := actor.FollowerMailboxes(ctx, o.db.Read, s.From)
	if err != nil {
		return err
	}
	boxes = slices.DeleteFunc(boxes, func(b actor.Mailbox) bool { return b.Local })
	if s.Music {
		hosts := make([]string, len(boxes))
		for i, b := range boxes {
			hosts[i] = b.Host
		}
		speakers, err := o.hosts.Speakers(ctx, hosts)
		if err != nil {
			return err
		}
		boxes = slices.DeleteFunc(boxes, func(b actor.Mailbox) bool { return !speakers[b.Host] })
	}
	for some := range slices.Chunk(boxes, batch) {
		err := o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			for _, b := range some {
				if err := o.jobs.Insert(ctx, tx, delivery{Activity: s.Activity, From: s.From, Inbox: b.Inbox}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
