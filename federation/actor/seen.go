package actor

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/vocab"
)

// SeenKey is a key that an actor was seen to sign objects with, and when, first and last.
type SeenKey struct {
	Actor   string
	Key     vocab.Key
	Purpose Purpose
	First   time.Time
	Last    time.Time
}

// Purpose is what a seen key signs.
type Purpose string

// The purposes of seen keys.
const (
	Assertion  Purpose = "assertion"  // objects
	Requesting Purpose = "requesting" // a listener's key links and agreements
)

// seenRow is a row of keys_seen.
type seenRow struct {
	Method    string `gorm:"primaryKey"`
	Multikey  string `gorm:"primaryKey"`
	Actor     string
	Purpose   Purpose
	FirstSeen time.Time
	LastSeen  time.Time
}

// TableName is gorm's name for the table.
func (seenRow) TableName() string { return "keys_seen" }

// see keeps the keys of an actor's document that was fetched from the actor's server now.
func see(tx *gorm.DB, a vocab.Actor, now time.Time) error {
	var rows []seenRow
	for purpose, keys := range map[Purpose][]vocab.Key{Assertion: a.ProofKeys, Requesting: a.RequestingKeys} {
		for _, k := range keys {
			rows = append(rows, seenRow{Method: k.ID, Multikey: k.Multikey, Actor: a.ID, Purpose: purpose, FirstSeen: now, LastSeen: now})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	err := tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "method"}, {Name: "multikey"}}, DoUpdates: clause.AssignmentColumns([]string{"last_seen"}),
	}).Create(&rows).Error
	if err != nil {
		return fmt.Errorf("write keys of %s: %w", a.ID, err)
	}
	return nil
}

// KeysOf returns every key that an actor was ever known by here to sign with: a remote actor's as they were seen, a
// local actor's from the day on when they were made, seen last at now. An actor that is not known has none.
func KeysOf(ctx context.Context, tx *gorm.DB, actor string, now time.Time) ([]SeenKey, error) {
	var seen []seenRow
	if err := tx.WithContext(ctx).Where("actor = ?", actor).Order("first_seen").Find(&seen).Error; err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", actor, err)
	}
	var all []SeenKey
	for _, r := range seen {
		all = append(all, SeenKey{r.Actor, vocab.Key{ID: r.Method, Multikey: r.Multikey}, r.Purpose, r.FirstSeen.UTC(), r.LastSeen.UTC()})
	}
	var own []keyRow
	if err := tx.WithContext(ctx).Where("actor = ? AND purpose = ?", actor, purposeProof).Find(&own).Error; err != nil {
		return nil, fmt.Errorf("read keys of %s: %w", actor, err)
	}
	for _, r := range own {
		all = append(all, SeenKey{r.Actor, vocab.Key{ID: r.ID, Multikey: r.Public}, Assertion, r.CreatedAt.UTC(), now})
	}
	return all, nil
}

// CurrentProofKey is the Multikey that a local actor's objects are signed with now, read inside tx.
func CurrentProofKey(ctx context.Context, tx *gorm.DB, actor string) (string, error) {
	var found keyRow
	err := tx.WithContext(ctx).Where("actor = ? AND purpose = ?", actor, purposeProof).Order("number DESC").Take(&found).Error
	if err != nil {
		return "", fmt.Errorf("read proof key of %s: %w", actor, err)
	}
	return found.Public, nil
}
