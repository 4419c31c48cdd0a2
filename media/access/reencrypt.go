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
	// This is asked before the fragment is read: a list that is read in between may have erased it.
	caught := s.caughtUp(originOf(r.Grant))
	row, err := s.held(ctx, r)
	if err != nil {
		return ReencryptAnswer{}, err
	}
	nonce, err := verify(row.RequestingKey)
	if err != nil {
		return ReencryptAnswer{}, &Refusal{"bad-signature", "The signature is not the one that the grant asks for."}
	}
	if err := s.spent.spend(nonceRow{KeyID: row.RequestingKey, Nonce: nonce, SeenAt: s.now().UTC()}); err != nil {
		return ReencryptAnswer{}, err
	}
	if !caught {
		s.catchUp(ctx, row.Host)
		if row, err = s.held(ctx, r); err != nil {
			return ReencryptAnswer{}, err
		}
	}
	now := s.now().UTC()
	if now.Add(clockLeeway).Before(row.StartTime) || row.EndTime != nil && now.Add(-clockLeeway).After(*row.EndTime) {
		return ReencryptAnswer{}, &Refusal{"expired", "The grant does not hold at this time."}
	}
	if err := listed(row, r); err != nil {
		return ReencryptAnswer{}, err
	}
	if slices.Contains(capsules, nil) {
		return ReencryptAnswer{}, &Refusal{"bad-capsule", "A capsule is damaged."}
	}
	kfrag, err := s.fragment(ctx, row)
	if err != nil {
		return ReencryptAnswer{}, fmt.Errorf("open held fragment %s: %w", row.URI, err)
	}
	answer := ReencryptAnswer{Grant: r.Grant, Set: r.Set, Proxy: s.InstanceActor()}
	for _, capsule := range capsules {
		cfrag, err := umbral.Reencrypt(s.rand, capsule, kfrag)
		if err != nil {
			return ReencryptAnswer{}, fmt.Errorf("re-encrypt: %w", err)
		}
		answer.Cfrags = append(answer.Cfrags, base64.RawURLEncoding.EncodeToString(cfrag.Bytes()))
	}
	s.helped.add(row.Artist, len(capsules))
	return answer, nil
}

// fragment returns a held fragment unsealed and verified.
func (s *Service) fragment(ctx context.Context, row heldRow) (*umbral.VerifiedKeyFrag, error) {
	if kfrag, ok := s.opened.get(row); ok {
		return kfrag, nil
	}
	kfrag, err := s.open(ctx, row)
	if err == nil {
		s.opened.put(row, kfrag)
	}
	return kfrag, err
}

// held finds the fragment; a revoked grant has none, and says so.
func (s *Service) held(ctx context.Context, r ReencryptRequest) (heldRow, error) {
	var row heldRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND set_number = ?", r.Grant, r.Set).Take(&row).Error
	if !errors.Is(err, gorm.ErrRecordNotFound) {
		return row, err
	}
	gone, err := isRevoked(s.db.Read.WithContext(ctx), r.Grant)
	if err != nil {
		return row, err
	}
	if gone {
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
