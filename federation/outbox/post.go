package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Post is an entry of timelines: what somebody announced or wrote, local or remote.
type Post struct {
	URI   string `gorm:"primaryKey"`
	Actor string
	// Track is what it announces, or empty.
	Track string
	// Content is HTML, sanitized.
	Content string
	// URL is its page; Audio and Cover are addresses of files, or empty.
	URL, Audio, Cover string
	// Title is the track's, or empty.
	Title       string
	PublishedAt time.Time
	CreatedAt   time.Time
}

// PutPost writes a post, or a later form of it by the same actor.
func PutPost(ctx context.Context, tx *gorm.DB, p Post) error {
	return PutPosts(ctx, tx, []Post{p})
}

// PutPosts is PutPost for many, each with another URI, by one statement.
func PutPosts(ctx context.Context, tx *gorm.DB, posts []Post) error {
	if len(posts) == 0 {
		return nil
	}
	for n, p := range posts {
		posts[n].PublishedAt, posts[n].CreatedAt = p.PublishedAt.UTC(), p.CreatedAt.UTC()
	}
	err := tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "uri"}},
		Where:     clause.Where{Exprs: []clause.Expression{gorm.Expr("posts.actor = excluded.actor")}},
		DoUpdates: clause.AssignmentColumns([]string{"track", "content", "url", "audio", "cover", "title"}),
	}).Create(&posts).Error
	if err != nil {
		return fmt.Errorf("write %d posts: %w", len(posts), err)
	}
	return nil
}

// RemovePost removes a post of an actor; one that is not there is no error.
func RemovePost(ctx context.Context, tx *gorm.DB, actorURI, uri string) error {
	if err := tx.WithContext(ctx).Where("uri = ? AND actor = ?", uri, actorURI).Delete(&Post{}).Error; err != nil {
		return fmt.Errorf("remove post %s: %w", uri, err)
	}
	return nil
}

// RemovePostsOf removes all posts of an actor.
func RemovePostsOf(ctx context.Context, tx *gorm.DB, actorURI string) error {
	if err := tx.WithContext(ctx).Where("actor = ?", actorURI).Delete(&Post{}).Error; err != nil {
		return fmt.Errorf("remove posts of %s: %w", actorURI, err)
	}
	return nil
}

// PostOf returns the newest post in which an actor announces a track, or ErrNotFound.
func PostOf(ctx context.Context, tx *gorm.DB, actorURI, track string) (Post, error) {
	var p Post
	err := tx.WithContext(ctx).Where("actor = ? AND track = ?", actorURI, track).Order("published_at DESC").Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return p, fmt.Errorf("%w: post of %s", ErrNotFound, track)
	}
	if err != nil {
		return p, fmt.Errorf("read post of %s: %w", track, err)
	}
	return p, nil
}

// Timeline returns what the actors whom me follows have posted, and what me posted, newest first, from a position on.
// It takes the newest of each from an index and merges these: what a page costs grows with whom one follows, not with
// what is stored. Only narrows the query by the column of an actor's URI: to whom the member wants to see.
func Timeline(ctx context.Context, tx *gorm.DB, me string, after Position, limit int, only ...func(q *gorm.DB, column string) *gorm.DB) ([]Post, error) {
	newest := after.After(tx.Model(&Post{}).Select("posts.uri").Where("posts.actor = seen.actor"), "posts.published_at", "posts.uri").Limit(limit)
	seen := tx.Raw("SELECT ? AS actor UNION SELECT followed FROM follows WHERE follower = ? AND state = 'accepted'", me, me)
	var posts []Post
	q := tx.WithContext(ctx).Table("(?) AS seen", seen).Select("p.*").Joins("JOIN posts AS p ON p.uri IN (?)", newest)
	for _, narrow := range only {
		q = narrow(q, "seen.actor")
	}
	if err := after.After(q, "p.published_at", "p.uri").Limit(limit).Scan(&posts).Error; err != nil {
		return nil, fmt.Errorf("read timeline of %s: %w", me, err)
	}
	return posts, nil
}

// Retitle gives the posts in which an actor announces a track the track's name.
func Retitle(ctx context.Context, tx *gorm.DB, actorURI, track, title string) error {
	err := tx.WithContext(ctx).Model(&Post{}).Where("actor = ? AND track = ?", actorURI, track).Update("title", title).Error
	if err != nil {
		return fmt.Errorf("retitle posts of %s: %w", track, err)
	}
	return nil
}
