package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runDemoProgram runs the demo as a person does and returns its steps and its exit status. path is the PATH that it sees.
func runDemoProgram(t *testing.T, path string, args ...string) ([]step, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args = append([]string{"demo", "--exit", "--json", "--cache", engineCache(t)}, args...)
	cmd := exec.CommandContext(ctx, filepath.Join(builtProgram(t), "antiphon"), args...)
	cmd.Env = append(os.Environ(), "PATH="+path)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ended := (*exec.ExitError)(nil); err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	t.Logf("stderr: %s", &stderr)
	var steps []step
	lines := bufio.NewScanner(&stdout)
	for lines.Scan() {
		var s step
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			t.Fatalf("a line of --json is %q: %v", lines.Text(), err)
		}
		t.Logf("%6d ms  %v  %s %s", s.MS, s.OK, s.Step, s.Error)
		steps = append(steps, s)
	}
	return steps, cmd.ProcessState.ExitCode()
}

// wholeStory fails the test unless every scene was told, in its order, and succeeded.
func wholeStory(t *testing.T, steps []step, status int) {
	t.Helper()
	scenes := (&demo{}).scenes()
	if len(steps) != len(scenes) || status != 0 {
		t.Fatalf("%d of %d scenes were told, status %d", len(steps), len(scenes), status)
	}
	for i, s := range steps {
		if !s.OK || s.Error != "" || s.Step != scenes[i].name {
			t.Errorf("scene %d is %q (ok %v, %q), want %q", i, s.Step, s.OK, s.Error, scenes[i].name)
		}
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	native := os.Getenv("PATH")
	for _, test := range []struct {
		name, ext, path string
		seconds         int
	}{
		{"ogg", "ogg", native, 25},
		{"mp3", "mp3", native, 20},
		{"flac", "flac", native, 20},
		{"wav", "wav", native, 20},
		// Nothing that is on PATH can be of use here.
		{"embedded", "ogg", filepath.Join(t.TempDir(), "nothing"), 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			steps, status := runDemoProgram(t, test.path, "--audio", cutTune(t, t.TempDir(), test.ext, test.seconds))
			wholeStory(t, steps, status)
		})
	}
}

// TestDemoDamaged posts what is no recording, or only the beginning of one: the step that fails says so in words, nothing
// is told after it, and the status is not 0.
func TestDemoDamaged(t *testing.T) {
	t.Parallel()
	whole, err := os.ReadFile(cutTune(t, t.TempDir(), "mp3", 5))
	if err != nil {
		t.Fatal(err)
	}
	noise := bytes.Clone(whole)
	for i := range noise {
		noise[i] ^= byte(i * i >> 3)
	}
	for _, test := range []struct {
		name, file string
		content    []byte
	}{
		{"noise", "noise.mp3", noise},
		{"text", "notes.flac", []byte(strings.Repeat("These are only words about music.\n", 500))},
		{"empty", "empty.wav", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), test.file)
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			steps, status := runDemoProgram(t, os.Getenv("PATH"), "--audio", path)
			if len(steps) == 0 || status != 1 {
				t.Fatalf("status %d after %d steps, want 1", status, len(steps))
			}
			last := steps[len(steps)-1]
			if last.OK || last.Error == "" {
				t.Errorf("the last step told is %+v, want the one that failed", last)
			}
			if !strings.HasPrefix(last.Step, "the artist uploads") && !strings.HasPrefix(last.Step, "probed") {
				t.Errorf("%q failed, want the upload or the pipeline", last.Step)
			}
			for _, s := range steps[:len(steps)-1] {
				if !s.OK {
					t.Errorf("%q failed and the story went on", s.Step)
				}
			}
		})
	}
}
