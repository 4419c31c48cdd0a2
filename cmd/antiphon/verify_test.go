package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var updateFlag = flag.Bool("update", false, "write testdata/proof anew from the sale that TestProofOfPurchase makes")

// TestProofOfPurchase sells a track, keeps what the library gives to keep, and ends every server: what is left proves
// the purchase. With -update it leaves the papers of its sale in testdata/proof, which testdata/script/verify.txtar is
// about; the keys that signed them are gone with the sale.
func TestProofOfPurchase(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
	s.playThrough("start the payment network", "the payment is seen")
	s.soldOnce(s.lin, s.home)
	ctx := s.within(soon)

	library, err := s.lin.get(ctx, "/library")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`/purchases/[a-z0-9]+/proof`).Find(library)
	if link == nil {
		t.Fatalf("the library offers no proof of purchase:\n%s", library)
	}
	papers := t.TempDir()
	for name, from := range map[string]string{"bundle.json": string(link), "receipt.json": strings.TrimSuffix(string(link), "proof") + "receipt"} {
		raw, err := s.lin.get(ctx, from)
		if err != nil {
			t.Fatal(err)
		}
		s.write(filepath.Join(papers, name), raw)
	}
	var artist json.RawMessage
	if err := getActivity(ctx, s.ada.actor, &artist); err != nil {
		t.Fatal(err)
	}
	s.write(filepath.Join(papers, "keys.json"), artist)
	s.stop()

	paper := func(name string) string { return filepath.Join(papers, name) }
	key := s.prints(s.artists, "ledger", "--config", filepath.Join(s.dir, "artists.toml"), "key")
	notes, err := json.Marshal(map[string]any{"notes": []string{strings.TrimSpace(key)}})
	if err != nil {
		t.Fatal(err)
	}
	s.write(paper("notes.json"), notes)
	proved := s.prints(s.artists, "ledger", "--config", filepath.Join(s.dir, "artists.toml"), "prove", paper("receipt.json"))
	s.write(paper("ledger.json"), []byte(proved))
	forged, err := os.ReadFile(paper("receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(paper("forged.json"), bytes.Replace(forged, []byte(`"amount":"5000000"`), []byte(`"amount":"1"`), 1))

	for _, c := range []struct {
		status int
		says   string
		args   []string
	}{
		{0, "it is among the keys that you gave", []string{paper("receipt.json"), "--keys", paper("keys.json")}},
		{0, "it is among the keys that you gave", []string{"--keys", paper("keys.json"), paper("bundle.json")}},
		{0, "the instance has seen it", []string{paper("receipt.json"), "--data", s.home.dir}},
		{0, "the instance has seen it", []string{paper("receipt.json"), "--data", s.artists.dir}},
		{0, "the ledger recorded it with this payment, and " + host(s.artists.base) + "/ledger signed", []string{paper("ledger.json"), "--keys", paper("notes.json")}},
		{3, "NOT known", []string{paper("bundle.json")}},
		{3, "NOT known", []string{paper("ledger.json")}},
		{1, "neither known nor in the file", []string{paper("receipt.json")}},
		{1, "proof is not valid", []string{paper("forged.json"), "--keys", paper("keys.json")}},
		{1, "in the future", []string{paper("receipt.json"), "--keys", paper("keys.json"), "--at", "2020-01-01T00:00:00Z"}},
		{2, "proves nothing", []string{paper("bundle.json"), "--keys", paper("bundle.json")}},
		{2, "no instance", []string{paper("bundle.json"), "--data", papers}},
	} {
		var out bytes.Buffer
		if status := run(ctx, append([]string{"verify"}, c.args...), &out, &out); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("verify %v: status %d, want %d and %q:\n%s", c.args, status, c.status, c.says, out.String())
		}
	}
	if *updateFlag {
		for _, name := range []string{"receipt.json", "keys.json", "bundle.json", "ledger.json", "notes.json"} {
			raw, err := os.ReadFile(paper(name))
			if err != nil {
				t.Fatal(err)
			}
			s.write(filepath.Join("testdata", "proof", name), raw)
		}
	}
}

// TestVerifyEveryByte changes each byte of the receipt of a real sale: the program never says that it is good.
func TestVerifyEveryByte(t *testing.T) {
	t.Parallel()
	receipt, err := os.ReadFile(filepath.Join("testdata", "proof", "receipt.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed := filepath.Join(t.TempDir(), "changed.json")
	args := []string{"verify", changed, "--keys", filepath.Join("testdata", "proof", "keys.json")}
	try := func(raw []byte) int {
		if err := os.WriteFile(changed, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return run(context.Background(), args, new(bytes.Buffer), new(bytes.Buffer))
	}
	if status := try(receipt); status != 0 {
		t.Fatalf("the receipt as it is: status %d", status)
	}
	for i := range receipt {
		raw := bytes.Clone(receipt)
		raw[i]++
		if status := try(raw); status == 0 {
			t.Errorf("byte %d is %q instead of %q, and that is accepted", i, raw[i], receipt[i])
		}
	}
}

// write writes a file of the test's own.
func (s *stage) write(path string, raw []byte) {
	s.tb.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.tb.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		s.tb.Fatal(err)
	}
}

// prints is what the program says when it runs with an instance's settings, while the instance does not.
func (s *stage) prints(i *instance, args ...string) string {
	s.tb.Helper()
	cmd := exec.CommandContext(s.within(soon), i.binary, args...)
	cmd.Env = append(os.Environ(), i.env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.tb.Fatalf("antiphon %v: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}
