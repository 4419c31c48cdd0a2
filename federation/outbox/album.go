package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// maxAlbum bounds the tracks of one album.
const maxAlbum = 500

// AlbumURI is the album that an artist's tracks with one album name make up. It follows from both, so that a name that
// comes back is the same album.
func AlbumURI(base, artist, name string) string { return base + "/albums/" + digest(artist, name) }

// albumOf is what a track says of its album, and of its place there: a release that its artist made, or else the album
// that its file names.
func (o *Outbox) albumOf(ctx context.Context, tx *gorm.DB, t media.Track) (vocab.Album, int, error) {
	switch r, place, err := media.ReleaseOf(ctx, tx, t.ID); {
	case err == nil:
		return vocab.Album{ID: r.URI, Name: r.Title}, place, nil
	case !errors.Is(err, media.ErrNoRelease):
		return vocab.Album{}, 0, err
	}
	if t.Album == "" {
		return vocab.Album{}, 0, nil
	}
	return vocab.Album{ID: AlbumURI(o.config.BaseURL, t.Artist, t.Album), Name: t.Album}, 0, nil
}

// storeAlbum writes the document of an album as its published tracks make it, or marks it as deleted when there are none.
func (o *Outbox) storeAlbum(ctx context.Context, tx *gorm.DB, artist string, album vocab.Album) error {
	if album.Name == "" || album.ID != AlbumURI(o.config.BaseURL, artist, album.Name) {
		// There is none, or it is a release, which has its own jobs.
		return nil
	}
	tracks, err := AlbumTracks(ctx, tx, artist, album.Name)
	if err != nil {
		return err
	}
	now := o.utc()
	have, err := ObjectByURI(ctx, tx, album.ID)
	known := err == nil
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if len(tracks) == 0 {
		if !known || !have.Deleted.IsZero() {
			return nil
		}
		return DeleteObject(ctx, tx, artist, album.ID, true, now)
	}
	for _, before := range []time.Time{have.Updated, have.Deleted} {
		if known && !now.After(before) {
			now = before.UTC().Add(time.Second)
		}
	}
	raw, err := jsonld.Marshal(o.albumDocument(artist, album, tracks, now).Object())
	if err != nil {
		return fmt.Errorf("write album %s: %w", album.ID, err)
	}
	return o.Store(ctx, tx, Object{URI: album.ID, Kind: kindAlbum, Owner: artist, Raw: raw, Updated: now})
}

func (o *Outbox) albumDocument(artist string, album vocab.Album, tracks []media.Track, now time.Time) vocab.Release {
	r := vocab.Release{
		ID: album.ID, AttributedTo: artist, Name: album.Name, URL: album.ID, Updated: now,
		To: []string{vocab.Public}, Cc: []string{Followers(artist)},
	}
	for _, t := range tracks {
		r.Tracks = append(r.Tracks, t.URI)
		if t.PublishedAt != nil && (r.Published.IsZero() || t.PublishedAt.Before(r.Published)) {
			r.Published = t.PublishedAt.UTC()
		}
		if t.Cover != "" && r.Cover.URL == "" {
			r.Cover = vocab.Media{URL: o.config.FileURL(t.Cover, "cover.jpg"), MediaType: "image/jpeg"}
		}
	}
	return r
}

// AlbumTracks returns an artist's published tracks of one album name in the order in which they were uploaded, at most
// 500; those that are on a release of the artist's are not among them.
func AlbumTracks(ctx context.Context, tx *gorm.DB, artist, name string) ([]media.Track, error) {
	var tracks []media.Track
	err := tx.WithContext(ctx).Where("artist = ? AND album = ? AND state = ?", artist, name, media.Published).
		Where("NOT EXISTS (SELECT 1 FROM release_tracks JOIN releases ON releases.id = release_tracks.release"+
			" WHERE release_tracks.track = tracks.id AND releases.state = ?)", media.ReleasePublished).
		Order("created_at, id").Limit(maxAlbum).Find(&tracks).Error
	if err != nil {
		return nil, fmt.Errorf("read tracks of album %q: %w", name, err)
	}
	return tracks, nil
}
