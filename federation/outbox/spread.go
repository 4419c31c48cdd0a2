package outbox

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/internal/jobs"
)

const (
	// page is how many followers are looked at in one transaction, so that none holds SQLite's one writer for long, and
	// none takes memory for all of them.
	page = 250
	// maxPerHost is how many inboxes of one host get the same activity: more than that is not a server without a shared
	// inbox but somebody who wants to see us knock.
	maxPerHost = 1000
)

// spread is the job that makes the deliveries of one activity to the followers of its actor.
type spread struct {
	Activity string `json:"activity"`
	From     string `json:"from"`
	// Music leaves out servers that do not speak our vocabulary.
	Music bool `json:"music,omitempty"`
}

// Kind names the job.
func (spread) Kind() string { return "spread" }

// Options make the job one of its kind, until a day after it has ended.
func (spread) Options() jobs.Options { return jobs.Options{Once: true} }

// spread keeps one delivery for each inbox of followers elsewhere. Run again, it makes those that are missing.
func (o *Outbox) spread(ctx context.Context, s spread, _ int) error {
	var a sent
	err := o.db.Read.WithContext(ctx).Where("uri = ?", s.Activity).Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return jobs.Cancel(fmt.Errorf("activity %s is not there any more", s.Activity))
	}
	if err != nil {
		return fmt.Errorf("read activity %s: %w", s.Activity, err)
	}
	// Followers come in the order of their URIs, so those of one host stand together.
	host, boxes := "", 0
	for after := ""; ; {
		some, last, err := actor.FollowerMailboxes(ctx, o.db.Read, s.From, after, page)
		if err != nil {
			return err
		}
		if some, err = o.elsewhere(ctx, some, s.Music); err != nil {
			return err
		}
		var inboxes []string
		for _, b := range some {
			if b.Host != host {
				host, boxes = b.Host, 0
			}
			if boxes++; boxes == maxPerHost+1 {
				o.log.Warn("a host has more inboxes than one activity goes to", "host", host, "activity", s.Activity)
			}
			if boxes <= maxPerHost {
				inboxes = append(inboxes, b.Inbox)
			}
		}
		err = o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			if err := o.keep(ctx, tx, a, inboxes, false); err != nil || last != "" {
				return err
			}
			return tx.Model(&sent{}).Where("uri = ?", s.Activity).Update("spreading", false).Error
		})
		if err != nil {
			return err
		}
		if after = last; after == "" {
			return nil
		}
	}
}

// elsewhere leaves out who lives here and, for music, whose server does not read it.
func (o *Outbox) elsewhere(ctx context.Context, boxes []actor.Mailbox, music bool) ([]actor.Mailbox, error) {
	boxes = slices.DeleteFunc(boxes, func(b actor.Mailbox) bool { return b.Local })
	if !music {
		return boxes, nil
	}
	var hosts []string
	for _, b := range boxes {
		if !slices.Contains(hosts, b.Host) {
			hosts = append(hosts, b.Host)
		}
	}
	speakers, err := o.hosts.Speakers(ctx, hosts)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(boxes, func(b actor.Mailbox) bool { return !speakers[b.Host] }), nil
}
