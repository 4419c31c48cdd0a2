package inbox

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// followedFor is how long it is believed that an actor is followed from here. That it is not followed is asked every time.
const followedFor = 10 * time.Second

// followedHere is actor.FollowedHere, remembered while it is so: a post too many is shown to nobody.
func (i *Inbox) followedHere(ctx context.Context, uri string) (bool, error) {
	now := i.now()
	if until, ok := i.followed.Load(uri); ok && now.Before(until.(time.Time)) {
		return true, nil
	}
	followed, err := actor.FollowedHere(ctx, i.db.Read, uri)
	if followed {
		i.followed.Store(uri, now.Add(followedFor))
	} else {
		i.followed.Delete(uri)
	}
	return followed, err
}

// follow lets somebody follow a local actor, and says so.
func (i *Inbox) follow(ctx context.Context, in Incoming) error {
	a := in.Activity
	target, err := i.actors.Local(ctx, a.Object.ID)
	if errors.Is(err, actor.ErrNotFound) {
		return Refuse("%s does not live here", a.Object.ID)
	}
	if err != nil {
		return err
	}
	if target.Kind == actor.Instance || target.URI == in.Actor.URI {
		return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			return i.outbox.Answer(ctx, tx, vocab.VerbReject, a)
		})
	}
	if !in.Actor.Local {
		// What the follower's server speaks is asked now, so that it is known when there is something to tell.
		if _, err := i.hosts.Speaks(ctx, in.Actor.Host); err != nil {
			i.log.Debug("host not asked", "host", in.Actor.Host, "error", err)
		}
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if is, err := undone(ctx, tx, in); err != nil {
			return err
		} else if is {
			return errNoEffect
		}
		f := actor.Follow{
			Follower: in.Actor.URI, Followed: target.URI, URI: idOf(a, in.Raw), State: actor.Accepted, CreatedAt: i.utc(),
		}
		if err := actor.SetFollow(ctx, tx, f); err != nil {
			return err
		}
		return i.outbox.Answer(ctx, tx, vocab.VerbAccept, a)
	})
}

// followAnswered takes the answer to a Follow that a local actor sent: from nobody but whom it asked.
func (i *Inbox) followAnswered(ctx context.Context, in Incoming) error {
	f, err := i.followOf(ctx, in.Activity.Object, in.Actor.URI)
	if err != nil {
		return err
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if in.Activity.Type == vocab.VerbReject {
			return actor.DropFollow(ctx, tx, f.Follower, f.Followed)
		}
		f.State = actor.Accepted
		if err := actor.SetFollow(ctx, tx, f); err != nil || i.actors.Own(f.Followed) {
			return err
		}
		return i.jobs.Insert(ctx, tx, Followed{Actor: f.Followed, Hour: i.now().Unix() / 3600})
	})
}

// followOf finds the local actor's Follow of followed that an answer is about: by its id, or, for servers that make up
// another one, by who wanted to follow whom.
func (i *Inbox) followOf(ctx context.Context, ref vocab.Ref, followed string) (actor.Follow, error) {
	f, err := actor.FollowByURI(ctx, i.db.Read, ref.ID)
	if errors.Is(err, actor.ErrNotFound) && ref.Raw != nil {
		inner, parseErr := vocab.ParseActivity(withContext(ref.Raw))
		if parseErr == nil && inner.Type == vocab.VerbFollow && inner.Object.ID == followed {
			f, err = actor.FollowOf(ctx, i.db.Read, inner.Actor, followed)
		}
	}
	if errors.Is(err, actor.ErrNotFound) {
		return f, Refuse("no such follow was asked for")
	}
	if err != nil {
		return f, err
	}
	if f.Followed != followed || !i.actors.Own(f.Follower) {
		return f, Refuse("the follow is not %s's to answer", followed)
	}
	return f, nil
}

// undoAccept ends a follow that the sender had accepted.
func (i *Inbox) undoAccept(ctx context.Context, in Incoming) error {
	accept, err := i.inner(ctx, in)
	if err != nil {
		return err
	}
	if accept.Type != vocab.VerbAccept {
		return errNoEffect
	}
	f, err := i.followOf(ctx, accept.Object, in.Actor.URI)
	if err != nil {
		return err
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return actor.DropFollow(ctx, tx, f.Follower, f.Followed)
	})
}

// inner is the activity of the same sender that an Undo takes back: embedded, or received before.
func (i *Inbox) inner(ctx context.Context, in Incoming) (vocab.Activity, error) {
	raw := withContext(in.Activity.Object.Raw)
	if in.Activity.Object.Raw == nil {
		var err error
		if raw, err = i.earlier(ctx, in.Actor.URI, in.Activity.Object.ID); err != nil {
			return vocab.Activity{}, err
		}
		if raw == nil {
			return vocab.Activity{}, errNoEffect
		}
	}
	a, err := vocab.ParseActivity(raw)
	if err != nil || a.Actor != in.Actor.URI {
		return a, Refuse("what is taken back is not %s's", in.Actor.URI)
	}
	return a, nil
}

// undoFollow ends a follow by the actor that made it.
func (i *Inbox) undoFollow(ctx context.Context, in Incoming) error {
	ref := in.Activity.Object
	f, err := actor.FollowByURI(ctx, i.db.Read, ref.ID)
	if errors.Is(err, actor.ErrNotFound) && ref.Raw != nil {
		if inner, parseErr := vocab.ParseActivity(withContext(ref.Raw)); parseErr == nil && inner.Actor == in.Actor.URI {
			f, err = actor.FollowOf(ctx, i.db.Read, in.Actor.URI, inner.Object.ID)
		}
	}
	if errors.Is(err, actor.ErrNotFound) {
		return errNoEffect
	}
	if err != nil {
		return err
	}
	if f.Follower != in.Actor.URI {
		return Refuse("the follow is not %s's", in.Actor.URI)
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return actor.DropFollow(ctx, tx, f.Follower, f.Followed)
	})
}
