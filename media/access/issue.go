package access

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/pre/umbral"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// ErrGranted is returned for a grant of what its buyer was granted already.
var ErrGranted = errors.New("granted already")

// Request asks for a grant.
type Request struct {
	Artist, Buyer, Product, Agreement, Receipt string
	// Version is one that the product has or had: an order that was placed before a later one came keeps its own.
	Version int
	// ReceivingKey and RequestingKey are the buyer's, as Multikeys.
	ReceivingKey, RequestingKey string
	// Start is when the grant begins, now when it is zero; End is when it ends, never when it is nil.
	Start time.Time
	End   *time.Time
}

// Prepared is a grant whose fragments are made and sealed, and that is not written yet.
type Prepared struct {
	service *Service
	grant   grantRow
	set     *madeSet
	// replaces are the grants in whose place this one is made.
	replaces []string
}

// Prepare makes the first set of key fragments of a grant and seals each to its proxy. What it needs to know of the
// proxies is known here, but it takes milliseconds, so it runs outside of any transaction.
func (s *Service) Prepare(ctx context.Context, r Request) (*Prepared, error) {
	p, err := s.Product(ctx, r.Product)
	if err != nil {
		return nil, err
	}
	if p.Artist != r.Artist {
		return nil, fmt.Errorf("product %s is not what the order names", r.Product)
	}
	var stands int64
	err = s.db.Read.WithContext(ctx).Model(&grantRow{}).
		Where("buyer = ? AND product = ? AND version = ? AND revoked_at IS NULL", r.Buyer, r.Product, r.Version).Count(&stands).Error
	if err != nil {
		return nil, fmt.Errorf("look up grant: %w", err)
	}
	if stands > 0 {
		return nil, fmt.Errorf("%w: version %d of %s to %s", ErrGranted, r.Version, r.Product, r.Buyer)
	}
	items, err := s.items(ctx, r.Product, r.Version)
	if err != nil {
		return nil, err
	}
	now := s.utc()
	g := grantRow{
		URI: s.base + "/grants/" + newID(), Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: r.Version,
		Agreement: r.Agreement, Receipt: r.Receipt, ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
		SetNumber: 1, StartTime: now, UpdatedAt: now, CreatedAt: now,
	}
	if !r.Start.IsZero() {
		g.StartTime = r.Start.UTC().Truncate(time.Second)
	}
	if r.End != nil {
		end := r.End.UTC().Truncate(time.Second)
		g.EndTime = &end
	}
	if g.Items, err = text(items); err != nil {
		return nil, err
	}
	return s.first(ctx, g)
}

// first makes the first set of a new grant.
func (s *Service) first(ctx context.Context, g grantRow) (*Prepared, error) {
	candidates, err := s.candidates(ctx, g.Artist, g.Buyer, g.Product)
	if err != nil {
		return nil, err
	}
	set, err := s.split(ctx, g, 1, candidates[:min(len(candidates), s.config.Proxies)])
	if err != nil {
		return nil, err
	}
	// The buyer gets the first set at once: a fragment that is still on its way is there when it is asked for again.
	set.row.State = setCurrent
	g.Threshold, g.Proxies = set.row.Threshold, set.row.Proxies
	return &Prepared{service: s, grant: g, set: set}, nil
}

// Meet makes sure that those who would hold fragments of a grant of artist to buyer are known here. It is called when
// the buyer offers, whose instance is there at that moment: it may be away when the payment is confirmed.
func (s *Service) Meet(ctx context.Context, artist, buyer string) error {
	chosen, err := s.Chosen(ctx, artist)
	if err != nil {
		return err
	}
	return s.peers.Meet(ctx, chosen, buyer)
}

