package access

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/vocab"
)

// ErrUnknownGrant is returned for a grant that is not here.
var ErrUnknownGrant = errors.New("no such grant")

// grantRow is the seller's record of a grant; Proxies and Items are JSON, as they stand on the wire.
type grantRow struct {
	URI           string `gorm:"primaryKey"`
	Artist        string
	Buyer         string
	Product       string
	Version       int
	Agreement     string
	Receipt       string
	ReceivingKey  string
	RequestingKey string
	SetNumber     int
	Threshold     int
	Proxies       string
	Items         string
	StartTime     time.Time
	EndTime       *time.Time
	RevokedAt     *time.Time
	// Reason is what the artist said when taking the grant back.
	Reason string
	// ReplacedBy is the grant that was made in this one's place, for other keys.
	ReplacedBy string
	UpdatedAt  time.Time
	CreatedAt  time.Time
}

func (grantRow) TableName() string { return "grants" }

// Grant returns an issued grant as the unsigned object that its buyer gets, or [ErrUnknownGrant], or [ErrRevoked].
func (s *Service) Grant(ctx context.Context, uri string) (vocab.Grant, error) {
	var row grantRow
	err := s.db.Read.WithContext(ctx).Where("uri = ?", uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return vocab.Grant{}, fmt.Errorf("%w: %s", ErrUnknownGrant, uri)
	}
	if err != nil {
		return vocab.Grant{}, err
	}
	if row.RevokedAt != nil {
		return vocab.Grant{}, fmt.Errorf("%w: %s", ErrRevoked, uri)
	}
	return s.object(ctx, row)
}

func (s *Service) object(ctx context.Context, row grantRow) (vocab.Grant, error) {
	verifying, delegating, err := s.publicKeys(ctx, row)
	if err != nil {
		return vocab.Grant{}, err
	}
	g := vocab.Grant{
		ID: row.URI, AttributedTo: row.Artist, To: row.Buyer, Agreement: row.Agreement, Receipt: row.Receipt, Product: row.Product,
		Version: row.Version, DelegatingKey: delegating, VerifyingKey: verifying, ReceivingKey: row.ReceivingKey,
		RequestingKey: row.RequestingKey, Set: row.SetNumber, Threshold: row.Threshold,
		StartTime: row.StartTime, EndTime: row.EndTime, Updated: row.UpdatedAt,
	}
	if err := json.Unmarshal([]byte(row.Proxies), &g.Proxies); err != nil {
		return g, fmt.Errorf("proxies of %s: %w", row.URI, err)
	}
	if err := json.Unmarshal([]byte(row.Items), &g.Items); err != nil {
		return g, fmt.Errorf("items of %s: %w", row.URI, err)
	}
	return g, nil
}

// madeRow is a key fragment on its way to its proxy; Object is the unsigned KeyFragment.
type madeRow struct {
	URI       string `gorm:"primaryKey"`
	GrantURI  string
	SetNumber int
	Proxy     string
	Object    []byte
	State     string
	Code      string
	UpdatedAt time.Time
}

func (madeRow) TableName() string { return "kfrags_made" }

const (
	madeWaiting  = "waiting"
	madeAccepted = "accepted"
	madeRejected = "rejected"
	// madeWithdrawn is one of a grant that was taken back before its proxy answered.
	madeWithdrawn = "withdrawn"
)

// Kfrag is a fragment to be delivered: Object is the unsigned KeyFragment in JSON.
type Kfrag struct {
	URI, Proxy string
	Object     []byte
}

// KfragsWaiting returns the fragments of a grant's set that no proxy has answered for.
func (s *Service) KfragsWaiting(ctx context.Context, grant string, set int) ([]Kfrag, error) {
	var rows []madeRow
	err := s.db.Read.WithContext(ctx).Where("grant_uri = ? AND set_number = ? AND state = ?", grant, set, madeWaiting).
		Order("uri").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read fragments of %s: %w", grant, err)
	}
	kfrags := make([]Kfrag, len(rows))
	for i, row := range rows {
		kfrags[i] = Kfrag{URI: row.URI, Proxy: row.Proxy, Object: row.Object}
	}
	return kfrags, nil
}

// ArtistOf returns who made a fragment's grant, so that the answer to it is given the right inbox.
func (s *Service) ArtistOf(ctx context.Context, kfrag string) (string, error) {
	var row grantRow
	err := s.db.Read.WithContext(ctx).
		Where("uri = (SELECT grant_uri FROM kfrags_made WHERE uri = ?)", kfrag).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", fmt.Errorf("%w: of %s", ErrUnknownGrant, kfrag)
	}
	return row.Artist, err
}
