package transcode

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"codeberg.org/gruf/go-ffmpreg/wasm"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"
)

// Embedded runs the FFmpeg inside this program, compiled to WebAssembly: it
// needs nothing installed, sees only the files that a job names, and has no
// network. It runs one job at a time, and frees its memory when idle.
type Embedded struct {
	cacheDir string
	idleTime time.Duration
	limits   Limits

	turn chan struct{} // held while a job runs and while the runtime is opened or freed

	// Guarded by turn. One of the two builds is loaded at a time.
	cautious bool
	runtime  wazero.Runtime
	compiled wazero.CompiledModule
	cache    wazero.CompilationCache
	closed   bool

	mu   sync.Mutex
	idle *time.Timer
}

var _ Engine = (*Embedded)(nil)

const wasmPage = 64 << 10

func openEmbedded(c Config) (*Embedded, error) {
	if c.CacheDir == "" {
		return nil, fmt.Errorf("%w: the embedded engine needs a cache directory", ErrUnavailable)
	}
	if c.IdleTime <= 0 {
		c.IdleTime = time.Minute
	}
	// 0700: whoever can write here can run code as this program.
	if err := os.MkdirAll(c.CacheDir, 0o700); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := shelve(c.CacheDir); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return &Embedded{cacheDir: c.CacheDir, idleTime: c.IdleTime, limits: c.Limits, turn: make(chan struct{}, 1)}, nil
}

// Name is "embedded".
func (e *Embedded) Name() string { return "embedded" }

// Warm compiles FFmpeg, which takes some 15 s the first time on a machine and
// about a second when CacheDir is filled.
func (e *Embedded) Warm(ctx context.Context) error {
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.release()
	return e.load(ctx, false)
}

// Close frees the engine after the running job, if any, has ended.
func (e *Embedded) Close() error {
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	e.closed = true
	e.stopIdle()
	return e.free()
}

// take waits for the engine's turn.
func (e *Embedded) take(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case e.turn <- struct{}{}:
	}
	if e.closed {
		<-e.turn
		return ErrClosed
	}
	e.stopIdle()
	return nil
}

// release hands the turn on, and sets the clock for freeing an idle engine.
func (e *Embedded) release() {
	e.mu.Lock()
	e.idle = time.AfterFunc(e.idleTime, func() {
		select {
		case e.turn <- struct{}{}:
			_ = e.free()
			<-e.turn
		default: // at work again
		}
	})
	e.mu.Unlock()
	<-e.turn
}

func (e *Embedded) stopIdle() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.idle != nil {
		e.idle.Stop()
	}
}

// load compiles FFmpeg if that is not done. The caller has the turn. There are
// two builds. The cautious one checks at every turn of every loop whether it
// has to stop, so it can be stopped anywhere and encodes ten times slower; the
// other is stopped from its calls to the host.
func (e *Embedded) load(ctx context.Context, cautious bool) (err error) {
	if e.compiled != nil && e.cautious == cautious {
		return nil
	}
	if err := e.free(); err != nil {
		return err
	}
	e.cautious = cautious
	defer func() {
		if err != nil {
			_ = e.free()
		}
	}()
	code, err := loadModule(e.cacheDir)
	if err != nil {
		return err
	}
	if e.cache, err = wazero.NewCompilationCacheWithDir(e.cacheDir); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	config := wazero.NewRuntimeConfig().
		WithCompilationCache(e.cache).
		WithMemoryLimitPages(uint32(min(e.limits.MemoryBytes/wasmPage, 65536))).
		WithCloseOnContextDone(cautious)
	if e.runtime, err = wasm.NewRuntime(context.WithoutCancel(ctx), config); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if e.compiled, err = e.runtime.CompileModule(ctx, code); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// free gives the memory back to the system. The caller has the turn.
func (e *Embedded) free() error {
	ctx := context.Background()
	var errs []error
	if e.runtime != nil {
		errs = append(errs, e.runtime.Close(ctx))
	}
	if e.cache != nil {
		errs = append(errs, e.cache.Close(ctx))
	}
	loaded := e.compiled != nil
	e.runtime, e.compiled, e.cache = nil, nil, nil
	if loaded {
		debug.FreeOSMemory()
	}
	return errors.Join(errs...)
}

// The names under which a job sees its files.
const (
	guestIn  = "/in"
	guestOut = "/out"
)

// Run implements Engine.
func (e *Embedded) Run(ctx context.Context, c Command) error {
	if err := c.check(); err != nil {
		return err
	}
	if err := e.take(ctx); err != nil {
		return err
	}
	defer e.release()
	if err := e.load(ctx, c.Cautious); err != nil {
		return err
	}

	started := time.Now()
	files := wazero.NewFSConfig().WithFSMount(oneFile(c.Input), guestIn)
	if c.OutDir != "" {
		files = files.WithDirMount(c.OutDir, guestOut)
	}
	run, stop := watch(ctx, e.limits, c.OutDir)
	log := &tail{to: c.Stderr}
	out := &sink{to: c.Stdout}
	code, err := wasm.Run(run, e.runtime, e.compiled, wasm.Args{
		Name:   string(c.Tool),
		Args:   append(guard(c.Tool), c.Args("file:"+guestIn+"/"+oneName, "file:"+guestOut)...),
		Stdout: brake{run, out},
		Stderr: brake{run, log},
		Config: func(m wazero.ModuleConfig) wazero.ModuleConfig {
			return m.WithName("").WithFSConfig(files).WithEnv("AV_LOG_FORCE_NOCOLOR", "1").
				WithWalltime(func() (int64, int32) {
					halt(run)
					now := time.Now()
					return now.Unix(), int32(now.Nanosecond())
				}, 1000).
				WithNanotime(func() int64 {
					halt(run)
					return int64(time.Since(started))
				}, 1000).
				WithSysNanosleep()
		},
	})
	switch {
	case out.err != nil:
		err = out.err
	case err != nil:
		err = &ExitError{Tool: c.Tool, Code: -1, Log: string(log.buf) + "\n" + err.Error()}
	case code != 0:
		err = &ExitError{Tool: c.Tool, Code: int(int32(code)), Log: string(log.buf)}
	}
	return stop(err)
}

// halt ends the guest program when ctx has ended, in the way that WASI's
// proc_exit does. It is called from what FFmpeg calls at every packet: the
// clock and its outputs.
func halt(ctx context.Context) {
	if ctx.Err() != nil {
		panic(sys.NewExitError(sys.ExitCodeContextCanceled))
	}
}

// brake is a guest's output that halts it.
type brake struct {
	ctx context.Context
	to  io.Writer
}

func (b brake) Write(p []byte) (int, error) {
	halt(b.ctx)
	return b.to.Write(p)
}
