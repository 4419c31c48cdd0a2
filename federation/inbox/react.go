package inbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/outbox"
	"antiphon/vocab"
)

// The kinds of reactions.
const (
	like     = "like"
	announce = "announce"
)

var reactions = map[vocab.Verb]string{vocab.VerbLike: like, vocab.VerbAnnounce: announce}

// reaction is that somebody likes or announces something that was made here; one of each kind counts.
type reaction struct {
	Actor     string `gorm:"primaryKey"`
	Object    string `gorm:"primaryKey"`
	Kind      string `gorm:"primaryKey"`
	URI       string
	CreatedAt time.Time
}

// Reactions counts the likes and announcements of an object.
func Reactions(ctx context.Context, tx *gorm.DB, object string) (likes, announcements int64, err error) {
	var rows []struct {
		Kind string
		N    int64
	}
	err = tx.WithContext(ctx).Model(&reaction{}).Where("object = ?", object).Select("kind, COUNT(*) AS n").Group("kind").Scan(&rows).Error
	if err != nil {
		return 0, 0, fmt.Errorf("count reactions to %s: %w", object, err)
	}
	for _, r := range rows {
		switch r.Kind {
		case like:
			likes = r.N
		case announce:
			announcements = r.N
		}
	}
	return likes, announcements, nil
}

// idle reports whether an activity can have no effect here, whoever sends it, so that it need not be stored: most that is
// liked and announced was made elsewhere.
func (i *Inbox) idle(a vocab.Activity) bool {
	return !i.knows(a.Type) || reactions[a.Type] != "" && !i.actors.Own(a.Object.ID)
}

// react records a Like or an Announce of a local object that the sender may see.
func (i *Inbox) react(ctx context.Context, in Incoming) error {
	kind := reactions[in.Activity.Type]
	object := in.Activity.Object.ID
	x, err := outbox.ObjectByURI(ctx, i.db.Read, object)
	if errors.Is(err, outbox.ErrNotFound) || err == nil && (!x.Local || !x.Deleted.IsZero()) {
		return errNoEffect
	}
	if err != nil {
		return err
	}
	if !x.Readable(in.Actor.URI) {
		return Refuse("%s is not for %s", object, in.Actor.URI)
	}
	notice := outbox.Notice{Owner: x.Owner, Kind: outbox.NoticeLike, Actor: in.Actor.URI, Object: object, CreatedAt: i.utc()}
	if kind == announce {
		notice.Kind = outbox.NoticeBoost
	}
	if in.Actor.Local {
		// The outbox has written it with the activity, and may have taken it back since.
		return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return outbox.PutNotice(ctx, tx, notice) })
	}
	row := reaction{Actor: in.Actor.URI, Object: object, Kind: kind, URI: idOf(in.Activity, in.Raw), CreatedAt: i.utc()}
	return i.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if is, err := undone(ctx, tx, in); err != nil {
			return err
		} else if is {
			return errNoEffect
		}
		err := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "actor"}, {Name: "object"}, {Name: "kind"}},
			DoUpdates: clause.AssignmentColumns([]string{"uri"}),
		}).Create(&row).Error
		if err != nil {
			return fmt.Errorf("write reaction to %s: %w", object, err)
		}
		return outbox.PutNotice(ctx, tx, notice)
	})
}

// undoReaction takes back a Like or an Announce of the same actor, by its id or by its object.
func (i *Inbox) undoReaction(kind string) Handler {
	return func(ctx context.Context, in Incoming) error {
		ref := in.Activity.Object
		object := ""
		if ref.Raw != nil {
			if inner, err := vocab.ParseActivity(withContext(ref.Raw)); err == nil && inner.Actor == in.Actor.URI {
				object = inner.Object.ID
			}
		}
		return i.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			err := tx.Where("actor = ? AND kind = ? AND (uri = ? OR object = ?)", in.Actor.URI, kind, ref.ID, object).Delete(&reaction{}).Error
			if err != nil {
				return fmt.Errorf("take back reaction: %w", err)
			}
			return nil
		})
	}
}
