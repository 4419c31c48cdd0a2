package actor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// The states of a follow.
const (
	Pending  = "pending"
	Accepted = "accepted"
)

// Follow says that one actor follows, or asks to follow, another.
type Follow struct {
	Follower string `gorm:"primaryKey"`
	Followed string `gorm:"primaryKey"`
	// URI is the Follow activity that asked for it last.
	URI string
	// State is Pending or Accepted.
	State     string
	CreatedAt time.Time
}

// SetFollow writes a follow, or renews the URI and state of one that is there. An accepted one does not become pending
// again.
func SetFollow(ctx context.Context, tx *gorm.DB, f Follow) error {
	change := map[string]any{"uri": f.URI}
	if f.State == Accepted {
		change["state"] = Accepted
	}
	err := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "follower"}, {Name: "followed"}}, DoUpdates: clause.Assignments(change),
	}).Create(&f).Error
	if err != nil {
		return fmt.Errorf("write follow of %s by %s: %w", f.Followed, f.Follower, err)
	}
	return nil
}

// FollowOf returns the follow of one actor by another, or ErrNotFound.
func FollowOf(ctx context.Context, tx *gorm.DB, follower, followed string) (Follow, error) {
	return oneFollow(tx.WithContext(ctx).Where("follower = ? AND followed = ?", follower, followed))
}

// FollowByURI returns the follow that an activity asked for, or ErrNotFound.
func FollowByURI(ctx context.Context, tx *gorm.DB, uri string) (Follow, error) {
	return oneFollow(tx.WithContext(ctx).Where("uri = ?", uri))
}

func oneFollow(q *gorm.DB) (Follow, error) {
	var f Follow
	err := q.Take(&f).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return f, fmt.Errorf("follow: %w", ErrNotFound)
	}
	if err != nil {
		return f, fmt.Errorf("read follow: %w", err)
	}
	return f, nil
}

// DropFollow ends the follow of one actor by another; one that is not there is no error.
func DropFollow(ctx context.Context, tx *gorm.DB, follower, followed string) error {
	err := tx.WithContext(ctx).Where("follower = ? AND followed = ?", follower, followed).Delete(&Follow{}).Error
	if err != nil {
		return fmt.Errorf("end follow of %s by %s: %w", followed, follower, err)
	}
	return nil
}

// FollowedHere reports whether a local actor follows uri or has asked to: deliveries overtake one another, and what the
// actor sends to its new follower may be here before the Accept.
func FollowedHere(ctx context.Context, tx *gorm.DB, uri string) (bool, error) {
	var n int64
	err := tx.WithContext(ctx).Model(&Follow{}).Joins("JOIN actors ON actors.uri = follows.follower AND actors.local").
		Where("follows.followed = ?", uri).Limit(1).Count(&n).Error
	if err != nil {
		return false, fmt.Errorf("read follows of %s: %w", uri, err)
	}
	return n > 0, nil
}

// Mailbox is where a message to one or several followers goes.
type Mailbox struct {
	// Inbox is the shared one where there is one.
	Inbox, Host string
	Local       bool
}

// FollowerMailboxes returns where up to limit followers of uri get what is for all of them, in the order of the
// followers' URIs, beginning after the given one, and the last of these followers: empty when there are no more. The
// same inbox may come again.
func FollowerMailboxes(ctx context.Context, tx *gorm.DB, uri, after string, limit int) (boxes []Mailbox, last string, err error) {
	var rows []struct {
		Follower string
		Mailbox
	}
	err = tx.WithContext(ctx).Model(&Follow{}).Joins("JOIN actors ON actors.uri = follows.follower").
		Where("follows.followed = ? AND follows.follower > ? AND follows.state = ?", uri, after, Accepted).
		Order("follows.follower").Limit(limit).
		Select("follows.follower, CASE WHEN actors.shared_inbox <> '' THEN actors.shared_inbox ELSE actors.inbox END AS inbox, actors.host, actors.local").
		Scan(&rows).Error
	if err != nil {
		return nil, "", fmt.Errorf("read inboxes of followers of %s: %w", uri, err)
	}
	for _, r := range rows {
		if n := len(boxes); n == 0 || boxes[n-1] != r.Mailbox {
			boxes = append(boxes, r.Mailbox)
		}
		last = r.Follower
	}
	if len(rows) < limit {
		last = ""
	}
	return boxes, last, nil
}

