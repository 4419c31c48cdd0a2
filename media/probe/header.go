package probe

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// header is ffprobe's answer.
type header struct {
	Format struct {
		Name     string            `json:"format_name"`
		Duration string            `json:"duration"`
		Score    int               `json:"probe_score"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
	Streams []stream `json:"streams"`
}

type stream struct {
	Index       int               `json:"index"`
	Type        string            `json:"codec_type"`
	Codec       string            `json:"codec_name"`
	SampleRate  string            `json:"sample_rate"`
	Channels    int               `json:"channels"`
	Bits        int               `json:"bits_per_sample"`
	RawBits     string            `json:"bits_per_raw_sample"`
	Duration    string            `json:"duration"`
	Disposition map[string]int    `json:"disposition"`
	Tags        map[string]string `json:"tags"`
}

// lossless are the codecs whose bit depth means something.
var lossless = map[string]bool{"flac": true, "alac": true, "ape": true, "tta": true, "wavpack": true, "wmalossless": true}

const (
	minRate     = 8000
	maxRate     = 768000
	maxChannels = 8
)

// info reads what is told, and refuses what cannot be taken; Duration and Cover
// are left open.
func (h header) info() (Info, error) {
	s, err := h.sound()
	if err != nil {
		return Info{}, err
	}
	info := Info{Container: container(h.Format.Name), Codec: s.Codec, Channels: s.Channels, Tags: readTags(h.Format.Tags, s.Tags)}
	info.SampleRate, _ = strconv.Atoi(s.SampleRate)
	switch {
	case s.Codec == "" || s.Codec == "unknown":
		return Info{}, unsupported(nil)
	case info.SampleRate < minRate || info.SampleRate > maxRate:
		return Info{}, refuse(ErrUnsupported, fmt.Sprintf("This recording has %d samples a second; 8000 to 768000 can be taken.", info.SampleRate))
	case info.Channels < 1 || info.Channels > maxChannels:
		return Info{}, refuse(ErrUnsupported, fmt.Sprintf("This recording has %d channels; 1 to %d can be taken.", info.Channels, maxChannels))
	}
	if lossless[s.Codec] || strings.HasPrefix(s.Codec, "pcm_") {
		info.BitDepth = s.Bits
		if raw, err := strconv.Atoi(s.RawBits); err == nil && raw > 0 {
			info.BitDepth = raw
		}
		if info.BitDepth < 8 || info.BitDepth > 64 {
			info.BitDepth = 16
		}
	}
	return info, nil
}

// sound gives the only audio stream.
func (h header) sound() (stream, error) {
	var found []stream
	for _, s := range h.Streams {
		switch {
		case s.Type == "audio":
			found = append(found, s)
		case s.Type == "video" && s.Disposition["attached_pic"] == 0:
			return stream{}, video()
		}
	}
	if len(found) == 0 {
		return stream{}, notAudio(errors.New("no audio stream"))
	}
	return found[0], nil
}

// cover gives the index of the embedded picture's stream, or -1.
func (h header) cover() int {
	for _, s := range h.Streams {
		if s.Type == "video" && s.Disposition["attached_pic"] == 1 {
			return s.Index
		}
	}
	return -1
}

// duration is what the header claims; 0 if nothing that can be.
func (h header) duration() time.Duration {
	s, err := strconv.ParseFloat(h.Format.Duration, 64)
	if err != nil || !(s > 0 && s < 1e9) {
		return 0
	}
	return time.Duration(s * float64(time.Second))
}

// container gives the usual name for FFmpeg's, which may be a list.
func container(name string) string {
	first, _, _ := strings.Cut(name, ",")
	if first == "mov" {
		return "mp4"
	}
	return first
}
