package fabricdev

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is one running program of the network. It dies with this one.
type process struct {
	name, log string
	cmd       *exec.Cmd
	ended     chan struct{}
}

// environment is what a program of Fabric is given: nothing of ours that Fabric would take for a setting of its own.
func environment(settings ...string) []string {
	env := []string{"FABRIC_LOGGING_SPEC=warn"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, settings...)
}

// start runs a program until stop, in a folder that becomes its own, with what it says in a file there.
func start(name, dir, program string, args []string, settings ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, "log.txt"), ended: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program has its own descriptor
	p.cmd = exec.Command(program, args...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, log, log
	p.cmd.Env = environment(settings...)
	p.cmd.SysProcAttr = attached()
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended stands in its ProcessState
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process, and returns when it has ended. Twice is safe.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(5 * time.Second):
	}
	err := p.cmd.Process.Kill()
	<-p.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// listening waits until the process takes connections at an address.
func (p *process) listening(ctx context.Context, address string) error {
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	dialer := net.Dialer{Timeout: time.Second}
	for {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-p.ended:
			return p.gone()
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen on %s: %w\n%s", p.name, address, ctx.Err(), p.tail())
		case <-poll.C:
		}
	}
}

// gone says how the process has ended, and what it said at last.
func (p *process) gone() error {
	return fmt.Errorf("%s has ended by itself (%s)\n%s", p.name, p.cmd.ProcessState, p.tail())
}

// tail is the end of what the process has said.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}

// tool runs a program of Fabric to its end, and returns what it said.
func tool(ctx context.Context, dir, program string, args []string, settings ...string) (string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, environment(settings...), attached()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(program), strings.Join(args, " "), err, out)
	}
	return string(out), nil
}
