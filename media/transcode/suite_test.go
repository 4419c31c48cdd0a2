package transcode_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/media/hls"
	"antiphon/media/transcode"
)

const (
	song  = "/usr/share/games/frozen-bubble/snd/introzik.ogg"              // 195.5 s, Vorbis, 44.1 kHz stereo
	alarm = "/usr/share/sounds/freedesktop/stereo/alarm-clock-elapsed.oga" // 6.13 s, Vorbis, 44.1 kHz stereo
	voice = "/usr/share/sounds/alsa/Front_Center.wav"                      // 1.43 s, 16 bits, 48 kHz mono
)

func fixture(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: install frozen-bubble-data, sound-theme-freedesktop and alsa-utils", err)
	}
	return path
}

// made makes a file with the FFmpeg that is installed.
func made(t testing.TB, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	cmd := exec.CommandContext(t.Context(), "ffmpeg", append(append([]string{"-nostdin", "-v", "error"}, args...), path)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("install ffmpeg: %v\n%s", err, out)
	}
	return path
}

// cacheDir is shared by all runs of the tests on a machine, because compiling
// FFmpeg takes longer than all of them.
func cacheDir(t testing.TB) string {
	t.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "antiphon-test", "ffmpeg")
}

func open(t testing.TB, c transcode.Config) transcode.Engine {
	t.Helper()
	if c.Mode != transcode.ModeNative {
		c.CacheDir = cacheDir(t)
	}
	engine, err := transcode.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// opener opens an engine of the kind under test with these limits.
type opener func(t *testing.T, limits transcode.Limits) transcode.Engine

// TestEngines is the conformance suite: both engines must pass all of it.
func TestEngines(t *testing.T) {
	t.Parallel()
	suite := map[string]func(*testing.T, opener){
		"convert":   testConvert,
		"rates":     testRates,
		"lie":       testLyingDuration,
		"silence":   testSilence,
		"preview":   testPreview,
		"decode":    testDecode,
		"downloads": testDownloads,
		"failure":   testFailure,
		"whitelist": testWhitelist,
		"names":     testNames,
		"cancel":    testCancel,
		"timeout":   testTimeout,
		"output":    testOutput,
		"writer":    testWriter,
		"close":     testClose,
	}
	for _, mode := range []transcode.Mode{transcode.ModeNative, transcode.ModeEmbedded} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			shared := open(t, transcode.Config{Mode: mode})
			if shared.Name() != string(mode) {
				t.Errorf("name %q, want %q", shared.Name(), mode)
			}
			if err := shared.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			engine := func(t *testing.T, limits transcode.Limits) transcode.Engine {
				if limits == (transcode.Limits{}) {
					return shared
				}
				return open(t, transcode.Config{Mode: mode, Limits: limits})
			}
			for name, test := range suite {
				t.Run(name, func(t *testing.T) { test(t, engine) })
			}
		})
	}
}

func testConvert(t *testing.T, engine opener) {
	dir := filepath.Join(t.TempDir(), "out")
	job := transcode.Job{
		Source: fixture(t, alarm), Dir: dir, PreviewStart: 2 * time.Second, Duration: 6128 * time.Millisecond, SampleRate: 44100, Channels: 2,
	}
	var told []float64
	result, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), job, func(done float64) { told = append(told, done) })
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range result.Renditions {
		names = append(names, r.Name)
		checkRendition(t, r, result.Duration)
	}
	if want := []string{transcode.AAC64, transcode.AAC128, transcode.AAC256, transcode.FLAC}; !slices.Equal(names, want) {
		t.Errorf("renditions %v, want %v", names, want)
	}
	near(t, "duration", result.Duration.Seconds(), 6.128, 0.02)
	// What FFmpeg's ebur128 alone says of this file.
	near(t, "loudness", result.LoudnessLUFS, -9.3, 0.11)
	near(t, "true peak", result.TruePeak, -5.7, 0.11)
	if len(result.Peaks) != transcode.PeakCount || slices.Max(result.Peaks) < 100 || slices.Min(result.Peaks) != 0 {
		t.Errorf("%d peaks from %d to %d", len(result.Peaks), slices.Min(result.Peaks), slices.Max(result.Peaks))
	}
	if !slices.IsSorted(told) || len(told) < 2 || told[len(told)-1] != 1 || told[0] < 0 {
		t.Errorf("progress %v", told)
	}
	checkPreview(t, result.Preview, 6.128)
	// Stopped and begun again, the work must not depend on what lies there.
	if _, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), job, nil); err != nil {
		t.Errorf("second run: %v", err)
	}
}

