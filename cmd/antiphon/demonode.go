package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// process is a part of the demo that runs on its own: the payment network, or an instance.
type process struct {
	name string
	// binary is the program that runs; this one when empty.
	binary string
	args   []string
	env    []string
	log    string
	cmd    *exec.Cmd
	first  chan string
	exited chan struct{}
}

// start runs the program with args; what it prints first is kept for whoever waits, what it logs goes to the log.
func (p *process) start() error {
	program := p.binary
	if program == "" {
		var err error
		if program, err = os.Executable(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(p.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.cmd = exec.Command(program, p.args...)
	p.cmd.Env = append(os.Environ(), p.env...)
	p.cmd.Stderr = log
	// A signal to the demo's terminal must not stop its parts before the demo does.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	p.first, p.exited = make(chan string, 64), make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			select {
			case p.first <- lines.Text():
			default:
			}
		}
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return nil
}

// line waits for a line of the process's output that begins with prefix.
func (p *process) line(ctx context.Context, prefix string) (string, error) {
	for {
		select {
		case text := <-p.first:
			if strings.HasPrefix(text, prefix) {
				return text, nil
			}
		case <-p.exited:
			return "", fmt.Errorf("%s has ended; its log is %s", p.name, p.log)
		case <-ctx.Done():
			return "", fmt.Errorf("%s says nothing: %w", p.name, ctx.Err())
		}
	}
}

// stop ends the process gracefully, and by force after a while. Stopping what does not run does nothing.
func (p *process) stop() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	p.cmd = nil
}

// network is the development payment network of the demo.
type network struct {
	process
	devNetwork
}

func newNetwork(dir string) *network {
	return &network{process: process{
		name: "payment network", log: filepath.Join(dir, "raiden.log"),
		args: []string{"raiden", "dev", "--dir", filepath.Join(dir, "raiden"), "--nodes", "artist,listener,wallet"},
	}}
}

func (n *network) open(ctx context.Context) error {
	if err := n.start(); err != nil {
		return err
	}
	text, err := n.line(ctx, "{")
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(text), &n.devNetwork)
}

// instance is one of the demo's three.
type instance struct {
	process
	base string
	dir  string
	// invite is what the first account of a new instance signs up with.
	invite string
}

// newInstance prepares an instance with a data folder of its own; settings are ANTIPHON_ variables.
func newInstance(dir, name string, settings ...string) (*instance, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	i := &instance{base: "http://" + address, dir: filepath.Join(dir, name)}
	i.process = process{
		name: name, log: filepath.Join(dir, name+".log"), args: []string{"serve", "--config", filepath.Join(dir, name+".toml")},
		env: append([]string{
			"ANTIPHON_SERVER_BASE_URL=" + i.base, "ANTIPHON_SERVER_LISTEN=" + address, "ANTIPHON_SERVER_NAME=" + name,
			"ANTIPHON_SERVER_DATA_DIR=" + i.dir, "ANTIPHON_SERVER_DEVELOPMENT=true",
		}, settings...),
	}
	return i, os.WriteFile(filepath.Join(dir, name+".toml"), nil, 0o600)
}

// open starts the instance and waits until it answers.
func (i *instance) open(ctx context.Context) error {
	if err := i.start(); err != nil {
		return err
	}
	return every(ctx, 20*time.Millisecond, func() (bool, error) {
		select {
		case <-i.exited:
			return false, fmt.Errorf("%s has ended; its log is %s", i.name, i.log)
		default:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, i.base+"/healthz", nil)
		if err != nil {
			return false, err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			// It does not listen yet.
			return false, ctx.Err()
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<10))
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

// firstInvite reads the link that a new instance prints for its admin.
func (i *instance) firstInvite(ctx context.Context) error {
	text, err := i.line(ctx, "Sign up the admin at ")
	if err != nil {
		return err
	}
	_, invite, ok := strings.Cut(text, "invite=")
	if !ok {
		return errors.New("the sign-up link has no invitation")
	}
	i.invite = strings.TrimSpace(invite)
	return nil
}

// freePort finds a port that nobody listens on. It lies below those that systems give to outgoing connections: one of
// these could take it before the instance listens, or while it is restarted.
func freePort() (int, error) {
	const lowest, highest, tries = 20_000, 32_000, 100
	var err error
	for range tries {
		port := lowest + rand.IntN(highest-lowest)
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("find a free port: %w", err)
}
