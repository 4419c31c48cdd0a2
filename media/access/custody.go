package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/media/pre/umbral"
	"antiphon/vocab"
)

var errUnknownKey = &Refusal{"unknown-key", "This fragment is sealed to a key that this instance does not have."}

// Refusal is an answer to a peer that asked for something it does not get; Code is the protocol's.
type Refusal struct{ Code, Words string }

// Error makes a Refusal an error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Words }

// heldRow is a fragment in this proxy's custody, sealed as it came. Capsules is a JSON list of SHA-256 hashes.
type heldRow struct {
	URI           string `gorm:"primaryKey"`
	GrantURI      string
	SetNumber     int
	Artist        string
	DelegatingKey string
	VerifyingKey  string
	ReceivingKey  string
	RequestingKey string
	Capsules      string
	StartTime     time.Time
	EndTime       *time.Time
	SealingKey    string
	Enc           []byte
	Ciphertext    []byte
	AAD           []byte `gorm:"column:aad"`
	// Host is the origin of the artist's instance.
	Host      string
	UpdatedAt time.Time
}

func (heldRow) TableName() string { return "kfrags_held" }

// droppedRow says that a set was erased here while its grant goes on.
type droppedRow struct {
	GrantURI  string `gorm:"primaryKey"`
	SetNumber int    `gorm:"primaryKey"`
	DeletedAt time.Time
}

func (droppedRow) TableName() string { return "kfrags_dropped" }

// tombstone is kept for ever. DeletedAt is a plain column: gorm must not take the row for deleted itself.
type tombstone struct {
	GrantURI  string `gorm:"primaryKey"`
	DeletedAt time.Time
}

// Hold takes a fragment into custody, after its sender's signature and its proof were checked. The raw object gives the
// associated data. A [*Refusal] says why it was not taken; the same fragment twice is taken twice with one effect.
func (s *Service) Hold(ctx context.Context, k vocab.KeyFragment, raw map[string]any) error {
	if k.Target != s.InstanceActor() || !s.peers.Trusts(ctx, k.AttributedTo) && !s.ownBuyer(ctx, k.ReceivingKey) {
		return &Refusal{"not-a-proxy-for", "This instance does not hold fragments for " + k.AttributedTo + "."}
	}
	if err := s.mayHold(s.db.Read.WithContext(ctx), k.Grant, k.Set); err != nil {
		return err
	}
	if err := s.room(s.db.Read.WithContext(ctx), heldRow{Artist: k.AttributedTo, Host: originOf(k.AttributedTo)}); err != nil {
		return err
	}
	aad, err := vocab.AAD(raw)
	if err != nil {
		return &Refusal{"bad-fragment", "The fragment is malformed."}
	}
	row, err := s.custody(k, aad)
	if err != nil {
		return err
	}
	if _, err := s.open(ctx, row); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := s.mayHold(tx, k.Grant, k.Set); err != nil {
			return err
		}
		var old heldRow
		err := tx.Where("grant_uri = ? AND set_number = ?", k.Grant, k.Set).Take(&old).Error
		switch {
		case errors.Is(err, gorm.ErrRecordNotFound):
			if err := s.room(tx, row); err != nil {
				return err
			}
			return tx.Create(&row).Error
		case err != nil:
			return err
		case old.Artist != k.AttributedTo:
			return &Refusal{"bad-fragment", "This grant belongs to another artist."}
		case old.URI == k.ID || !k.Updated.After(old.UpdatedAt):
			return nil
		}
		if err := tx.Delete(&old).Error; err != nil {
			return err
		}
		return tx.Create(&row).Error
	})
}

// mayHold refuses fragments of a grant that was revoked, and of a set that was dropped.
func (s *Service) mayHold(tx *gorm.DB, grant string, set int) error {
	gone, err := isRevoked(tx, grant)
	if err != nil {
		return err
	}
	var dropped int64
	if err := tx.Model(&droppedRow{}).Where("grant_uri = ? AND set_number = ?", grant, set).Count(&dropped).Error; err != nil {
		return fmt.Errorf("look up dropped set: %w", err)
	}
	if gone || dropped > 0 {
		return &Refusal{"revoked", "This grant was revoked, or this set of its fragments is out of use."}
	}
	return nil
}

