package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/vocab"
)

// ErrEmpty is returned for a product that would hold no track, or one that is gone: it cannot be granted.
var ErrEmpty = errors.New("nothing is there to be granted")

// Tier is a product that is sold by periods, with what its artist says of it.
type Tier struct {
	Product
	// Words are the artist's, plain text.
	Words string
	// Whole says that all of the artist's published tracks belong to it, also later ones; else Tracks do.
	Whole  bool
	Tracks []string
}

type tierRow struct {
	Product   string `gorm:"primaryKey"`
	Artist    string
	Words     string
	Whole     bool
	CreatedAt time.Time
}

func (tierRow) TableName() string { return "tiers" }

type tierTrack struct {
	Product  string `gorm:"primaryKey"`
	Track    string `gorm:"primaryKey"`
	Position int
}

func (tierTrack) TableName() string { return "tier_tracks" }

// TierTerms are what an artist decides about a tier.
type TierTerms struct {
	Name, Words string
	Price       Price
	Whole       bool
	// Tracks are the chosen ones' URIs, when Whole is not set.
	Tracks []string
	// Open says whether new subscribers are taken, and old ones renewed.
	Open bool
}

// MakeTier makes a tier of an artist, with the given period as its first version. It returns [ErrEmpty] when no track
// would belong to it.
func (s *Service) MakeTier(ctx context.Context, artist string, terms TierTerms, period int) (Tier, error) {
	return s.putTier(ctx, artist, newID(), terms, period, true)
}

// ChangeTier changes a tier of an artist, or returns [ErrUnknownProduct]. A new price is that of the next month of each
// subscriber; what is taken out of the tier leaves it with the next period.
func (s *Service) ChangeTier(ctx context.Context, artist, id string, terms TierTerms, period int) (Tier, error) {
	t, err := s.Tier(ctx, s.ProductURI(id))
	if err != nil {
		return Tier{}, err
	}
	if t.Artist != artist {
		return Tier{}, fmt.Errorf("%w: %s is not of %s", ErrUnknownProduct, t.URI, artist)
	}
	return s.putTier(ctx, artist, id, terms, period, false)
}

func (s *Service) putTier(ctx context.Context, artist, id string, terms TierTerms, period int, fresh bool) (Tier, error) {
	uri := s.ProductURI(id)
	row := tierRow{Product: uri, Artist: artist, Words: terms.Words, Whole: terms.Whole, CreatedAt: s.utc()}
	made, err := s.stockTier(ctx, id, terms.Name, row, terms.Tracks, period)
	if err != nil {
		return Tier{}, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := made.Write(ctx, tx); err != nil {
			return err
		}
		if err := s.SetProductPrice(tx, uri, terms.Price); err != nil {
			return err
		}
		if err := s.SetProductOpen(tx, uri, terms.Name, terms.Open); err != nil {
			return err
		}
		if fresh {
			err = tx.Create(&row).Error
		} else {
			err = tx.Model(&row).Updates(map[string]any{"words": row.Words, "whole": row.Whole}).Error
		}
		if err != nil {
			return fmt.Errorf("write tier: %w", err)
		}
		return chooseTracks(tx, uri, terms.Tracks)
	})
	if err != nil {
		return Tier{}, err
	}
	return s.Tier(ctx, uri)
}

func chooseTracks(tx *gorm.DB, product string, tracks []string) error {
	if err := tx.Where("product = ?", product).Delete(&tierTrack{}).Error; err != nil {
		return fmt.Errorf("clear tier: %w", err)
	}
	rows := make([]tierTrack, len(tracks))
	for i, track := range tracks {
		rows[i] = tierTrack{product, track, i + 1}
	}
	if len(rows) == 0 {
		return nil
	}
	if err := tx.CreateInBatches(rows, 100).Error; err != nil {
		return fmt.Errorf("choose tracks: %w", err)
	}
	return nil
}

// stockTier seals what a period of a tier lacks.
func (s *Service) stockTier(ctx context.Context, id, name string, row tierRow, chosen []string, period int) (*Stocked, error) {
	have, err := s.Items(ctx, row.Product, period)
	if err != nil {
		return nil, err
	}
	published, err := s.publishedOf(ctx, row.Artist, row.Whole, chosen)
	if err != nil {
		return nil, err
	}
	if row.Whole {
		chosen = published
	}
	// What a period holds it keeps to its end, because its key opens it.
	tracks := have
	for _, track := range chosen {
		if len(tracks) < vocab.MaxItems && !slices.Contains(tracks, track) && slices.Contains(published, track) {
			tracks = append(tracks, track)
		}
	}
	if len(tracks) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrEmpty, name)
	}
	return s.Stock(ctx, Stock{ID: id, Artist: row.Artist, Kind: KindTier, Name: name, Version: period, Tracks: tracks})
}

