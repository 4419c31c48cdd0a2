package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
)

// keptGrant is a grant that a user of this instance received, byte for byte as its seller signed it.
type keptGrant struct {
	URI       string `gorm:"primaryKey"`
	Buyer     string
	Artist    string
	Product   string
	Agreement string
	Receipt   string
	Raw       []byte
	Keys      string
	// StartTime is nil for what had begun when it was kept.
	StartTime *time.Time
	EndTime   *time.Time
	RevokedAt *time.Time
	// Reason is what the artist said when taking the grant back.
	Reason string
	// Pool is set for what a member of the pool was granted for a month.
	Pool bool
	// UpdatedAt is when its artist has changed it last, by the artist's clock.
	UpdatedAt  time.Time `gorm:"autoUpdateTime:false"`
	ReceivedAt time.Time
}

func (keptGrant) TableName() string { return "grants_held" }

type itemRow struct {
	GrantURI string `gorm:"primaryKey"`
	Track    string `gorm:"primaryKey"`
	Manifest string
	State    string
}

func (itemRow) TableName() string { return "grant_items" }

const (
	itemWaiting = "waiting"
	itemKept    = "kept"
	// itemLent is one of the pool: its blocks come home as they are played.
	itemLent = "lent"
)

// Kept is a grant in a user's library.
type Kept struct {
	URI, Buyer, Artist, Product string
	// Raw is the signed AccessGrant; Keys are the artist's proof keys when it came, Multikeys by verification method.
	Raw        []byte
	Keys       map[string]string
	ReceivedAt time.Time
	// Pool is set for what the pool lends.
	Pool bool
}

// TakeGrant keeps a grant for its buyer inside tx, after signature, proof and agreement were checked. keys are the
// artist's proof keys as of now. Its blocks are fetched by a job,
// so that it plays on when the seller is gone. The same grant twice changes nothing; a later update replaces it.
func (s *Service) TakeGrant(ctx context.Context, tx *gorm.DB, g vocab.Grant, raw []byte, keys map[string]string) error {
	return s.KeepGrant(ctx, tx, g.To, g, raw, keys)
}

// KeepGrant is TakeGrant for a grant in whose buyer's place somebody else stands here: the account that a guest has
// become.
func (s *Service) KeepGrant(ctx context.Context, tx *gorm.DB, holder string, g vocab.Grant, raw []byte, keys map[string]string) error {
	return s.keepGrant(ctx, tx, holder, false, g, raw, keys)
}

// TakePoolGrant is TakeGrant for what a member of the pool is granted for a month: it is no part of what the member owns,
// and nothing is fetched before it is played.
func (s *Service) TakePoolGrant(ctx context.Context, tx *gorm.DB, g vocab.Grant, raw []byte, keys map[string]string) error {
	return s.keepGrant(ctx, tx, g.To, true, g, raw, keys)
}

func (s *Service) keepGrant(ctx context.Context, tx *gorm.DB, holder string, pool bool, g vocab.Grant, raw []byte, keys map[string]string) error {
	for _, item := range g.Items {
		if _, err := umbral.ParseCapsule(item.Capsule); err != nil {
			return &Refusal{"bad-grant", "A capsule of the grant is damaged."}
		}
	}
	gone, err := isRevoked(tx, g.ID)
	if err != nil {
		return err
	}
	if gone {
		return &Refusal{"revoked", "This grant was revoked."}
	}
	var old keptGrant
	err = tx.Where("uri = ?", g.ID).Take(&old).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("look up grant: %w", err)
	}
	if err == nil && (old.Buyer != holder || old.Artist != g.AttributedTo || old.Product != g.Product) {
		return &Refusal{"bad-grant", "A grant does not change its buyer, artist or product."}
	}
	if err == nil && !g.Updated.After(old.UpdatedAt) {
		return nil
	}
	snapshot, err := text(keys)
	if err != nil {
		return err
	}
	row := keptGrant{
		URI: g.ID, Buyer: holder, Artist: g.AttributedTo, Product: g.Product, Agreement: g.Agreement, Receipt: g.Receipt, Raw: raw,
		Keys: snapshot, EndTime: g.EndTime, RevokedAt: old.RevokedAt, UpdatedAt: g.Updated, ReceivedAt: s.utc(),
		Pool: pool,
	}
	if g.StartTime.After(s.now()) {
		row.StartTime = &g.StartTime
	}
	if err := tx.Save(&row).Error; err != nil {
		return fmt.Errorf("keep grant: %w", err)
	}
	state := itemWaiting
	if pool {
		state = itemLent
	}
	for _, item := range g.Items {
		if err := tx.Save(&itemRow{GrantURI: g.ID, Track: item.Track, Manifest: item.Manifest, State: state}).Error; err != nil {
			return fmt.Errorf("keep item: %w", err)
		}
		err := media.Register(tx, media.Block{
			CID: item.Manifest, Owner: g.ID, Kind: media.KindManifest, Origin: originOf(g.ID), CreatedAt: s.utc(),
		})
		if err != nil {
			return err
		}
		if pool {
			continue
		}
		if err := s.jobs.Insert(ctx, tx, fetchTrack{Grant: g.ID, Track: item.Track}); err != nil {
			return err
		}
	}
	return nil
}

