package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/internal/jobs"
)

const (
	// movePause is how long after a move an account, or what it moved to, does not move again.
	movePause = 7 * 24 * time.Hour
	// maxMovesTo and maxSiteMoves are how many accounts in that time move to one account, and from one site: a server
	// that wants to herd everybody somewhere does it slowly, or not.
	maxMovesTo   = 10
	maxSiteMoves = 300
	// moveBatch is how many followers are moved in one job, and movePace the time between two such jobs.
	moveBatch = 20
	movePace  = 2 * time.Second
)

// movedFollowers is the job that moves local followers of Source to Target: those after the follower After.
type movedFollowers struct {
	Source string `json:"source"`
	Target string `json:"target"`
	After  string `json:"after,omitempty"`
	// Moved tells moves between the same accounts apart.
	Moved int64 `json:"moved"`
}

// Kind names the job.
func (movedFollowers) Kind() string { return "moved_followers" }

// Options make the job one of its kind, until a day after it has ended; each batch but the first waits a little.
func (m movedFollowers) Options() jobs.Options { return jobs.Options{Once: true, MaxAttempts: 8} }

// move takes an account's word that it is now another one, if that one says so, too: its followers here follow the new
// one from then on. Nobody moves twice in a week, in a circle, or in masses.
func (i *Inbox) move(ctx context.Context, in Incoming) error {
	source, target := in.Actor.URI, in.Activity.Target.ID
	if in.Activity.Object.ID != source {
		return Refuse("%s cannot move %s", source, in.Activity.Object.ID)
	}
	if target == "" || target == source {
		return Refuse("%s moves nowhere", source)
	}
	followed, err := actor.FollowedHere(ctx, i.db.Read, source)
	if err != nil {
		return err
	}
	if !followed {
		return errNoEffect
	}
	to, err := i.actors.Find(ctx, target, true)
	if errors.Is(err, actor.ErrNotFound) {
		return Refuse("%s moves to %s, which cannot be had: %v", source, target, err)
	}
	if err != nil {
		return err
	}
	if !slices.Contains(to.AlsoKnownAs, source) {
		return Refuse("%s does not say that it was %s", target, source)
	}
	if to.MovedTo != "" {
		return Refuse("%s has moved on to %s", target, to.MovedTo)
	}
	if verdict, err := i.hosts.JudgeActor(ctx, target); err != nil {
		return err
	} else if verdict.Blocked {
		return Refuse("%s is suspended here", target)
	}
	now := i.utc()
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		// A member's own move was written down when it was made.
		if !in.Actor.Local {
			err := moderation.TakeMove(ctx, tx, moderation.Move{
				Source: source, Target: target, Site: siteOf(actor.HostOf(source)), MovedAt: now,
			}, moderation.MoveLimits{Pause: movePause, PerTarget: maxMovesTo, PerSite: maxSiteMoves})
			if errors.Is(err, moderation.ErrMove) {
				return Refuse("%v", err)
			}
			if err != nil {
				return err
			}
		}
		return i.jobs.Insert(ctx, tx, movedFollowers{Source: source, Target: target, Moved: now.Unix()})
	})
}

// moveFollowers moves some followers and leaves the rest to the next job. Run again, it moves nobody twice: who follows
// the new account already asks no second time, and who has left the old one is not among its followers.
func (i *Inbox) moveFollowers(ctx context.Context, job movedFollowers, attempt int) error {
	followers, err := actor.LocalFollowers(ctx, i.db.Read, job.Source, job.After, moveBatch)
	if err != nil || len(followers) == 0 {
		return err
	}
	for _, who := range followers {
		averse, err := moderation.AverseTo(ctx, i.db.Read, job.Target)
		if err != nil {
			return err
		}
		if who != job.Target && !slices.Contains(averse, who) {
			if _, err := i.outbox.Follow(ctx, who, job.Target); err != nil {
				return fmt.Errorf("move %s to %s: %w", who, job.Target, err)
			}
		}
		if err := i.outbox.Unfollow(ctx, who, job.Source); err != nil {
			return fmt.Errorf("move %s to %s: %w", who, job.Target, err)
		}
		err = i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			return moderation.Tell(ctx, tx, who, moderation.TidingMoved, job.Source, job.Target, i.now())
		})
		if err != nil {
			return err
		}
	}
	if len(followers) < moveBatch {
		return nil
	}
	job.After = followers[len(followers)-1]
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return i.jobs.Insert(ctx, tx, later{job}) })
}

// later puts a batch a little off.
type later struct{ movedFollowers }

// Options are those of a batch, and its time.
func (l later) Options() jobs.Options {
	o := l.movedFollowers.Options()
	o.At = time.Now().Add(movePace)
	return o
}
