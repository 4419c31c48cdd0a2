package fabricdev_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"antiphon/payments/ledger/fabricdev"
)

// TestPrograms: whoever has not built Fabric's programs is told what to run.
func TestPrograms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := fabricdev.Programs(dir); !errors.Is(err, fabricdev.ErrNotBuilt) || !strings.Contains(err.Error(), ".ci/fabric") {
		t.Errorf("an empty folder: %v", err)
	}
	fake(t, dir, "exit 0")
	if got, err := fabricdev.Programs(dir); err != nil || got != dir {
		t.Errorf("%s, %v", got, err)
	}
	if err := os.Remove(filepath.Join(dir, "peer")); err != nil {
		t.Fatal(err)
	}
	if _, err := fabricdev.Programs(dir); !errors.Is(err, fabricdev.ErrNotBuilt) || !strings.Contains(err.Error(), "peer") {
		t.Errorf("without peer: %v", err)
	}
}

// fake puts a script in the place of each program of Fabric.
func fake(t *testing.T, dir, script string) {
	t.Helper()
	for _, name := range []string{"configtxgen", "cryptogen", "orderer", "osnadmin", "peer"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStartFails: a network that cannot start says why, and leaves nothing running.
func TestStartFails(t *testing.T) {
	t.Parallel()
	programs, used := t.TempDir(), t.TempDir()
	fake(t, programs, `case $0 in *cryptogen|*configtxgen) exit 0;; *) echo "no room here"; exit 3;; esac`)
	if err := os.WriteFile(filepath.Join(used, "ledger"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		cfg  fabricdev.Config
		want string
	}{
		"one organization":   {fabricdev.Config{Orgs: []string{"alpha"}}, "two"},
		"one of them twice":  {fabricdev.Config{Orgs: []string{"alpha", "alpha"}}, "once"},
		"a name with a path": {fabricdev.Config{Orgs: []string{"alpha", "../x"}}, "lower-case"},
		"a folder in use":    {fabricdev.Config{Dir: used}, "not empty"},
		"a broken program":   {fabricdev.Config{}, "no room here"},
	} {
		if tc.cfg.Dir == "" {
			tc.cfg.Dir = filepath.Join(t.TempDir(), "network")
		}
		tc.cfg.Programs = programs
		if n, err := fabricdev.Start(t.Context(), tc.cfg); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, %v", name, n, err)
		}
	}
}
