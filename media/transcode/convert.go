package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Job says what to convert. What it holds besides the paths comes from
// probe.Probe.
type Job struct {
	// Source is the path of the recording.
	Source string
	// Dir takes the outputs; it is made if it is missing. Files of an earlier
	// run are written over.
	Dir string
	// PreviewStart is where the preview begins. A start too near the end is
	// moved back so that the preview is as long as it can be.
	PreviewStart time.Duration
	// Duration of the recording, above 0.
	Duration time.Duration
	// SampleRate of the recording in Hz.
	SampleRate int
	// Channels of the recording. More than two are mixed down to two.
	Channels int
	// BitDepth of the recording's samples; 0 if it is lossy.
	BitDepth int
}

// Result is what Convert made.
type Result struct {
	// Renditions, in the order aac64, aac128, aac256, flac.
	Renditions []Rendition
	// Preview is the path of an MP3 of at most 30 s and under 1 MiB.
	Preview string
	// Duration of the sound as it was decoded.
	Duration time.Duration
	// LoudnessLUFS is the integrated loudness by EBU R 128; -70 is silence.
	LoudnessLUFS float64
	// TruePeak in dBTP by ITU-R BS.1770; -144 or lower is silence.
	TruePeak float64
	// Peaks is the waveform: PeakCount values, 255 for full scale.
	Peaks []byte
}

// Silent tells whether there is nothing to hear, which is worth a warning.
func (r Result) Silent() bool { return r.TruePeak < -60 }

// Convert makes all renditions of a recording, its preview, its loudness and
// its waveform, in one run that decodes it once. progress, if not nil, is told
// the part that is done, from 0 to 1 and never falling. After an error the
// files in Dir are of no use.
func Convert(ctx context.Context, engine Engine, job Job, progress func(float64)) (Result, error) {
	if job.Duration <= 0 || job.SampleRate <= 0 || job.Channels <= 0 {
		return Result{}, fmt.Errorf("convert: %w: duration %s, %d Hz, %d channels", ErrFailed, job.Duration, job.SampleRate, job.Channels)
	}
	if err := os.MkdirAll(job.Dir, 0o700); err != nil {
		return Result{}, fmt.Errorf("convert: %w", err)
	}
	result := Result{Renditions: renditions(job), Preview: filepath.Join(job.Dir, previewFile)}
	for i, r := range result.Renditions {
		result.Renditions[i].Path = filepath.Join(job.Dir, r.Name+".mp4")
	}
	rate := lossyRate(job.SampleRate)
	sound := newMeter(rate, job.Duration, progress)
	log := &tail{}
	err := engine.Run(ctx, Command{
		Tool:   FFmpeg,
		Input:  job.Source,
		OutDir: job.Dir,
		Stdout: sound,
		Stderr: log,
		Args:   func(in, out string) []string { return convertArgs(job, result.Renditions, in, out) },
	})
	if err != nil {
		return Result{}, fmt.Errorf("convert: %w", err)
	}
	if result.Duration = sound.duration(); result.Duration == 0 {
		return Result{}, fmt.Errorf("convert: %w: no sound was decoded", ErrFailed)
	}
	result.Peaks = sound.peaks()
	if result.LoudnessLUFS, result.TruePeak, err = readLoudness(log.buf); err != nil {
		return Result{}, fmt.Errorf("convert: %w", err)
	}
	// A header that promised more than there was has put the preview past the end.
	start := previewStart(job.PreviewStart, job.Duration)
	if moved := previewStart(job.PreviewStart, result.Duration); start-moved > time.Second {
		if err := preview(ctx, engine, job.Source, result.Preview, moved); err != nil {
			return Result{}, fmt.Errorf("convert: %w", err)
		}
	}
	if progress != nil && sound.told < 1 {
		progress(1)
	}
	return result, nil
}

// convertArgs is one filter graph: the decoded sound is split between FLAC, the
// loudness meter and, brought to one rate, everything else.
func convertArgs(job Job, list []Rendition, in, out string) []string {
	var lossy, lossless string
	for _, r := range list {
		if r.Name == FLAC {
			lossless = r.filter()
		} else {
			lossy = r.filter()
		}
	}
	graph := strings.Join([]string{
		"[0:a:0]" + layout(job.Channels) + ",asplit=3[s0][s1][s2]",
		"[s0]" + lossless + "[" + FLAC + "]",
		// framelog: the log of each 100 ms goes to a level that is not written.
		"[s1]ebur128=peak=true:framelog=verbose,anullsink",
		"[s2]" + lossy + ",asplit=5[" + AAC64 + "][" + AAC128 + "][" + AAC256 + "][s3][s4]",
		"[s3]" + previewCut(job) + "[preview]",
		"[s4]aformat=sample_fmts=s16:channel_layouts=mono[pcm]",
	}, ";")
	args := []string{"-i", in, "-filter_complex", graph}
	for _, r := range list {
		args = append(append(args, "-map", "["+r.Name+"]"), r.encode(out+"/"+r.Name+".mp4")...)
	}
	args = append(append(args, "-map", "[preview]"), previewEncode(out+"/"+previewFile)...)
	return append(args, "-map", "[pcm]", "-c:a", "pcm_s16le", "-f", "s16le", "pipe:1")
}

// previewCut takes the preview out of the decoded track.
func previewCut(job Job) string {
	return "atrim=start=" + seconds(previewStart(job.PreviewStart, job.Duration)) +
		":duration=" + seconds(PreviewDuration) + ",asetpts=PTS-STARTPTS," + fades
}

// layout mixes more than two channels down to two and leaves mono alone.
func layout(channels int) string {
	if channels == 1 {
		return "aformat=channel_layouts=mono"
	}
	return "aformat=channel_layouts=stereo"
}

var (
	integrated = regexp.MustCompile(`(?m)^\s+I:\s+(\S+) LUFS\s*$`)
	truePeak   = regexp.MustCompile(`(?m)^\s+Peak:\s+(\S+) dBFS\s*$`)
)

var errLoudness = errors.New("no loudness in ffmpeg's log")

// readLoudness reads the summary that ebur128 writes when it ends.
func readLoudness(log []byte) (loudness, peak float64, err error) {
	if i := bytes.LastIndex(log, []byte("Summary:")); i >= 0 {
		log = log[i:]
	}
	number := func(re *regexp.Regexp) (float64, error) {
		m := re.FindSubmatch(log)
		if m == nil {
			return 0, errLoudness
		}
		v, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil || math.IsNaN(v) {
			return 0, errLoudness
		}
		return min(max(v, -144), 144), nil // silence has the peak -Inf, which JSON cannot hold
	}
	if loudness, err = number(integrated); err != nil {
		return 0, 0, err
	}
	peak, err = number(truePeak)
	return loudness, peak, err
}
