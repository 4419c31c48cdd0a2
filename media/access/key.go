package access

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/vault"
	"antiphon/media/pre/hpke"
	"antiphon/media/pre/keytree"
	"antiphon/vocab/multikey"
)

const (
	purposeSeed    = "seed"
	purposeSealing = "sealing"
)

// keyRow is a secret of this room. For a seed, Public is the artist's verifying key; for a sealing key, the encoded
// public key in base64url.
type keyRow struct {
	Owner     string `gorm:"primaryKey"`
	Purpose   string `gorm:"primaryKey"`
	Number    int    `gorm:"primaryKey"`
	Sealed    []byte
	Public    string
	CreatedAt time.Time
}

func (keyRow) TableName() string { return "access_keys" }

func (k keyRow) place() vault.Place {
	return vault.Place{Table: "access_keys", ID: k.Owner + " " + k.Purpose + " " + strconv.Itoa(k.Number), Version: 1}
}

// VerifyingKey returns the key that the artist's kfrags are signed with, as a Multikey, and its number; the artist's
// seed is made on the first call.
func (s *Service) VerifyingKey(ctx context.Context, artist string) (string, int, error) {
	row, err := s.key(ctx, artist, purposeSeed)
	return row.Public, row.Number, err
}

// SealingKey returns the encoded HPKE public key that fragments for this instance are sealed to, and its number; it is
// made on the first call.
func (s *Service) SealingKey(ctx context.Context) ([]byte, int, error) {
	row, err := s.key(ctx, s.InstanceActor(), purposeSealing)
	if err != nil {
		return nil, 0, err
	}
	public, err := base64.RawURLEncoding.DecodeString(row.Public)
	return public, row.Number, err
}

// artist opens the artist's key tree.
func (s *Service) artist(ctx context.Context, artist string) (*keytree.ArtistKeys, error) {
	row, err := s.key(ctx, artist, purposeSeed)
	if err != nil {
		return nil, err
	}
	seed, err := s.vault.Open(row.place(), row.Sealed)
	if err != nil {
		return nil, fmt.Errorf("seed of %s: %w", artist, err)
	}
	return keytree.Artist(seed)
}

// sealing opens the sealing key with that id, or returns [errUnknownKey].
func (s *Service) sealing(ctx context.Context, id string) (*hpke.SecretKey, error) {
	var rows []keyRow
	err := s.db.Read.WithContext(ctx).Where("owner = ? AND purpose = ?", s.InstanceActor(), purposeSealing).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read sealing keys: %w", err)
	}
	for _, row := range rows {
		if s.sealingKeyID(row.Number) != id {
			continue
		}
		secret, err := s.vault.Open(row.place(), row.Sealed)
		if err != nil {
			return nil, fmt.Errorf("sealing key: %w", err)
		}
		return hpke.ParseSecretKey(secret)
	}
	return nil, errUnknownKey
}

func (s *Service) sealingKeyID(number int) string {
	return s.InstanceActor() + "#sealing-" + strconv.Itoa(number)
}

// key returns the newest key of that purpose, and makes the first.
func (s *Service) key(ctx context.Context, owner, purpose string) (keyRow, error) {
	row, err := s.newest(ctx, owner, purpose)
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, err
	}
	row = keyRow{Owner: owner, Purpose: purpose, Number: 1, CreatedAt: s.utc()}
	secret := make([]byte, 32)
	if _, err := io.ReadFull(s.rand, secret); err != nil {
		return keyRow{}, fmt.Errorf("draw %s: %w", purpose, err)
	}
	if row.Public, err = publicOf(purpose, secret); err != nil {
		return keyRow{}, err
	}
	if row.Sealed, err = s.vault.Seal(row.place(), secret); err != nil {
		return keyRow{}, err
	}
	err = s.db.Write.WithContext(ctx).Create(&row).Error
	if errors.Is(err, gorm.ErrDuplicatedKey) {
		return s.newest(ctx, owner, purpose)
	}
	if err != nil {
		return keyRow{}, fmt.Errorf("write %s of %s: %w", purpose, owner, err)
	}
	return row, nil
}

func (s *Service) newest(ctx context.Context, owner, purpose string) (keyRow, error) {
	var row keyRow
	err := s.db.Read.WithContext(ctx).Where("owner = ? AND purpose = ?", owner, purpose).Order("number DESC").Take(&row).Error
	return row, err
}

func publicOf(purpose string, secret []byte) (string, error) {
	if purpose == purposeSealing {
		key, err := hpke.ParseSecretKey(secret)
		if err != nil {
			return "", err
		}
		return base64.RawURLEncoding.EncodeToString(key.PublicKey()), nil
	}
	keys, err := keytree.Artist(secret)
	if err != nil {
		return "", err
	}
	signing, err := keys.Signing()
	if err != nil {
		return "", err
	}
	return multikey.EncodeSecp256k1(signing.PublicKey().Bytes())
}
