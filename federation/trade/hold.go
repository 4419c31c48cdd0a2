package trade

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// A buyer who was granted something before and now comes with other keys is the same person only if an earlier key says
// so. Where none does, the instance that publishes the keys may have made them for itself: nothing more is sold to them
// until the artist, who may know the buyer, has said yes, or the buyer has had something granted anew with an earlier key.

// Hold is a buyer whose new keys no earlier key vouches for.
type Hold struct {
	Artist        string `gorm:"primaryKey"`
	Buyer         string `gorm:"primaryKey"`
	RequestingKey string `gorm:"primaryKey"`
	State         string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// TableName is gorm's name for the table.
func (Hold) TableName() string { return "key_holds" }

const (
	held      = "held"
	confirmed = "confirmed"
)

// vouched reports whether an artist may go on selling to a buyer with the keys that the buyer publishes now; where not,
// the hold is written and the artist is told, once.
func (s *Service) vouched(ctx context.Context, artist string, buyer actor.Actor) (bool, error) {
	known, err := s.Access.RequestingKeysOf(ctx, artist, buyer.URI)
	if err != nil || len(known) == 0 || linked(known, buyer, s.Now()) {
		return err == nil, err
	}
	row := Hold{Artist: artist, Buyer: buyer.URI, RequestingKey: buyer.RequestingKey, State: held, CreatedAt: s.Now().UTC(), UpdatedAt: s.Now().UTC()}
	good := false
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		result := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&row)
		if result.Error != nil {
			return fmt.Errorf("hold %s: %w", buyer.URI, result.Error)
		}
		if result.RowsAffected > 0 {
			return moderation.Tell(ctx, tx, artist, moderation.TidingNewKeys, buyer.URI, "", s.Now())
		}
		var have Hold
		err := tx.Where("artist = ? AND buyer = ? AND requesting_key = ?", artist, buyer.URI, buyer.RequestingKey).Take(&have).Error
		good = have.State == confirmed
		return err
	})
	return good, err
}

// linked reports whether one of the known requesting keys is the actor's of now, or vouches for it by links.
func linked(known []string, a actor.Actor, now time.Time) bool {
	keys := slices.Clone(known)
	for range len(a.KeyLinks) + 1 {
		if slices.Contains(keys, a.RequestingKey) {
			return true
		}
		before := len(keys)
		for _, raw := range a.KeyLinks {
			link, err := vocab.ReadKeyLink(raw)
			if err != nil || link.Actor != a.URI || slices.Contains(keys, link.Requesting) {
				continue
			}
			if slices.ContainsFunc(keys, func(k string) bool { return signedBy(raw, k, now) }) {
				keys = append(keys, link.Requesting)
			}
		}
		if len(keys) == before {
			return false
		}
	}
	return slices.Contains(keys, a.RequestingKey)
}

// signedBy reports whether a key link was signed with a requesting key.
func signedBy(link []byte, key string, now time.Time) bool {
	_, err := proof.Verify(link, func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Kind != vocab.KindKeyLink {
			return nil, errSender
		}
		return multikey.DecodeEd25519(key)
	}, now)
	return err == nil
}

// Holds are the buyers that an artist is to say yes to, the oldest first, at most limit.
func Holds(ctx context.Context, tx *gorm.DB, artist string, limit int) ([]Hold, error) {
	var rows []Hold
	err := tx.WithContext(ctx).Where("artist = ? AND state = ?", artist, held).Order("created_at").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read holds of %s: %w", artist, err)
	}
	return rows, nil
}

// ErrNoHold is returned for a hold that does not exist.
var ErrNoHold = errors.New("nobody is held")

// Confirm is the artist's word that a buyer's new key is the buyer's.
func (s *Service) Confirm(ctx context.Context, artist, buyer, key string) error {
	result := s.DB.Write.WithContext(ctx).Model(&Hold{}).
		Where("artist = ? AND buyer = ? AND requesting_key = ? AND state = ?", artist, buyer, key, held).
		Updates(map[string]any{"state": confirmed, "updated_at": s.Now().UTC()})
	if result.Error != nil {
		return fmt.Errorf("confirm key of %s: %w", buyer, result.Error)
	}
	if result.RowsAffected == 0 {
		return fmt.Errorf("%w: %s", ErrNoHold, buyer)
	}
	return nil
}
