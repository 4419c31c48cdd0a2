package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// ErrSelf is returned when somebody wants to follow themselves.
var ErrSelf = errors.New("nobody can follow themselves")

// Follow asks target, a handle (name@host) or a URI, to let the local actor me follow. Until the other side accepts, the
// follow is actor.Pending. Following twice asks once, unless the first was never answered.
func (o *Outbox) Follow(ctx context.Context, me, target string) (actor.Actor, error) {
	to, err := o.actors.Lookup(ctx, target)
	if err != nil {
		return actor.Actor{}, err
	}
	if to.URI == me {
		return to, ErrSelf
	}
	if blocked, err := o.hosts.IsBlocked(ctx, to.Host); err != nil {
		return to, err
	} else if blocked {
		return to, fmt.Errorf("%w: %s is blocked here", actor.ErrNotFound, to.Host)
	}
	return to, o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		have, err := actor.FollowOf(ctx, tx, me, to.URI)
		if err == nil && have.State == actor.Accepted {
			return nil
		}
		if err != nil && !errors.Is(err, actor.ErrNotFound) {
			return err
		}
		f := actor.Follow{Follower: me, Followed: to.URI, URI: o.NewID("follows"), State: actor.Pending, CreatedAt: o.utc()}
		if err := actor.SetFollow(ctx, tx, f); err != nil {
			return err
		}
		return o.Tell(ctx, tx, vocab.Activity{
			ID: f.URI, Type: vocab.VerbFollow, Actor: me, Object: vocab.Ref{ID: to.URI}, To: []string{to.URI},
		})
	})
}

// Unfollow ends a follow, or takes back the request. One that is not there is no error.
func (o *Outbox) Unfollow(ctx context.Context, me, target string) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		f, err := actor.FollowOf(ctx, tx, me, target)
		if errors.Is(err, actor.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := actor.DropFollow(ctx, tx, me, target); err != nil {
			return err
		}
		follow, err := refTo(vocab.Activity{ID: f.URI, Type: vocab.VerbFollow, Actor: me, Object: vocab.Ref{ID: target}})
		if err != nil {
			return err
		}
		return o.Tell(ctx, tx, vocab.Activity{
			ID: f.URI + "/undo", Type: vocab.VerbUndo, Actor: me, Object: follow, To: []string{target},
		})
	})
}

// Disown tells followed, inside tx, that a local actor does not follow it (any more), although its server thinks so.
func (o *Outbox) Disown(ctx context.Context, tx *gorm.DB, follower, followed string) error {
	if mailboxes, err := actor.MailboxesOf(ctx, tx, []string{follower}); err != nil || len(mailboxes) == 0 {
		return err
	}
	follow, err := refTo(vocab.Activity{
		ID: o.config.BaseURL + "/follows/" + digest(follower, followed), Type: vocab.VerbFollow, Actor: follower, Object: vocab.Ref{ID: followed},
	})
	if err != nil {
		return err
	}
	return o.Tell(ctx, tx, vocab.Activity{ID: o.NewID("activities"), Type: vocab.VerbUndo, Actor: follower, Object: follow, To: []string{followed}})
}

// Answer accepts or rejects a Follow that was received, inside tx. Answering the same Follow twice sends one answer.
func (o *Outbox) Answer(ctx context.Context, tx *gorm.DB, verb vocab.Verb, follow vocab.Activity) error {
	object := vocab.Ref{ID: follow.ID, Types: []string{string(vocab.VerbFollow)}, Raw: follow.Raw}
	kind := strings.ToLower(string(verb)) + "s"
	return o.Tell(ctx, tx, vocab.Activity{
		ID: o.config.BaseURL + "/" + kind + "/" + digest(follow.Actor, follow.ID, string(follow.Raw)), Type: verb,
		Actor: follow.Object.ID, Object: object, To: []string{follow.Actor},
	})
}

// refTo embeds an activity into another one.
func refTo(a vocab.Activity) (vocab.Ref, error) {
	m, err := a.Build()
	if err != nil {
		return vocab.Ref{}, err
	}
	return vocab.Embed(m)
}

// digest is an id of 130 bits that follows from its parts.
func digest(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return strings.ToLower(base32.StdEncoding.EncodeToString(h.Sum(nil))[:26])
}
