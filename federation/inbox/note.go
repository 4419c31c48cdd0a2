package inbox

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

const kindNote = string(vocab.KindNote)

// named fetches the object of a Create or an Update that only names it, and goes on with what it is.
func (i *Inbox) named(ctx context.Context, in Incoming) error {
	ref := in.Activity.Object
	if ref.Raw != nil {
		return errNoEffect
	}
	if err := i.ofSender(in, ref.ID); err != nil {
		return err
	}
	relevant, err := i.relevant(ctx, in, ref.ID)
	if err != nil {
		return err
	}
	if !relevant {
		return errNoEffect
	}
	document, err := i.fetch.Get(ctx, ref.ID)
	if errors.Is(err, fetch.ErrGone) || errors.Is(err, fetch.ErrNotFound) {
		return Refuse("%v", err)
	}
	if err != nil {
		return err
	}
	if in.Activity.Object, err = vocab.Embed(document.Map); err != nil {
		return Refuse("%v", err)
	}
	in.Activity.Object.Raw = document.Raw
	for _, kind := range in.Activity.Object.Types {
		if handle, ok := i.handlers[verbKind{in.Activity.Type, kind}]; ok {
			return handle(ctx, in)
		}
	}
	return errNoEffect
}

// ofSender checks that an object's id is the sender's to give.
func (i *Inbox) ofSender(in Incoming, id string) error {
	if !vocab.SameOrigin(id, in.Actor.URI) {
		return Refuse("%s is not on the host of %s", id, in.Actor.URI)
	}
	return nil
}