// checkRendition cuts the file as the pipeline will, and decodes it.
func checkRendition(t *testing.T, r transcode.Rendition, duration time.Duration) {
	t.Helper()
	b, err := os.ReadFile(r.Path)
	if err != nil {
		t.Error(err)
		return
	}
	init, segments, err := hls.Cut(bytes.NewReader(b), hls.Limits{})
	if err != nil || len(init) == 0 {
		t.Errorf("%s: %v", r.Name, err)
		return
	}
	var sum time.Duration
	for s, err := range segments {
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
			return
		}
		sum += s.Duration
	}
	near(t, r.Name+" duration of segments", sum.Seconds(), duration.Seconds(), 0.06)
	if rate, channels := ffprobe(t, r.Path, "sample_rate"), ffprobe(t, r.Path, "channels"); rate != fmt.Sprint(r.SampleRate) || channels != fmt.Sprint(r.Channels) {
		t.Errorf("%s: %s Hz, %s channels, want %+v", r.Name, rate, channels, r)
	}
	if r.Name == transcode.FLAC {
		if bits := ffprobe(t, r.Path, "bits_per_raw_sample"); bits != fmt.Sprint(r.BitDepth) || r.Codecs != "fLaC" {
			t.Errorf("flac: %s bits, want %+v", bits, r)
		}
	} else if profile := ffprobe(t, r.Path, "profile"); profile != "LC" || r.Codecs != "mp4a.40.2" {
		t.Errorf("%s: profile %s, codecs %s", r.Name, profile, r.Codecs)
	}
	if bytes.Contains(b, []byte("Lavf")) {
		t.Errorf("%s names its encoder", r.Name)
	}
}

// ffprobe reads one property of the first stream.
func ffprobe(t *testing.T, path, entry string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries", "stream="+entry,
		"-of", "default=nokey=1:noprint_wrappers=1", path).Output()
	if err != nil {
		t.Fatalf("ffprobe %s: %v", path, err)
	}
	return strings.TrimSpace(string(out))
}

func checkPreview(t *testing.T, path string, seconds float64) {
	t.Helper()
	if codec := ffprobe(t, path, "codec_name"); codec != "mp3" {
		t.Errorf("preview is %s, want mp3", codec)
	}
	var length float64
	if _, err := fmt.Sscan(ffprobe(t, path, "duration"), &length); err != nil {
		t.Fatal(err)
	}
	near(t, "length of preview", length, seconds, 0.1)
	if info, err := os.Stat(path); err != nil || info.Size() >= 1<<20 {
		t.Errorf("preview: %v, want under 1 MiB", err)
	}
}

func near(t *testing.T, what string, got, want, by float64) {
	t.Helper()
	if !(math.Abs(got-want) <= by) {
		t.Errorf("%s %g, want %g", what, got, want)
	}
}

// High resolution keeps its depth and as much of its rate as is kept; odd rates
// and many channels become ordinary ones.
func testRates(t *testing.T, engine opener) {
	tests := []struct {
		rate, channels, depth       int
		aac, flac, flacCh, flacBits int
	}{
		{96000, 2, 24, 48000, 96000, 2, 24},
		{192000, 1, 24, 48000, 96000, 1, 24},
		{176400, 2, 24, 44100, 88200, 2, 24},
		{22050, 1, 16, 44100, 22050, 1, 16},
		{48000, 6, 16, 48000, 48000, 2, 16},
	}
	for _, tt := range tests {
		source := made(t, "source.wav", "-f", "lavfi", "-i", fmt.Sprintf("sine=frequency=1000:sample_rate=%d:duration=2", tt.rate),
			"-ac", fmt.Sprint(tt.channels), "-c:a", fmt.Sprintf("pcm_s%dle", tt.depth))
		result, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), transcode.Job{
			Source: source, Dir: t.TempDir(), Duration: 2 * time.Second, SampleRate: tt.rate, Channels: tt.channels, BitDepth: tt.depth,
		}, nil)
		if err != nil {
			t.Errorf("%+v: %v", tt, err)
			continue
		}
		for _, r := range result.Renditions {
			checkRendition(t, r, result.Duration)
			if r.Name == transcode.FLAC {
				if r.SampleRate != tt.flac || r.Channels != tt.flacCh || r.BitDepth != tt.flacBits {
					t.Errorf("%+v: flac %+v", tt, r)
				}
			} else if r.SampleRate != tt.aac {
				t.Errorf("%+v: aac %+v", tt, r)
			}
		}
	}
}

