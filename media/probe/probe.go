package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"antiphon/media/transcode"
)

// Info is what is known about a recording.
type Info struct {
	// Container and Codec by short names: "flac", "wav", "mp3", "mp4", "ogg" ...
	// and "flac", "pcm_s24le", "mp3", "aac", "vorbis" ...
	Container, Codec string
	// Duration is measured over the packets, whatever the header says.
	Duration time.Duration
	// SampleRate in Hz.
	SampleRate int
	// Channels, 1 to 8.
	Channels int
	// BitDepth of the samples, 8 to 64; 0 if the codec is lossy.
	BitDepth int
	// Tags that the file carries.
	Tags Tags
	// Cover is the embedded picture as it lies in the file, not looked at; nil if
	// there is none or it is over the limit.
	Cover []byte
}

// Lossless tells whether the recording holds its samples unchanged.
func (i Info) Lossless() bool { return i.BitDepth > 0 }

// Limits bound what is taken. Zero values take the defaults.
type Limits struct {
	// MaxDuration. Default 4 h.
	MaxDuration time.Duration
	// MinDuration. Default 1 s.
	MinDuration time.Duration
	// CoverBytes an embedded picture may have. Default 10 MiB.
	CoverBytes int
	// Time that reading a file may take. Default 1 min.
	Time time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.MaxDuration == 0 {
		l.MaxDuration = 4 * time.Hour
	}
	if l.MinDuration == 0 {
		l.MinDuration = time.Second
	}
	if l.CoverBytes == 0 {
		l.CoverBytes = 10 << 20
	}
	if l.Time == 0 {
		l.Time = time.Minute
	}
	return l
}

// Probe says what the file at path is. A file that is not taken gives a
// *Refusal; every other error is of the machine, and trying again may help.
func Probe(ctx context.Context, engine transcode.Engine, path string, limits Limits) (Info, error) {
	limits = limits.withDefaults()
	audio, err := sniff(path)
	if err != nil {
		return Info{}, err
	}
	p := prober{engine: engine, path: path, limits: limits, audio: audio}
	tooSlow := errors.New("probe: reading the file took too long")
	run, cancel := context.WithTimeoutCause(ctx, limits.Time, tooSlow)
	defer cancel()
	info, err := p.probe(run)
	if err != nil && ctx.Err() == nil && context.Cause(run) == tooSlow {
		return Info{}, damaged(tooSlow)
	}
	return info, err
}

type prober struct {
	engine transcode.Engine
	path   string
	limits Limits
	audio  bool // the file begins as a recording does
}

func (p prober) probe(ctx context.Context) (Info, error) {
	head, err := p.read(ctx)
	if err != nil {
		return Info{}, err
	}
	info, err := head.info()
	if err != nil {
		return Info{}, err
	}
	announced := head.duration()
	if info.Duration, err = p.measure(ctx); err != nil {
		return Info{}, err
	}
	// These two say exactly how much there is; a part of it was lost.
	short := announced - info.Duration
	if (info.Container == "flac" || info.Container == "mp4") && short > announced/50+500*time.Millisecond {
		return Info{}, damaged(fmt.Errorf("%s of %s", info.Duration, announced))
	}
	switch {
	case info.Duration == 0:
		return Info{}, damaged(errors.New("no packets"))
	case info.Duration > p.limits.MaxDuration:
		return Info{}, refuse(ErrTooLong, "This recording is longer than "+words(p.limits.MaxDuration)+". Cut it into parts and upload them one by one.")
	case info.Duration < p.limits.MinDuration:
		return Info{}, refuse(ErrTooShort, "This recording is shorter than "+words(p.limits.MinDuration)+".")
	}
	if head.cover() >= 0 {
		info.Cover, err = p.cover(ctx, head.cover())
	}
	return info, err
}