// relevant reports whether somebody here wants to know of what the sender made: it is followed from here, or the object
// is here already.
func (i *Inbox) relevant(ctx context.Context, in Incoming, id string) (bool, error) {
	followed, err := i.followedHere(ctx, in.Actor.URI)
	if err != nil || followed {
		return followed, err
	}
	_, err = outbox.ObjectByURI(ctx, i.db.Read, id)
	if errors.Is(err, outbox.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// note takes a post, or a later form of it: from an actor that is followed here, or in answer to something from here.
func (i *Inbox) note(ctx context.Context, in Incoming) error {
	if in.Actor.Local {
		return nil
	}
	if in.Activity.Object.Raw == nil {
		return i.named(ctx, in)
	}
	n, err := vocab.ReadNote(in.Activity.Object.Raw)
	if err != nil {
		return Refuse("%v", err)
	}
	if n.AttributedTo != in.Actor.URI {
		return Refuse("%s is not by %s", n.ID, in.Actor.URI)
	}
	if err := i.ofSender(in, n.ID); err != nil {
		return err
	}
	followed, err := i.followedHere(ctx, in.Actor.URI)
	if err != nil {
		return err
	}
	mentioned := slices.ContainsFunc(n.Tags, func(t vocab.Tag) bool { return t.Type == "Mention" && i.actors.Own(t.Href) })
	x := outbox.Object{
		URI: n.ID, Kind: kindNote, Owner: n.AttributedTo, Raw: in.Activity.Object.Raw, Audience: audienceOf(n.To, n.Cc),
		Created: i.utc(), Updated: latest(n.Published, n.Updated, i.utc()),
	}
	w := writing{note: n, object: x, verb: in.Activity.Type}
	if x.Audience == nil && n.InReplyTo != "" {
		if w.thread, w.between, w.comment, err = i.threadNear(ctx, n, mentioned); err != nil {
			return err
		}
	}
	if !followed && !mentioned && !w.comment && !i.actors.Own(n.InReplyTo) {
		return errNoEffect
	}
	if followed && !w.comment && (x.Audience == nil || slices.Contains(x.Audience, in.Actor.Followers)) {
		post := i.postOf(ctx, in.Actor, n)
		w.post = &post
	}
	return i.putPost(ctx, w)
}

// threadNear finds the thread of an answer. The way up through other servers is gone only for somebody here who is
// mentioned, and for what belongs to nobody known the note stays what it is.
func (i *Inbox) threadNear(ctx context.Context, n vocab.Note, mentioned bool) (outbox.Thread, []above, bool, error) {
	if mentioned {
		return i.thread(ctx, n)
	}
	t, err := outbox.ThreadOf(ctx, i.db.Read, n.InReplyTo)
	if errors.Is(err, outbox.ErrNotFound) {
		return t, nil, false, nil
	}
	return t, nil, err == nil, err
}

// writing is what becomes of a post: a document, and a comment or an entry of timelines.
type writing struct {
	note   vocab.Note
	object outbox.Object
	verb   vocab.Verb
	// thread is where a comment belongs, below the posts between.
	thread  outbox.Thread
	between []above
	comment bool
	// post is for the timelines, or nil.
	post *outbox.Post
}

func (i *Inbox) write(ctx context.Context, tx *gorm.DB, w writing) error {
	if err := put(ctx, tx, w.verb, w.object, false); err != nil {
		return err
	}
	answered := ""
	if w.comment {
		if err := i.putThread(ctx, tx, w.thread, w.between, w.note); errors.Is(err, outbox.ErrTooMany) {
			return Refuse("%v", err)
		} else if err != nil {
			return err
		}
		if answered = w.thread.Author; len(w.between) > 0 {
			answered = ""
		}
	}
	if w.verb == vocab.VerbCreate {
		if err := outbox.NoticeOf(ctx, tx, w.note, w.thread.Track, answered, i.utc()); err != nil {
			return err
		}
	}
	if w.post == nil {
		return nil
	}
	if w.post.Track != "" {
		// The track may have been renamed since it was looked at.
		have, err := outbox.LockObject(ctx, tx, w.post.Track)
		if err != nil {
			return err
		}
		t, err := vocab.ReadTrack(have.Raw)
		if err != nil {
			return err
		}
		w.post.Title = t.Name
	}
	return outbox.PutPost(ctx, tx, *w.post)
}

// put writes an object that was received, unless it is here in this or a later form, belongs to someone else, or was
// deleted. With revive, an Update brings a deleted object back.
func put(ctx context.Context, tx *gorm.DB, verb vocab.Verb, x outbox.Object, revive bool) error {
	if verb == vocab.VerbCreate {
		if added, err := outbox.AddObject(ctx, tx, x); added || err != nil {
			return err
		}
	}
	have, err := outbox.ObjectByURI(ctx, tx, x.URI)
	switch {
	case errors.Is(err, outbox.ErrNotFound):
	case err != nil:
		return err
	case have.Owner != x.Owner || have.Local || have.Kind != x.Kind && have.Deleted.IsZero():
		return Refuse("%s is a %s of %s", x.URI, have.Kind, have.Owner)
	case !have.Deleted.IsZero() && (!revive || verb != vocab.VerbUpdate):
		return Refuse("%s was deleted", x.URI)
	case verb == vocab.VerbCreate:
		return errNoEffect
	}
	switch err := outbox.PutObject(ctx, tx, x); {
	case errors.Is(err, outbox.ErrOlder) && !have.Deleted.IsZero(), errors.Is(err, outbox.ErrOwner):
		return Refuse("%v", err)
	case errors.Is(err, outbox.ErrOlder):
		return errNoEffect
	default:
		return err
	}
}

// latest is the last of the times that a document names, but not after now.
func latest(published, updated, now time.Time) time.Time {
	at := published
	if updated.After(at) {
		at = updated
	}
	if at.IsZero() || at.After(now) {
		return now
	}
	return at
}

// audienceOf is whom a document is for: nil is everyone.
func audienceOf(to, cc []string) []string {
	all := append(append([]string{}, to...), cc...)
	if slices.Contains(all, vocab.Public) {
		return nil
	}
	return all
}

// postOf makes a timeline's entry of a note. A track that it announces is fetched if it is not here; a track that
// cannot be had leaves a post of words.
func (i *Inbox) postOf(ctx context.Context, author actor.Actor, n vocab.Note) outbox.Post {
	p := outbox.Post{
		URI: n.ID, Actor: author.URI, Content: i.shown(n.Content), URL: n.URL, PublishedAt: latest(n.Published, time.Time{}, i.utc()),
		CreatedAt: i.utc(),
	}
	if p.URL == "" {
		p.URL = n.ID
	}
	for _, a := range n.Attachments {
		// Many servers call every file a Document.
		if (a.Type == "Audio" || strings.HasPrefix(a.Media.MediaType, "audio/")) && p.Audio == "" {
			p.Audio, p.Cover = a.Media.URL, a.Icon.URL
		}
	}
	if !vocab.SameOrigin(n.Track, n.ID) {
		return p
	}
	t, err := i.Track(ctx, n.Track)
	if err == nil && t.AttributedTo != author.URI {
		err = fmt.Errorf("track is by %s", t.AttributedTo)
	}
	if err != nil {
		i.log.Info("announced track not taken", "note", n.ID, "track", n.Track, "error", err)
		return p
	}
	p.Track, p.Title = t.ID, t.Name
	if p.Cover == "" {
		p.Cover = t.Cover.URL
	}
	if p.Audio == "" {
		p.Audio = t.Preview.URL
	}
	return p
}
