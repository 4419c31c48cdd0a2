package inbox

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/vocab"
)

const kindAlbum = string(vocab.KindAlbum)

// album takes a release, or a later form of it, from its artist, who is followed here.
func (i *Inbox) album(ctx context.Context, in Incoming) error {
	if in.Actor.Local {
		return nil
	}
	if in.Activity.Object.Raw == nil {
		return i.named(ctx, in)
	}
	r, x, err := i.readAlbum(in.Activity.Object.Raw)
	if err != nil {
		return Refuse("%v", err)
	}
	if r.AttributedTo != in.Actor.URI {
		return Refuse("%s is not by %s", r.ID, in.Actor.URI)
	}
	if err := i.ofSender(in, r.ID); err != nil {
		return err
	}
	relevant, err := i.relevant(ctx, in, r.ID)
	if err != nil {
		return err
	}
	if !relevant {
		return errNoEffect
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return put(ctx, tx, in.Activity.Type, x, true) })
}

// readAlbum reads a release. It carries no proof: it is believed as it comes from its artist or from its host, and what it
// says binds nobody.
func (i *Inbox) readAlbum(raw []byte) (vocab.Release, outbox.Object, error) {
	r, err := vocab.ReadRelease(raw)
	return r, outbox.Object{
		URI: r.ID, Kind: kindAlbum, Owner: r.AttributedTo, Raw: raw, Audience: audienceOf(r.To, r.Cc),
		Created: i.utc(), Updated: latest(r.Published, r.Updated, i.utc()),
	}, err
}

// Release returns a release of another server: as its host has it now, which is kept, or else as it is here. With kept
// alone, no server is asked. It must not be called inside a transaction.
func (i *Inbox) Release(ctx context.Context, uri string, kept bool) (vocab.Release, error) {
	have, err := outbox.ObjectByURI(ctx, i.db.Read, uri)
	known := err == nil && have.Kind == kindAlbum && !have.Local
	if err != nil && !errors.Is(err, outbox.ErrNotFound) {
		return vocab.Release{}, err
	}
	if known && kept {
		return vocab.ReadRelease(have.Raw)
	}
	if i.actors.Own(uri) || kept {
		return vocab.Release{}, fmt.Errorf("%w: %s", outbox.ErrNotFound, uri)
	}
	document, err := i.fetch.Get(ctx, uri)
	if err != nil && known {
		return vocab.ReadRelease(have.Raw)
	}
	if err != nil {
		return vocab.Release{}, fmt.Errorf("fetch release: %w", err)
	}
	r, x, err := i.readAlbum(document.Raw)
	if err != nil {
		return r, fmt.Errorf("release %s: %w", uri, err)
	}
	if r.ID != document.URI {
		return r, fmt.Errorf("release %s calls itself %s", document.URI, r.ID)
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return outbox.PutObject(ctx, tx, x) })
	if errors.Is(err, outbox.ErrOlder) {
		err = nil // what is here is as new
	}
	return r, err
}

// Proposal returns what a product of another server costs now, and who is owed that, as its host says.
func (i *Inbox) Proposal(ctx context.Context, uri string) (vocab.Proposal, error) {
	document, err := i.fetch.Get(ctx, uri)
	if err != nil {
		return vocab.Proposal{}, fmt.Errorf("fetch proposal: %w", err)
	}
	p, err := vocab.ReadProposal(document.Raw)
	if err == nil && p.ID != document.URI {
		err = fmt.Errorf("proposal %s calls itself %s", document.URI, p.ID)
	}
	return p, err
}