// words says a limit: "4 hours", "90 minutes", "1 second".
func words(d time.Duration) string {
	n, unit := int64(d/time.Second), "second"
	switch {
	case d%time.Hour == 0:
		n, unit = int64(d/time.Hour), "hour"
	case d%time.Minute == 0:
		n, unit = int64(d/time.Minute), "minute"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// failure makes a refusal of the tool's own failure.
func (p prober) failure(err error) error {
	switch {
	case !errors.Is(err, transcode.ErrFailed) && !errors.Is(err, errTooMuch):
		return fmt.Errorf("probe: %w", err)
	case p.audio && closed.MatchString(err.Error()):
		return unsupported(err)
	case p.audio:
		return damaged(err)
	}
	return notAudio(err)
}

// read asks ffprobe for the headers.
func (p prober) read(ctx context.Context) (header, error) {
	out := bounded{limit: 4 << 20}
	err := p.engine.Run(ctx, transcode.Command{
		Tool:     transcode.FFprobe,
		Input:    p.path,
		Cautious: true,
		Stdout:   &out,
		Args: func(in, _ string) []string {
			tags := wanted()
			return []string{"-of", "json", "-show_entries",
				"format=format_name,duration,probe_score:format_tags=" + tags +
					":stream=index,codec_type,codec_name,sample_rate,channels,bits_per_sample,bits_per_raw_sample,duration" +
					":stream_disposition=attached_pic:stream_tags=" + tags, "-i", in}
		},
	})
	if stoppedAtVideo(err) {
		return header{}, video()
	}
	if err != nil {
		return header{}, p.failure(err)
	}
	var h header
	if err := json.Unmarshal(out.Bytes(), &h); err != nil {
		return header{}, damaged(err)
	}
	if !p.audio && h.Format.Score < minScore {
		return header{}, notAudio(fmt.Errorf("looks like %s with score %d", h.Format.Name, h.Format.Score))
	}
	return h, nil
}

// closed is the log line of a stream whose codec is not let in, such as that of a video.
var closed = regexp.MustCompile(`Could not open codec for input stream (\d+)`)

// stoppedAtVideo tells whether ffprobe stopped at a stream of moving pictures.
func stoppedAtVideo(err error) bool {
	var exit *transcode.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	m := closed.FindStringSubmatch(exit.Log)
	if m == nil {
		return false
	}
	stream := regexp.MustCompile(`(?m)^  Stream #0:` + m[1] + `(?:\D.*)?: Video: `)
	return stream.MatchString(exit.Log)
}

// minScore is FFmpeg's certainty about a container under which a file that does
// not begin like one is not believed. Text and programs reach up to 25.
const minScore = 26

// measure reads all packets, without decoding them, and gives where they end.
func (p prober) measure(ctx context.Context) (time.Duration, error) {
	out := bounded{limit: 1 << 20}
	err := p.engine.Run(ctx, transcode.Command{
		Tool:     transcode.FFmpeg,
		Input:    p.path,
		Cautious: true,
		Stdout:   &out,
		Args: func(in, _ string) []string {
			return []string{"-i", in, "-map", "0:a:0", "-c", "copy",
				"-t", strconv.FormatFloat((p.limits.MaxDuration + 10*time.Second).Seconds(), 'f', 3, 64),
				"-stats_period", "10", "-progress", "pipe:1", "-f", "null", "-"}
		},
	})
	if err != nil {
		return 0, p.failure(err)
	}
	var end time.Duration
	for line := range strings.Lines(out.String()) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "out_time_us="); ok {
			if us, err := strconv.ParseInt(v, 10, 64); err == nil && us > 0 && us < 1e12 {
				end = time.Duration(us) * time.Microsecond
			}
		}
	}
	return end, nil
}

// cover takes the embedded picture out. A recording is not refused for its picture.
func (p prober) cover(ctx context.Context, stream int) ([]byte, error) {
	out := bounded{limit: p.limits.CoverBytes}
	err := p.engine.Run(ctx, transcode.Command{
		Tool:     transcode.FFmpeg,
		Input:    p.path,
		Cautious: true,
		Stdout:   &out,
		Args: func(in, _ string) []string {
			return []string{"-i", in, "-map", "0:" + strconv.Itoa(stream), "-frames:v", "1", "-c", "copy", "-f", "image2pipe", "pipe:1"}
		},
	})
	if errors.Is(err, transcode.ErrFailed) || errors.Is(err, errTooMuch) || err == nil && out.Len() == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("probe: %w", err)
	}
	return out.Bytes(), nil
}

var errTooMuch = errors.New("probe: more output than is taken")

// bounded is a buffer that ends the job which overfills it.
type bounded struct {
	bytes.Buffer
	limit int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.limit {
		return 0, errTooMuch
	}
	return b.Buffer.Write(p)
}
