package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"antiphon/vocab"
)

// ErrRevoked is returned for a grant that its artist has taken back.
var ErrRevoked = errors.New("grant was revoked")

// revocationRow is an entry of the list that one proxy reads.
type revocationRow struct {
	Proxy          string `gorm:"primaryKey"`
	Number         int64  `gorm:"primaryKey;autoIncrement:false"`
	GrantURI       string
	DeletedAt      time.Time
	AcknowledgedAt *time.Time
}

func (revocationRow) TableName() string { return "revocations" }

// Revocation is an entry of a seller's list, as one proxy reads it. Cursor is where the list goes on behind it.
type Revocation struct {
	Cursor  string    `json:"cursor"`
	Grant   string    `json:"grant"`
	Deleted time.Time `json:"deleted"`
}

// RevocationPage is how many entries of the list are given at once; a page with fewer is the last one.
const RevocationPage = 500

// Revoke takes a grant back for its artist: our own fragments are erased at once, and the job that tells the buyer and
// all proxies is queued in the same transaction. Revoked twice is once; a grant of another artist is [ErrUnknownGrant].
// It stops re-encryption; a key that was opened before cannot be taken back.
func (s *Service) Revoke(ctx context.Context, artist, grant, reason string) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.revoke(ctx, tx, artist, grant, reason) })
}

func (s *Service) revoke(ctx context.Context, tx *gorm.DB, artist, grant, reason string) error {
	g, err := grantByURI(tx, grant)
	if err != nil {
		return err
	}
	if g.Artist != artist {
		return fmt.Errorf("%w: %s of %s", ErrUnknownGrant, grant, artist)
	}
	if g.RevokedAt != nil {
		return nil
	}
	now := s.utc()
	if err := tx.Model(&g).Updates(map[string]any{"revoked_at": now, "reason": shorten(reason)}).Error; err != nil {
		return fmt.Errorf("revoke %s: %w", grant, err)
	}
	if err := tx.Model(&setRow{}).Where("grant_uri = ?", grant).Update("state", setDropped).Error; err != nil {
		return fmt.Errorf("drop sets of %s: %w", grant, err)
	}
	proxies, err := proxiesEver(tx, grant)
	if err != nil {
		return err
	}
	// What was not sent yet is not sent any more.
	err = tx.Model(&madeRow{}).Where("grant_uri = ? AND state = ?", grant, madeWaiting).
		Updates(map[string]any{"state": madeWithdrawn, "object": []byte{}, "updated_at": now}).Error
	if err != nil {
		return fmt.Errorf("withdraw fragments of %s: %w", grant, err)
	}
	for _, proxy := range proxies {
		if proxy == s.InstanceActor() {
			continue
		}
		var last int64
		if err := tx.Model(&revocationRow{}).Where("proxy = ?", proxy).Select("COALESCE(MAX(number), 0)").Scan(&last).Error; err != nil {
			return fmt.Errorf("number revocation: %w", err)
		}
		row := revocationRow{Proxy: proxy, Number: last + 1, GrantURI: grant, DeletedAt: now}
		if err := tx.Create(&row).Error; err != nil {
			return fmt.Errorf("list revocation for %s: %w", proxy, err)
		}
	}
	if err := s.bury(tx, grant, reason, now); err != nil {
		return err
	}
	return s.jobs.Insert(ctx, tx, GrantRevoked{Grant: grant})
}

// proxiesEver are all instances that were sent a fragment of a grant, of any set.
func proxiesEver(tx *gorm.DB, grant string) ([]string, error) {
	var proxies []string
	err := tx.Model(&madeRow{}).Where("grant_uri = ?", grant).Distinct().Order("proxy").Pluck("proxy", &proxies).Error
	if err != nil {
		return nil, fmt.Errorf("read proxies of %s: %w", grant, err)
	}
	return proxies, nil
}

// Revoked is a grant that was taken back, and who is to hear of it beside its buyer.
type Revoked struct {
	Grant, Artist, Buyer, Reason string
	At                           time.Time
	// Proxies are all that were sent a fragment, but for this instance.
	Proxies []string
	// Kfrags are the URIs of all fragments.
	Kfrags []string
}