// A duration that is too long puts the preview past the end; one that is much
// too short means that nobody knows how much there is.
func testLyingDuration(t *testing.T, engine opener) {
	job := transcode.Job{
		Source: fixture(t, alarm), Dir: t.TempDir(), PreviewStart: 3 * time.Minute, Duration: 4 * time.Minute, SampleRate: 44100, Channels: 2,
	}
	result, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), job, nil)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "duration", result.Duration.Seconds(), 6.128, 0.02)
	checkPreview(t, result.Preview, 6.128)

	job.Source, job.Duration = fixture(t, song), 5*time.Second
	if _, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), job, nil); !errors.Is(err, transcode.ErrOutputTooLarge) {
		t.Errorf("195 s announced as 5: %v, want ErrOutputTooLarge", err)
	}
}

func testSilence(t *testing.T, engine opener) {
	source := made(t, "silence.flac", "-f", "lavfi", "-i", "anullsrc=sample_rate=44100:duration=2")
	result, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), transcode.Job{
		Source: source, Dir: t.TempDir(), Duration: 2 * time.Second, SampleRate: 44100, Channels: 2, BitDepth: 16,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !result.Silent() || result.LoudnessLUFS > -69 || slices.Max(result.Peaks) != 0 {
		t.Errorf("silence: %+v", result)
	}
}

func testPreview(t *testing.T, engine opener) {
	for _, tt := range []struct {
		source  string
		start   time.Duration
		seconds float64
	}{{song, time.Minute, 30}, {song, time.Hour, 30}, {alarm, 3 * time.Second, 6.128}, {alarm, -time.Second, 6.128}} {
		dest := filepath.Join(t.TempDir(), "preview.mp3")
		if err := transcode.Preview(t.Context(), engine(t, transcode.Limits{}), fixture(t, tt.source), dest, tt.start); err != nil {
			t.Fatal(err)
		}
		checkPreview(t, dest, tt.seconds)
		if left, err := os.ReadDir(filepath.Dir(dest)); err != nil || len(left) != 1 {
			t.Errorf("left beside the preview: %v, %v", left, err)
		}
	}
}

