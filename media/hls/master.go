package hls

import (
	"fmt"
	"strings"

	"github.com/bluenviron/gohlslib/v2/pkg/playlist"
)

// CODECS values of the renditions (RFC 6381).
const (
	CodecAAC  = "mp4a.40.2" // AAC-LC
	CodecFLAC = "fLaC"
)

// maxBandwidth is far above FLAC of 96 kHz and 24 bits, and fits 31 bits.
const maxBandwidth = 100_000_000

// Master is the multivariant playlist of a track: its manifest.
type Master struct {
	Variants []Variant
}

// Variant is one rendition in a master playlist.
type Variant struct {
	// CID of the rendition's media playlist.
	CID string
	// Bandwidth is the peak of a segment and AverageBandwidth that of the whole,
	// in bits per second of sealed bytes (RFC 8216 section 4.3.4.2).
	Bandwidth, AverageBandwidth int
	// Codecs is CodecAAC or CodecFLAC.
	Codecs string
}

// Variant describes m, stored as a playlist under cid. It needs the segments'
// sizes and durations.
func (m Media) Variant(cid, codecs string) Variant {
	v := Variant{CID: cid, Codecs: codecs}
	var seconds float64
	for _, s := range m.Segments {
		seconds += s.Duration.Seconds()
		v.Bandwidth = max(v.Bandwidth, rate(s.Size, s.Duration.Seconds()))
	}
	v.AverageBandwidth = rate(m.Size(), seconds)
	return v
}

func rate(size int64, seconds float64) int {
	if seconds <= 0 {
		return 0
	}
	return int(float64(size)*8/seconds + 0.5)
}

// Marshal writes the playlist, or says what of it ParseMaster would refuse.
func (m Master) Marshal() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	out := playlist.Multivariant{Version: 7, IndependentSegments: true}
	for _, v := range m.Variants {
		out.Variants = append(out.Variants, &playlist.MultivariantVariant{
			Bandwidth:        v.Bandwidth,
			AverageBandwidth: &v.AverageBandwidth,
			Codecs:           []string{v.Codecs},
			URI:              v.CID,
		})
	}
	return bounded(out.Marshal())
}

func (m Master) check() error {
	if n := len(m.Variants); n == 0 || n > MaxVariants {
		return fmt.Errorf("%w: %d variants", ErrSyntax, n)
	}
	for i, v := range m.Variants {
		switch {
		case !cidPattern.MatchString(v.CID):
			return fmt.Errorf("%w: variant %d is %.80q", ErrName, i, v.CID)
		case v.Bandwidth <= 0 || v.Bandwidth > maxBandwidth || v.AverageBandwidth < 0 || v.AverageBandwidth > maxBandwidth:
			return fmt.Errorf("%w: variant %d has bandwidth %d, average %d", ErrSyntax, i, v.Bandwidth, v.AverageBandwidth)
		case v.Codecs == "" || len(v.Codecs) > 32 || strings.ContainsAny(v.Codecs, "\",\r\n"):
			return fmt.Errorf("%w: variant %d has codecs %.40q", ErrSyntax, i, v.Codecs)
		}
	}
	return nil
}
