package hls

import (
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The reader is strict and our own, where the writer is a library's: whatever a
// player might understand otherwise than this server (a second map, a byte
// range, an attribute given twice, a tag with a URI in it) must not get through.

// ParseMedia reads a media playlist from outside, within MaxPlaylistBytes and
// MaxSegments. Anything that is not this package's profile gives ErrSyntax,
// ErrTooLarge, ErrTooManySegments, ErrName or ErrKey.
func ParseMedia(r io.Reader) (Media, error) {
	var (
		m        Media
		iv       *[16]byte // of the EXT-X-KEY that each segment must bring
		duration time.Duration
		ended    bool
	)
	for line, err := range lines(r) {
		if err != nil {
			return Media{}, err
		}
		tag, value, _ := strings.Cut(line, ":")
		if ended && tag != "" {
			return Media{}, fmt.Errorf("%w: %.80q after the end", ErrSyntax, line)
		}
		switch tag {
		case "", "#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS", "#EXT-X-TARGETDURATION":
		case "#EXT-X-MEDIA-SEQUENCE":
			if value != "0" {
				return Media{}, fmt.Errorf("%w: begins at segment %.20q", ErrSyntax, value)
			}
		case "#EXT-X-PLAYLIST-TYPE":
			if value != "VOD" {
				return Media{}, fmt.Errorf("%w: playlist type %.20q", ErrSyntax, value)
			}
		case "#EXT-X-MAP":
			attrs, err := attributes(value, "URI")
			if err != nil {
				return Media{}, err
			}
			if m.Init != "" || iv != nil || len(m.Segments) > 0 {
				return Media{}, fmt.Errorf("%w: EXT-X-MAP must come once, before EXT-X-KEY", ErrSyntax)
			}
			if m.Init = attrs["URI"]; !cidPattern.MatchString(m.Init) {
				return Media{}, fmt.Errorf("%w: init %.80q", ErrName, m.Init)
			}
		case "#EXT-X-KEY":
			if iv, err = m.readKey(value); err != nil {
				return Media{}, err
			}
		case "#EXTINF":
			if duration != 0 {
				return Media{}, fmt.Errorf("%w: two EXTINF", ErrSyntax)
			}
			if duration, err = readExtinf(value); err != nil {
				return Media{}, err
			}
		case "#EXT-X-ENDLIST":
			ended = true
		default:
			if strings.HasPrefix(line, "#EXT") {
				return Media{}, fmt.Errorf("%w: tag %.80q", ErrSyntax, tag)
			}
			if strings.HasPrefix(line, "#") {
				continue
			}
			if !cidPattern.MatchString(line) {
				return Media{}, fmt.Errorf("%w: segment %d is %.80q", ErrName, len(m.Segments), line)
			}
			if iv == nil || duration == 0 || m.Init == "" {
				return Media{}, fmt.Errorf("%w: segment %d without map, key or duration", ErrSyntax, len(m.Segments))
			}
			if len(m.Segments) == MaxSegments {
				return Media{}, fmt.Errorf("%w: more than %d", ErrTooManySegments, MaxSegments)
			}
			m.Segments = append(m.Segments, MediaSegment{CID: line, IV: *iv, Duration: duration})
			iv, duration = nil, 0
		}
	}
	if !ended || iv != nil || duration != 0 {
		return Media{}, fmt.Errorf("%w: cut short", ErrSyntax)
	}
	return m, m.check()
}

// readKey reads an EXT-X-KEY's value, and the rendition at the first of them.
func (m *Media) readKey(value string) (*[16]byte, error) {
	attrs, err := attributes(value, "METHOD", "URI", "IV")
	if err != nil {
		return nil, err
	}
	rendition, ours := strings.CutPrefix(attrs["URI"], keyPrefix)
	if attrs["METHOD"] != "AES-128" || !ours || m.Rendition != "" && m.Rendition != rendition {
		return nil, fmt.Errorf("%w: method %.20q, uri %.80q", ErrKey, attrs["METHOD"], attrs["URI"])
	}
	m.Rendition = rendition

	digits := attrs["IV"]
	if len(digits) != 34 || digits[0] != '0' || digits[1]|0x20 != 'x' {
		return nil, fmt.Errorf("%w: iv %.40q", ErrKey, digits)
	}
	iv := new([16]byte)
	if _, err := hex.Decode(iv[:], []byte(digits[2:])); err != nil {
		return nil, fmt.Errorf("%w: iv %.40q", ErrKey, digits)
	}
	return iv, nil
}

var secondsPattern = regexp.MustCompile(`^[0-9]{1,5}(\.[0-9]{1,9})?$`)

func readExtinf(value string) (time.Duration, error) {
	text, _, _ := strings.Cut(value, ",")
	if !secondsPattern.MatchString(text) {
		return 0, fmt.Errorf("%w: duration %.20q", ErrSyntax, text)
	}
	d, err := time.ParseDuration(text + "s") // exact, unlike a float
	if err != nil || d < minExtinf || d > maxExtinf {
		return 0, fmt.Errorf("%w: duration %.20q", ErrSyntax, text)
	}
	return d, nil
}

// ParseMaster reads a master playlist from outside, with the bounds and errors
// of ParseMedia and at most MaxVariants variants.
func ParseMaster(r io.Reader) (Master, error) {
	var m Master
	var pending *Variant
	for line, err := range lines(r) {
		if err != nil {
			return Master{}, err
		}
		tag, value, _ := strings.Cut(line, ":")
		switch tag {
		case "", "#EXT-X-VERSION", "#EXT-X-INDEPENDENT-SEGMENTS":
		case "#EXT-X-STREAM-INF":
			if pending != nil {
				return Master{}, fmt.Errorf("%w: variant without name", ErrSyntax)
			}
			if pending, err = readVariant(value); err != nil {
				return Master{}, err
			}
		default:
			if strings.HasPrefix(line, "#EXT") {
				return Master{}, fmt.Errorf("%w: tag %.80q", ErrSyntax, tag)
			}
			if strings.HasPrefix(line, "#") {
				continue
			}
			if pending == nil || len(m.Variants) == MaxVariants {
				return Master{}, fmt.Errorf("%w: %.80q out of place", ErrSyntax, line)
			}
			pending.CID = line
			m.Variants = append(m.Variants, *pending)
			pending = nil
		}
	}
	if pending != nil {
		return Master{}, fmt.Errorf("%w: cut short", ErrSyntax)
	}
	return m, m.check()
}

func readVariant(value string) (*Variant, error) {
	attrs, err := attributes(value, "BANDWIDTH", "AVERAGE-BANDWIDTH", "CODECS")
	if err != nil {
		return nil, err
	}
	v := &Variant{Codecs: attrs["CODECS"]}
	for name, into := range map[string]*int{"BANDWIDTH": &v.Bandwidth, "AVERAGE-BANDWIDTH": &v.AverageBandwidth} {
		if text, given := attrs[name]; given {
			n, err := strconv.ParseUint(text, 10, 31)
			if err != nil {
				return nil, fmt.Errorf("%w: %s %.20q", ErrSyntax, name, text)
			}
			*into = int(n)
		}
	}
	return v, nil
}

// lines yields the lines of a playlist after its #EXTM3U, without line ends.
func lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		b, err := io.ReadAll(io.LimitReader(r, MaxPlaylistBytes+1))
		switch {
		case err != nil:
			yield("", fmt.Errorf("read playlist: %w", err))
			return
		case len(b) > MaxPlaylistBytes:
			yield("", fmt.Errorf("%w: over %d bytes", ErrTooLarge, MaxPlaylistBytes))
			return
		case !utf8.Valid(b):
			yield("", fmt.Errorf("%w: not utf-8", ErrSyntax))
			return
		}
		first := true
		for line := range strings.SplitSeq(string(b), "\n") {
			line = strings.TrimSuffix(line, "\r")
			if strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }) {
				yield("", fmt.Errorf("%w: control character", ErrSyntax))
				return
			}
			if first {
				first = false
				if line != "#EXTM3U" {
					yield("", fmt.Errorf("%w: no #EXTM3U", ErrSyntax))
					return
				}
				continue
			}
			if !yield(line, nil) {
				return
			}
		}
	}
}

// attributes reads an attribute list (RFC 8216 section 4.2). A name that is not
// among the known ones, or that comes twice, is refused.
func attributes(list string, known ...string) (map[string]string, error) {
	out := make(map[string]string, len(known))
	for list != "" {
		name, rest, ok := strings.Cut(list, "=")
		if !ok {
			return nil, fmt.Errorf("%w: attributes %.80q", ErrSyntax, list)
		}
		var value string
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			value, rest, ok = strings.Cut(quoted, `"`)
			if !ok || rest != "" && rest[0] != ',' {
				return nil, fmt.Errorf("%w: attribute %.40q", ErrSyntax, name)
			}
			list = strings.TrimPrefix(rest, ",")
		} else {
			value, list, _ = strings.Cut(rest, ",")
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%w: attribute %.40q twice", ErrSyntax, name)
		}
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("%w: attribute %.40q", ErrSyntax, name)
		}
		out[name] = value
	}
	return out, nil
}
