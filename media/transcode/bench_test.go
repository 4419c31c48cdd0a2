package transcode_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"antiphon/media/hls"
	"antiphon/media/probe"
	"antiphon/media/seal"
	"antiphon/media/transcode"
)

// cpu is what this process and its ended children have used.
func cpu(b *testing.B) (self, children time.Duration) {
	b.Helper()
	read := func(who int) time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return read(syscall.RUSAGE_SELF), read(syscall.RUSAGE_CHILDREN)
}

// fourMinutes is real music of that length.
func fourMinutes(b *testing.B) string {
	return made(b, "four.flac", "-stream_loop", "1", "-i", fixture(b, song), "-t", "240", "-sample_fmt", "s16")
}

// BenchmarkIngest compares the whole way of a track of four minutes, from an
// unknown file to sealed segments, with an FFmpeg that makes the same four
// renditions and nothing else. "ratio" is the CPU time of the first over that
// of the second, the median of the rounds; more than 1.15 fails. Run it with
// -benchtime 3x or more: on a busy machine a single round is off by a fifth.
func BenchmarkIngest(b *testing.B) {
	source := fourMinutes(b)
	engine := open(b, transcode.Config{Mode: transcode.ModeNative})
	var ours, own, plain time.Duration
	var ratios []float64
	for b.Loop() {
		self0, children0 := cpu(b)
		ingest(b, engine, source)
		self1, children1 := cpu(b)
		alone(b, source)
		_, children2 := cpu(b)
		whole := self1 - self0 + children1 - children0
		ours += whole
		own += self1 - self0
		plain += children2 - children1
		ratios = append(ratios, whole.Seconds()/(children2-children1).Seconds())
	}
	slices.Sort(ratios)
	ratio := ratios[len(ratios)/2]
	n := float64(len(ratios))
	b.ReportMetric(ratio, "ratio")
	b.ReportMetric(ours.Seconds()/n, "cpu-s/ingest")
	b.ReportMetric(own.Seconds()/n, "go-cpu-s/ingest")
	b.ReportMetric(plain.Seconds()/n, "cpu-s/ffmpeg-alone")
	if ratio > 1.15 {
		b.Errorf("ingest takes %.3f times the CPU of FFmpeg alone (rounds %.3f), want at most 1.15", ratio, ratios)
	}
}

// ingest probes, converts, cuts and seals.
func ingest(b *testing.B, engine transcode.Engine, source string) {
	b.Helper()
	info, err := probe.Probe(b.Context(), engine, source, probe.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	result, err := transcode.Convert(b.Context(), engine, transcode.Job{
		Source: source, Dir: b.TempDir(), PreviewStart: time.Minute, Duration: info.Duration,
		SampleRate: info.SampleRate, Channels: info.Channels, BitDepth: info.BitDepth,
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range result.Renditions {
		f, err := os.Open(r.Path)
		if err != nil {
			b.Fatal(err)
		}
		_, segments, err := hls.Cut(f, hls.Limits{})
		if err != nil {
			b.Fatal(err)
		}
		key := seal.Key(seal.ContentKey{}, r.Name)
		for s, err := range segments {
			if err != nil {
				b.Fatal(err)
			}
			if sealed := seal.Encrypt(nil, key, [16]byte{}, s.Data); len(sealed) > 1<<20 {
				b.Fatalf("segment of %d bytes", len(sealed))
			}
		}
		_ = f.Close()
	}
}

// alone is FFmpeg by itself: one run, one decoding, the same encoders.
func alone(b *testing.B, source string) {
	b.Helper()
	dir := b.TempDir()
	args := []string{"-nostdin", "-v", "error", "-i", source}
	for _, rate := range []int{64, 128, 256} {
		args = append(args, "-map", "0:a:0", "-c:a", "aac", "-b:a", fmt.Sprintf("%dk", rate), filepath.Join(dir, fmt.Sprintf("%d.mp4", rate)))
	}
	args = append(args, "-map", "0:a:0", "-c:a", "flac", "-strict", "-2", filepath.Join(dir, "flac.mp4"))
	if out, err := exec.CommandContext(b.Context(), "ffmpeg", args...).CombinedOutput(); err != nil {
		b.Fatalf("install ffmpeg: %v\n%s", err, out)
	}
}

// BenchmarkConvert reports how many seconds of music a second of work makes.
func BenchmarkConvert(b *testing.B) {
	source := fixture(b, song)
	for _, mode := range []transcode.Mode{transcode.ModeNative, transcode.ModeEmbedded} {
		b.Run(string(mode), func(b *testing.B) {
			engine := open(b, transcode.Config{Mode: mode})
			if err := engine.Warm(b.Context()); err != nil {
				b.Fatal(err)
			}
			var music time.Duration
			for b.Loop() {
				result, err := transcode.Convert(b.Context(), engine, transcode.Job{
					Source: source, Dir: b.TempDir(), Duration: 196 * time.Second, SampleRate: 44100, Channels: 2,
				}, nil)
				if err != nil {
					b.Fatal(err)
				}
				music += result.Duration
			}
			b.ReportMetric(music.Seconds()/b.Elapsed().Seconds(), "music-s/s")
		})
	}
}

// BenchmarkDecode is the floor under all of it.
func BenchmarkDecode(b *testing.B) {
	engine := open(b, transcode.Config{Mode: transcode.ModeNative})
	for b.Loop() {
		if err := transcode.Decode(b.Context(), engine, fixture(b, song), 44100, 2, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
