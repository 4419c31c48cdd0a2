package media

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// ErrNoRelease is returned for a release that does not exist, or not for this artist.
var ErrNoRelease = errors.New("no such release")

// ReleaseID names a release on this instance: 26 lower-case base32 letters.
type ReleaseID string

// ReleaseKind is what a release is called; nothing else follows from it.
type ReleaseKind string

// The kinds of releases.
const (
	Album  ReleaseKind = "album"
	EP     ReleaseKind = "ep"
	Single ReleaseKind = "single"
)

// ReleaseState is how far a release is.
type ReleaseState string

// The states of a release. What was out and was taken back can come out again.
const (
	ReleaseDraft     ReleaseState = "draft"
	ReleasePublished ReleaseState = "published"
	ReleaseWithdrawn ReleaseState = "withdrawn"
)

// Release is an ordered set of an artist's tracks, sold as one.
type Release struct {
	ID     ReleaseID `gorm:"primaryKey"`
	URI    string
	Artist string
	Kind   ReleaseKind
	State  ReleaseState
	Title  string
	About  string
	// ReleasedOn is the day that the artist names, as 2006-01-02, or empty.
	ReleasedOn string
	// Cover and CoverSmall are CIDs of public files, Accent as that of a track; all may be empty.
	Cover       string
	CoverSmall  string
	Accent      string
	PublishedAt *time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

type releaseTrack struct {
	Release  ReleaseID `gorm:"primaryKey"`
	Track    TrackID   `gorm:"primaryKey"`
	Position int
}

func (releaseTrack) TableName() string { return "release_tracks" }

// ReleaseByID returns a release, or [ErrNoRelease].
func ReleaseByID(ctx context.Context, tx *gorm.DB, id ReleaseID) (Release, error) {
	return oneRelease(tx.WithContext(ctx).Where("id = ?", id), string(id))
}

// ReleaseByURI returns a release, or [ErrNoRelease].
func ReleaseByURI(ctx context.Context, tx *gorm.DB, uri string) (Release, error) {
	return oneRelease(tx.WithContext(ctx).Where("uri = ?", uri), uri)
}

func oneRelease(q *gorm.DB, name string) (Release, error) {
	var r Release
	err := q.Take(&r).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return r, fmt.Errorf("%w: %s", ErrNoRelease, name)
	}
	if err != nil {
		return r, fmt.Errorf("read release %s: %w", name, err)
	}
	return r, nil
}

// ReleasesOf returns an artist's releases, the newest first, at most limit; with public only what is out.
func ReleasesOf(ctx context.Context, tx *gorm.DB, artist string, public bool, limit int) ([]Release, error) {
	q := tx.WithContext(ctx).Where("artist = ?", artist)
	if public {
		q = q.Where("state = ?", ReleasePublished).Order("published_at DESC, id")
	}
	var all []Release
	if err := q.Order("created_at DESC, id").Limit(limit).Find(&all).Error; err != nil {
		return nil, fmt.Errorf("read releases of %s: %w", artist, err)
	}
	return all, nil
}

// ReleaseTracks returns the tracks of a release in order.
func ReleaseTracks(ctx context.Context, tx *gorm.DB, id ReleaseID) ([]Track, error) {
	var tracks []Track
	err := tx.WithContext(ctx).Joins("JOIN release_tracks ON release_tracks.track = tracks.id").
		Where("release_tracks.release = ?", id).Order("release_tracks.position").Find(&tracks).Error
	if err != nil {
		return nil, fmt.Errorf("read tracks of release %s: %w", id, err)
	}
	return tracks, nil
}

// ReleaseOf returns the oldest release with this track that is out, and the track's place on it from 1, or
// [ErrNoRelease].
func ReleaseOf(ctx context.Context, tx *gorm.DB, track TrackID) (Release, int, error) {
	r, err := oneRelease(tx.WithContext(ctx).Joins("JOIN release_tracks ON release_tracks.release = releases.id").
		Where("release_tracks.track = ? AND releases.state = ?", track, ReleasePublished).Order("releases.published_at, releases.id"), string(track))
	if err != nil {
		return r, 0, err
	}
	var place releaseTrack
	if err := tx.WithContext(ctx).Where("release = ? AND track = ?", r.ID, track).Take(&place).Error; err != nil {
		return r, 0, fmt.Errorf("read place of %s: %w", track, err)
	}
	return r, place.Position, nil
}
