package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

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
	UpdatedAt     time.Time
}

func (heldRow) TableName() string { return "kfrags_held" }

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
		var gone int64
		if err := tx.Model(&tombstone{}).Where("grant_uri = ?", k.Grant).Count(&gone).Error; err != nil {
			return err
		}
		if gone > 0 {
			return &Refusal{"revoked", "This grant was revoked."}
		}
		var old heldRow
		err := tx.Where("grant_uri = ? AND set_number = ?", k.Grant, k.Set).Take(&old).Error
		switch {
		case errors.Is(err, gorm.ErrRecordNotFound):
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
		AAD: aad, UpdatedAt: k.Updated,
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

// Erase forgets every fragment of a grant and keeps its tombstone, when artist made it; it also marks a grant held for
// a buyer as revoked. Unknown grants of the artist's host get a
// tombstone too, so that what is late does not come in after it.
func (s *Service) Erase(ctx context.Context, artist, grant string) error {
	if !vocab.SameOrigin(grant, artist) {
		return fmt.Errorf("grant %s is not of %s", grant, artist)
	}
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		var others int64
		err := tx.Model(&heldRow{}).Where("grant_uri = ? AND artist <> ?", grant, artist).Count(&others).Error
		if err != nil {
			return err
		}
		if others > 0 {
			return fmt.Errorf("grant %s is not of %s", grant, artist)
		}
		now := s.utc()
		if err := tx.Where("grant_uri = ?", grant).Delete(&heldRow{}).Error; err != nil {
			return err
		}
		if err := tx.Save(&tombstone{GrantURI: grant, DeletedAt: now}).Error; err != nil {
			return err
		}
		return tx.Model(&keptGrant{}).Where("uri = ? AND artist = ?", grant, artist).Update("revoked_at", now).Error
	})
}
