package vault_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"antiphon/internal/vault"
)

func TestSealedValueOpensOnlyInItsPlace(t *testing.T) {
	t.Parallel()
	v, err := vault.New(bytes.Repeat([]byte{7}, 32), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	home := vault.Place{Table: "actor_keys", ID: "a", Version: 1}
	sealed, err := v.Seal(home, []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Open(home, sealed); err != nil || string(got) != "secret" {
		t.Fatalf("open: %q, %v", got, err)
	}
	if bytes.Contains(sealed, []byte("secret")) {
		t.Fatal("sealed value holds the plaintext")
	}
	for _, place := range []vault.Place{{"actor_keys", "b", 1}, {"accounts", "a", 1}, {"actor_keys", "a", 2}} {
		if _, err := v.Open(place, sealed); !errors.Is(err, vault.ErrOpen) {
			t.Errorf("opened at %v: %v", place, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := v.Open(home, bad); !errors.Is(err, vault.ErrOpen) {
			t.Fatalf("opened with byte %d changed", i)
		}
	}
	if _, err := v.Open(home, sealed[:10]); !errors.Is(err, vault.ErrOpen) {
		t.Errorf("opened a cut value: %v", err)
	}
	if got := fmt.Sprintf("%v %+v", v, v); got != "[redacted] [redacted]" {
		t.Errorf("printed as %q", got)
	}
}

func TestLoadMakesTheKeyOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "master.key")
	if _, err := vault.Load(path, false, rand.Reader); err == nil {
		t.Fatal("a missing key was accepted")
	}
	first, err := vault.Load(path, true, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("key file: %v, %v", info.Mode(), err)
	}
	second, err := vault.Load(path, true, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a, err := first.Key("masters")
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := second.Key("masters"); a != b {
		t.Fatal("the key changed between two loads")
	}
	if err := os.WriteFile(path, []byte("not a key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Load(path, true, rand.Reader); err == nil {
		t.Fatal("a broken key was accepted")
	}
}
