package ipfstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// KuboVersion is the release of the daemon that tools/kubo pins.
const KuboVersion = "v0.43.0"

// binary is the daemon's program, built when it is not there yet.
var binary = sync.OnceValues(buildKubo)

// Daemon starts a real Kubo daemon for this test and returns the URL of its RPC API; see Start.
func Daemon(t testing.TB) string {
	t.Helper()
	api, stop, err := Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return api
}

// Start starts a real Kubo daemon with its repository in an empty folder, and returns the URL of its RPC API and what
// ends it. It talks to nobody: offline, on loopback, on ports the system picks. The program is built from the module in
// tools/kubo on the first call on a machine, which takes minutes, and kept under .cache/. ctx bounds the start only.
func Start(ctx context.Context, repo string) (api string, stop func() error, err error) {
	program, err := binary()
	if err != nil {
		return "", nil, err
	}
	env := append(os.Environ(), "IPFS_PATH="+repo, "IPFS_TELEMETRY=off")
	for _, args := range [][]string{
		{"init", "--profile=test"},
		{"config", "Routing.Type", "none"},
		{"config", "Addresses.API", "/ip4/127.0.0.1/tcp/0"},
		{"config", "Addresses.Gateway", ""},
		{"config", "--json", "Addresses.Swarm", "[]"},
	} {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Env = env
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("ipfs %s: %w\n%s", strings.Join(args, " "), err, out)
		}
	}

	logPath := filepath.Join(repo, "daemon.log")
	log, err := os.Create(logPath)
	if err != nil {
		return "", nil, err
	}
	defer log.Close()
	daemon := exec.Command(program, "daemon", "--offline")
	daemon.Env, daemon.Stdout, daemon.Stderr = env, log, log
	if err := daemon.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	stop = func() error {
		if err := daemon.Process.Signal(os.Interrupt); err != nil {
			return fmt.Errorf("end daemon: %w", err)
		}
		select {
		case <-ended:
			return nil
		case <-time.After(20 * time.Second):
			err := daemon.Process.Kill()
			<-ended
			return errors.Join(errors.New("the daemon did not end by itself"), err)
		}
	}

	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		if api, ok := daemonURL(ctx, repo); ok {
			return api, stop, nil
		}
		select {
		case err = <-ended:
			err = fmt.Errorf("the daemon ended: %w", err)
		case <-ctx.Done():
			err = errors.Join(fmt.Errorf("the daemon does not answer: %w", ctx.Err()), stop())
		case <-poll.C:
			continue
		}
		out, _ := os.ReadFile(logPath) // best effort: the start has failed already
		return "", nil, fmt.Errorf("%w\n%s", err, out)
	}
}

// daemonURL is the address that the daemon wrote down, once it answers there.
func daemonURL(ctx context.Context, repo string) (string, bool) {
	addr, err := os.ReadFile(filepath.Join(repo, "api"))
	if err != nil {
		return "", false
	}
	parts := strings.Split(strings.TrimSpace(string(addr)), "/") // /ip4/127.0.0.1/tcp/NNNN
	if len(parts) != 5 {
		return "", false
	}
	api := "http://" + parts[2] + ":" + parts[4]
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/api/v0/id", nil)
	if err != nil {
		return "", false
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	var id struct{ ID string }
	return api, json.NewDecoder(resp.Body).Decode(&id) == nil && id.ID != ""
}

func buildKubo() (string, error) {
	_, here, _, ok := runtime.Caller(0)
	if !ok {
		return "", fmt.Errorf("where this source lies is not known: test without -trimpath")
	}
	root := filepath.Join(filepath.Dir(here), "..", "..", "..")
	program := filepath.Join(root, ".cache", "kubo-"+KuboVersion, "ipfs")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		return "", err
	}
	// Several test processes may build at once: each builds under its own name, and the last one stays.
	fresh := fmt.Sprintf("%s.%d", program, os.Getpid())
	build := exec.Command("go", "build", "-C", filepath.Join(root, "tools", "kubo"), "-p", "1", "-o", fresh, "github.com/ipfs/kubo/cmd/ipfs")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the Kubo daemon (needs the Go tool, and the network on the first time): %w\n%s", err, out)
	}
	return program, os.Rename(fresh, program)
}
