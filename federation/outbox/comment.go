package outbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab"
)

const (
	// MaxComment is the longest comment that a member can write, in characters.
	MaxComment = 3000
	// maxDepth is how deep a thread is told apart; what answers below it stands at this depth, too.
	maxDepth = 32
	// maxComments is how many comments of one track are kept.
	maxComments = 5000
	// commentRate comments may be written by one member within commentSpan.
	commentRate = 20
	commentSpan = 10 * time.Minute
)

var (
	// ErrComment is returned for a text that is empty or longer than MaxComment.
	ErrComment = errors.New("comment is empty or too long")
	// ErrTooMany is returned when there are too many comments: of one track, or of one member within minutes.
	ErrTooMany = errors.New("too many comments")
)

// Comment is an answer to the announcement of a track, or to another comment; local or remote, for everyone.
type Comment struct {
	// URI is the Note's id.
	URI       string `gorm:"primaryKey"`
	Actor     string
	InReplyTo string
	// Track is what the whole thread is about.
	Track string
	// Depth is 0 for an answer to the announcement.
	Depth int
	// Content is HTML, sanitized.
	Content string
	URL     string
	// Deleted keeps the place of what others have answered.
	Deleted   bool
	CreatedAt time.Time
}

// Thread is where an answer belongs.
type Thread struct {
	Track string
	// Author wrote what is answered.
	Author string
	// Depth is that of an answer.
	Depth int
}

// ThreadOf tells which thread an answer to uri belongs to: uri is a track, its announcement or a comment. Everything
// else is ErrNotFound.
func ThreadOf(ctx context.Context, tx *gorm.DB, uri string) (Thread, error) {
	tx = tx.WithContext(ctx)
	var c Comment
	err := tx.Where("uri = ?", uri).Take(&c).Error
	if err == nil {
		return Thread{c.Track, c.Actor, min(c.Depth+1, maxDepth)}, nil
	}
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return Thread{}, fmt.Errorf("read comment %s: %w", uri, err)
	}
	var p Post
	err = tx.Where("uri = ? AND track <> ''", uri).Take(&p).Error
	if err == nil {
		return Thread{Track: p.Track, Author: p.Actor}, nil
	}
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return Thread{}, fmt.Errorf("read post %s: %w", uri, err)
	}
	x, err := ObjectByURI(ctx, tx, uri)
	if err == nil && x.Kind == kindTrack && x.Deleted.IsZero() {
		return Thread{Track: x.URI, Author: x.Owner}, nil
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Thread{}, err
	}
	return Thread{}, fmt.Errorf("%w: thread of %s", ErrNotFound, uri)
}

// PutComment writes a comment, or a later text of it by the same actor. One that was deleted stays so. ErrTooMany says
// that the track has as many comments as are kept.
func PutComment(ctx context.Context, tx *gorm.DB, c Comment) error {
	tx = tx.WithContext(ctx)
	var n int64
	few := tx.Model(&Comment{}).Select("uri").Where("track = ? AND uri <> ?", c.Track, c.URI).Limit(maxComments)
	if err := tx.Table("(?) AS few", few).Count(&n).Error; err != nil {
		return fmt.Errorf("count comments of %s: %w", c.Track, err)
	}
	if n >= maxComments {
		return fmt.Errorf("%w: %s", ErrTooMany, c.Track)
	}
	c.CreatedAt = c.CreatedAt.UTC()
	err := tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "uri"}},
		Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("comments.actor = excluded.actor AND NOT comments.deleted")}},
		DoUpdates: clause.AssignmentColumns([]string{"content", "url"}),
	}).Create(&c).Error
	if err != nil {
		return fmt.Errorf("write comment %s: %w", c.URI, err)
	}
	return nil
}

// RemoveComment empties a comment of an actor; its place in the thread stays. One that is not there is no error.
func RemoveComment(ctx context.Context, tx *gorm.DB, actorURI, uri string) error {
	return empty(tx.WithContext(ctx).Where("uri = ? AND actor = ?", uri, actorURI))
}

