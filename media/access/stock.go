package access

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"antiphon/media"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/vocab"
)

// ErrChanged is returned by [Stocked.Write] when somebody has changed the product meanwhile: begin anew.
var ErrChanged = errors.New("the product was changed meanwhile")

// stockRow says that a version of a product holds a track.
type stockRow struct {
	Product  string `gorm:"primaryKey"`
	Version  int    `gorm:"primaryKey;autoIncrement:false"`
	Track    string `gorm:"primaryKey"`
	Position int
}

func (stockRow) TableName() string { return "product_items" }

// stocked are the items of a version, in order.
func stocked(tx *gorm.DB, product string, version int) ([]stockRow, error) {
	var rows []stockRow
	err := tx.Where("product = ? AND version = ?", product, version).Order("position, track").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read items of %s: %w", product, err)
	}
	return rows, nil
}

func tracksOf(rows []stockRow) []string {
	tracks := make([]string, len(rows))
	for i, row := range rows {
		tracks[i] = row.Track
	}
	return tracks
}

// Stock is what a product of several tracks is to hold from now on.
type Stock struct {
	// ID is the product's: 26 letters. A product that does not exist is made, free and not on sale.
	ID string
	// Artist is whose product it is, and whose tracks. Kind is [KindRelease], [KindTier] or [KindPool]; it never
	// changes.
	Artist, Kind, Name string
	// Version is a tier's or a pool's period; what the product is at present never goes down by it. For a release it is 0, and follows from what is changed: it goes up
	// when a track is taken out, because a key that opens what one has not bought must not be sold.
	Version int
	// Tracks are 1 to 500 URIs of local tracks, in order, each once. Each has its own product already.
	Tracks []string
}

// Stocked is a stock whose capsules are sealed and that is not written yet.
type Stocked struct {
	service *Service
	// Product is the product as it will be.
	Product Product
	fresh   bool
	// before is the version that the stock was compared with.
	before   int
	items    []stockRow
	capsules []Capsule
	// grown are the versions, besides a new one, that hold more than before.
	grown []int
}

