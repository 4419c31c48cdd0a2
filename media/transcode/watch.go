package transcode

import (
	"context"
	"io"
	"os"
	"time"
)

// tail keeps the end of a log and passes all of it on.
type tail struct {
	to  io.Writer
	buf []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	if t.to == nil {
		return len(p), nil
	}
	return t.to.Write(p)
}

// sink remembers why the job's own writer failed.
type sink struct {
	to  io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.to.Write(p)
	s.err = err
	return n, err
}

// watch bounds a job in time and output. The context it returns ends with a
// cause; stop gives that cause, or err when there is none.
func watch(ctx context.Context, l Limits, outDir string) (context.Context, func(err error) error) {
	ctx, cancelTime := context.WithTimeoutCause(ctx, l.Time, ErrTimeout)
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if outDir == "" {
			return
		}
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if dirSize(outDir) > l.OutputBytes {
					cancel(ErrOutputTooLarge)
					return
				}
			}
		}
	}()
	return ctx, func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		} else if outDir != "" && dirSize(outDir) > l.OutputBytes {
			err = ErrOutputTooLarge
		}
		cancel(nil)
		cancelTime()
		<-done
		return err
	}
}

func dirSize(dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			n += info.Size()
		}
	}
	return n
}