// Inherit puts heir in the place of a guest in all grants that are kept here, inside tx. The grants themselves, which
// are signed, keep the name that they were made for.
func Inherit(ctx context.Context, tx *gorm.DB, guest, heir string) error {
	if err := tx.WithContext(ctx).Model(&keptGrant{}).Where("buyer = ?", guest).Update("buyer", heir).Error; err != nil {
		return fmt.Errorf("hand grants of %s on: %w", guest, err)
	}
	return nil
}

// originOf is the base URL of the instance that a grant came from.
func originOf(grant string) string {
	scheme, rest, _ := strings.Cut(grant, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// standing is the condition on kept grants that play at a moment, which is given twice.
const standing = "(grants_held.end_time IS NULL OR grants_held.end_time > ?) AND (grants_held.start_time IS NULL OR grants_held.start_time <= ?)"

// GrantOf returns the buyer's standing grant of a track, or [ErrUnknownGrant], or where there was one [ErrRevoked].
func (s *Service) GrantOf(ctx context.Context, buyer, track string) (Kept, error) {
	var row keptGrant
	err := s.db.Read.WithContext(ctx).Table("grants_held").Joins("JOIN grant_items ON grant_items.grant_uri = grants_held.uri").
		Where("grants_held.buyer = ? AND grant_items.track = ? AND grants_held.revoked_at IS NULL", buyer, track).
		Where(standing, s.now().UTC(), s.now().UTC()).
		Order("CASE WHEN grants_held.end_time IS NULL THEN 0 ELSE 1 END, grants_held.received_at DESC").Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Kept{}, s.notGranted(ctx, buyer, track)
	}
	if err != nil {
		return Kept{}, err
	}
	k := Kept{URI: row.URI, Buyer: row.Buyer, Artist: row.Artist, Product: row.Product, Raw: row.Raw, ReceivedAt: row.ReceivedAt, Pool: row.Pool}
	return k, json.Unmarshal([]byte(row.Keys), &k.Keys)
}

// notGranted says why a buyer has no grant of a track.
func (s *Service) notGranted(ctx context.Context, buyer, track string) error {
	var n int64
	err := s.db.Read.WithContext(ctx).Table("grants_held").Joins("JOIN grant_items ON grant_items.grant_uri = grants_held.uri").
		Where("grants_held.buyer = ? AND grant_items.track = ? AND grants_held.revoked_at IS NOT NULL", buyer, track).Count(&n).Error
	if err != nil {
		return fmt.Errorf("look up revoked grants: %w", err)
	}
	if n > 0 {
		return fmt.Errorf("%w: of %s", ErrRevoked, track)
	}
	return fmt.Errorf("%w: of %s", ErrUnknownGrant, track)
}

// Withdrawn is a track whose grant its artist has taken back.
type Withdrawn struct {
	Track, Artist, Reason string
	RevokedAt             time.Time
}

// Withdrawals returns what a buyer was granted and has no more, the latest first; what was granted again is not among
// them.
func (s *Service) Withdrawals(ctx context.Context, buyer string, limit int) ([]Withdrawn, error) {
	var rows []Withdrawn
	err := s.db.Read.WithContext(ctx).Table("grants_held").Joins("JOIN grant_items ON grant_items.grant_uri = grants_held.uri").
		Select("grant_items.track AS track, grants_held.artist AS artist, grants_held.reason AS reason, grants_held.revoked_at AS revoked_at").
		Where("grants_held.buyer = ? AND grants_held.revoked_at IS NOT NULL AND NOT grants_held.pool", buyer).
		Where("NOT EXISTS (SELECT 1 FROM grants_held h JOIN grant_items i ON i.grant_uri = h.uri WHERE h.buyer = grants_held.buyer" +
			" AND i.track = grant_items.track AND h.revoked_at IS NULL)").
		Order("grants_held.revoked_at DESC, grant_items.track").Limit(limit).Scan(&rows).Error
	return rows, err
}

// Owned is a track that a user was granted.
type Owned struct {
	Track, Artist, Grant string
	ReceivedAt           time.Time
	// Ends is when the grant ends, as one of a tier does; nil for good.
	Ends *time.Time
}

// Library returns what a buyer owns, newest first; what the pool lends is not among it.
func (s *Service) Library(ctx context.Context, buyer string, offset, limit int) ([]Owned, error) {
	var owned []Owned
	err := s.db.Read.WithContext(ctx).Table("grants_held").Joins("JOIN grant_items ON grant_items.grant_uri = grants_held.uri").
		Select("grant_items.track AS track, grants_held.artist AS artist, grants_held.uri AS \"grant\", grants_held.received_at AS received_at, grants_held.end_time AS ends").
		Where("grants_held.buyer = ? AND grants_held.revoked_at IS NULL AND NOT grants_held.pool", buyer).Where(standing, s.now().UTC(), s.now().UTC()).
		Order("grants_held.received_at DESC, grant_items.track").Offset(offset).Limit(limit).Scan(&owned).Error
	return owned, err
}

// Knows reports whether a grant is kept for a buyer here, a fragment of it is in custody, or it was revoked.
func (s *Service) Knows(ctx context.Context, grant string) (bool, error) {
	var n int64
	err := s.db.Read.WithContext(ctx).Raw("SELECT (SELECT COUNT(*) FROM grants_held WHERE uri = ?) + (SELECT COUNT(*) FROM kfrags_held WHERE grant_uri = ?)"+
		" + (SELECT COUNT(*) FROM tombstones WHERE grant_uri = ?)", grant, grant, grant).Scan(&n).Error
	if err != nil {
		return false, fmt.Errorf("look up grant: %w", err)
	}
	return n > 0, nil
}

// MayRelay reports whether a proxy's URL belongs to a grant that the buyer holds: nothing else is relayed. For a grant
// that was taken back it returns [ErrRevoked].
func (s *Service) MayRelay(ctx context.Context, buyer, grant, url string) (bool, error) {
	var row keptGrant
	err := s.db.Read.WithContext(ctx).Where("uri = ? AND buyer = ?", grant, buyer).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if row.RevokedAt != nil {
		return false, fmt.Errorf("%w: %s", ErrRevoked, grant)
	}
	g, err := vocab.ReadGrant(row.Raw)
	if err != nil {
		return false, fmt.Errorf("read kept grant %s: %w", row.URI, err)
	}
	for _, proxy := range g.Proxies {
		if proxy.Reencrypt == url {
			return true, nil
		}
	}
	return false, nil
}

// Holds reports whether a buyer has a grant of a product here that stands.
func (s *Service) Holds(ctx context.Context, buyer, product string) (bool, error) {
	var n int64
	err := s.db.Read.WithContext(ctx).Model(&keptGrant{}).Where("buyer = ? AND product = ? AND revoked_at IS NULL", buyer, product).
		Where("end_time IS NULL OR end_time > ?", s.now().UTC()).Count(&n).Error
	if err != nil {
		return false, fmt.Errorf("look up grants of %s: %w", product, err)
	}
	return n > 0, nil
}
