package hls

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

// Bounds on playlists, read and written.
const (
	// MaxPlaylistBytes is the size of the largest playlist.
	MaxPlaylistBytes = 4 << 20
	// MaxSegments is the number of segments of the longest rendition.
	MaxSegments = 20_000
	// MaxVariants is the number of renditions in a master playlist.
	MaxVariants = 16
	// minExtinf and maxExtinf are what a segment may claim to last.
	minExtinf, maxExtinf = time.Millisecond, 30 * time.Second
)

// Errors of reading a playlist, for callers to branch on.
var (
	ErrSyntax          = errors.New("hls: not a playlist of this profile")
	ErrTooLarge        = errors.New("hls: playlist too large")
	ErrTooManySegments = errors.New("hls: too many segments")
	ErrName            = errors.New("hls: name is not a bare cid")
	ErrKey             = errors.New("hls: key or iv is not of this profile")
)

const keyPrefix = "key://antiphon/"

var (
	cidPattern       = regexp.MustCompile(`^b[a-z2-7]{58}$`)
	renditionPattern = regexp.MustCompile(`^[a-z0-9]{1,16}$`)
)

// KeyURI is how a media playlist names the segment key of a rendition.
func KeyURI(rendition string) string { return keyPrefix + rendition }

// Media is the playlist of one rendition, complete from first to last segment.
type Media struct {
	// Rendition is aac64, aac128, aac256 or flac: lower-case letters and digits.
	Rendition string
	// Init is the CID of the clear initialization section.
	Init string
	// Segments in order, at least one.
	Segments []MediaSegment
}

// MediaSegment is one sealed segment.
type MediaSegment struct {
	// CID of the sealed bytes: CIDv1, sha2-256, base32.
	CID string
	// IV it was sealed with.
	IV [16]byte
	// Duration in the playlist's resolution of 10 µs.
	Duration time.Duration
	// Size of the sealed bytes. It is not in the playlist: reading leaves it 0.
	Size int64
}

// Duration is the sum of the segments'.
func (m Media) Duration() (d time.Duration) {
	for _, s := range m.Segments {
		d += s.Duration
	}
	return d
}

// Size is the sum of the segments' sealed sizes.
func (m Media) Size() (n int64) {
	for _, s := range m.Segments {
		n += s.Size
	}
	return n
}

// CIDs are all names in the playlist: the init section's, then the segments'.
func (m Media) CIDs() []string {
	out := make([]string, 0, 1+len(m.Segments))
	out = append(out, m.Init)
	for _, s := range m.Segments {
		out = append(out, s.CID)
	}
	return out
}

// Marshal writes the playlist (RFC 8216, version 7, VOD), or says what of it
// ParseMedia would refuse.
func (m Media) Marshal() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	vod := playlist.MediaPlaylistTypeVOD
	out := playlist.Media{
		Version:             7,
		IndependentSegments: true,
		PlaylistType:        &vod,
		Map:                 &playlist.MediaMap{URI: m.Init},
		Endlist:             true,
	}
	for _, s := range m.Segments {
		// RFC 8216 4.3.3.1: rounded to the nearest integer, no EXTINF is over it.
		out.TargetDuration = max(out.TargetDuration, int(math.Ceil(s.Duration.Seconds())))
		out.Segments = append(out.Segments, &playlist.MediaSegment{
			Duration: s.Duration,
			URI:      s.CID,
			Key: &playlist.MediaKey{
				Method: playlist.MediaKeyMethodAES128,
				URI:    KeyURI(m.Rendition),
				IV:     fmt.Sprintf("0x%x", s.IV),
			},
		})
	}
	return bounded(out.Marshal())
}

func bounded(b []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("write playlist: %w", err)
	}
	if len(b) > MaxPlaylistBytes {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(b))
	}
	return b, nil
}

func (m Media) check() error {
	switch {
	case len(m.Segments) == 0:
		return fmt.Errorf("%w: no segments", ErrSyntax)
	case !renditionPattern.MatchString(m.Rendition):
		return fmt.Errorf("%w: rendition %q", ErrKey, m.Rendition)
	case len(m.Segments) > MaxSegments:
		return fmt.Errorf("%w: %d", ErrTooManySegments, len(m.Segments))
	case !cidPattern.MatchString(m.Init):
		return fmt.Errorf("%w: init %.80q", ErrName, m.Init)
	}
	used := make(map[[16]byte]bool, len(m.Segments))
	for i, s := range m.Segments {
		if used[s.IV] {
			return fmt.Errorf("%w: segment %d repeats an iv", ErrKey, i)
		}
		used[s.IV] = true
		if !cidPattern.MatchString(s.CID) {
			return fmt.Errorf("%w: segment %d is %.80q", ErrName, i, s.CID)
		}
		if s.Duration < minExtinf || s.Duration > maxExtinf {
			return fmt.Errorf("%w: segment %d lasts %s", ErrSyntax, i, s.Duration)
		}
	}
	return nil
}
