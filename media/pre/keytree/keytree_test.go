package keytree

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"antiphon/media/pre/umbral"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFactoryVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../testdata/umbral.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		KeyFactory []struct {
			Seed       string `json:"seed"`
			Label      string `json:"label"`
			MakeSecret string `json:"make_secret"`
			MakeKey    string `json:"make_key"`
			Nested     string `json:"make_factory_then_make_key_same_label"`
		} `json:"key_factory"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.KeyFactory) != 4 {
		t.Fatalf("%d vectors, want 4", len(v.KeyFactory))
	}
	for _, c := range v.KeyFactory {
		f, err := NewFactory(unhex(t, c.Seed))
		if err != nil {
			t.Fatal(err)
		}
		label := unhex(t, c.Label)
		secret, err := f.MakeSecret(label)
		if err != nil || hex.EncodeToString(secret) != c.MakeSecret {
			t.Errorf("secret %x, %v, want %s", secret, err, c.MakeSecret)
		}
		key, err := f.MakeKey(label)
		if err != nil || hex.EncodeToString(key.Bytes()) != c.MakeKey {
			t.Errorf("key: %v, want %s", err, c.MakeKey)
		}
		nested, err := f.MakeFactory(label)
		if err != nil {
			t.Fatal(err)
		}
		key, err = nested.MakeKey(label)
		if err != nil || hex.EncodeToString(key.Bytes()) != c.Nested {
			t.Errorf("nested key: %v, want %s", err, c.Nested)
		}
	}
}

// TestNames pins the labels: a changed one would lose every key that is in use.
func TestNames(t *testing.T) {
	t.Parallel()
	seed := bytes.Repeat([]byte{7}, SeedSize)
	root, err := NewFactory(seed)
	if err != nil {
		t.Fatal(err)
	}
	artist, err := Artist(seed)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := Listener(seed)
	if err != nil {
		t.Fatal(err)
	}
	products, err := root.MakeFactory([]byte("products"))
	if err != nil {
		t.Fatal(err)
	}
	equal := func(name string, got func() (*umbral.SecretKey, error), from *Factory, label string) {
		t.Helper()
		g, err := got()
		if err != nil {
			t.Fatal(err)
		}
		want, err := from.MakeKey([]byte(label))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(g.Bytes(), want.Bytes()) {
			t.Errorf("%s is another key", name)
		}
	}
	equal("signing", artist.Signing, root, "signing")
	equal("product", func() (*umbral.SecretKey, error) { return artist.Product("https://s.example/products/9", 3) },
		products, "https://s.example/products/9/v3")
	equal("receiving", func() (*umbral.SecretKey, error) { return listener.Receiving(2) }, root, "receiving/2")

	secret, err := root.MakeSecret([]byte("requesting/12"))
	if err != nil {
		t.Fatal(err)
	}
	requesting, err := listener.Requesting(12)
	if err != nil || !bytes.Equal(requesting.Seed(), secret[:32]) {
		t.Errorf("requesting is another key: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := NewFactory(make([]byte, n)); !errors.Is(err, ErrSeed) {
			t.Errorf("factory of %d bytes: %v", n, err)
		}
		if _, err := Artist(make([]byte, n)); !errors.Is(err, ErrSeed) {
			t.Errorf("artist of %d bytes: %v", n, err)
		}
		if _, err := Listener(make([]byte, n)); !errors.Is(err, ErrSeed) {
			t.Errorf("listener of %d bytes: %v", n, err)
		}
	}
	artist, _ := Artist(make([]byte, SeedSize))
	listener, _ := Listener(make([]byte, SeedSize))
	_, noURI := artist.Product("", 1)
	_, noVersion := artist.Product("https://s.example/products/9", 0)
	_, noReceiving := listener.Receiving(0)
	_, noRequesting := listener.Requesting(-1)
	for i, err := range []error{noURI, noVersion, noReceiving, noRequesting} {
		if !errors.Is(err, ErrLabel) {
			t.Errorf("case %d: %v", i, err)
		}
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	seed := bytes.Repeat([]byte{0xab}, SeedSize)
	factory, _ := NewFactory(seed)
	artist, _ := Artist(seed)
	listener, _ := Listener(seed)
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	for _, v := range []any{factory, artist, listener} {
		log.Info("made", "value", v)
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s"} {
			logged.WriteString(fmt.Sprintf(verb, v))
		}
	}
	out := logged.String()
	if strings.Contains(out, "ab") && strings.Contains(out, "abab") || strings.Contains(out, "171") {
		t.Errorf("a seed was printed: %s", out)
	}
	if got := strings.Count(out, redacted); got != 3*7 {
		t.Errorf("%d redactions, want 21", got)
	}
}
