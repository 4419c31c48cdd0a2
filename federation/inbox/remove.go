package inbox

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// remove takes what the sender says it deleted out of timelines, and keeps a mark, so that a Create that comes late
// does not bring it back. Of things that nobody here asked for no mark is kept.
func (i *Inbox) remove(ctx context.Context, in Incoming) error {
	if in.Actor.Local {
		return nil
	}
	followed, err := actor.FollowedHere(ctx, i.db.Read, in.Actor.URI)
	if err != nil {
		return err
	}
	// A Delete may come after the Update that brought its object back: what counts is when each was said.
	at := latest(in.Activity.Published, time.Time{}, i.utc())
	var ids []string
	for _, ref := range append([]vocab.Ref{in.Activity.Object}, in.Activity.Others...) {
		if err := i.ofSender(in, ref.ID); err != nil {
			return err
		}
		have, err := outbox.ObjectByURI(ctx, i.db.Read, ref.ID)
		switch {
		case errors.Is(err, outbox.ErrNotFound):
			if followed {
				ids = append(ids, ref.ID)
			}
		case err != nil:
			return err
		case have.Owner != in.Actor.URI:
			return Refuse("%s belongs to %s", ref.ID, have.Owner)
		case !have.Updated.After(at):
			ids = append(ids, ref.ID)
		}
	}
	if len(ids) == 0 {
		return errNoEffect
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		for _, id := range ids {
			if err := outbox.DeleteObject(ctx, tx, in.Actor.URI, id, false, at); err != nil {
				return err
			}
			if err := outbox.RemovePost(ctx, tx, in.Actor.URI, id); err != nil {
				return err
			}
			if err := outbox.RemoveComment(ctx, tx, in.Actor.URI, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// rearranged fetches a playlist again that its owner added to or removed from, when it is kept here.
func (i *Inbox) rearranged(ctx context.Context, in Incoming) error {
	target := in.Activity.Target.ID
	if err := i.ofSender(in, target); err != nil {
		return err
	}
	have, err := outbox.ObjectByURI(ctx, i.db.Read, target)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && have.Local {
		return errNoEffect
	}
	if err != nil {
		return err
	}
	if have.Owner != in.Actor.URI {
		return Refuse("%s belongs to %s", target, have.Owner)
	}
	if have.Kind != string(vocab.KindPlaylist) || !have.Deleted.IsZero() {
		return errNoEffect
	}
	document, err := i.fetch.Get(ctx, target)
	if err != nil {
		return err
	}
	p, err := vocab.ReadPlaylist(document.Raw)
	if err != nil || p.AttributedTo != in.Actor.URI {
		return Refuse("%s is not a playlist of %s: %v", target, in.Actor.URI, err)
	}
	have.Raw, have.Updated = document.Raw, i.utc()
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return outbox.PutObject(ctx, tx, have) })
}
