package inbox

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

const kindTrack = string(vocab.KindAudioTrack)

// track takes a track, or a later form of it, from its artist, who is followed here.
func (i *Inbox) track(ctx context.Context, in Incoming) error {
	if in.Actor.Local {
		return nil
	}
	if in.Activity.Object.Raw == nil {
		return i.named(ctx, in)
	}
	t, x, err := i.readTrack(ctx, in.Activity.Object.Raw)
	if err != nil {
		return err
	}
	if t.AttributedTo != in.Actor.URI {
		return Refuse("%s is not by %s", t.ID, in.Actor.URI)
	}
	relevant, err := i.relevant(ctx, in, t.ID)
	if err != nil {
		return err
	}
	if !relevant {
		return errNoEffect
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := put(ctx, tx, in.Activity.Type, x, true); err != nil {
			return err
		}
		if i.changed != nil {
			if err := i.changed(ctx, tx, t.ID); err != nil {
				return err
			}
		}
		return outbox.Retitle(ctx, tx, t.AttributedTo, t.ID, t.Name)
	})
}

// readTrack checks the form and the proof of a track, and that it stands on its artist's host.
func (i *Inbox) readTrack(ctx context.Context, raw []byte) (vocab.Track, outbox.Object, error) {
	verified, err := proof.Verify(raw, i.actors.Resolver(ctx), i.now())
	if errors.Is(err, proof.ErrForm) || errors.Is(err, proof.ErrSignature) {
		return vocab.Track{}, outbox.Object{}, Refuse("%v", err)
	}
	if err != nil {
		return vocab.Track{}, outbox.Object{}, err
	}
	t, err := vocab.ReadTrack(raw)
	if err != nil {
		return vocab.Track{}, outbox.Object{}, Refuse("%v", err)
	}
	return t, outbox.Object{
		URI: t.ID, Kind: kindTrack, Owner: t.AttributedTo, Raw: verified.Raw, Audience: audienceOf(t.To, t.Cc),
		Created: i.utc(), Updated: latest(t.Published, t.Updated, i.utc()),
	}, nil
}

// Track returns a track of another server: as it is here, or else fetched, checked by its artist's proof, and kept. It
// must not be called inside a transaction. A track that was deleted is still returned when it is here.
func (i *Inbox) Track(ctx context.Context, uri string) (vocab.Track, error) {
	have, err := outbox.ObjectByURI(ctx, i.db.Read, uri)
	if err == nil && have.Kind == kindTrack {
		return vocab.ReadTrack(have.Raw)
	}
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return vocab.Track{}, err
	}
	if i.actors.Own(uri) {
		return vocab.Track{}, fmt.Errorf("%w: %s", outbox.ErrNotFound, uri)
	}
	document, err := i.fetch.Get(ctx, uri)
	if err != nil {
		return vocab.Track{}, fmt.Errorf("fetch track: %w", err)
	}
	if n, err := vocab.ReadNote(document.Raw); err == nil && n.ID == document.URI && n.Track != n.ID && vocab.SameOrigin(n.Track, n.ID) {
		// The page of a track leads other servers to its announcement, which names it.
		if document, err = i.fetch.Get(ctx, n.Track); err != nil {
			return vocab.Track{}, fmt.Errorf("fetch track: %w", err)
		}
	}
	t, x, err := i.readTrack(ctx, document.Raw)
	if err != nil {
		return vocab.Track{}, fmt.Errorf("track %s: %w", uri, err)
	}
	if t.ID != document.URI {
		return vocab.Track{}, fmt.Errorf("track %s calls itself %s", document.URI, t.ID)
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return outbox.PutObject(ctx, tx, x) })
	if errors.Is(err, outbox.ErrOlder) {
		err = nil // it arrived by itself meanwhile
	}
	return t, err
}