// room refuses fragments of an artist of another instance when so many are held already, for the artist or the host.
func (s *Service) room(tx *gorm.DB, row heldRow) error {
	if row.Host == s.base {
		return nil
	}
	for _, bound := range []struct {
		column, value string
		most          int64
	}{{"artist", row.Artist, s.config.PerArtist}, {"host", row.Host, s.config.PerHost}} {
		var n int64
		if err := tx.Model(&heldRow{}).Where(bound.column+" = ?", bound.value).Count(&n).Error; err != nil {
			return fmt.Errorf("count fragments: %w", err)
		}
		if n >= bound.most {
			return &Refusal{"limit", "This instance holds as many fragments for this " + bound.column + " as it will."}
		}
	}
	return nil
}

// ownBuyer reports whether a receiving key belongs to an account of this instance: it holds fragments for what its own
// users buy, from whomever.
func (s *Service) ownBuyer(ctx context.Context, receiving string) bool {
	var n int64
	err := s.db.Read.WithContext(ctx).Table("actors").Where("local = ? AND receiving_key = ?", true, receiving).Count(&n).Error
	return err == nil && n > 0
}

func (s *Service) custody(k vocab.KeyFragment, aad []byte) (heldRow, error) {
	capsules, err := json.Marshal(k.Capsules)
	return heldRow{
		URI: k.ID, GrantURI: k.Grant, SetNumber: k.Set, Artist: k.AttributedTo, DelegatingKey: k.DelegatingKey,
		VerifyingKey: k.VerifyingKey, ReceivingKey: k.ReceivingKey, RequestingKey: k.RequestingKey, Capsules: string(capsules),
		StartTime: k.StartTime, EndTime: k.EndTime, SealingKey: k.Sealed.Key, Enc: k.Sealed.Enc, Ciphertext: k.Sealed.Ciphertext,
		AAD: aad, Host: originOf(k.AttributedTo), UpdatedAt: k.Updated,
	}, err
}

// open unseals a fragment and verifies it: signed by the artist's verifying key for these delegating and receiving keys.
func (s *Service) open(ctx context.Context, row heldRow) (*umbral.VerifiedKeyFrag, error) {
	bad := &Refusal{"bad-fragment", "The fragment does not open, or is not signed for these keys."}
	secret, err := s.sealing(ctx, row.SealingKey)
	if err != nil {
		return nil, err
	}
	plaintext, err := secret.Open(row.Enc, row.Ciphertext, []byte(kfragInfo), row.AAD)
	if err != nil {
		return nil, bad
	}
	kfrag, err := umbral.ParseKeyFrag(plaintext)
	if err != nil {
		return nil, bad
	}
	keys, err := umbralKeys(row.VerifyingKey, row.DelegatingKey, row.ReceivingKey)
	if err != nil {
		return nil, bad
	}
	verified, err := kfrag.Verify(keys)
	if err != nil {
		return nil, bad
	}
	return verified, nil
}

// Erase forgets every fragment of a grant and keeps its tombstone for ever, when artist made it; a grant that is kept for
// a buyer is marked as revoked, with the artist's reason. Unknown grants of the artist's host get a tombstone too, so
// that what is late does not come in after it.
func (s *Service) Erase(ctx context.Context, artist, grant, reason string) error {
	if !vocab.SameOrigin(grant, artist) {
		return fmt.Errorf("grant %s is not of %s: %w", grant, artist, ErrNotYours)
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var others int64
		err := tx.Raw("SELECT (SELECT COUNT(*) FROM kfrags_held WHERE grant_uri = ? AND artist <> ?) +"+
			" (SELECT COUNT(*) FROM grants_held WHERE uri = ? AND artist <> ?)", grant, artist, grant, artist).Scan(&others).Error
		if err != nil {
			return fmt.Errorf("look up fragments of %s: %w", grant, err)
		}
		if others > 0 {
			return fmt.Errorf("grant %s is not of %s: %w", grant, artist, ErrNotYours)
		}
		return s.bury(tx, grant, reason, s.utc())
	})
}

