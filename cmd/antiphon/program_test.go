package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"
)

// program is the built binary, in a folder that ends with the tests.
var program struct {
	once sync.Once
	dir  string
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(program.dir)
	os.Exit(code)
}

// builtProgram builds the program once and returns the folder that it lies in, as "antiphon".
func builtProgram(tb testing.TB) string {
	tb.Helper()
	program.once.Do(func() {
		if program.dir, program.err = os.MkdirTemp("", "antiphon-program-"); program.err != nil {
			return
		}
		out, err := exec.Command("go", "build", "-o", filepath.Join(program.dir, "antiphon"), ".").CombinedOutput()
		if err != nil {
			program.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if program.err != nil {
		tb.Fatal(program.err)
	}
	return program.dir
}

// tune is real music that Debian brings along with a game.
const tune = "/usr/share/games/frozen-bubble/snd/introzik.ogg"

// cutTune writes the first seconds of the tune to dir, in the format that ext names, and returns its path.
func cutTune(tb testing.TB, dir, ext string, seconds int) string {
	tb.Helper()
	if _, err := os.Stat(tune); err != nil {
		tb.Fatalf("the music of frozen-bubble is needed: apt-get install frozen-bubble-data (%v)", err)
	}
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		tb.Fatal("FFmpeg is needed to make the files of these tests: apt-get install ffmpeg")
	}
	path := filepath.Join(dir, "introzik."+ext)
	out, err := exec.Command(ffmpeg, "-v", "error", "-nostdin", "-y", "-i", tune, "-t", fmt.Sprint(seconds), path).CombinedOutput()
	if err != nil {
		tb.Fatalf("cut %s: %v\n%s", path, err, out)
	}
	return path
}

// engineCache is shared by all tests on a machine, because compiling the embedded FFmpeg takes longer than its use.
func engineCache(tb testing.TB) string {
	tb.Helper()
	dir, err := os.UserCacheDir()
	if err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir, "antiphon-test", "ffmpeg")
}

// stage is a demo whose parts run as processes of the built program, with nothing played yet.
type stage struct {
	*demo
	tb        testing.TB
	databases map[*instance]*gorm.DB
}

// newStage makes a stage in a folder of its own; it ends with the test, and shows the ends of the logs of one that failed.
func newStage(tb testing.TB, audio string, settings ...string) *stage {
	tb.Helper()
	s := &stage{tb: tb, databases: map[*instance]*gorm.DB{}, demo: &demo{
		dir: tb.TempDir(), audio: audio, engine: "auto", binary: filepath.Join(builtProgram(tb), "antiphon"), settings: settings,
		story: &story{out: tb.Output(), begun: time.Now()},
	}}
	tb.Cleanup(func() {
		s.stop()
		if tb.Failed() {
			s.showLogs()
		}
	})
	return s
}

func (s *stage) showLogs() {
	logs, err := filepath.Glob(filepath.Join(s.dir, "*.log"))
	if err != nil {
		s.tb.Error(err)
	}
	for _, path := range logs {
		b, err := os.ReadFile(path)
		if err != nil {
			s.tb.Error(err)
		}
		var told strings.Builder
		for line := range strings.Lines(string(b)) {
			if !strings.Contains(line, "level=INFO msg=request") {
				told.WriteString(line)
			}
		}
		s.tb.Logf("%s ends:\n%s", filepath.Base(path), told.String()[max(0, told.Len()-8<<10):])
	}
}

// soon bounds whatever has to happen by itself.
const soon = time.Minute

// within returns a context for something that has to happen soon.
func (s *stage) within(d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(s.tb.Context(), d)
	s.tb.Cleanup(cancel)
	return ctx
}

// between returns the scenes from the one that begins with first to the one that begins with last.
func (s *stage) between(first, last string) []scene {
	s.tb.Helper()
	scenes := s.scenes()
	from, to := -1, -1
	for i, scene := range scenes {
		if strings.HasPrefix(scene.name, first) {
			from = i
		}
		if strings.HasPrefix(scene.name, last) {
			to = i
		}
	}
	if from < 0 || to < from {
		s.tb.Fatalf("no scenes from %q to %q", first, last)
	}
	return scenes[from : to+1]
}

// playThrough plays scenes that have to succeed at the first try.
func (s *stage) playThrough(first, last string) {
	s.tb.Helper()
	for _, scene := range s.between(first, last) {
		if err := s.play(s.tb.Context(), scene); err != nil {
			s.tb.Fatal(err)
		}
	}
}

// eventually fails the test when look does not say yes soon.
func (s *stage) eventually(what string, look func() (bool, error)) {
	s.tb.Helper()
	if err := every(s.within(soon), 20*time.Millisecond, look); err != nil {
		s.tb.Fatalf("%s: %v", what, err)
	}
}
