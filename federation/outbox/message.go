package outbox

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// Message sends words of the local actor from to one other actor alone, inside tx: a Note that mentions whom it is for,
// which apps show as a direct message. content is HTML.
func (o *Outbox) Message(ctx context.Context, tx *gorm.DB, from string, to actor.Actor, content string) error {
	note, now := o.NewID("notes"), o.utc()
	m, err := vocab.Note{
		ID: note, Type: kindNote, AttributedTo: from, Content: content, Language: "en", Published: now, To: []string{to.URI},
		Tags: []vocab.Tag{{Type: "Mention", Name: "@" + to.Handle(), Href: to.URI}},
	}.Build()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	object, err := vocab.Embed(m)
	if err != nil {
		return err
	}
	err = o.Store(ctx, tx, Object{URI: note, Kind: kindNote, Owner: from, Audience: []string{to.URI}, Raw: raw})
	if err != nil {
		return err
	}
	return o.Tell(ctx, tx, vocab.Activity{
		ID: note + "/create", Type: vocab.VerbCreate, Actor: from, Object: object, To: []string{to.URI}, Published: now,
	})
}
