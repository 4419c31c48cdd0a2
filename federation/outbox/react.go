package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab"
)

// Reaction is what a member does about a post with one click: a Like or an Announce.
type Reaction string

// The reactions, as the table of that name has them.
const (
	Like  Reaction = reactionLike
	Boost Reaction = reactionAnnounce
)

// reaction is one member's, or a stranger's to something from here.
type reaction struct {
	Actor     string `gorm:"primaryKey"`
	Object    string `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"`
	URI       string
	CreatedAt time.Time
}

// React likes or boosts a public post or track in the name of me, or with on false takes that back, and tells its
// author; of a boost also the followers. Doing it twice tells it once. A track's announcement stands for the track,
// because every server knows it. ErrNotFound says that there is no such public post.
func (o *Outbox) React(ctx context.Context, me, object string, kind Reaction, on bool) error {
	return o.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		x, err := ObjectByURI(ctx, tx, object)
		if err != nil {
			return err
		}
		if x.Audience != nil || !x.Deleted.IsZero() {
			return fmt.Errorf("%w: %s is not public", ErrNotFound, object)
		}
		if x.Kind == kindTrack {
			post, err := PostOf(ctx, tx, x.Owner, object)
			if err != nil {
				return err
			}
			object = post.URI
		}
		if !on {
			return o.unreact(ctx, tx, me, object, x.Owner, kind)
		}
		row := reaction{Actor: me, Object: object, Kind: string(kind), URI: o.NewID("activities"), CreatedAt: o.utc()}
		result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if result.Error != nil {
			return fmt.Errorf("write reaction to %s: %w", object, result.Error)
		}
		if result.RowsAffected == 0 {
			return nil
		}
		return o.Tell(ctx, tx, o.reactionActivity(row, x.Owner))
	})
}

// unreact takes a reaction back by the id with which it was told.
func (o *Outbox) unreact(ctx context.Context, tx *gorm.DB, me, object, owner string, kind Reaction) error {
	var row reaction
	err := tx.Where("actor = ? AND object = ? AND kind = ?", me, object, kind).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read reaction to %s: %w", object, err)
	}
	if err := tx.Where("actor = ? AND object = ? AND kind = ?", me, object, kind).Delete(&reaction{}).Error; err != nil {
		return fmt.Errorf("take back reaction to %s: %w", object, err)
	}
	first := o.reactionActivity(row, owner)
	ref, err := refTo(first)
	if err != nil {
		return err
	}
	return o.Tell(ctx, tx, vocab.Activity{
		ID: row.URI + "/undo", Type: vocab.VerbUndo, Actor: me, Object: ref, To: first.To, Cc: first.Cc, Published: o.utc(),
	})
}

func (o *Outbox) reactionActivity(row reaction, owner string) vocab.Activity {
	a := vocab.Activity{
		ID: row.URI, Type: vocab.VerbLike, Actor: row.Actor, Object: vocab.Ref{ID: row.Object}, To: []string{owner}, Published: row.CreatedAt.UTC(),
	}
	if row.Kind == reactionAnnounce {
		a.Type, a.To, a.Cc = vocab.VerbAnnounce, []string{vocab.Public}, []string{Followers(row.Actor), owner}
	}
	return a
}

// Reacted tells whether a member likes and has boosted the first of these posts that has such a reaction.
func Reacted(ctx context.Context, tx *gorm.DB, me string, objects ...string) (liked, boosted bool, err error) {
	var kinds []string
	err = tx.WithContext(ctx).Model(&reaction{}).Where("actor = ? AND object IN ?", me, objects).Distinct().Pluck("kind", &kinds).Error
	if err != nil {
		return false, false, fmt.Errorf("read reactions of %s: %w", me, err)
	}
	for _, kind := range kinds {
		liked, boosted = liked || kind == reactionLike, boosted || kind == reactionAnnounce
	}
	return liked, boosted, nil
}