// pcm decodes through the engine.
func pcm(t *testing.T, engine transcode.Engine, path string, rate, channels int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := transcode.Decode(t.Context(), engine, path, rate, channels, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func testDecode(t *testing.T, engine opener) {
	wav, err := os.ReadFile(fixture(t, voice))
	if err != nil {
		t.Fatal(err)
	}
	got := pcm(t, engine(t, transcode.Limits{}), voice, 48000, 1)
	if len(got) < 100_000 || !bytes.Contains(wav, got) {
		t.Errorf("%d bytes that are not the samples of the file", len(got))
	}
	if stereo := pcm(t, engine(t, transcode.Limits{}), voice, 48000, 2); len(stereo) != 2*len(got) {
		t.Errorf("stereo has %d bytes, mono %d", len(stereo), len(got))
	}
}

func testDownloads(t *testing.T, engine opener) {
	for _, tt := range []struct {
		source  string
		job     transcode.Job
		formats []string
		seconds float64
	}{
		{voice, transcode.Job{SampleRate: 48000, Channels: 1, BitDepth: 16}, []string{"flac", "mp3", "opus"}, 1.43},
		{alarm, transcode.Job{SampleRate: 44100, Channels: 2}, []string{"mp3", "opus"}, 6.128},
	} {
		tt.job.Source, tt.job.Dir = fixture(t, tt.source), filepath.Join(t.TempDir(), "out")
		files, err := transcode.Downloads(t.Context(), engine(t, transcode.Limits{}), tt.job)
		if err != nil {
			t.Fatal(err)
		}
		var formats []string
		for _, f := range files {
			formats = append(formats, f.Format)
			sound := pcm(t, engine(t, transcode.Limits{}), f.Path, 48000, 1)
			near(t, f.Format+" of "+tt.source, float64(len(sound))/2/48000, tt.seconds, 0.1)
			if f.Format == transcode.DownloadFLAC && !bytes.Equal(sound, pcm(t, engine(t, transcode.Limits{}), tt.source, 48000, 1)) {
				t.Error("the FLAC is another sound")
			}
		}
		if !slices.Equal(formats, tt.formats) {
			t.Errorf("%s gives %v, want %v", tt.source, formats, tt.formats)
		}
	}
}

func testFailure(t *testing.T, engine opener) {
	text := filepath.Join(t.TempDir(), "text.mp3")
	if err := os.WriteFile(text, []byte("no music"), 0o600); err != nil {
		t.Fatal(err)
	}
	var exit *transcode.ExitError
	err := transcode.Decode(t.Context(), engine(t, transcode.Limits{}), text, 44100, 2, io.Discard)
	if !errors.Is(err, transcode.ErrFailed) || !errors.As(err, &exit) || exit.Log == "" {
		t.Errorf("text: %v", err)
	}
	if err := transcode.Decode(t.Context(), engine(t, transcode.Limits{}), t.TempDir(), 44100, 2, io.Discard); err == nil {
		t.Error("a folder was decoded")
	}
	if _, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), transcode.Job{Source: text, Dir: t.TempDir()}, nil); !errors.Is(err, transcode.ErrFailed) {
		t.Errorf("no duration: %v", err)
	}
	job := transcode.Job{Source: text, Dir: t.TempDir(), Duration: time.Second, SampleRate: 44100, Channels: 2}
	if _, err := transcode.Convert(t.Context(), engine(t, transcode.Limits{}), job, nil); !errors.Is(err, transcode.ErrFailed) {
		t.Errorf("text: %v", err)
	}
}