// Stock seals the content keys of what a product does not hold yet; that takes about a millisecond for each track, so it
// runs outside of any transaction. What is added goes to all who were granted a version of a release, and to all who were
// granted the same period of a tier; what is taken out stays with those who have it.
func (s *Service) Stock(ctx context.Context, in Stock) (*Stocked, error) {
	monthly := in.Kind == KindTier || in.Kind == KindPool
	if in.Kind != KindRelease && !monthly || in.ID == "" || monthly != (in.Version > 0) {
		return nil, fmt.Errorf("a stock of kind %q and version %d", in.Kind, in.Version)
	}
	if n := len(in.Tracks); n == 0 || n > vocab.MaxItems {
		return nil, fmt.Errorf("a product holds 1 to %d tracks, not %d", vocab.MaxItems, n)
	}
	made, err := s.compare(ctx, in)
	if err != nil {
		return nil, err
	}
	secrets := map[string]seal.ContentKey{}
	versions := []int{made.Product.Version}
	if in.Kind == KindRelease {
		if versions, err = s.versionsOf(ctx, made.Product); err != nil {
			return nil, err
		}
	}
	for _, version := range versions {
		if err := s.fill(ctx, made, in.Tracks, version, secrets); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// compare finds the product and the version that it will have.
func (s *Service) compare(ctx context.Context, in Stock) (*Stocked, error) {
	p, err := s.Product(ctx, s.ProductURI(in.ID))
	made := &Stocked{service: s, fresh: errors.Is(err, ErrUnknownProduct)}
	if err != nil && !made.fresh {
		return nil, err
	}
	if made.fresh {
		p = Product{
			ID: in.ID, URI: s.ProductURI(in.ID), Artist: in.Artist, Kind: in.Kind, Version: max(in.Version, 1), Units: "0", CreatedAt: s.utc(),
		}
	} else if p.Artist != in.Artist || p.Kind != in.Kind {
		return nil, fmt.Errorf("%w: %s is not such a product", ErrUnknownProduct, p.URI)
	}
	made.before = p.Version
	p.Name, p.UpdatedAt = in.Name, s.utc()
	if in.Version > 0 {
		p.Version = in.Version
	} else if !made.fresh {
		have, err := s.Items(ctx, p.URI, p.Version)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(have, func(track string) bool { return !slices.Contains(in.Tracks, track) }) {
			p.Version++
		}
	}
	key, err := s.delegating(ctx, p.Artist, p.URI, p.Version)
	if err != nil {
		return nil, err
	}
	if p.DelegatingKey, err = publicText(key); err != nil {
		return nil, err
	}
	made.Product = p
	return made, nil
}

// versionsOf are the version of p and all earlier ones that somebody has.
func (s *Service) versionsOf(ctx context.Context, p Product) ([]int, error) {
	var versions []int
	err := s.db.Read.WithContext(ctx).Model(&grantRow{}).Where("product = ? AND version < ? AND revoked_at IS NULL", p.URI, p.Version).
		Distinct().Order("version").Pluck("version", &versions).Error
	if err != nil {
		return nil, fmt.Errorf("read versions of %s: %w", p.URI, err)
	}
	return append(versions, p.Version), nil
}

// fill seals to one version what it does not hold yet.
func (s *Service) fill(ctx context.Context, made *Stocked, tracks []string, version int, secrets map[string]seal.ContentKey) error {
	p := made.Product
	p.Version = version
	stock, err := stocked(s.db.Read.WithContext(ctx), p.URI, version)
	if err != nil {
		return err
	}
	have := tracksOf(stock)
	delegating, err := s.delegating(ctx, p.Artist, p.URI, version)
	if err != nil {
		return err
	}
	seen, added := map[string]bool{}, 0
	for _, track := range tracks {
		if seen[track] {
			return fmt.Errorf("track %s stands twice", track)
		}
		seen[track] = true
		if slices.Contains(have, track) {
			continue
		}
		added++
		key, ok := secrets[track]
		if !ok {
			if key, err = s.contentKey(ctx, p.Artist, track); err != nil {
				return err
			}
			secrets[track] = key
		}
		capsule, err := s.capsule(delegating, p, track, key)
		if err != nil {
			return err
		}
		made.capsules = append(made.capsules, capsule)
		if version != made.Product.Version {
			// Behind what those who have the version have already.
			made.items = append(made.items, stockRow{Product: p.URI, Version: version, Track: track, Position: len(have) + added})
		}
	}
	if len(have)+added > vocab.MaxItems {
		return fmt.Errorf("version %d of %s would hold %d tracks, and a grant can have %d", version, p.URI, len(have)+added, vocab.MaxItems)
	}
	if version == made.Product.Version {
		for i, track := range tracks {
			made.items = append(made.items, stockRow{Product: p.URI, Version: version, Track: track, Position: i + 1})
		}
	}
	if added > 0 && len(have) > 0 {
		made.grown = append(made.grown, version)
	}
	return nil
}

// contentKey opens the content key of one of an artist's tracks with the key of the track's own product.
func (s *Service) contentKey(ctx context.Context, artist, track string) (seal.ContentKey, error) {
	var none seal.ContentKey
	p, err := s.ProductOf(ctx, track)
	if err != nil {
		return none, err
	}
	t, err := media.ByURI(ctx, s.db.Read, track)
	if err != nil {
		return none, err
	}
	if p.Artist != artist || t.Artist != artist {
		return none, fmt.Errorf("%w: track %s is not of %s", ErrNotYours, track, artist)
	}
	var row Capsule
	err = s.db.Read.WithContext(ctx).Where("track = ? AND product = ? AND version = ?", track, p.URI, p.Version).Take(&row).Error
	if err != nil {
		return none, fmt.Errorf("capsule of %s: %w", track, err)
	}
	capsule, err := umbral.ParseCapsule(row.Capsule)
	if err != nil {
		return none, fmt.Errorf("capsule of %s: %w", track, err)
	}
	delegating, err := s.delegating(ctx, artist, p.URI, p.Version)
	if err != nil {
		return none, err
	}
	plaintext, err := umbral.DecryptOriginal(delegating, capsule, row.Ciphertext)
	if err != nil || len(plaintext) != len(none) {
		return none, fmt.Errorf("open capsule of %s: %w", track, errors.Join(err, ErrOpen))
	}
	key := seal.ContentKey(plaintext)
	if hash := seal.ContentKeyHash(key); subtle.ConstantTimeCompare(hash[:], t.ContentKeyHash) != 1 {
		return none, fmt.Errorf("capsule of %s: %w", track, ErrOpen)
	}
	return key, nil
}

// empty reports whether a stock adds nothing to what the product holds.
func (m *Stocked) empty() bool { return len(m.capsules) == 0 && m.Product.Version <= m.before }

// Write writes the product, its items and capsules inside tx, and the jobs that bring what was added to those who have
// the product. It returns [ErrChanged] when another stock was written since this one was made.
func (m *Stocked) Write(ctx context.Context, tx *gorm.DB) error {
	s, p := m.service, m.Product
	if m.fresh {
		err := tx.Create(&p).Error
		if errors.Is(err, gorm.ErrDuplicatedKey) {
			return fmt.Errorf("%w: %s", ErrChanged, p.URI)
		}
		if err != nil {
			return fmt.Errorf("write product: %w", err)
		}
	} else {
		values := map[string]any{"name": p.Name, "updated_at": p.UpdatedAt}
		if p.Version > m.before {
			values["version"], values["delegating_key"] = p.Version, p.DelegatingKey
		}
		result := tx.Model(&Product{}).Where("uri = ? AND version = ?", p.URI, m.before).Updates(values)
		if result.Error != nil {
			return fmt.Errorf("change product %s: %w", p.URI, result.Error)
		}
		if result.RowsAffected != 1 {
			return fmt.Errorf("%w: %s", ErrChanged, p.URI)
		}
	}
	if len(m.capsules) > 0 {
		// The same track may have been added twice at once: the first capsule is as good as the second.
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).CreateInBatches(m.capsules, 100).Error; err != nil {
			return fmt.Errorf("write capsules of %s: %w", p.URI, err)
		}
	}
	err := tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "product"}, {Name: "version"}, {Name: "track"}}, DoUpdates: clause.AssignmentColumns([]string{"position"}),
	}).CreateInBatches(m.items, 100).Error
	if err != nil {
		return fmt.Errorf("write items of %s: %w", p.URI, err)
	}
	for _, version := range m.grown {
		if err := s.jobs.Insert(ctx, tx, growProduct{Product: p.URI, Version: version}); err != nil {
			return err
		}
	}
	return nil
}