// ErrNotYours is returned when somebody would erase what belongs to another artist.
var ErrNotYours = errors.New("it belongs to another artist")

// bury erases what is here of a grant; buried before, it stays as it was.
func (s *Service) bury(tx *gorm.DB, grant, reason string, at time.Time) error {
	if err := tx.Where("grant_uri = ?", grant).Delete(&heldRow{}).Error; err != nil {
		return fmt.Errorf("erase fragments of %s: %w", grant, err)
	}
	s.opened.forget(grant)
	err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&tombstone{GrantURI: grant, DeletedAt: at}).Error
	if err != nil {
		return fmt.Errorf("keep tombstone of %s: %w", grant, err)
	}
	err = tx.Model(&keptGrant{}).Where("uri = ? AND revoked_at IS NULL", grant).Update("revoked_at", at).Error
	if err == nil && reason != "" {
		// The buyer is told the reason, and this instance may have heard of it as a proxy before.
		err = tx.Model(&keptGrant{}).Where("uri = ? AND reason = ''", grant).Update("reason", shorten(reason)).Error
	}
	if err != nil {
		return fmt.Errorf("mark grant %s: %w", grant, err)
	}
	return nil
}

// isRevoked reports whether a grant has its tombstone here.
func isRevoked(tx *gorm.DB, grant string) (bool, error) {
	var n int64
	if err := tx.Model(&tombstone{}).Where("grant_uri = ?", grant).Count(&n).Error; err != nil {
		return false, fmt.Errorf("look up tombstone: %w", err)
	}
	return n > 0, nil
}

// Drop erases one fragment that artist has taken out of use, and keeps that its set is; the grant goes on. A fragment
// that is not here changes nothing.
func (s *Service) Drop(ctx context.Context, artist, kfrag string) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var row heldRow
		err := tx.Where("uri = ?", kfrag).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look up fragment %s: %w", kfrag, err)
		}
		if row.Artist != artist {
			return fmt.Errorf("fragment %s is not of %s: %w", kfrag, artist, ErrNotYours)
		}
		return s.dropHeld(tx, row.GrantURI, row.SetNumber)
	})
}

func (s *Service) dropHeld(tx *gorm.DB, grant string, set int) error {
	if err := tx.Where("grant_uri = ? AND set_number = ?", grant, set).Delete(&heldRow{}).Error; err != nil {
		return fmt.Errorf("drop fragment of %s: %w", grant, err)
	}
	s.opened.forget(grant)
	err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&droppedRow{GrantURI: grant, SetNumber: set, DeletedAt: s.utc()}).Error
	if err != nil {
		return fmt.Errorf("keep that set %d of %s is dropped: %w", set, grant, err)
	}
	return nil
}

// HoldsFragment reports whether a fragment is in custody here.
func (s *Service) HoldsFragment(ctx context.Context, kfrag string) (bool, error) {
	var n int64
	if err := s.db.Read.WithContext(ctx).Model(&heldRow{}).Where("uri = ?", kfrag).Count(&n).Error; err != nil {
		return false, fmt.Errorf("look up fragment: %w", err)
	}
	return n > 0, nil
}

// expire erases the fragments of grants that ended a day ago.
func (s *Service) expire(ctx context.Context) error {
	err := s.db.Write.WithContext(ctx).Where("end_time < ?", s.utc().Add(-eraseAfter)).Delete(&heldRow{}).Error
	if err != nil {
		return fmt.Errorf("erase expired fragments: %w", err)
	}
	return nil
}

// eraseAfter is how long after its end a grant's fragments are erased.
const eraseAfter = 24 * time.Hour

// MaxReason bounds, in bytes, what an artist says when taking a grant back.
const MaxReason = 500

// shorten cuts words to what is kept of them, between two letters.
func shorten(words string) string {
	if len(words) <= MaxReason {
		return words
	}
	cut := MaxReason
	for cut > 0 && !utf8.RuneStart(words[cut]) {
		cut--
	}
	return words[:cut]
}
