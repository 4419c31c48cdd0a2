package access

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/media/pre/umbral"
)

// Bounds and times of a re-encryption request.
const (
	MaxReencryptBody = 16 << 10
	maxCapsules      = 64
	nonceLife        = 10 * time.Minute
	clockLeeway      = 5 * time.Minute
)

// ReencryptRequest is the body of a request for re-encryption.
type ReencryptRequest struct {
	Grant    string   `json:"grant"`
	Set      int      `json:"set"`
	Capsules []string `json:"capsules"`
}

// ReencryptAnswer holds one cfrag per capsule, in the order asked.
type ReencryptAnswer struct {
	Grant  string   `json:"grant"`
	Set    int      `json:"set"`
	Proxy  string   `json:"proxy"`
	Cfrags []string `json:"cfrags"`
}

// ParseReencrypt reads a request's body, or returns a [*Refusal] "malformed" or "too-large".
func ParseReencrypt(body []byte) (ReencryptRequest, []*umbral.Capsule, error) {
	var r ReencryptRequest
	if err := json.Unmarshal(body, &r); err != nil || r.Grant == "" || len(r.Grant) > 2048 || r.Set < 1 || len(r.Capsules) == 0 {
		return r, nil, &Refusal{"malformed", "The body is not a request for re-encryption."}
	}
	if len(r.Capsules) > maxCapsules {
		return r, nil, &Refusal{"too-large", "At most 64 capsules are re-encrypted at once."}
	}
	capsules := make([]*umbral.Capsule, len(r.Capsules))
	for i, encoded := range r.Capsules {
		b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
		if err != nil || len(b) != 98 {
			return r, nil, &Refusal{"malformed", "A capsule is 98 bytes in base64url."}
		}
		// A capsule whose points are good and whose check fails is another answer, given in its turn.
		capsules[i], err = umbral.ParseCapsule(b)
		if errors.Is(err, umbral.ErrEncoding) {
			return r, nil, &Refusal{"malformed", "A capsule does not decode."}
		}
	}
	return r, capsules, nil
}

// Reencrypt turns the capsules of a request into cfrags. verify is given the grant's requesting key, a Multikey, and
// checks the request's signature with it; it returns the signature's nonce. Every failure is a [*Refusal] with the protocol's code.
func (s *Service) Reencrypt(ctx context.Context, r ReencryptRequest, capsules []*umbral.Capsule, verify func(requestingKey string) (nonce string, err error)) (ReencryptAnswer, error) {
	if !s.rate.allow(r.Grant, s.now()) {
		return ReencryptAnswer{}, &Refusal{"busy", "Too many requests for this grant."}
	}
	row, err := s.held(ctx, r)
	if err != nil {
		return ReencryptAnswer{}, err
	}
	nonce, err := verify(row.RequestingKey)
	if err != nil {
		return ReencryptAnswer{}, &Refusal{"bad-signature", "The signature is not the one that the grant asks for."}
	}
	if err := s.spend(ctx, row.RequestingKey, nonce); err != nil {
		return ReencryptAnswer{}, err
	}
	now := s.now().UTC()
	if now.Add(clockLeeway).Before(row.StartTime) || row.EndTime != nil && now.Add(-clockLeeway).After(*row.EndTime) {
		return ReencryptAnswer{}, &Refusal{"expired", "The grant does not hold at this time."}
	}
	if err := listed(row, r); err != nil {
		return ReencryptAnswer{}, err
	}
	kfrag, err := s.open(ctx, row)
	if err != nil {
		return ReencryptAnswer{}, fmt.Errorf("open held fragment %s: %w", row.URI, err)
	}
	answer := ReencryptAnswer{Grant: r.Grant, Set: r.Set, Proxy: s.InstanceActor()}
	for _, capsule := range capsules {
		if capsule == nil {
			return ReencryptAnswer{}, &Refusal{"bad-capsule", "A capsule is damaged."}
		}
		cfrag, err := umbral.Reencrypt(s.rand, capsule, kfrag)
		if err != nil {
			return ReencryptAnswer{}, fmt.Errorf("re-encrypt: %w", err)
		}
		answer.Cfrags = append(answer.Cfrags, base64.RawURLEncoding.EncodeToString(cfrag.Bytes()))
	}
	return answer, nil
}

// held finds the fragment; a revoked grant has none, and says so.
func (s *Service) held(ctx context.Context, r ReencryptRequest) (heldRow, error) {
	var row heldRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND set_number = ?", r.Grant, r.Set).Take(&row).Error
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, err
	}
	var gone int64
	if err := s.db.Read.WithContext(ctx).Model(&tombstone{}).Where("grant_uri = ?", r.Grant).Count(&gone).Error; err != nil {
		return row, err
	}
	if gone > 0 {
		return row, &Refusal{"revoked", "This grant was revoked."}
	}
	return row, &Refusal{"unknown-grant", "This instance holds no fragment of that grant."}
}

func listed(row heldRow, r ReencryptRequest) error {
	var hashes [][]byte
	if err := json.Unmarshal([]byte(row.Capsules), &hashes); err != nil {
		return fmt.Errorf("capsules of %s: %w", row.URI, err)
	}
	for _, encoded := range r.Capsules {
		b, err := base64.RawURLEncoding.DecodeString(encoded)
		if err != nil {
			return fmt.Errorf("capsule: %w", err)
		}
		sum := sha256.Sum256(b)
		if !slices.ContainsFunc(hashes, func(h []byte) bool { return string(h) == string(sum[:]) }) {
			return &Refusal{"not-granted", "The grant does not list this capsule."}
		}
	}
	return nil
}

type nonceRow struct {
	KeyID  string `gorm:"primaryKey"`
	Nonce  string `gorm:"primaryKey"`
	SeenAt time.Time
}

func (nonceRow) TableName() string { return "nonces" }

// spend records a nonce, which may be used once in ten minutes.
func (s *Service) spend(ctx context.Context, key, nonce string) error {
	now := s.now().UTC()
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		if err := tx.Where("seen_at < ?", now.Add(-nonceLife)).Delete(&nonceRow{}).Error; err != nil {
			return fmt.Errorf("forget nonces: %w", err)
		}
		var seen int64
		if err := tx.Model(&nonceRow{}).Where("key_id = ? AND nonce = ?", key, nonce).Count(&seen).Error; err != nil {
			return fmt.Errorf("look up nonce: %w", err)
		}
		if seen > 0 {
			return &Refusal{"bad-signature", "This request was sent before."}
		}
		return tx.Create(&nonceRow{KeyID: key, Nonce: nonce, SeenAt: now}).Error
	})
}
