package inbox

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
)

// depart removes a remote actor that deleted itself, and what it posted. Tracks stay readable to those who bought them,
// marked as deleted.
func (i *Inbox) depart(ctx context.Context, in Incoming) error {
	uri := in.Actor.URI
	if in.Actor.Local {
		return Refuse("%s lives here", uri)
	}
	defer i.actors.Forget(uri)
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := actor.Forget(ctx, tx, uri); err != nil {
			return err
		}
		if err := tx.Where("actor = ?", uri).Delete(&reaction{}).Error; err != nil {
			return fmt.Errorf("remove reactions of %s: %w", uri, err)
		}
		if err := tx.Where("actor = ?", uri).Delete(&heardRow{}).Error; err != nil {
			return fmt.Errorf("remove what %s heard: %w", uri, err)
		}
		if err := outbox.RemovePostsOf(ctx, tx, uri); err != nil {
			return err
		}
		if err := outbox.RemoveCommentsOf(ctx, tx, uri); err != nil {
			return err
		}
		return outbox.DeleteObjectsOf(ctx, tx, uri, i.utc())
	})
}

// renew fetches an actor again that says it has changed; the copy in the activity is not believed.
func (i *Inbox) renew(ctx context.Context, in Incoming) error {
	if in.Activity.Object.ID != in.Actor.URI {
		return Refuse("%s is not %s", in.Activity.Object.ID, in.Actor.URI)
	}
	if in.Actor.Local {
		return nil
	}
	_, err := i.actors.Find(ctx, in.Actor.URI, true)
	return err
}