// items are the tracks of a version of a product as a grant names them; what was taken down is granted to nobody any more.
func (s *Service) items(ctx context.Context, product string, version int) ([]vocab.Item, error) {
	tx := s.db.Read.WithContext(ctx)
	stock, err := stocked(tx, product, version)
	if err != nil {
		return nil, err
	}
	if len(stock) == 0 || len(stock) > vocab.MaxItems {
		return nil, fmt.Errorf("%w: version %d of %s holds %d; a grant can have 1 to %d", ErrEmpty, version, product, len(stock), vocab.MaxItems)
	}
	var rows []Capsule
	if err := tx.Where("product = ? AND version = ?", product, version).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("read capsules of %s: %w", product, err)
	}
	var tracks []media.Track
	if err := tx.Select("uri", "manifest", "content_key_hash", "state").Where("uri IN ?", tracksOf(stock)).Find(&tracks).Error; err != nil {
		return nil, fmt.Errorf("read tracks of %s: %w", product, err)
	}
	capsules, known := map[string]Capsule{}, map[string]media.Track{}
	for _, row := range rows {
		capsules[row.Track] = row
	}
	for _, t := range tracks {
		known[t.URI] = t
	}
	items := make([]vocab.Item, 0, len(stock))
	for _, row := range stock {
		c, sealed := capsules[row.Track]
		t, ok := known[row.Track]
		if !sealed || !ok {
			return nil, fmt.Errorf("%w: track %s of %s has no capsule, or is gone", ErrEmpty, row.Track, product)
		}
		if t.State == media.Removed {
			continue
		}
		items = append(items, vocab.Item{
			Track: t.URI, Capsule: c.Capsule, Ciphertext: c.Ciphertext, Manifest: t.Manifest, ContentKeyHash: t.ContentKeyHash,
		})
	}
	if len(items) == 0 {
		return nil, fmt.Errorf("%w: all of version %d of %s was taken down", ErrEmpty, version, product)
	}
	return items, nil
}

// Issue writes the grant, its fragments and the jobs that deliver them inside tx, and returns the grant's URI.
func (p *Prepared) Issue(ctx context.Context, tx *gorm.DB) (string, error) {
	if err := p.replace(tx); err != nil {
		return "", err
	}
	if err := tx.Create(&p.grant).Error; err != nil {
		return "", fmt.Errorf("write grant: %w", err)
	}
	if err := p.service.write(ctx, tx, p.set); err != nil {
		return "", err
	}
	if err := p.service.jobs.Insert(ctx, tx, GrantIssued{Grant: p.grant.URI}); err != nil {
		return "", err
	}
	// What was added while the grant was prepared is added to it now.
	stock, err := stocked(tx, p.grant.Product, p.grant.Version)
	if err != nil {
		return "", err
	}
	if lacking, err := lacks(p.grant, stock); err != nil || !lacking {
		return p.grant.URI, err
	}
	return p.grant.URI, p.service.jobs.Insert(ctx, tx, growGrant{Grant: p.grant.URI})
}

// CheckReceivingKey refuses a receiving key of a buyer that no grant of this artist's product could be made to: one
// that is malformed, or one of the artist's own keys.
func (s *Service) CheckReceivingKey(ctx context.Context, product, receiving string) error {
	p, err := s.Product(ctx, product)
	if err != nil {
		return err
	}
	verifying, _, err := s.VerifyingKey(ctx, p.Artist)
	if err != nil {
		return err
	}
	_, err = umbralKeys(verifying, p.DelegatingKey, receiving)
	return err
}

// umbralKeys decodes the three public keys that fragments are checked against.
func umbralKeys(verifying, delegating, receiving string) (umbral.Keys, error) {
	var keys umbral.Keys
	for _, k := range []struct {
		to   **umbral.PublicKey
		text string
		name string
	}{{&keys.Verifying, verifying, "verifying"}, {&keys.Delegating, delegating, "delegating"}, {&keys.Receiving, receiving, "receiving"}} {
		key, err := point(k.text)
		if err != nil {
			return keys, fmt.Errorf("%s key: %w", k.name, err)
		}
		*k.to = key
	}
	return keys, keys.Check()
}

func point(text string) (*umbral.PublicKey, error) {
	b, err := multikey.DecodeSecp256k1(text)
	if err != nil {
		return nil, err
	}
	return umbral.ParsePublicKey(b)
}

func text(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func newID() string { return strings.ToLower(rand.Text()) }
