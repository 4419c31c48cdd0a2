package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/vocab"
)

// pageSize is how many entries one page of a collection has.
const pageSize = 30

// The kinds of reactions, as the table of that name has them.
const (
	reactionLike     = "like"
	reactionAnnounce = "announce"
)

// entry is one line of a collection's page.
type entry struct {
	URI string
	At  time.Time
	Raw []byte
}

// list is where the entries of a collection come from.
type list struct {
	// count is how many there are; nil counts the entries of a whole list.
	count func(ctx context.Context, tx *gorm.DB, owner string) (int64, error)
	page  func(ctx context.Context, tx *gorm.DB, owner string, after Position, limit int) ([]entry, error)
	// whole lists are short and are not cut into pages: some servers read nothing else.
	whole bool
}

// ofActor are an actor's collections, by the last part of their URIs.
var ofActor = map[string]list{
	"outbox":    {count: countSent, page: sentPage},
	"followers": counted("follows", "follower", "created_at", "followed = ? AND state = '"+actor.Accepted+"'"),
	"following": counted("follows", "followed", "created_at", "follower = ? AND state = '"+actor.Accepted+"'"),
	"tracks":    objectsOf(kindTrack),
	"releases":  objectsOf(kindAlbum),
	"playlists": objectsOf(string(vocab.KindPlaylist)),
	"liked":     counted("reactions", "object", "created_at", "actor = ? AND kind = '"+reactionLike+"'"),
	"featured":  {page: pinnedPage, whole: true},
}

// ofNote are the collections of a post.
var ofNote = map[string]list{
	"likes":   counted("reactions", "uri", "created_at", "object = ? AND kind = '"+reactionLike+"'"),
	"shares":  counted("reactions", "uri", "created_at", "object = ? AND kind = '"+reactionAnnounce+"'"),
	"replies": counted("comments", "uri", "created_at", "in_reply_to = ? AND NOT deleted"),
}

func objectsOf(kind string) list {
	return counted("objects", "uri", "created_at", "owner = ? AND kind = '"+kind+"' AND audience = '"+Everyone+"' AND deleted_at IS NULL")
}

// counted is a list of what a column of a table holds in the rows where a condition on the owner is true.
func counted(table, uri, at, where string) list {
	return list{
		count: func(ctx context.Context, tx *gorm.DB, owner string) (int64, error) {
			var n int64
			if err := tx.WithContext(ctx).Table(table).Where(where, owner).Count(&n).Error; err != nil {
				return 0, fmt.Errorf("count %s of %s: %w", table, owner, err)
			}
			return n, nil
		},
		page: func(ctx context.Context, tx *gorm.DB, owner string, after Position, limit int) ([]entry, error) {
			var out []entry
			q := tx.WithContext(ctx).Table(table).Select(uri+" AS uri, "+at+" AS at").Where(where, owner)
			if err := after.After(q, at, uri).Limit(limit).Scan(&out).Error; err != nil {
				return nil, fmt.Errorf("read %s of %s: %w", table, owner, err)
			}
			return out, nil
		},
	}
}

// tally is how many public activities an actor has sent.
type tally struct {
	Actor string `gorm:"primaryKey"`
	Sent  int64
}

// TableName is gorm's name for the table.
func (tally) TableName() string { return "tallies" }

// countOne adds one public activity to its actor's tally.
func countOne(tx *gorm.DB, actorURI string) error {
	err := tx.Exec("INSERT INTO tallies (actor, sent) VALUES (?, 1) ON CONFLICT (actor) DO UPDATE SET sent = tallies.sent + 1", actorURI).Error
	if err != nil {
		return fmt.Errorf("count activities of %s: %w", actorURI, err)
	}
	return nil
}

func countSent(ctx context.Context, tx *gorm.DB, owner string) (int64, error) {
	var row tally
	err := tx.WithContext(ctx).Where("actor = ?", owner).Take(&row).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, fmt.Errorf("count activities of %s: %w", owner, err)
	}
	return row.Sent, nil
}

func sentPage(ctx context.Context, tx *gorm.DB, owner string, after Position, limit int) ([]entry, error) {
	var out []entry
	q := tx.WithContext(ctx).Model(&sent{}).Select("uri, raw, created_at AS at").Where("actor = ? AND public", owner)
	if err := after.After(q, "created_at", "uri").Limit(limit).Scan(&out).Error; err != nil {
		return nil, fmt.Errorf("read activities of %s: %w", owner, err)
	}
	return out, nil
}

// collection returns a collection, or with ?page=true one page of it.
func (d *documents) collection(ctx context.Context, id, owner string, l list, query url.Values) ([]byte, error) {
	c := vocab.Collection{ID: id}
	if !l.whole {
		var err error
		if c.TotalItems, err = l.count(ctx, d.db.Read, owner); err != nil {
			return nil, err
		}
		if !query.Has("page") {
			c.First = pageURI(id, Position{})
			return build(c)
		}
	}
	after, err := ParsePosition(query.Get("after"))
	if err != nil {
		return nil, err
	}
	if n := query.Get("page"); query.Has("page") && n != "true" && n != "1" {
		return nil, fmt.Errorf("%w: page %.20q", ErrNotFound, n)
	}
	entries, err := l.page(ctx, d.db.Read, owner, after, pageSize+1)
	if err != nil {
		return nil, err
	}
	if l.whole {
		c.TotalItems = int64(len(entries))
	} else {
		c.ID, c.PartOf = pageURI(id, after), id
	}
	for i, e := range entries {
		if i == pageSize {
			c.Next = pageURI(id, Position{entries[i-1].At, entries[i-1].URI})
			break
		}
		c.Items = append(c.Items, vocab.Ref{ID: e.URI, Raw: e.Raw})
	}
	return build(c)
}

// pageURI is the address of the page that begins at a position.
func pageURI(id string, after Position) string {
	if after.URI == "" {
		return id + "?page=true"
	}
	return id + "?page=true&after=" + after.String()
}

func build(c vocab.Collection) ([]byte, error) {
	m, err := c.Build()
	if err != nil {
		return nil, err
	}
	if c.Items == nil && c.First == "" {
		m["orderedItems"] = []any{}
	}
	return json.Marshal(m)
}