// RemoveCommentsOf empties all comments of an actor.
func RemoveCommentsOf(ctx context.Context, tx *gorm.DB, actorURI string) error {
	return empty(tx.WithContext(ctx).Where("actor = ?", actorURI))
}

func empty(q *gorm.DB) error {
	if err := q.Model(&Comment{}).Updates(map[string]any{"deleted": true, "content": ""}).Error; err != nil {
		return fmt.Errorf("remove comment: %w", err)
	}
	return nil
}

// Comments returns the oldest comments of a track, by time, at most limit of them. Only narrows the query as Timeline's.
func Comments(ctx context.Context, tx *gorm.DB, track string, limit int, only ...func(q *gorm.DB, column string) *gorm.DB) ([]Comment, error) {
	var out []Comment
	q := tx.WithContext(ctx).Where("track = ?", track)
	for _, narrow := range only {
		q = narrow(q, "comments.actor")
	}
	err := q.Order("created_at, uri").Limit(limit).Find(&out).Error
	if err != nil {
		return nil, fmt.Errorf("read comments of %s: %w", track, err)
	}
	return out, nil
}

// CountComments counts those comments of a track that were not deleted.
func CountComments(ctx context.Context, tx *gorm.DB, track string) (int64, error) {
	var n int64
	if err := tx.WithContext(ctx).Model(&Comment{}).Where("track = ? AND NOT deleted", track).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count comments of %s: %w", track, err)
	}
	return n, nil
}

// Comment answers a track, its announcement or a comment in the name of the member me, and tells the one who is
// answered, whom the text mentions and the followers. The errors to branch on are ErrComment, ErrTooMany and
// ErrNotFound.
func (o *Outbox) Comment(ctx context.Context, me, parent, text string) (Comment, error) {
	text = strings.TrimSpace(strings.ToValidUTF8(text, ""))
	if text == "" || len([]rune(text)) > MaxComment {
		return Comment{}, ErrComment
	}
	var c Comment
	err := o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		thread, err := ThreadOf(ctx, tx, parent)
		if err != nil {
			return err
		}
		if thread.Track == parent {
			// Others know the announcement, and not every server the track.
			if post, err := PostOf(ctx, tx, thread.Author, parent); err == nil {
				parent = post.URI
			} else if !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		if err := o.mayComment(tx, me); err != nil {
			return err
		}
		n, err := o.answer(ctx, tx, me, parent, thread, text)
		if err != nil {
			return err
		}
		c = Comment{
			URI: n.ID, Actor: me, InReplyTo: parent, Track: thread.Track, Depth: thread.Depth, Content: n.Content, URL: n.URL, CreatedAt: n.Published,
		}
		return o.tellComment(ctx, tx, n, c, thread)
	})
	return c, err
}

func (o *Outbox) mayComment(tx *gorm.DB, me string) error {
	var n int64
	if err := tx.Model(&Comment{}).Where("actor = ? AND created_at > ?", me, o.utc().Add(-commentSpan)).Count(&n).Error; err != nil {
		return fmt.Errorf("count comments of %s: %w", me, err)
	}
	if n >= commentRate {
		return fmt.Errorf("%w by %s", ErrTooMany, me)
	}
	return nil
}

// answer is the note of a comment.
func (o *Outbox) answer(ctx context.Context, tx *gorm.DB, me, parent string, thread Thread, text string) (vocab.Note, error) {
	people, err := o.mentioned(ctx, tx, text)
	if err != nil {
		return vocab.Note{}, err
	}
	n := vocab.Note{
		ID: o.NewID("notes"), AttributedTo: me, InReplyTo: parent, Published: o.utc(), To: []string{vocab.Public}, Cc: []string{Followers(me)},
		Content: mentionsIn(paragraphs(text), people),
	}
	n.URL = n.ID
	link(&n)
	if thread.Author != me {
		author, err := actorRows(ctx, tx, []string{thread.Author})
		if err != nil {
			return vocab.Note{}, err
		}
		people = append(author, people...)
	}
	for _, p := range people {
		if p.URI == me || len(n.Tags) > maxMentions || hasTag(n, p.URI) {
			continue
		}
		n.Cc = append(n.Cc, p.URI)
		n.Tags = append(n.Tags, vocab.Tag{Type: "Mention", Name: "@" + p.Name + "@" + p.Host, Href: p.URI})
	}
	return n, nil
}

