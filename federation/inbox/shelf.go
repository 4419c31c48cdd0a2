package inbox

import (
	"context"
	"errors"
	"slices"

	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// shelved is a post that waits to be written together with others.
type shelved struct {
	ctx  context.Context
	w    writing
	err  error
	done chan struct{}
}

// plain reports whether a post is like most: new, in answer to nothing, for nobody by name, and about no track. Of such
// many are written by one statement for each table.
func (w writing) plain() bool {
	return w.verb == vocab.VerbCreate && !w.comment && (w.post == nil || w.post.Track == "") &&
		!slices.ContainsFunc(w.note.Tags, func(t vocab.Tag) bool { return t.Type == "Mention" })
}

// putPost writes what becomes of a post, and returns after the commit. A plain one shares it with those that wait at the
// same time.
func (i *Inbox) putPost(ctx context.Context, w writing) error {
	if !w.plain() {
		return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return i.write(ctx, tx, w) })
	}
	s := &shelved{ctx: ctx, w: w, done: make(chan struct{})}
	i.shelf.Join(s)
	<-s.done
	return s.err
}

// errOneByOne says that a post cannot be written together with others.
var errOneByOne = errors.New("one by one")

// putShelf writes posts in one transaction, and those one by one that are here already in some form, or all, when they
// cannot be written together.
func (i *Inbox) putShelf(all []*shelved) {
	if err := i.putTogether(all); err != nil {
		for _, s := range all {
			s.err = errOneByOne
		}
		i.log.Debug("posts are written one by one", "posts", len(all), "error", err)
	}
	for _, s := range all {
		if !errors.Is(s.err, errOneByOne) {
			close(s.done)
			continue
		}
		go func() {
			s.err = i.db.Tx(s.ctx, func(ctx context.Context, tx *gorm.DB) error { return i.write(ctx, tx, s.w) })
			close(s.done)
		}()
	}
}

func (i *Inbox) putTogether(all []*shelved) error {
	ctx, cancel := context.WithTimeout(context.Background(), keepTimeout)
	defer cancel()
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var objects []outbox.Object
		for _, s := range all {
			if s.err = s.ctx.Err(); s.err == nil {
				objects = append(objects, s.w.object)
			}
		}
		added, err := outbox.AddObjects(ctx, tx, objects)
		if err != nil {
			return err
		}
		var posts []outbox.Post
		for _, s := range all {
			switch {
			case s.err != nil:
			case !added[s.w.object.URI]:
				s.err = errOneByOne
			default:
				delete(added, s.w.object.URI) // the same may have come twice
				if s.w.post != nil {
					posts = append(posts, *s.w.post)
				}
			}
		}
		return outbox.PutPosts(ctx, tx, posts)
	})
}
