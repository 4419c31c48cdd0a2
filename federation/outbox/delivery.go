package outbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/vocab"
)

// The states of a delivery. Waiting ones are taken up when they are due and the host has room; held ones wait for their
// host to be back; the last two are ends.
const (
	waiting   = "waiting"
	claimed   = "claimed"
	held      = "held"
	delivered = "taken"
	dropped   = "dropped"
)

// delivery is one activity for one inbox.
type delivery struct {
	// ID is a digest of Activity and Inbox, and so the key that keeps an inbox from getting an activity twice.
	ID       string `gorm:"primaryKey"`
	Seq      int64
	Activity string
	// Inbox is the URI of an actor while it is Unresolved: one whose inbox is not known here yet.
	Inbox      string
	Unresolved bool
	Host       string
	// Subject is what the activity is about: an inbox gets what is about one subject in the order of Seq.
	Subject  string
	State    string
	Attempts int64
	// DueAt is in milliseconds since 1970: when to take it up, and once it is claimed when the claim ends.
	DueAt int64
	// Error is why it is not taken yet, or was given up.
	Error     string
	CreatedAt time.Time
	EndedAt   *time.Time
}

// keep stores deliveries of an activity to these inboxes in tx, or to actors that are not known. What is there already
// stays as it is, and nothing is stored for hosts that are gone.
func (o *Outbox) keep(ctx context.Context, tx *gorm.DB, a sent, inboxes []string, unresolved bool) error {
	if len(inboxes) == 0 {
		return nil
	}
	hosts := make([]string, len(inboxes))
	for i, inbox := range inboxes {
		hosts[i] = discover.Normalize(actor.HostOf(inbox))
	}
	gone, err := discover.GoneHosts(ctx, tx, slices.Compact(slices.Sorted(slices.Values(hosts))))
	if err != nil {
		return err
	}
	now := o.now()
	rows := make([]delivery, 0, len(inboxes))
	for i, inbox := range inboxes {
		if hosts[i] == "" || gone[hosts[i]] {
			continue
		}
		rows = append(rows, delivery{
			ID: digest(a.URI, inbox), Seq: a.Seq, Activity: a.URI, Inbox: inbox, Unresolved: unresolved, Host: hosts[i],
			Subject: a.Subject, State: waiting, DueAt: now.UnixMilli(), CreatedAt: now.UTC().Truncate(time.Second),
		})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.WithContext(ctx).Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(&rows, 200).Error; err != nil {
		return fmt.Errorf("store deliveries of %s: %w", a.URI, err)
	}
	o.dispatcher.soon()
	return nil
}

// subjectOf names what an activity is about. Two activities about one thing have the same subject.
func subjectOf(a vocab.Activity) string {
	subject := a.ID
	switch a.Type {
	case vocab.VerbCreate, vocab.VerbUpdate, vocab.VerbDelete, vocab.VerbUndo:
		subject = a.Object.ID
	case vocab.VerbAdd, vocab.VerbRemove:
		subject = a.Target.ID
	}
	if subject == "" {
		return a.ID
	}
	return subject
}

// outcome is how one attempt ended.
type outcome struct {
	delivery delivery
	// state is the next one; due is when, if that is waiting.
	state    string
	due      time.Time
	attempts int64
	err      error
	// inbox is set when the attempt was to find where the recipient's inbox is.
	inbox string
	// fallen says that the host is not to be tried again for now.
	fallen bool
}

// record writes outcomes in tx. One that was recorded before changes nothing.
func (o *Outbox) record(ctx context.Context, tx *gorm.DB, outcomes []outcome) error {
	tx = tx.WithContext(ctx)
	now := o.utc()
	var done []string
	for _, out := range outcomes {
		if out.state == delivered {
			done = append(done, out.delivery.ID)
			continue
		}
		if out.inbox != "" {
			if err := o.resolve(tx, out.delivery, out.inbox); err != nil {
				return err
			}
			continue
		}
		change := map[string]any{"state": out.state, "due_at": out.due.UnixMilli(), "attempts": out.attempts, "error": errorText(out.err)}
		if out.state == dropped {
			change["ended_at"] = now
		}
		if err := claimedRows(tx, []string{out.delivery.ID}).Updates(change).Error; err != nil {
			return fmt.Errorf("write delivery of %s to %s: %w", out.delivery.Activity, out.delivery.Inbox, err)
		}
	}
	if len(done) == 0 {
		return nil
	}
	err := claimedRows(tx, done).Updates(map[string]any{"state": delivered, "error": "", "ended_at": now}).Error
	if err != nil {
		return fmt.Errorf("write deliveries: %w", err)
	}
	return nil
}

func claimedRows(tx *gorm.DB, ids []string) *gorm.DB {
	return tx.Model(&delivery{}).Where("id IN ? AND state = ?", ids, claimed)
}

// resolve puts the inbox that was found into all that waits for this recipient, so that their order stays what it was.
func (o *Outbox) resolve(tx *gorm.DB, d delivery, inbox string) error {
	var rows []delivery
	if err := tx.Where("ended_at IS NULL AND inbox = ? AND unresolved", d.Inbox).Order("seq").Limit(1000).Find(&rows).Error; err != nil {
		return fmt.Errorf("read deliveries to %s: %w", d.Inbox, err)
	}
	for _, row := range rows {
		id := digest(row.Activity, inbox)
		var n int64
		if err := tx.Model(&delivery{}).Where("id = ?", id).Count(&n).Error; err != nil {
			return fmt.Errorf("read delivery of %s: %w", row.Activity, err)
		}
		change := map[string]any{
			"id": id, "inbox": inbox, "unresolved": false, "host": discover.Normalize(actor.HostOf(inbox)), "state": waiting, "due_at": o.now().UnixMilli(),
		}
		if n > 0 {
			change = map[string]any{"state": dropped, "error": "the same inbox gets it for another recipient", "ended_at": o.utc()}
		}
		if err := tx.Model(&delivery{}).Where("id = ?", row.ID).Updates(change).Error; err != nil {
			return fmt.Errorf("write delivery of %s: %w", row.Activity, err)
		}
	}
	return nil
}

// maxError bounds what is kept of an error.
const maxError = 300

func errorText(err error) string {
	if err == nil {
		return ""
	}
	text := strings.ToValidUTF8(err.Error(), "")
	return strings.ToValidUTF8(text[:min(len(text), maxError)], "")
}
