package fedtest

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/access"
)

// cid is that of an empty raw block.
const cid = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"

// Track writes a published track of an artist, as the pipeline would, with the job that tells of it.
func (i *Instance) Track(t testing.TB, artist, id string) media.Track {
	t.Helper()
	now := i.Clock.Now().UTC().Truncate(time.Second)
	track := media.Track{
		ID: media.TrackID(id), URI: i.BaseURL + "/tracks/" + id, Artist: artist, Slug: id, State: media.Published, Title: "Brass <Rain>",
		About: "Recorded in a boiler.\n\nTwice.", Filename: "rain.flac", Upload: id, DurationMS: 211_000, Manifest: cid, SealedBytes: 24_100_000,
		ContentKeyHash: make([]byte, 32), Preview: cid, CreatedAt: now, UpdatedAt: now, PublishedAt: &now,
	}
	i.Goods.add(access.Product{
		ID: id, URI: i.BaseURL + "/products/" + id, Artist: artist, Kind: "track", Name: track.Title, Track: track.URI, Version: 1,
		DelegatingKey: Point, Units: "5000000", Asset: "iso4217:EUR", Decimals: 6, Open: true, UpdatedAt: now,
	})
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		block := media.Block{CID: cid, Owner: track.URI, Kind: media.KindManifest, Size: 100, Held: true, CreatedAt: now}
		if err := media.Register(tx, block); err != nil {
			return err
		}
		if err := tx.Create(&track).Error; err != nil {
			return err
		}
		return i.Queue.Insert(ctx, tx, media.TrackPublished{Track: track.ID})
	})
	if err != nil {
		t.Fatal(err)
	}
	return track
}

// Change changes a track and inserts the job that tells of it.
func (i *Instance) Change(t testing.TB, id media.TrackID, values map[string]any) {
	t.Helper()
	now := i.Clock.Advance(2 * time.Second)
	values["updated_at"] = now
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		if err := tx.Model(&media.Track{}).Where("id = ?", id).Updates(values).Error; err != nil {
			return err
		}
		return i.Queue.Insert(ctx, tx, media.TrackChanged{Track: id, Updated: now})
	})
	if err != nil {
		t.Fatal(err)
	}
}
