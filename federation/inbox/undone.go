package inbox

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"antiphon/vocab"
)

// maxUndos is how many of an actor's newest Undos are looked through.
const maxUndos = 50

// undone reports whether the sender has taken an activity back before it was acted on: jobs of one sender run side by
// side, and an Undo that comes at once may overtake what it undoes.
func undone(ctx context.Context, tx *gorm.DB, in Incoming) (bool, error) {
	id := in.Activity.ID
	if id == "" || in.Actor.Local {
		return false, nil
	}
	var rows []record
	err := tx.WithContext(ctx).Where("actor = ? AND type = ?", in.Actor.URI, string(vocab.VerbUndo)).
		Order("received_at DESC").Limit(maxUndos).Find(&rows).Error
	if err != nil {
		return false, fmt.Errorf("look for the undo of %s: %w", id, err)
	}
	for _, row := range rows {
		if a, err := vocab.ParseActivity(row.Raw); err == nil && a.Object.ID == id {
			return true, nil
		}
	}
	return false, nil
}
