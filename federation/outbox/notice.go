package outbox

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab"
)

// The kinds of notices.
const (
	NoticeReply   = "reply"
	NoticeMention = "mention"
	NoticeLike    = "like"
	NoticeBoost   = "boost"
)

// maxNotified bounds how many people here one post can notify.
const maxNotified = 20

// Notice tells a member that somebody answered, mentioned, liked or boosted.
type Notice struct {
	Owner string `gorm:"primaryKey"`
	Kind  string `gorm:"primaryKey"`
	Actor string `gorm:"primaryKey"`
	// Object is the answer or the post with the mention, or what is liked or boosted.
	Object string `gorm:"primaryKey"`
	// About is the track that it is about, or empty.
	About     string
	Seen      bool
	CreatedAt time.Time
}

// PutNotice writes a notice for somebody who lives here; for others, and of what one does oneself, it does nothing. The
// same notice comes once.
func PutNotice(ctx context.Context, tx *gorm.DB, n Notice) error {
	if n.Owner == n.Actor {
		return nil
	}
	tx = tx.WithContext(ctx)
	var here int64
	if err := tx.Table("actors").Where("uri = ? AND local", n.Owner).Count(&here).Error; err != nil {
		return fmt.Errorf("read actor %s: %w", n.Owner, err)
	}
	if here == 0 {
		return nil
	}
	n.CreatedAt = n.CreatedAt.UTC()
	if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&n).Error; err != nil {
		return fmt.Errorf("write notice: %w", err)
	}
	return nil
}

// NoticeOf tells the members whom a post mentions, and the one whom it answers, if any. About is the track of its
// thread, or empty.
func NoticeOf(ctx context.Context, tx *gorm.DB, n vocab.Note, about, answered string, now time.Time) error {
	told := 0
	put := func(owner, kind string) error {
		told++
		return PutNotice(ctx, tx, Notice{Owner: owner, Kind: kind, Actor: n.AttributedTo, Object: n.ID, About: about, CreatedAt: now})
	}
	if answered != "" {
		if err := put(answered, NoticeReply); err != nil {
			return err
		}
	}
	seen := map[string]bool{answered: true}
	for _, t := range n.Tags {
		if t.Type != "Mention" || seen[t.Href] || told >= maxNotified {
			continue
		}
		seen[t.Href] = true
		if err := put(t.Href, NoticeMention); err != nil {
			return err
		}
	}
	return nil
}

// Notices returns what a member was told, newest first, from a position on (by the object's URI).
func Notices(ctx context.Context, tx *gorm.DB, owner string, after Position, limit int) ([]Notice, error) {
	var out []Notice
	q := after.After(tx.WithContext(ctx).Where("owner = ?", owner), "created_at", "object")
	if err := q.Limit(limit).Find(&out).Error; err != nil {
		return nil, fmt.Errorf("read notices of %s: %w", owner, err)
	}
	return out, nil
}

// CountUnseen counts the notices that a member has not looked at, up to a hundred.
func CountUnseen(ctx context.Context, tx *gorm.DB, owner string) (int, error) {
	var n int64
	few := tx.Model(&Notice{}).Select("object").Where("owner = ? AND NOT seen", owner).Limit(100)
	if err := tx.WithContext(ctx).Table("(?) AS few", few).Count(&n).Error; err != nil {
		return 0, fmt.Errorf("count notices of %s: %w", owner, err)
	}
	return int(n), nil
}

// SeeNotices marks all notices of a member as seen.
func SeeNotices(ctx context.Context, tx *gorm.DB, owner string) error {
	err := tx.WithContext(ctx).Model(&Notice{}).Where("owner = ? AND NOT seen", owner).Update("seen", true).Error
	if err != nil {
		return fmt.Errorf("mark notices of %s: %w", owner, err)
	}
	return nil
}
