package transcode

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func residentMB(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb / 1024
}

// An engine that has nothing to do holds no memory, and works again when asked.
func TestEmbeddedIdle(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		e, err := openEmbedded(Config{CacheDir: filepath.Join(cache, "antiphon-test", "ffmpeg"), Limits: Limits{}.withDefaults()})
		if err != nil {
			t.Fatal(err)
		}
		loaded := func() bool {
			synctest.Wait()
			e.turn <- struct{}{}
			defer func() { <-e.turn }()
			return e.compiled != nil || e.runtime != nil || e.cache != nil
		}
		for range 2 {
			if err := e.Warm(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !loaded() {
				t.Fatal("nothing is loaded after Warm")
			}
			time.Sleep(59 * time.Second) // of the bubble's clock
			if !loaded() {
				t.Error("freed before its time")
			}
			time.Sleep(2 * time.Second)
			if loaded() {
				t.Error("still loaded after a minute without work")
			}
		}
		t.Logf("%d MB when idle", residentMB(t))
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A cache that somebody has changed is not run.
func TestEmbeddedModuleChanged(t *testing.T) {
	dir := t.TempDir()
	e, err := openEmbedded(Config{CacheDir: dir, Limits: Limits{}.withDefaults()})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, moduleFile), []byte("\x00asm\x01\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Warm(t.Context()); err == nil || !strings.Contains(err.Error(), "was changed") {
		t.Errorf("got %v", err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzReadLoudness(f *testing.F) {
	f.Add("[Parsed_ebur128_9 @ 0x1] Summary:\n\n  Integrated loudness:\n    I:         -14.9 LUFS\n  True peak:\n    Peak:        0.2 dBFS\n")
	f.Add("Summary:\n    I:         -70.0 LUFS\n    Peak:       -inf dBFS\n")
	f.Add("Summary:\n    I:         nan LUFS\n    Peak:       +inf dBFS\n")
	f.Fuzz(func(t *testing.T, log string) {
		loudness, peak, err := readLoudness([]byte(log))
		for _, v := range []float64{loudness, peak} {
			if err == nil && !(v >= -144 && v <= 144) {
				t.Errorf("%g from %q", v, log)
			}
		}
	})
}
