package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

const (
	// maxSyncHeader bounds what is read of the header, in bytes.
	maxSyncHeader = 4096
	// comparedFor is how long a digest that was compared is not compared again.
	comparedFor = 5 * time.Minute
	// maxCompared bounds how many are remembered; when there are more, all are compared anew.
	maxCompared = 10_000
	// settled is how old a follow must be before another server's list can end it: the list may be older.
	settled = 10 * time.Minute
)

var syncParameter = regexp.MustCompile(`(collectionId|url|digest)="([^"]*)"`)

// compared remembers which digests were looked at lately.
type compared struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

// first reports whether the digest of an actor is new, or its last comparison long ago.
func (c *compared) first(key string, now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.seen[key]; ok && now.Sub(at) < comparedFor {
		return false
	}
	if len(c.seen) >= maxCompared {
		clear(c.seen)
	}
	c.seen[key] = now
	return true
}

// mend is the job that makes the followers of a remote actor here those that its server knows of.
type mend struct {
	Actor  string `json:"actor"`
	URL    string `json:"url"`
	Digest string `json:"digest"`
	// Hour makes the job one of its kind within an hour.
	Hour int64 `json:"hour"`
}

// Kind names the job.
func (mend) Kind() string { return "mend_followers" }

// Options make the job one of its kind and bound the attempts.
func (mend) Options() jobs.Options { return jobs.Options{MaxAttempts: 3, Once: true} }

// compare reads FEP-8fcf's header of a delivery by sender: when the digest is not that of the local followers of sender,
// a job asks the sender's server for its list. Nothing is believed that the header says.
func (i *Inbox) compare(ctx context.Context, header http.Header, sender string) error {
	text := header.Get(outbox.SyncHeader)
	if text == "" || len(text) > maxSyncHeader {
		return nil
	}
	said := map[string]string{}
	for _, m := range syncParameter.FindAllStringSubmatch(text, 10) {
		said[m[1]] = m[2]
	}
	if len(said["digest"]) != 64 || !vocab.SameOrigin(said["url"], sender) || !vocab.SameOrigin(said["collectionId"], sender) {
		return nil
	}
	if !i.compared.first(sender+" "+said["digest"], i.now()) {
		return nil
	}
	who, err := i.actors.Known(ctx, sender)
	if errors.Is(err, actor.ErrNotFound) || err == nil && who.Followers != said["collectionId"] {
		return nil
	}
	if err != nil {
		return err
	}
	follows, err := i.followsOf(ctx, sender)
	if err != nil {
		return err
	}
	var own outbox.FollowerDigest
	for _, f := range follows {
		if f.State == actor.Accepted {
			own.Add(f.Follower)
		}
	}
	if own.String() == said["digest"] {
		return nil
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return i.jobs.Insert(ctx, tx, mend{Actor: sender, URL: said["url"], Digest: said["digest"], Hour: i.now().Unix() / 3600})
	})
}

// followsOf are the follows of a remote actor by actors of this instance.
func (i *Inbox) followsOf(ctx context.Context, followed string) ([]actor.Follow, error) {
	var follows []actor.Follow
	err := i.db.Read.WithContext(ctx).Model(&actor.Follow{}).Joins("JOIN actors ON actors.uri = follows.follower AND actors.local").
		Where("follows.followed = ?", followed).Select("follows.*").Find(&follows).Error
	if err != nil {
		return nil, fmt.Errorf("read followers of %s: %w", followed, err)
	}
	return follows, nil
}

// mend asks the actor's server who of this instance follows the actor. A follow that it does not know ends, one that
// waited for its answer is accepted, and one that is not known here is taken back there.
func (i *Inbox) mend(ctx context.Context, m mend, _ int) error {
	if blocked, err := i.hosts.IsBlocked(ctx, actor.HostOf(m.Actor)); err != nil || blocked {
		return err
	}
	document, err := i.fetch.Get(ctx, m.URL)
	if err != nil {
		return fmt.Errorf("ask for followers of %s: %w", m.Actor, err)
	}
	list, err := vocab.ReadCollection(document.Raw)
	if err != nil {
		return jobs.Cancel(err)
	}
	if list.Next != "" || list.First != "" || list.TotalItems != int64(len(list.Items)) {
		return jobs.Cancel(fmt.Errorf("followers of %s are %d, %d of them told", m.Actor, list.TotalItems, len(list.Items)))
	}
	theirs := map[string]bool{}
	for _, item := range list.Items {
		if i.actors.Own(item.ID) {
			theirs[item.ID] = true
		}
	}
	ours, err := i.followsOf(ctx, m.Actor)
	if err != nil {
		return err
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, f := range ours {
			known := theirs[f.Follower]
			delete(theirs, f.Follower)
			var err error
			switch {
			case known && f.State != actor.Accepted:
				f.State = actor.Accepted
				err = actor.SetFollow(ctx, tx, f)
			case !known && f.State == actor.Accepted && i.now().Sub(f.CreatedAt) > settled:
				err = actor.DropFollow(ctx, tx, f.Follower, f.Followed)
			}
			if err != nil {
				return err
			}
		}
		for follower := range theirs {
			if err := i.outbox.Disown(ctx, tx, follower, m.Actor); err != nil && !errors.Is(err, actor.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}