func hasTag(n vocab.Note, href string) bool {
	for _, t := range n.Tags {
		if t.Href == href {
			return true
		}
	}
	return false
}

// tellComment stores a member's comment and sends it, with the notices for those who live here.
func (o *Outbox) tellComment(ctx context.Context, tx *gorm.DB, n vocab.Note, c Comment, thread Thread) error {
	m, err := n.Build()
	if err != nil {
		return fmt.Errorf("write comment: %w", err)
	}
	ref, err := vocab.Embed(m)
	if err != nil {
		return err
	}
	if err := o.Store(ctx, tx, Object{URI: n.ID, Kind: kindNote, Owner: c.Actor, Raw: ref.Raw}); err != nil {
		return err
	}
	if err := PutComment(ctx, tx, c); err != nil {
		return err
	}
	if err := NoticeOf(ctx, tx, n, c.Track, thread.Author, c.CreatedAt); err != nil {
		return err
	}
	return o.Tell(ctx, tx, vocab.Activity{
		ID: n.ID + "/create", Type: vocab.VerbCreate, Actor: c.Actor, Object: ref, To: n.To, Cc: n.Cc, Published: n.Published,
	})
}

// Uncomment removes a comment: the own one everywhere, or, by the artist, somebody's below a track of one's own here.
// Everything else is ErrNotFound.
func (o *Outbox) Uncomment(ctx context.Context, me, uri string) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var c Comment
		if err := tx.Where("uri = ? AND NOT deleted", uri).Take(&c).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return fmt.Errorf("%w: comment %s", ErrNotFound, uri)
		} else if err != nil {
			return fmt.Errorf("read comment %s: %w", uri, err)
		}
		if c.Actor == me {
			return o.takeBack(ctx, tx, c)
		}
		track, err := ObjectByURI(ctx, tx, c.Track)
		if err != nil {
			return err
		}
		if !track.Local || track.Owner != me {
			return fmt.Errorf("%w: comment %s of %s", ErrNotFound, uri, me)
		}
		return RemoveComment(ctx, tx, c.Actor, uri)
	})
}

// takeBack deletes a member's own comment and tells all who were told of it.
func (o *Outbox) takeBack(ctx context.Context, tx *gorm.DB, c Comment) error {
	to, cc := []string{vocab.Public}, []string{Followers(c.Actor)}
	if x, err := ObjectByURI(ctx, tx, c.URI); err == nil {
		if n, err := vocab.ReadNote(x.Raw); err == nil {
			to, cc = n.To, n.Cc
		}
	}
	if err := RemoveComment(ctx, tx, c.Actor, c.URI); err != nil {
		return err
	}
	if err := DeleteObject(ctx, tx, c.Actor, c.URI, true, o.now()); err != nil {
		return err
	}
	return o.Tell(ctx, tx, vocab.Activity{
		ID: c.URI + "/delete", Type: vocab.VerbDelete, Actor: c.Actor, Object: vocab.Ref{ID: c.URI}, To: to, Cc: cc, Published: o.utc(),
	})
}

// person is who is mentioned.
type person struct{ URI, Name, Host, URL string }

func actorRows(ctx context.Context, tx *gorm.DB, uris []string) ([]person, error) {
	var out []person
	if err := tx.WithContext(ctx).Table("actors").Where("uri IN ?", uris).Find(&out).Error; err != nil {
		return nil, fmt.Errorf("read actors: %w", err)
	}
	return out, nil
}
