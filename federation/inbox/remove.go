package inbox

import (
	"context"
	"errors"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// remove takes what the sender says it deleted out of timelines, and keeps a mark, so that a Create that comes late
// does not bring it back. Of things that nobody here asked for no mark is kept.
func (i *Inbox) remove(ctx context.Context, in Incoming) error {
	if in.Actor.Local {
		return nil
	}
	followed, err := i.followedHere(ctx, in.Actor.URI)
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
			if _, err := i.actors.Known(ctx, ref.ID); err == nil {
				return Refuse("%s is an actor, and not the sender", ref.ID)
			}
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

// rearranged fetches a playlist again that its owner added to or removed from, when it is kept here. What is added to other
// collections of the sender, such as featured, is not kept.
func (i *Inbox) rearranged(ctx context.Context, in Incoming) error {
	target := in.Activity.Target.ID
	if err := i.ofSender(in, target); err != nil {
		return err
	}
	if !in.Actor.Local && !strings.HasPrefix(target, in.Actor.URI+"/") && !names(in.Actor.Raw, target) {
		if _, err := outbox.ObjectByURI(ctx, i.db.Read, target); errors.Is(err, outbox.ErrNotFound) {
			return Refuse("%s is not known to be %s's", target, in.Actor.URI)
		}
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

// names reports whether a member of an actor's document is the URI.
func names(document []byte, uri string) bool {
	members, err := jsonld.Parse(document)
	if err != nil {
		return false
	}
	for _, v := range members {
		if v == uri {
			return true
		}
	}
	return false
}
