package inbox

import (
	"context"
	"errors"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
)

// quoted answers whoever asks whether a post may be quoted (FEP-044f): not, because nothing here says that it may. See
// docs/adr/0029.
func (i *Inbox) quoted(ctx context.Context, in Incoming) error {
	x, err := outbox.ObjectByURI(ctx, i.db.Read, in.Activity.Object.ID)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && (!x.Local || !x.Deleted.IsZero() || !x.Readable(in.Actor.URI)) {
		return errNoEffect
	}
	if err != nil || in.Actor.Local {
		return err
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return i.outbox.Decline(ctx, tx, x.Owner, in.Activity) })
}
