package inbox

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// Kinds that no type on the wire stands for.
const kindActor = "Actor"

// kinds are all names under which a handler may be registered for what the activity is about, the closest first, and at
// last "".
func (i *Inbox) kinds(ctx context.Context, a vocab.Activity) ([]string, error) {
	var out []string
	if a.Object.ID != "" && a.Object.ID == a.Actor {
		out = append(out, kindActor)
	}
	out = append(out, a.Object.Types...)
	out = append(out, a.Result.Types...)
	if a.Object.ID != "" && (a.Object.Raw == nil || a.Object.Is("Tombstone")) {
		known, err := i.known(ctx, a.Actor, a.Object.ID)
		if err != nil {
			return nil, err
		}
		out = append(out, known...)
	}
	return append(out, ""), nil
}

// known tells what a URI is known here as.
func (i *Inbox) known(ctx context.Context, sender, uri string) ([]string, error) {
	for _, recognize := range i.recognizers {
		kind, err := recognize(ctx, uri)
		if err != nil {
			return nil, fmt.Errorf("recognize %s: %w", uri, err)
		}
		if kind != "" {
			return []string{kind}, nil
		}
	}
	if _, err := actor.FollowByURI(ctx, i.db.Read, uri); err == nil {
		return []string{"Follow"}, nil
	} else if !errors.Is(err, actor.ErrNotFound) {
		return nil, err
	}
	if x, err := outbox.ObjectByURI(ctx, i.db.Read, uri); err == nil {
		return []string{x.Kind}, nil
	} else if !errors.Is(err, outbox.ErrNotFound) {
		return nil, err
	}
	raw, err := outbox.Sent(ctx, i.db.Read, uri)
	if errors.Is(err, outbox.ErrNotFound) {
		raw, err = i.earlier(ctx, sender, uri)
	}
	if err != nil || raw == nil {
		return nil, err
	}
	a, err := vocab.ParseActivity(raw)
	if err != nil {
		return nil, nil
	}
	return append([]string{string(a.Type)}, a.Object.Types...), nil
}

// earlier is an activity that the same sender sent before, or nil.
func (i *Inbox) earlier(ctx context.Context, sender, uri string) ([]byte, error) {
	var row record
	err := i.db.Read.WithContext(ctx).Where("actor = ? AND id = ?", sender, uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read activity %s: %w", uri, err)
	}
	return row.Raw, nil
}
