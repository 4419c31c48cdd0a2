package inbox

import (
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// block ends both follows between the sender and the local actor that it blocks.
func (i *Inbox) block(ctx context.Context, in Incoming) error {
	target := in.Activity.Object.ID
	if !i.actors.Own(target) {
		return errNoEffect
	}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := actor.DropFollow(ctx, tx, in.Actor.URI, target); err != nil {
			return err
		}
		return actor.DropFollow(ctx, tx, target, in.Actor.URI)
	})
}

// errAvoided says that a member does not want to hear from the sender. Nobody is told: neither the member, nor the sender.
var errAvoided = Refuse("whom it is for has blocked the sender")

// unlessAvoided keeps from members what those send whom they have blocked. What an admin suspended since it was received
// is dropped as well, and so is what a silenced sender says to those who do not follow it.
func (i *Inbox) unlessAvoided(handle Handler) Handler {
	return func(ctx context.Context, in Incoming) error {
		switch in.Activity.Type {
		case vocab.VerbFollow, vocab.VerbLike, vocab.VerbAnnounce, vocab.VerbCreate, vocab.VerbUpdate:
		default:
			return handle(ctx, in)
		}
		averse, err := i.averseTo(ctx, in.Actor.URI)
		if err != nil {
			return err
		}
		verdict, err := i.hosts.JudgeActor(ctx, in.Actor.URI)
		if err != nil {
			return err
		}
		if verdict.Blocked && !in.Actor.Local {
			return Refuse("%s is suspended here", in.Actor.URI)
		}
		if len(averse) == 0 && !verdict.Silenced {
			return handle(ctx, in)
		}
		spokenTo, err := i.spokenTo(ctx, in)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(spokenTo, func(uri string) bool { return slices.Contains(averse, uri) }) {
			return errAvoided
		}
		if verdict.Silenced && (in.Activity.Type == vocab.VerbCreate || in.Activity.Type == vocab.VerbUpdate) {
			if followed, err := actor.FollowedHere(ctx, i.db.Read, in.Actor.URI); err != nil || !followed {
				return errors.Join(err, errNoEffect)
			}
		}
		return handle(ctx, in)
	}
}

// spokenTo are the local actors whom an activity is about: whom it follows, whose work it reacts to or answers, and whom
// it mentions.
func (i *Inbox) spokenTo(ctx context.Context, in Incoming) ([]string, error) {
	about := []string{in.Activity.Object.ID}
	if in.Activity.Type == vocab.VerbCreate || in.Activity.Type == vocab.VerbUpdate {
		about = nil
		if n, err := vocab.ReadNote(in.Activity.Object.Raw); err == nil {
			about = append(about, n.InReplyTo)
			for _, t := range n.Tags {
				if t.Type == "Mention" {
					about = append(about, t.Href)
				}
			}
		}
	}
	var out []string
	for _, uri := range about {
		owner, err := i.answered(ctx, uri)
		if err != nil {
			return nil, err
		}
		if owner != "" {
			out = append(out, owner)
		}
	}
	return out, nil
}

// answered is the local actor who is reached by what is about uri: its owner, or who wrote what it answers.
func (i *Inbox) answered(ctx context.Context, uri string) (string, error) {
	if owner, err := i.ownerHere(ctx, uri); owner != "" || err != nil {
		return owner, err
	}
	x, err := outbox.ObjectByURI(ctx, i.db.Read, uri)
	if errors.Is(err, outbox.ErrNotFound) {
		return "", nil
	}
	if err != nil || x.Kind != kindNote {
		return "", err
	}
	n, err := vocab.ReadNote(x.Raw)
	if err != nil {
		return "", nil
	}
	return i.ownerHere(ctx, n.InReplyTo)
}
