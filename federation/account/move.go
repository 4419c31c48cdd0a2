package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// movePause is how long somebody who has moved does not move again: other servers do not follow faster either.
const movePause = 7 * 24 * time.Hour

var (
	// ErrAlias is returned when the new account does not say that it is the same person's.
	ErrAlias = errors.New("the new account does not name the old one")
	// ErrTarget is returned for a new account that is no place to go to: the same one, or one that has moved on itself.
	ErrTarget = errors.New("this account cannot be moved to")
)

// Move tells the followers of a local actor to follow target, @name@host or a URI, from now on. The account stays, and
// what it published and bought stays with it. The errors to branch on are actor.ErrNotFound, ErrAlias, ErrTarget and
// moderation.ErrMove.
func (s *Service) Move(ctx context.Context, me, target string) (actor.Actor, error) {
	found, err := s.Actors.Lookup(ctx, target)
	if err != nil {
		return found, err
	}
	// What was known of it may be older than its owner's last change.
	to, err := s.Actors.Find(ctx, found.URI, true)
	if err != nil {
		return found, err
	}
	if to.URI == me || to.MovedTo != "" {
		return to, ErrTarget
	}
	if !slices.Contains(to.AlsoKnownAs, me) {
		return to, ErrAlias
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		limits := moderation.MoveLimits{Pause: movePause, PerTarget: 1000, PerSite: 1 << 30}
		if err := moderation.TakeMove(ctx, tx, moderation.Move{Source: me, Target: to.URI, MovedAt: s.utc()}, limits); err != nil {
			return err
		}
		if err := s.Actors.SetMoved(ctx, tx, me, to.URI); err != nil {
			return err
		}
		return s.Outbox.Tell(ctx, tx, vocab.Activity{
			ID: s.Outbox.NewID("activities"), Type: vocab.VerbMove, Actor: me, Object: vocab.Ref{ID: me}, Target: vocab.Ref{ID: to.URI},
			To: []string{outbox.Followers(me)}, Published: s.utc(),
		})
	})
	if err != nil {
		return to, fmt.Errorf("move %s: %w", me, err)
	}
	return to, s.announce(ctx, me)
}

// Stay takes the sign down that points to another account. Followers who have gone stay gone.
func (s *Service) Stay(ctx context.Context, me string) error {
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.Actors.SetMoved(ctx, tx, me, "") })
	if err != nil {
		return err
	}
	return s.announce(ctx, me)
}
