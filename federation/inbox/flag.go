package inbox

import (
	"context"
	"errors"
	"fmt"

	"github.com/microcosm-cc/bluemonday"
	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// maxFlagged is how many objects of a report are looked up, and maxFlag the longest report that is kept byte for byte.
const (
	maxFlagged = 50
	maxFlag    = 16 << 10
)

// flag keeps a report for the admins. It may come from any actor: servers report in the name of their instance actor, and
// who is behind it cannot be checked.
func (i *Inbox) flag(ctx context.Context, in Incoming) error {
	verdict, err := i.hosts.JudgeActor(ctx, in.Actor.URI)
	if err != nil {
		return err
	}
	if verdict.RejectReports {
		return Refuse("no reports are taken from %s", in.Actor.Host)
	}
	f := moderation.Flag{
		URI: idOf(in.Activity, in.Raw), From: in.Actor.URI, Words: bluemonday.StrictPolicy().Sanitize(in.Activity.Content),
	}
	if in.Activity.ID == "" {
		f.URI = in.Actor.URI + "#" + f.URI
	}
	refs := append([]vocab.Ref{in.Activity.Object}, in.Activity.Others...)
	for _, ref := range refs[:min(len(refs), maxFlagged)] {
		owner, err := i.ownerHere(ctx, ref.ID)
		if err != nil {
			return err
		}
		switch {
		case owner == "":
			continue
		case f.Target == "":
			f.Target = owner
		}
		if ref.ID != f.Target {
			f.Objects = append(f.Objects, ref.ID)
		}
	}
	if f.Target == "" {
		for _, ref := range refs[:min(len(refs), 3)] {
			f.Objects = append(f.Objects, ref.ID)
		}
	}
	err = i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if len(in.Raw) > maxFlag {
			if err := i.shorten(tx, in, f); err != nil {
				return err
			}
		}
		return moderation.TakeFlag(ctx, tx, f, i.now())
	})
	if errors.Is(err, moderation.ErrTooMany) {
		return Refuse("%v from %s", err, in.Actor.Host)
	}
	return err
}

// ownerHere is the local actor that a URI is, or whose object it names; empty for anything else.
func (i *Inbox) ownerHere(ctx context.Context, uri string) (string, error) {
	if !i.actors.Own(uri) {
		return "", nil
	}
	if who, err := i.actors.Local(ctx, uri); err == nil {
		return who.URI, nil
	} else if !errors.Is(err, actor.ErrNotFound) {
		return "", err
	}
	x, err := outbox.ObjectByURI(ctx, i.db.Read, uri)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && !x.Local {
		return "", nil
	}
	return x.Owner, err
}

// shorten keeps of a long report only what is looked at.
func (i *Inbox) shorten(tx *gorm.DB, in Incoming, f moderation.Flag) error {
	object := vocab.Ref{ID: in.Activity.Object.ID}
	if f.Target != "" {
		object.ID = f.Target
	}
	short := vocab.Activity{ID: in.Activity.ID, Type: vocab.VerbFlag, Actor: in.Actor.URI, Object: object}
	raw, err := outbox.Compose(short)
	if err != nil {
		return err
	}
	err = tx.Model(&record{}).Where("actor = ? AND id = ?", in.Actor.URI, idOf(in.Activity, in.Raw)).Update("raw", raw).Error
	if err != nil {
		return fmt.Errorf("shorten report: %w", err)
	}
	return nil
}
