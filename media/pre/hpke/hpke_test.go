package hpke

import (
	"bytes"
	stdhpke "crypto/hpke"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func newKey(tb testing.TB) *SecretKey {
	tb.Helper()
	k, err := GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return k
}

func TestSealOpen(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	kfrag := bytes.Repeat([]byte{9}, 310)
	enc, ciphertext, err := Seal(rand.Reader, key.PublicKey(), []byte("info"), []byte("aad"), kfrag)
	if err != nil {
		t.Fatal(err)
	}
	if len(key.PublicKey()) != PublicKeySize || len(enc) != EncapsulationSize || len(ciphertext) != 326 {
		t.Errorf("lengths: key %d, enc %d, ciphertext %d", len(key.PublicKey()), len(enc), len(ciphertext))
	}
	reread, err := ParseSecretKey(key.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := reread.Open(enc, ciphertext, []byte("info"), []byte("aad"))
	if err != nil || !bytes.Equal(got, kfrag) {
		t.Errorf("opened %x, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	info, aad := []byte("info"), []byte("aad")
	enc, ciphertext, err := Seal(rand.Reader, key.PublicKey(), info, aad, []byte("kfrag"))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(b []byte, i int) []byte {
		c := bytes.Clone(b)
		c[i] ^= 1
		return c
	}
	for _, c := range []struct {
		name                       string
		key                        *SecretKey
		enc, ciphertext, info, aad []byte
	}{
		{"another key", newKey(t), enc, ciphertext, info, aad},
		{"another info", key, enc, ciphertext, flip(info, 0), aad},
		{"another aad", key, enc, ciphertext, info, flip(aad, 0)},
		{"changed ML-KEM part", key, flip(enc, 0), ciphertext, info, aad},
		{"changed X25519 part", key, flip(enc, EncapsulationSize-5), ciphertext, info, aad},
		{"short enc", key, enc[1:], ciphertext, info, aad},
		{"long enc", key, append(bytes.Clone(enc), 0), ciphertext, info, aad},
		{"changed ciphertext", key, enc, flip(ciphertext, 0), info, aad},
		{"changed tag", key, enc, flip(ciphertext, len(ciphertext)-1), info, aad},
		{"no ciphertext", key, enc, nil, info, aad},
		{"short ciphertext", key, enc, ciphertext[:15], info, aad},
	} {
		if _, err := c.key.Open(c.enc, c.ciphertext, c.info, c.aad); !errors.Is(err, ErrOpen) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMalformedKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 31, 33} {
		if _, err := ParseSecretKey(make([]byte, n)); !errors.Is(err, ErrKey) {
			t.Errorf("secret key of %d bytes: %v", n, err)
		}
	}
	public := newKey(t).PublicKey()
	unreduced := bytes.Clone(public)
	unreduced[0], unreduced[1] = 0xff, 0xff // a coefficient of ML-KEM's key that is not below q
	for name, b := range map[string][]byte{
		"empty": nil, "short": public[1:], "long": append(bytes.Clone(public), 0), "unreduced": unreduced,
	} {
		if err := CheckPublicKey(b); !errors.Is(err, ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
		if _, _, err := Seal(rand.Reader, b, nil, nil, nil); !errors.Is(err, ErrKey) {
			t.Errorf("%s: seal: %v", name, err)
		}
	}
	if err := CheckPublicKey(public); err != nil {
		t.Error(err)
	}
}

// TestStandardLibrary talks to Go's own crypto/hpke in both directions.
func TestStandardLibrary(t *testing.T) {
	t.Parallel()
	ours := newKey(t)
	theirs, err := stdhpke.MLKEM768X25519().NewPrivateKey(ours.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(theirs.PublicKey().Bytes(), ours.PublicKey()) {
		t.Fatal("one seed, two public keys")
	}
	info, aad, message := []byte("antiphon/kfrag/v1"), []byte("aad"), []byte("message")

	enc, ciphertext, err := Seal(rand.Reader, theirs.PublicKey().Bytes(), info, aad, message)
	if err != nil {
		t.Fatal(err)
	}
	recipient, err := stdhpke.NewRecipient(enc, theirs, stdhpke.HKDFSHA256(), stdhpke.ChaCha20Poly1305(), info)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := recipient.Open(aad, ciphertext); err != nil || !bytes.Equal(got, message) {
		t.Errorf("they open %q, %v", got, err)
	}

	enc, sender, err := stdhpke.NewSender(theirs.PublicKey(), stdhpke.HKDFSHA256(), stdhpke.ChaCha20Poly1305(), info)
	if err != nil {
		t.Fatal(err)
	}
	ciphertext, err = sender.Seal(aad, message)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ours.Open(enc, ciphertext, info, aad); err != nil || !bytes.Equal(got, message) {
		t.Errorf("we open %q, %v", got, err)
	}
}

func TestRandomnessFails(t *testing.T) {
	t.Parallel()
	if _, err := GenerateKey(bytes.NewReader(make([]byte, 31))); err == nil {
		t.Error("a key of 31 random bytes")
	}
	if _, _, err := Seal(bytes.NewReader(nil), newKey(t).PublicKey(), nil, nil, nil); err == nil {
		t.Error("sealed without randomness")
	}
}

func TestSecretKeyIsRedacted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	key := newKey(t)
	slog.New(slog.NewTextHandler(&out, nil)).Info("made", "key", key)
	fmt.Fprintf(&out, "%v %+v %x %#v", key, key, key, key)
	if got := strings.Count(out.String(), "[redacted]"); got != 5 {
		t.Errorf("printed %s", out.String())
	}
}

func FuzzOpen(f *testing.F) {
	key, err := ParseSecretKey(make([]byte, SecretKeySize))
	if err != nil {
		f.Fatal(err)
	}
	enc, ciphertext, err := Seal(rand.Reader, key.PublicKey(), nil, nil, []byte("message"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(enc, ciphertext)
	f.Fuzz(func(t *testing.T, enc, ciphertext []byte) {
		if got, err := key.Open(enc, ciphertext, nil, nil); err == nil && string(got) != "message" {
			t.Errorf("opened %q", got)
		}
	})
}
