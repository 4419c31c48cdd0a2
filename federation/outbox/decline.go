package outbox

import (
	"context"

	"gorm.io/gorm"

	"antiphon/vocab"
)

// Decline answers a request that was received with a Reject by the local actor from, inside tx. Answering the same request
// twice sends one answer.
func (o *Outbox) Decline(ctx context.Context, tx *gorm.DB, from string, request vocab.Activity) error {
	return o.Tell(ctx, tx, vocab.Activity{
		ID: o.config.BaseURL + "/rejects/" + digest(request.Actor, request.ID, string(request.Raw)), Type: vocab.VerbReject, Actor: from,
		Object: vocab.Ref{ID: request.ID, Types: []string{string(request.Type)}, Raw: request.Raw}, To: []string{request.Actor},
	})
}
