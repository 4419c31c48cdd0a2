package transcode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// Native runs the FFmpeg that is installed on this machine, each command in a
// process group of its own that is killed whole.
type Native struct {
	paths  map[Tool]string
	limits Limits
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

var _ Engine = (*Native)(nil)

// needed are the encoders without which a native FFmpeg is of no use.
var needed = []string{"aac", "flac", "libmp3lame", "libopus"}

func openNative(ctx context.Context, c Config) (*Native, error) {
	if c.Jobs <= 0 {
		c.Jobs = 2
	}
	n := &Native{
		paths:  map[Tool]string{},
		limits: c.Limits,
		slots:  make(chan struct{}, c.Jobs),
		closed: make(chan struct{}),
	}
	for _, tool := range []Tool{FFmpeg, FFprobe} {
		path, err := exec.LookPath(string(tool))
		if err != nil {
			return nil, fmt.Errorf("%w: install ffmpeg: %w", ErrUnavailable, err)
		}
		n.paths[tool] = path
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, n.paths[FFmpeg], "-hide_banner", "-nostdin", "-encoders").Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrUnavailable, n.paths[FFmpeg], err)
	}
	for _, encoder := range needed {
		if !hasEncoder(out, encoder) {
			return nil, fmt.Errorf("%w: %s has no encoder %s", ErrUnavailable, n.paths[FFmpeg], encoder)
		}
	}
	return n, nil
}

// hasEncoder looks for a line such as " A....D aac   AAC (Advanced Audio Coding)".
func hasEncoder(list []byte, name string) bool {
	for line := range bytes.Lines(list) {
		if f := strings.Fields(string(line)); len(f) > 1 && f[1] == name && strings.HasPrefix(f[0], "A") {
			return true
		}
	}
	return false
}

// Name is "native".
func (n *Native) Name() string { return "native" }

// Warm does nothing: a process starts fast.
func (n *Native) Warm(context.Context) error { return nil }

// Close refuses further jobs and waits for the running ones.
func (n *Native) Close() error {
	n.once.Do(func() {
		close(n.closed)
		for range cap(n.slots) {
			n.slots <- struct{}{}
		}
	})
	return nil
}

// Run implements Engine.
func (n *Native) Run(ctx context.Context, c Command) error {
	if err := c.check(); err != nil {
		return err
	}
	select {
	case <-n.closed:
		return ErrClosed
	default:
	}
	select {
	case <-n.closed:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	case n.slots <- struct{}{}:
		defer func() { <-n.slots }()
	}

	run, stop := watch(ctx, n.limits, c.OutDir)
	log := &tail{to: c.Stderr}
	// "file:" keeps a name such as "concat:a" from being read as a protocol.
	args := append(guard(c.Tool), c.Args("file:"+c.Input, "file:"+c.OutDir)...)
	cmd := exec.CommandContext(run, n.paths[c.Tool], args...)
	cmd.Env = []string{"LC_ALL=C", "PATH=/nonexistent", "AV_LOG_FORCE_NOCOLOR=1"}
	out := &sink{to: c.Stdout}
	cmd.Stdout, cmd.Stderr = out, log
	cmd.WaitDelay = 5 * time.Second // for a pipe that a grandchild holds open
	confine(cmd)

	// The process dies with the thread that started it (confine), so that thread
	// must not end before it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Start()
	if err == nil {
		err = errors.Join(limit(cmd, n.limits), cmd.Wait())
	}
	var exit *exec.ExitError
	switch {
	case out.err != nil:
		err = out.err
	case errors.As(err, &exit):
		err = &ExitError{Tool: c.Tool, Code: exit.ExitCode(), Log: string(log.buf)}
	}
	return stop(err)
}
