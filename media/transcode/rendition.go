package transcode

import "fmt"

// The renditions that Convert makes, by their names on the wire.
const (
	AAC64  = "aac64"
	AAC128 = "aac128"
	AAC256 = "aac256"
	FLAC   = "flac"
)

// Rendition is one encoding of a track: fragmented MP4 (CMAF) with one audio
// stream in fragments of about a second, as hls.Cut wants it.
type Rendition struct {
	// Name is one of AAC64, AAC128, AAC256 and FLAC.
	Name string
	// Path of the file.
	Path string
	// Codecs is the value for HLS's CODECS attribute (RFC 6381).
	Codecs string
	// SampleRate in Hz.
	SampleRate int
	// Channels is 1 or 2.
	Channels int
	// BitDepth of FLAC, 16 or 24; 0 for AAC.
	BitDepth int
	// Bitrate that was asked for, in bit/s; 0 for FLAC.
	Bitrate int
}

const (
	maxFLACRate  = 96000
	maxFLACDepth = 24
)

// renditions says what to make of a source; the paths are not set.
func renditions(j Job) []Rendition {
	var list []Rendition
	channels := min(j.Channels, 2)
	for _, r := range []Rendition{{Name: AAC64, Bitrate: 64000}, {Name: AAC128, Bitrate: 128000}, {Name: AAC256, Bitrate: 256000}} {
		r.Codecs, r.SampleRate, r.Channels = "mp4a.40.2", lossyRate(j.SampleRate), channels
		list = append(list, r)
	}
	return append(list, Rendition{
		Name: FLAC, Codecs: "fLaC", SampleRate: flacRate(j.SampleRate), Channels: channels, BitDepth: flacDepth(j.BitDepth),
	})
}

// lossyRate is the one of the two common rates that is nearer to the source's
// family, so that resampling is by a whole number or not needed at all.
func lossyRate(source int) int {
	if source%11025 == 0 {
		return 44100
	}
	return 48000
}

func flacRate(source int) int {
	switch {
	case source <= maxFLACRate:
		return source
	case source%11025 == 0:
		return 88200
	}
	return maxFLACRate
}

// flacDepth is 16 for a lossy source, which has no depth of its own.
func flacDepth(source int) int {
	if source > 16 {
		return maxFLACDepth
	}
	return 16
}

// filter gives the chain that makes the samples fit the rendition.
func (r Rendition) filter() string {
	format := "fltp"
	switch r.BitDepth {
	case 16:
		format = "s16"
	case 24:
		format = "s32"
	}
	return fmt.Sprintf("aresample=%d,aformat=sample_fmts=%s", r.SampleRate, format)
}

// encode gives the arguments that encode to path. Bit-exact output without the
// source's tags: two runs give the same bytes, and nobody's notes leak.
func (r Rendition) encode(path string) []string {
	args := []string{"-c:a", "aac", "-b:a", fmt.Sprint(r.Bitrate)}
	if r.Name == FLAC {
		args = []string{"-c:a", "flac", "-strict", "-2"} // FFmpeg 5 calls FLAC in MP4 experimental
	}
	return append(append(args, clean...),
		"-f", "mp4", "-movflags", "+empty_moov+default_base_moof", "-frag_duration", "1000000", path)
}

// clean leaves out of an output what is not sound.
var clean = []string{"-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-flags:a", "+bitexact"}