// DropInbox ends every follow by an actor whose own inbox is gone.
func DropInbox(ctx context.Context, tx *gorm.DB, inbox string) error {
	err := tx.WithContext(ctx).Where("follower IN (SELECT uri FROM actors WHERE inbox = ? AND NOT local)", inbox).Delete(&Follow{}).Error
	if err != nil {
		return fmt.Errorf("drop followers at %s: %w", inbox, err)
	}
	return nil
}

// MailboxesOf returns where each of these actors gets messages, by URI; who is not known yet is missing.
func MailboxesOf(ctx context.Context, tx *gorm.DB, uris []string) (map[string]Addresses, error) {
	out := map[string]Addresses{}
	if len(uris) == 0 {
		return out, nil
	}
	var rows []row
	err := tx.WithContext(ctx).Select("uri", "inbox", "shared_inbox").Where("uri IN ?", uris).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read inboxes: %w", err)
	}
	for _, r := range rows {
		out[r.URI] = Addresses{Inbox: r.Inbox, SharedInbox: r.SharedInbox}
	}
	return out, nil
}

// Addresses are the inboxes of one actor; SharedInbox may be empty.
type Addresses struct{ Inbox, SharedInbox string }

// DropFollowsWithHost ends every follow between an actor and actors of a host and of all below it.
func DropFollowsWithHost(ctx context.Context, tx *gorm.DB, uri, host string) error {
	there := ofHost(tx.WithContext(ctx).Model(&row{}).Select("uri"), host)
	err := tx.WithContext(ctx).Where("follower = ? AND followed IN (?) OR followed = ? AND follower IN (?)", uri, there, uri, there).
		Delete(&Follow{}).Error
	if err != nil {
		return fmt.Errorf("end follows of %s with %s: %w", uri, host, err)
	}
	return nil
}

// DropFollows ends every follow by these actors, and every follow of them.
func DropFollows(ctx context.Context, tx *gorm.DB, uris []string) error {
	err := tx.WithContext(ctx).Where("follower IN ? OR followed IN ?", uris, uris).Delete(&Follow{}).Error
	if err != nil {
		return fmt.Errorf("end follows: %w", err)
	}
	return nil
}

// LocalFollowers returns the local actors that follow uri or have asked to, by their URIs, at most limit after after.
func LocalFollowers(ctx context.Context, tx *gorm.DB, uri, after string, limit int) ([]string, error) {
	var out []string
	err := tx.WithContext(ctx).Model(&Follow{}).Joins("JOIN actors ON actors.uri = follows.follower AND actors.local").
		Where("follows.followed = ? AND follows.follower > ?", uri, after).Order("follows.follower").Limit(limit).Pluck("follows.follower", &out).Error
	if err != nil {
		return nil, fmt.Errorf("read followers of %s: %w", uri, err)
	}
	return out, nil
}

// Followers returns who follows uri, by their URIs, at most limit after after.
func Followers(ctx context.Context, tx *gorm.DB, uri, after string, limit int) ([]string, error) {
	return follows(ctx, tx, "follower", "followed", uri, after, limit)
}

// Following returns whom uri follows, by their URIs, at most limit after after.
func Following(ctx context.Context, tx *gorm.DB, uri, after string, limit int) ([]string, error) {
	return follows(ctx, tx, "followed", "follower", uri, after, limit)
}

func follows(ctx context.Context, tx *gorm.DB, get, by, uri, after string, limit int) ([]string, error) {
	var out []string
	err := tx.WithContext(ctx).Model(&Follow{}).Where(by+" = ? AND state = ? AND "+get+" > ?", uri, Accepted, after).
		Order(get).Limit(limit).Pluck(get, &out).Error
	if err != nil {
		return nil, fmt.Errorf("read follows of %s: %w", uri, err)
	}
	return out, nil
}
