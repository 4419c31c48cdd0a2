package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Errors of an Engine, for callers to branch on.
var (
	// ErrUnavailable means that the wanted engine cannot run here.
	ErrUnavailable = errors.New("transcode: ffmpeg is not available")
	// ErrFailed means that the tool ran and refused its input or broke.
	// errors.As gives an *ExitError with what it said.
	ErrFailed = errors.New("transcode: ffmpeg failed")
	// ErrTimeout means that the job took longer than Limits.Time.
	ErrTimeout = errors.New("transcode: took too long")
	// ErrOutputTooLarge means that the job wrote more than Limits.OutputBytes.
	ErrOutputTooLarge = errors.New("transcode: output too large")
	// ErrClosed means that the engine was closed.
	ErrClosed = errors.New("transcode: engine is closed")
)

// Tool is a program of the FFmpeg suite.
type Tool string

// The two programs an Engine runs.
const (
	FFmpeg  Tool = "ffmpeg"
	FFprobe Tool = "ffprobe"
)

// Engine runs FFmpeg's programs, bounded in time, memory and output. An Engine
// is safe for concurrent use; it may run jobs one after another.
type Engine interface {
	// Run runs one command to its end. One that is stopped by ctx returns ctx's
	// error; one that fails returns ErrFailed, ErrTimeout or ErrOutputTooLarge.
	Run(ctx context.Context, c Command) error
	// Warm makes the first job start fast. Calling it is optional.
	Warm(ctx context.Context) error
	// Name is "native" or "embedded".
	Name() string
	// Close frees what the engine holds, after running jobs have ended. Calling
	// it again does nothing.
	Close() error
}

// Command is one run of a tool. Only Input can be read and only OutDir written.
type Command struct {
	Tool Tool
	// Input is the path of the file to read.
	Input string
	// OutDir is an existing directory for the outputs; empty for none.
	OutDir string
	// Args makes the arguments. It is given the names under which the tool sees
	// Input and OutDir, which are not their paths on disk. What keeps hostile
	// input in bounds (protocols, formats, threads) is put before them by the
	// engine.
	Args func(in, outDir string) []string
	// Cautious is for a file that was never read before. The embedded engine can
	// then stop FFmpeg wherever it is, which makes it too slow for encoding; without
	// it, it can between packets, which is enough for a file that has been read
	// through once. The native engine can always.
	Cautious bool
	// Stdout receives the standard output; nil discards it. Its error ends the job.
	Stdout io.Writer
	// Stderr receives the log; nil discards it. Its end is in the ExitError too.
	Stderr io.Writer
}

// Limits bound every job. Zero values take the defaults.
type Limits struct {
	// Time a job may take. Default 1 h.
	Time time.Duration
	// MemoryBytes a job may use. Default 1 GiB.
	MemoryBytes int64
	// OutputBytes a job may write to its OutDir. Default 8 GiB.
	OutputBytes int64
}

func (l Limits) withDefaults() Limits {
	if l.Time == 0 {
		l.Time = time.Hour
	}
	if l.MemoryBytes == 0 {
		l.MemoryBytes = 1 << 30
	}
	if l.OutputBytes == 0 {
		l.OutputBytes = 8 << 30
	}
	return l
}

// Mode chooses an engine.
type Mode string

// The modes of Config.
const (
	// ModeAuto takes FFmpeg on PATH if it has what is needed, else the embedded one.
	ModeAuto Mode = "auto"
	// ModeNative takes FFmpeg on PATH, or fails.
	ModeNative Mode = "native"
	// ModeEmbedded takes the FFmpeg inside this program, which is some four
	// times slower and needs nothing installed.
	ModeEmbedded Mode = "embedded"
)

// Config says which engine to open.
type Config struct {
	// Mode is auto, native or embedded. Default auto.
	Mode Mode
	// CacheDir keeps the embedded engine's compiled code (about 100 MB), so that
	// it is compiled once and not at every start. It must be writable by this
	// program's user only: what lies there is run. Needed unless Mode is native.
	CacheDir string
	// Jobs is how many jobs the native engine runs at a time. Default 2. The
	// embedded engine runs one.
	Jobs int
	// IdleTime after which the embedded engine frees its memory. Default 1 min.
	IdleTime time.Duration
	// Limits of each job.
	Limits Limits
}

// Open opens the engine that c asks for. ErrUnavailable says what is missing.
// ctx bounds the opening only. The caller closes the engine.
func Open(ctx context.Context, c Config) (Engine, error) {
	c.Limits = c.Limits.withDefaults()
	switch c.Mode {
	case ModeNative:
		return openNative(ctx, c)
	case ModeEmbedded:
		return openEmbedded(c)
	case ModeAuto, "":
		engine, err := openNative(ctx, c)
		if err == nil {
			return engine, nil
		}
		if c.CacheDir == "" {
			return nil, fmt.Errorf("%w; for the embedded one give a cache directory", err)
		}
		return openEmbedded(c)
	default:
		return nil, fmt.Errorf("%w: mode %q is not auto, native or embedded", ErrUnavailable, c.Mode)
	}
}

// ExitError is a run that FFmpeg ended by itself with an error.
type ExitError struct {
	Tool Tool
	// Code is the exit code, or -1 if a signal or a trap ended it.
	Code int
	// Log is the end of what it wrote to the log, at most 8 KiB.
	Log string
}

// Error gives the last line of the log.
func (e *ExitError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.Log), "\n")
	return fmt.Sprintf("%s: exit code %d: %.300s", e.Tool, e.Code, lines[len(lines)-1])
}

// Is makes an ExitError an ErrFailed.
func (e *ExitError) Is(target error) bool { return target == ErrFailed }

// check looks at a command before it runs and makes its paths absolute.
func (c *Command) check() error {
	if c.Tool != FFmpeg && c.Tool != FFprobe {
		return fmt.Errorf("run %q: no such tool", c.Tool)
	}
	var err error
	if c.Input, err = filepath.Abs(c.Input); err != nil {
		return fmt.Errorf("input path: %w", err)
	}
	if info, err := os.Stat(c.Input); err != nil {
		return fmt.Errorf("input: %w", err)
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("input %s: not a regular file", filepath.Base(c.Input))
	}
	if c.OutDir != "" {
		if c.OutDir, err = filepath.Abs(c.OutDir); err != nil {
			return fmt.Errorf("output path: %w", err)
		}
	}
	if c.Stdout == nil {
		c.Stdout = io.Discard
	}
	return nil
}
