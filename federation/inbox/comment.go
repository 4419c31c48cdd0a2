package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

const (
	// maxClimb is how many unknown posts above an answer are fetched to find what it is about.
	maxClimb = 8
	// climbTime bounds the time for that, for one activity.
	climbTime = 15 * time.Second
)

// above is a post between an answer and what is known here, with its author.
type above struct {
	note   vocab.Note
	raw    []byte
	author actor.Actor
}

// thread finds the track's thread that an answer belongs to, and the posts in between that are not here yet, the
// topmost first. It follows inReplyTo upwards for a few steps and not in circles; found is false when no track is
// reached.
func (i *Inbox) thread(ctx context.Context, n vocab.Note) (t outbox.Thread, between []above, found bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, climbTime)
	defer cancel()
	seen := map[string]bool{n.ID: true}
	for uri := n.InReplyTo; uri != "" && !seen[uri]; {
		seen[uri] = true
		t, err := outbox.ThreadOf(ctx, i.db.Read, uri)
		if err == nil {
			return t, between, true, nil
		}
		if !errors.Is(err, outbox.ErrNotFound) {
			return t, nil, false, err
		}
		if i.actors.Own(uri) || len(between) >= maxClimb {
			return t, nil, false, nil
		}
		step, err := i.climb(ctx, uri)
		if err != nil {
			i.log.Debug("thread ends", "note", n.ID, "at", uri, "error", err)
			return t, nil, false, nil
		}
		between = append([]above{step}, between...)
		uri = step.note.InReplyTo
	}
	return outbox.Thread{}, nil, false, nil
}

// climb fetches one post of another server, as it would be taken if it had been sent: public, by an author of its own
// host, and not deleted.
func (i *Inbox) climb(ctx context.Context, uri string) (above, error) {
	if have, err := outbox.ObjectByURI(ctx, i.db.Read, uri); err == nil {
		n, err := vocab.ReadNote(have.Raw)
		if err != nil || !have.Deleted.IsZero() || have.Audience != nil {
			return above{}, fmt.Errorf("%w: %s is here, but no public post", outbox.ErrNotFound, uri)
		}
		author, err := i.actors.Find(ctx, n.AttributedTo, false)
		return above{n, have.Raw, author}, err
	} else if !errors.Is(err, outbox.ErrNotFound) {
		return above{}, err
	}
	if blocked, err := i.hosts.IsBlocked(ctx, actor.HostOf(uri)); err != nil || blocked {
		return above{}, errors.Join(err, fetch.ErrNotFound)
	}
	document, err := i.fetch.Get(ctx, uri)
	if err != nil {
		return above{}, err
	}
	n, err := vocab.ReadNote(document.Raw)
	if err != nil {
		return above{}, err
	}
	if n.ID != document.URI || audienceOf(n.To, n.Cc) != nil || i.actors.Own(n.ID) {
		return above{}, fmt.Errorf("%w: %s is not a public post", outbox.ErrNotFound, uri)
	}
	author, err := i.actors.Find(ctx, n.AttributedTo, false)
	return above{n, document.Raw, author}, err
}

// putThread writes an answer as a comment, after the posts between it and what is known.
func (i *Inbox) putThread(ctx context.Context, tx *gorm.DB, t outbox.Thread, between []above, n vocab.Note) error {
	depth := t.Depth
	for _, a := range between {
		x := outbox.Object{
			URI: a.note.ID, Kind: kindNote, Owner: a.note.AttributedTo, Raw: a.raw, Created: i.utc(),
			Updated: latest(a.note.Published, a.note.Updated, i.utc()),
		}
		if err := put(ctx, tx, vocab.VerbCreate, x, false); err != nil && !errors.Is(err, errNoEffect) {
			return err
		}
		if err := outbox.PutComment(ctx, tx, i.commentOf(a.note, t.Track, depth)); err != nil {
			return err
		}
		depth++
	}
	return outbox.PutComment(ctx, tx, i.commentOf(n, t.Track, depth))
}

func (i *Inbox) commentOf(n vocab.Note, track string, depth int) outbox.Comment {
	c := outbox.Comment{
		URI: n.ID, Actor: n.AttributedTo, InReplyTo: n.InReplyTo, Track: track, Depth: depth, Content: i.shown(n.Content), URL: n.URL,
		CreatedAt: latest(n.Published, time.Time{}, i.utc()),
	}
	if c.URL == "" {
		c.URL = n.ID
	}
	return c
}
