package main

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"antiphon/payments/ledger/fabricdev"
)

// TestFabricDev is a newcomer's first hour with a shared ledger: the network says what an instance is configured with,
// two operators found a ledger on it, the doctor finds it well, and Ctrl-C leaves nothing behind.
func TestFabricDev(t *testing.T) {
	t.Parallel()
	if _, err := fabricdev.Programs(""); err != nil {
		t.Fatal(err)
	}
	program, temp, dir := filepath.Join(builtProgram(t), "antiphon"), t.TempDir(), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dev := exec.CommandContext(ctx, program, "fabric", "dev")
	dev.Env = append(os.Environ(), "TMPDIR="+temp)
	var complaints bytes.Buffer
	dev.Stderr = &complaints
	out, err := dev.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dev.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	defer func() {
		if !ended {
			_ = dev.Process.Kill()
			_ = dev.Wait()
		}
	}()
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ready"); {
		said.WriteString(lines.Text() + "\n")
	}
	_, configs, _ := strings.Cut(said.String(), "# antiphon.toml of an instance of alpha\n")
	alpha, beta, found := strings.Cut(configs, "# antiphon.toml of an instance of beta\n")
	if !found {
		t.Fatalf("it does not say how two organizations join: %s\n%s", said.String(), complaints.String())
	}
	for name, text := range map[string]string{"alpha.toml": alpha, "beta.toml": beta} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for _, tc := range []struct {
		args string
		ok   bool
		want string
	}{
		{"doctor --config alpha.toml", true, "enough others agree"},
		{"fabric node --config beta.toml b.example BetaMSP", false, "the operator, who set the first policy"},
		{"fabric policy --config alpha.toml", true, "policy 1 holds"},
		{"fabric policy --config beta.toml", false, "caller may not"},
		{"fabric node --config alpha.toml --cluster choir b.example BetaMSP", true, "BetaMSP speaks for it"},
		{"fabric state --config alpha.toml node/", true, `node/b.example {"caller":"BetaMSP","cluster":"choir"`},
	} {
		cmd := exec.CommandContext(ctx, program, strings.Fields(tc.args)...)
		cmd.Dir = dir
		text, err := cmd.CombinedOutput()
		if (err == nil) != tc.ok || !strings.Contains(string(text), tc.want) {
			t.Errorf("antiphon %s: %v\n%s", tc.args, err, text)
		}
	}

	if err := dev.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err, ended = dev.Wait(), true
	if left, _ := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("Ctrl-C: %v, left %v\n%s", err, left, complaints.String())
	}
}
