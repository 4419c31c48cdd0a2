package media

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/vault"
	"antiphon/media/seal"
)

// ErrNotFound is returned for a track that does not exist, or not for this artist.
var ErrNotFound = errors.New("no such track")

// TrackID names a track on this instance: 26 lower-case base32 letters.
type TrackID string

// Track is one recording of a local artist.
type Track struct {
	ID     TrackID `gorm:"primaryKey"`
	URI    string
	Artist string
	// Slug is the track's word in its page's address, unique for the artist.
	Slug    string
	State   State
	Title   string
	Album   string
	Licence string
	About   string
	// Filename is what the artist's file was called, without a path.
	Filename string
	// Upload names the upload that the track was made from.
	Upload      string
	UploadBytes int64
	DurationMS  int64 `gorm:"column:duration_ms"`
	// SampleRate, Channels and BitDepth are the upload's; BitDepth is 0 for lossy files.
	SampleRate     int
	Channels       int
	BitDepth       int
	PreviewStartMS int64 `gorm:"column:preview_start_ms"`
	// Loudness is EBU R128's integrated loudness in LUFS and the true peak in dBTP: "-14.2 -1.0".
	Loudness string
	// Peaks are 0..255, evenly spread over the track.
	Peaks          []byte
	SealedKey      []byte
	ContentKeyHash []byte
	// Manifest is the CID of the multivariant playlist.
	Manifest      string
	ManifestBytes int64
	// SealedBytes is the size of all sealed segments.
	SealedBytes int64
	// Preview, Cover and CoverSmall are CIDs of public files; a track may have no cover.
	Preview    string
	Cover      string
	CoverSmall string
	// Accent is two colors for light and dark pages: "#7a3b10 #f0a060".
	Accent string
	// Pooled says that members of the listening pool may hear it.
	Pooled bool
	// Failure tells the artist what is wrong and what helps.
	Failure     string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	PublishedAt *time.Time
}

// Duration is the track's length.
func (t Track) Duration() time.Duration { return time.Duration(t.DurationMS) * time.Millisecond }

// ByID returns a track, or [ErrNotFound].
func ByID(ctx context.Context, tx *gorm.DB, id TrackID) (Track, error) {
	return one(tx.WithContext(ctx).Where("id = ?", id), string(id))
}

// ByURI returns a track, or [ErrNotFound].
func ByURI(ctx context.Context, tx *gorm.DB, uri string) (Track, error) {
	return one(tx.WithContext(ctx).Where("uri = ?", uri), uri)
}

// BySlug returns the artist's track with that slug, or [ErrNotFound].
func BySlug(ctx context.Context, tx *gorm.DB, artist, slug string) (Track, error) {
	return one(tx.WithContext(ctx).Where("artist = ? AND slug = ?", artist, slug), slug)
}

// Of returns the artist's tracks, newest first, at most limit after skipping offset; with public only what is
// published.
func Of(ctx context.Context, tx *gorm.DB, artist string, public bool, offset, limit int) ([]Track, error) {
	q := tx.WithContext(ctx).Where("artist = ?", artist)
	if public {
		q = q.Where("state = ?", Published).Order("published_at DESC")
	} else {
		q = q.Order("created_at DESC")
	}
	var tracks []Track
	if err := q.Offset(offset).Limit(limit).Find(&tracks).Error; err != nil {
		return nil, fmt.Errorf("read tracks of %s: %w", artist, err)
	}
	return tracks, nil
}

// CountOf counts the artist's published tracks.
func CountOf(ctx context.Context, tx *gorm.DB, artist string) (int64, error) {
	var n int64
	err := tx.WithContext(ctx).Model(&Track{}).Where("artist = ? AND state = ?", artist, Published).Count(&n).Error
	return n, err
}

func one(q *gorm.DB, name string) (Track, error) {
	var t Track
	err := q.Take(&t).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Track{}, fmt.Errorf("%w: %s", ErrNotFound, name)
	}
	if err != nil {
		return Track{}, fmt.Errorf("read track %s: %w", name, err)
	}
	return t, nil
}

// move changes the track's state and whatever else was set on t, if that is legal and nobody has moved it meanwhile.
func move(tx *gorm.DB, t *Track, next State, now time.Time) error {
	if err := t.State.To(next); err != nil {
		return err
	}
	from := t.State
	t.State, t.UpdatedAt = next, now
	result := tx.Model(t).Where("state = ?", from).Select("*").Updates(t)
	if result.Error != nil {
		return fmt.Errorf("move track %s: %w", t.ID, result.Error)
	}
	if result.RowsAffected != 1 {
		return fmt.Errorf("move track %s: it was moved by someone else", t.ID)
	}
	return nil
}

func keyPlace(id TrackID) vault.Place {
	return vault.Place{Table: "tracks", ID: string(id), Version: 1}
}

// contentKey opens the track's content key.
func contentKey(v *vault.Vault, t Track) (seal.ContentKey, error) {
	b, err := v.Open(keyPlace(t.ID), t.SealedKey)
	if err != nil || len(b) != len(seal.ContentKey{}) {
		return seal.ContentKey{}, fmt.Errorf("content key of track %s: %w", t.ID, errors.Join(err, vault.ErrOpen))
	}
	return seal.ContentKey(b), nil
}

var notSlug = regexp.MustCompile(`[^\p{L}\p{N}]+`)

// slugOf makes the address word of a title: its letters and digits, joined by hyphens, at most 60 runes.
func slugOf(title string) string {
	slug := strings.Trim(notSlug.ReplaceAllString(strings.ToLower(title), "-"), "-")
	if r := []rune(slug); len(r) > 60 {
		slug = strings.Trim(string(r[:60]), "-")
	}
	if slug == "" {
		return "untitled"
	}
	return slug
}

func newID() string { return strings.ToLower(rand.Text()) }
