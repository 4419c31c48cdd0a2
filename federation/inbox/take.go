package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/internal/jobs"
	"antiphon/vocab"
)

// Followed is the fact that somebody here follows a remote actor from now on: there is a back catalogue to fetch.
type Followed struct {
	Actor string `json:"actor"`
	// Hour makes the job one of its kind within an hour, however many begin to follow.
	Hour int64 `json:"hour"`
}

// Kind names the job.
func (Followed) Kind() string { return "actor_followed" }

// Options make the job one of its kind and bound the attempts.
func (Followed) Options() jobs.Options { return jobs.Options{MaxAttempts: 3, Once: true} }

// Take acts on an activity of a remote sender that was found in the sender's own collections, on the sender's host, as if
// it had been delivered: the same checks of origin, author and deletion, and no second effect. Only what brings, changes
// or removes a post or a track is taken; everything else is nil without effect, and what is refused a *Refusal.
func (i *Inbox) Take(ctx context.Context, sender actor.Actor, raw []byte) error {
	raw = withContext(raw)
	a, err := vocab.ParseActivity(raw)
	if errors.Is(err, vocab.ErrUnknownType) {
		return nil
	}
	if err != nil {
		return Refuse("%v", err)
	}
	if !slices.Contains([]vocab.Verb{vocab.VerbCreate, vocab.VerbUpdate, vocab.VerbDelete}, a.Type) {
		return nil
	}
	if a.Actor != sender.URI || sender.Local || a.ID != "" && !vocab.SameOrigin(a.ID, a.Actor) {
		return Refuse("%s is not an activity of %s", a.ID, sender.URI)
	}
	if a.Object.Raw != nil {
		a.Object.Raw = withContext(a.Object.Raw)
	}
	if err := i.asUpdate(ctx, &a); err != nil {
		return err
	}
	kinds, err := i.kinds(ctx, a)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		// Actors are fetched by themselves, and what was sent to one person is delivered again.
		if !slices.Contains([]string{kindNote, "Article", "Page", kindTrack, ""}, kind) {
			continue
		}
		if handle, ok := i.handlers[verbKind{a.Type, kind}]; ok {
			err := handle(ctx, Incoming{Actor: sender, Activity: a, Raw: raw})
			if errors.Is(err, errNoEffect) {
				return nil
			}
			return err
		}
	}
	return nil
}

// asUpdate makes an Update of a Create that shows a later form of what is here: some servers write their outbox from
// what stands now.
func (i *Inbox) asUpdate(ctx context.Context, a *vocab.Activity) error {
	var object struct{ Updated time.Time }
	if a.Type != vocab.VerbCreate || a.Object.Raw == nil || json.Unmarshal(a.Object.Raw, &object) != nil || object.Updated.IsZero() {
		return nil
	}
	have, err := outbox.ObjectByURI(ctx, i.db.Read, a.Object.ID)
	if errors.Is(err, outbox.ErrNotFound) {
		return nil
	}
	if err == nil && have.Deleted.IsZero() && object.Updated.After(have.Updated) {
		a.Type = vocab.VerbUpdate
	}
	return err
}
