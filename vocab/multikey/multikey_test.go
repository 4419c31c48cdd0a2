package multikey_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/mr-tron/base58"
	"pgregory.net/rapid"

	"antiphon/vocab/multikey"
)

// The Ed25519 pair is that of FEP-8b32's test vector; the points are the generator of secp256k1 and its negative.
const (
	edText  = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2"
	edHex   = "b00d8d938e7f773d51565aad36a623f5344f7f5d1960f9cf3e8e12620ea2810f"
	genHex  = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
	genHex3 = "0379be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"
)

func TestVectors(t *testing.T) {
	t.Parallel()
	key, err := multikey.DecodeEd25519(edText)
	if err != nil || hex.EncodeToString(key) != edHex {
		t.Fatalf("%x %v", key, err)
	}
	if text, err := multikey.EncodeEd25519(key); err != nil || text != edText {
		t.Errorf("%s %v", text, err)
	}
	for _, h := range []string{genHex, genHex3} {
		point, _ := hex.DecodeString(h)
		text, err := multikey.EncodeSecp256k1(point)
		if err != nil || !strings.HasPrefix(text, "zQ3s") {
			t.Fatalf("%s %v", text, err)
		}
		if back, err := multikey.DecodeSecp256k1(text); err != nil || !bytes.Equal(back, point) {
			t.Errorf("%x %v", back, err)
		}
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	key, _ := hex.DecodeString(edHex)
	point, _ := hex.DecodeString(genHex)
	b58 := func(parts ...[]byte) string { return "z" + base58.Encode(bytes.Join(parts, nil)) }
	ed, secp := []byte{0xed, 1}, []byte{0xe7, 1}
	for name, text := range map[string]string{
		"empty": "", "z": "z", "no z": edText[1:], "other base": "u" + edText[1:], "not base58": edText[:10] + "0" + edText[11:],
		"space": " " + edText, "newline": edText + "\n", "short": b58(ed, key[1:]), "long": b58(ed, key, []byte{0}), "zero in front": b58([]byte{0}, ed, key),
		"x25519": b58([]byte{0xec, 1}, key), "code alone": b58(ed), "a megabyte": "z" + strings.Repeat("2", 1<<20), "point": b58(secp, point),
	} {
		if _, err := multikey.DecodeEd25519(text); !errors.Is(err, multikey.ErrMalformed) {
			t.Errorf("Ed25519, %s: %v", name, err)
		}
	}
	for name, text := range map[string]string{"Ed25519": edText, "uncompressed": b58(secp, []byte{4}, point[1:]), "identity": b58(secp, make([]byte, 33)),
		"x only": b58(secp, point[1:]), "65 bytes": b58(secp, []byte{4}, make([]byte, 64))} {
		if _, err := multikey.DecodeSecp256k1(text); !errors.Is(err, multikey.ErrMalformed) {
			t.Errorf("secp256k1, %s: %v", name, err)
		}
	}
	if _, err := multikey.EncodeEd25519(key[1:]); !errors.Is(err, multikey.ErrMalformed) {
		t.Error("a short key is written")
	}
	if _, err := multikey.EncodeSecp256k1(nil); !errors.Is(err, multikey.ErrMalformed) {
		t.Error("no point is written")
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "key")
		text, err := multikey.EncodeEd25519(key)
		if err != nil {
			t.Fatal(err)
		}
		back, err := multikey.DecodeEd25519(text)
		if err != nil || !bytes.Equal(back, key) {
			t.Fatalf("%x became %x: %v", key, back, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(edText)
	f.Add("zQ3s")
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := multikey.DecodeEd25519(text); err == nil {
			if again, _ := multikey.EncodeEd25519(key); again != text {
				t.Fatalf("%q and %q are one key", text, again)
			}
		}
		if point, err := multikey.DecodeSecp256k1(text); err == nil {
			if again, _ := multikey.EncodeSecp256k1(point); again != text {
				t.Fatalf("%q and %q are one key", text, again)
			}
		}
	})
}