// RevokedGrant returns a grant that was taken back, or [ErrUnknownGrant].
func (s *Service) RevokedGrant(ctx context.Context, grant string) (Revoked, error) {
	tx := s.db.Read.WithContext(ctx)
	g, err := grantByURI(tx, grant)
	if err != nil {
		return Revoked{}, err
	}
	if g.RevokedAt == nil {
		return Revoked{}, fmt.Errorf("%w: %s stands", ErrUnknownGrant, grant)
	}
	r := Revoked{Grant: g.URI, Artist: g.Artist, Buyer: g.Buyer, Reason: g.Reason, At: g.RevokedAt.UTC()}
	all, err := proxiesEver(tx, grant)
	if err != nil {
		return r, err
	}
	for _, proxy := range all {
		if proxy != s.InstanceActor() {
			r.Proxies = append(r.Proxies, proxy)
		}
	}
	if err := tx.Model(&madeRow{}).Where("grant_uri = ?", grant).Order("uri").Pluck("uri", &r.Kfrags).Error; err != nil {
		return r, fmt.Errorf("read fragments of %s: %w", grant, err)
	}
	return r, nil
}

// ErasedBy records that a proxy has erased what it held of a grant that was taken back; twice is once.
func (s *Service) ErasedBy(ctx context.Context, proxy, grant string) error {
	err := s.db.Write.WithContext(ctx).Model(&revocationRow{}).
		Where("proxy = ? AND grant_uri = ? AND acknowledged_at IS NULL", proxy, grant).Update("acknowledged_at", s.utc()).Error
	if err != nil {
		return fmt.Errorf("record that %s has erased %s: %w", proxy, grant, err)
	}
	return nil
}

// RevocationsFor is a page of the list of one proxy, from behind a cursor that an earlier page ended with; empty is the
// beginning, and another text is a [*Refusal]. Who asks from behind an entry has erased what it names.
func (s *Service) RevocationsFor(ctx context.Context, proxy, after string) ([]Revocation, error) {
	var number int64
	if after != "" {
		var err error
		if number, err = strconv.ParseInt(after, 10, 64); err != nil || number < 0 {
			return nil, &Refusal{"malformed", "This is not a cursor of this list."}
		}
	}
	err := s.acknowledge(ctx, proxy, number)
	if err != nil {
		return nil, err
	}
	var rows []revocationRow
	err = s.db.Read.WithContext(ctx).Where("proxy = ? AND number > ?", proxy, number).Order("number").Limit(RevocationPage).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read revocations: %w", err)
	}
	list := make([]Revocation, len(rows))
	for i, row := range rows {
		list[i] = Revocation{Cursor: strconv.FormatInt(row.Number, 10), Grant: row.GrantURI, Deleted: row.DeletedAt.UTC()}
	}
	return list, nil
}

// acknowledge records that a proxy has read its list as far as a number.
func (s *Service) acknowledge(ctx context.Context, proxy string, number int64) error {
	var n int64
	behind := s.db.Read.WithContext(ctx).Model(&revocationRow{}).Where("proxy = ? AND number <= ? AND acknowledged_at IS NULL", proxy, number)
	if err := behind.Count(&n).Error; err != nil || n == 0 {
		return err
	}
	err := s.db.Write.WithContext(ctx).Model(&revocationRow{}).Where("proxy = ? AND number <= ? AND acknowledged_at IS NULL", proxy, number).
		Update("acknowledged_at", s.utc()).Error
	if err != nil {
		return fmt.Errorf("record what %s has read: %w", proxy, err)
	}
	return nil
}

// ParseRevocations reads a page of a seller's list. Entries of grants that are not on the seller's host are refused with
// the whole page.
func ParseRevocations(seller string, body []byte) ([]Revocation, error) {
	var list []Revocation
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, fmt.Errorf("revocations of %s: %w", seller, err)
	}
	if len(list) > RevocationPage {
		return nil, fmt.Errorf("revocations of %s: %d at once", seller, len(list))
	}
	for _, r := range list {
		if !vocab.SameOrigin(r.Grant, seller) || len(r.Grant) > 2048 || r.Cursor == "" || len(r.Cursor) > 64 || r.Deleted.IsZero() {
			return nil, fmt.Errorf("revocations of %s: an entry is malformed or of another host", seller)
		}
	}
	return list, nil
}