// A playlist must not make FFmpeg open another file or the network, whatever it
// is named.
func testWhitelist(t *testing.T, engine opener) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	called := make(chan struct{}, 1)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
			select {
			case called <- struct{}{}:
			default:
			}
		}
	}()
	url := "http://" + listener.Addr().String() + "/a.mp3"
	for name, content := range map[string]string{
		"hls.m3u8":  "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + url + "\n#EXT-X-ENDLIST\n",
		"local.mp3": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://" + fixture(t, voice) + "\n#EXT-X-ENDLIST\n",
		"concat.ff": "ffconcat version 1.0\nfile '" + fixture(t, voice) + "'\n",
		"dash.mpd":  `<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>` + url + `</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"sdp.sdp":   "v=0\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := transcode.Decode(t.Context(), engine(t, transcode.Limits{}), path, 8000, 1, &out); !errors.Is(err, transcode.ErrFailed) || out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes of sound", name, err, out.Len())
		}
	}
	select {
	case <-called:
		t.Error("FFmpeg called out to the network")
	default:
	}
	// A container that is let in, with a codec that is not.
	dolby := made(t, "a.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "ac3")
	if err := transcode.Decode(t.Context(), engine(t, transcode.Limits{}), dolby, 8000, 1, io.Discard); !errors.Is(err, transcode.ErrFailed) {
		t.Errorf("ac3: %v", err)
	}
}

// A file's name is nothing but a name.
func testNames(t *testing.T, engine opener) {
	sound, err := os.ReadFile(fixture(t, voice))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"concat:a|b", "-version", "a%03d.wav", "http:x", "sp ace'\"$(x).wav", "pipe:0"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, sound, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := pcm(t, engine(t, transcode.Limits{}), path, 8000, 1); len(got) < 20_000 {
			t.Errorf("%q: %d bytes of sound", name, len(got))
		}
	}
}

func testCancel(t *testing.T, engine opener) {
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("the server stops")
	job := transcode.Job{Source: fixture(t, song), Dir: t.TempDir(), Duration: 196 * time.Second, SampleRate: 44100, Channels: 2}
	started := time.Now()
	_, err := transcode.Convert(ctx, engine(t, transcode.Limits{}), job, func(float64) { cancel(reason) })
	if !errors.Is(err, reason) {
		t.Errorf("got %v, want the cause", err)
	}
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("stopped after %s", took)
	}
	if err := transcode.Decode(ctx, engine(t, transcode.Limits{}), voice, 8000, 1, io.Discard); !errors.Is(err, reason) {
		t.Errorf("begun after the end: %v", err)
	}
	// The engine is as good as before.
	if got := pcm(t, engine(t, transcode.Limits{}), voice, 8000, 1); len(got) == 0 {
		t.Error("no sound after a stopped job")
	}
}

func testTimeout(t *testing.T, engine opener) {
	e := engine(t, transcode.Limits{Time: 300 * time.Millisecond})
	if err := e.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	job := transcode.Job{Source: fixture(t, song), Dir: t.TempDir(), Duration: 196 * time.Second, SampleRate: 44100, Channels: 2}
	if _, err := transcode.Convert(t.Context(), e, job, nil); !errors.Is(err, transcode.ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
}

func testOutput(t *testing.T, engine opener) {
	e := engine(t, transcode.Limits{OutputBytes: 200_000})
	job := transcode.Job{Source: fixture(t, song), Dir: t.TempDir(), Duration: 196 * time.Second, SampleRate: 44100, Channels: 2}
	if _, err := transcode.Convert(t.Context(), e, job, nil); !errors.Is(err, transcode.ErrOutputTooLarge) {
		t.Errorf("got %v, want ErrOutputTooLarge", err)
	}
}

// fails takes some bytes and then no more.
type fails struct{ err error }

func (f fails) Write([]byte) (int, error) { return 0, f.err }

func testWriter(t *testing.T, engine opener) {
	full := errors.New("full")
	if err := transcode.Decode(t.Context(), engine(t, transcode.Limits{}), fixture(t, song), 44100, 2, fails{full}); !errors.Is(err, full) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func testClose(t *testing.T, engine opener) {
	e := engine(t, transcode.Limits{Time: time.Minute})
	for range 2 {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := transcode.Decode(t.Context(), e, fixture(t, voice), 8000, 1, io.Discard); !errors.Is(err, transcode.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

// TestEnginesAgree converts the same file on both: what an instance publishes
// must not depend on its engine by more than an encoder's rounding.
func TestEnginesAgree(t *testing.T) {
	t.Parallel()
	job := transcode.Job{Source: fixture(t, alarm), Duration: 6128 * time.Millisecond, SampleRate: 44100, Channels: 2}
	var results []transcode.Result
	native := open(t, transcode.Config{Mode: transcode.ModeNative})
	for _, engine := range []transcode.Engine{native, open(t, transcode.Config{Mode: transcode.ModeEmbedded})} {
		job.Dir = t.TempDir()
		result, err := transcode.Convert(t.Context(), engine, job, nil)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, result)
	}
	a, b := results[0], results[1]
	near(t, "loudness", b.LoudnessLUFS, a.LoudnessLUFS, 0.11)
	near(t, "true peak", b.TruePeak, a.TruePeak, 0.11)
	for i := range a.Peaks {
		near(t, fmt.Sprintf("peak %d", i), float64(b.Peaks[i]), float64(a.Peaks[i]), 1)
	}
	for i, r := range a.Renditions {
		x, y := pcm(t, native, r.Path, 44100, 2), pcm(t, native, b.Renditions[i].Path, 44100, 2)
		if len(x) != len(y) {
			t.Errorf("%s: %d and %d bytes of sound", r.Name, len(x), len(y))
			continue
		}
		var signal, noise float64
		for k := 0; k+1 < len(x); k += 2 {
			v, w := float64(int16(binary.LittleEndian.Uint16(x[k:]))), float64(int16(binary.LittleEndian.Uint16(y[k:])))
			signal += v * v
			noise += (v - w) * (v - w)
		}
		if db := 10 * math.Log10(signal/max(noise, 1)); db < 20 {
			t.Errorf("%s: the two are %.1f dB apart", r.Name, db)
		} else {
			t.Logf("%s: the same to %.1f dB", r.Name, db)
		}
	}
}
