package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript tells the stories of testdata/script, which are of the built program alone.
func TestScript(t *testing.T) {
	t.Parallel()
	bin := builtProgram(t)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("BIN", bin)
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"address": scriptAddress, "answers": scriptAnswers, "terminate": scriptTerminate, "signup": scriptSignup,
			"proof": scriptProof, "alter": scriptAlter, "status": scriptStatus,
		},
		RequireUniqueNames: true,
	})
}

// scriptAddress puts a free address of this machine into a variable.
func scriptAddress(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: address VARIABLE")
	}
	port, err := freePort()
	ts.Check(err)
	ts.Setenv(args[0], fmt.Sprintf("127.0.0.1:%d", port))
}

// scriptAnswers waits until a URL answers with 200.
func scriptAnswers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers URL")
	}
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	ts.Check(every(ctx, 20*time.Millisecond, func() (bool, error) {
		resp, err := http.Get(args[0])
		if err != nil {
			// It does not listen yet.
			return false, ctx.Err()
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	}))
}

// scriptTerminate sends SIGTERM to what runs in the background; wait then says how it ended.
func scriptTerminate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: terminate")
	}
	for _, cmd := range ts.BackgroundCmds() {
		ts.Check(cmd.Process.Signal(syscall.SIGTERM))
	}
}

// scriptSignup signs up with the link that stands in a file; with ! the link has to be refused.
func scriptSignup(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] signup FILE NAME")
	}
	_, link, ok := strings.Cut(strings.TrimSpace(ts.ReadFile(args[0])), "Sign up the admin at ")
	base, invite, has := strings.Cut(link, "/signup?invite=")
	if !ok || !has {
		ts.Fatalf("%s has no link", args[0])
	}
	u, err := newUser(base, args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	err = u.signUp(ctx, args[1], invite)
	if !neg {
		ts.Check(err)
		return
	}
	if !isStatus(err, http.StatusForbidden) && !isStatus(err, http.StatusUnprocessableEntity) {
		ts.Fatalf("the link of %s was not refused: %v", args[0], err)
	}
}

// scriptProof puts papers of testdata/proof, as they are, where the script is.
func scriptProof(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: proof FILE...")
	}
	for _, name := range args {
		raw, err := os.ReadFile(filepath.Join("testdata", "proof", name))
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), raw, 0o600))
	}
}

// scriptAlter writes a file with the first match of a pattern in another one replaced.
func scriptAlter(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: alter PATTERN TEXT FILE NEW")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	text := ts.ReadFile(args[2])
	at := pattern.FindStringIndex(text)
	if at == nil {
		ts.Fatalf("%s has no %s", args[2], args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[3]), []byte(text[:at[0]]+args[1]+text[at[1]:]), 0o600))
}

// scriptStatus runs a program that ends with this status.
func scriptStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	exit := (*exec.ExitError)(nil)
	if !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
		ts.Fatalf("%v: %v, want status %s", args[1:], err, args[0])
	}
}
