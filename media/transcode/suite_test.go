package transcode_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"antiphon/media/transcode"
)

const (
	song  = "/usr/share/games/frozen-bubble/snd/introzik.ogg"              // 195.5 s, Vorbis, 44.1 kHz stereo
	alarm = "/usr/share/sounds/freedesktop/stereo/alarm-clock-elapsed.oga" // 6 s, Vorbis
	voice = "/usr/share/sounds/alsa/Front_Center.wav"                      // 1.4 s, 16 bits, 48 kHz mono
)

func fixture(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: install frozen-bubble-data, sound-theme-freedesktop and alsa-utils", err)
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

// TestEngines is the conformance suite: both engines must pass all of it.
func TestEngines(t *testing.T) {
	t.Parallel()
	for _, mode := range []transcode.Mode{transcode.ModeNative, transcode.ModeEmbedded} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			engine := open(t, transcode.Config{Mode: mode})
			if engine.Name() != string(mode) {
				t.Errorf("name %q, want %q", engine.Name(), mode)
			}
			t.Run("convert", func(t *testing.T) { testConvert(t, engine) })
		})
	}
}

func testConvert(t *testing.T, engine transcode.Engine) {
	dir := filepath.Join(t.TempDir(), "out")
	job := transcode.Job{Source: fixture(t, alarm), Dir: dir, PreviewStart: time.Minute, Duration: 6 * time.Second, SampleRate: 44100, Channels: 2}
	result, err := transcode.Convert(t.Context(), engine, job, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Renditions) != 4 {
		t.Errorf("%d renditions, want 4", len(result.Renditions))
	}
}