// publishedOf are an artist's published tracks that are sold here, the latest first: all, or those of the chosen ones.
func (s *Service) publishedOf(ctx context.Context, artist string, all bool, chosen []string) ([]string, error) {
	var tracks []string
	q := s.db.Read.WithContext(ctx).Model(&media.Track{}).Where("artist = ? AND state = ?", artist, media.Published)
	if !all {
		q = q.Where("uri IN ?", chosen)
	}
	err := q.Where("EXISTS (SELECT 1 FROM products p WHERE p.track = tracks.uri)").
		Order("published_at DESC, uri").Limit(vocab.MaxItems).Pluck("uri", &tracks).Error
	if err != nil {
		return nil, fmt.Errorf("read tracks of %s: %w", artist, err)
	}
	return tracks, nil
}

// OpenPeriod makes sure that a period of a tier has its key and its capsules, as it must before it is sold. Twice is
// once.
func (s *Service) OpenPeriod(ctx context.Context, product string, period int) error {
	t, err := s.Tier(ctx, product)
	if err != nil {
		return err
	}
	for {
		made, err := s.stockTier(ctx, t.ID, t.Name, tierRow{Product: t.URI, Artist: t.Artist, Whole: t.Whole}, t.Tracks, period)
		if err != nil {
			return err
		}
		if !made.fresh && made.empty() {
			return nil
		}
		err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return made.Write(ctx, tx) })
		if !errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// Restock adds to all periods that are sold, from the given one on, what their tiers hold by now: a new track reaches
// those who subscribe at once.
func (s *Service) Restock(ctx context.Context, from int) error {
	var rows []struct {
		Product string
		Version int
	}
	err := s.db.Read.WithContext(ctx).Table("product_items i").Select("DISTINCT i.product AS product, i.version AS version").
		Joins("JOIN tiers t ON t.product = i.product").Where("i.version >= ?", from).Order("i.product, i.version").Scan(&rows).Error
	if err != nil {
		return fmt.Errorf("read periods: %w", err)
	}
	var failed []error
	for _, row := range rows {
		if err := s.OpenPeriod(ctx, row.Product, row.Version); err != nil && !errors.Is(err, ErrEmpty) {
			failed = append(failed, fmt.Errorf("restock %s: %w", row.Product, err))
		}
	}
	return errors.Join(failed...)
}

// Tier returns a tier by its product's URI, or [ErrUnknownProduct].
func (s *Service) Tier(ctx context.Context, product string) (Tier, error) {
	tiers, err := s.tiers(ctx, "product = ?", product)
	if err == nil && len(tiers) == 0 {
		err = fmt.Errorf("%w: tier %s", ErrUnknownProduct, product)
	}
	if err != nil {
		return Tier{}, err
	}
	return tiers[0], nil
}

// TiersOf returns an artist's tiers, the first one made first.
func (s *Service) TiersOf(ctx context.Context, artist string) ([]Tier, error) {
	return s.tiers(ctx, "artist = ?", artist)
}

// maxTiers bounds the list of one artist's tiers.
const maxTiers = 50

func (s *Service) tiers(ctx context.Context, query, value string) ([]Tier, error) {
	var rows []tierRow
	err := s.db.Read.WithContext(ctx).Where(query, value).Order("created_at, product").Limit(maxTiers).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read tiers: %w", err)
	}
	tiers := make([]Tier, len(rows))
	for i, row := range rows {
		tiers[i] = Tier{Words: row.Words, Whole: row.Whole}
		if tiers[i].Product, err = s.Product(ctx, row.Product); err != nil {
			return nil, err
		}
		err := s.db.Read.WithContext(ctx).Model(&tierTrack{}).Where("product = ?", row.Product).Order("position").Pluck("track", &tiers[i].Tracks).Error
		if err != nil {
			return nil, fmt.Errorf("read tracks of %s: %w", row.Product, err)
		}
	}
	return tiers, nil
}
