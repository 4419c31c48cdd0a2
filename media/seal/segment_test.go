package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The first block is F.2.1 of NIST SP 800-38A; the padded ones were made with
// `openssl enc -aes-128-cbc -K ... -iv ...` (OpenSSL 3.0).
func TestEncryptVectors(t *testing.T) {
	t.Parallel()
	const k, iv = "2b7e151628aed2a6abf7158809cf4f3c", "000102030405060708090a0b0c0d0e0f"
	for _, c := range []struct{ name, plain, sealed string }{
		{"empty", "", "c84af0b613435d5d9182801a9bd9320b"},
		{"one byte", "00", "340f1217405b878d0473c87dc8caa8ee"},
		{"one block", "6bc1bee22e409f96e93d7e117393172a", "7649abac8119b246cee98e9b12e9197d8964e0b149c10b7b682e6e39aaeb731c"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, v := SegmentKey(unhex(t, k)), IV(unhex(t, iv))
			got := Encrypt(nil, key, v, unhex(t, c.plain))
			if hex.EncodeToString(got) != c.sealed {
				t.Errorf("Encrypt = %x, want %s", got, c.sealed)
			}
			back, err := Decrypt(nil, key, v, got)
			if err != nil || hex.EncodeToString(back) != c.plain {
				t.Errorf("Decrypt = %x, %v", back, err)
			}
		})
	}
}

// Made with Python's hmac and hashlib from RFC 5869, content key 00 01 .. 1f.
func TestDerivedKeys(t *testing.T) {
	t.Parallel()
	var k ContentKey
	for i := range k {
		k[i] = byte(i)
	}
	hls, dl, hash := Key(k, "aac128"), DownloadKey(k, "flac"), ContentKeyHash(k)
	for _, c := range []struct {
		name, want string
		got        []byte
	}{
		{"hls/aac128", "39f9dbf228d8a115e98d4971af3a488c", hls[:]},
		{"dl/flac", "f561f54cdf18ea7571ea4b9f58819deac6764122ff14472b7be1e5ce3c98ad11", dl[:]},
		{"hash", "50d326422c0062f4157378ed8c7045c85885c42be12e940d78bf1239a6fa9c47", hash[:]},
	} {
		if hex.EncodeToString(c.got) != c.want {
			t.Errorf("%s = %x, want %s", c.name, c.got, c.want)
		}
	}
}

func TestEncryptAppendsAndRoundTrips(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "plain")
		dst := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "dst")
		key := SegmentKey(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "key"))
		iv := IV(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "iv"))

		out := Encrypt(bytes.Clone(dst), key, iv, plain)
		if !bytes.HasPrefix(out, dst) || len(out) != len(dst)+EncryptedSize(len(plain)) {
			t.Fatalf("bad shape: %d bytes", len(out))
		}
		back, err := Decrypt(bytes.Clone(dst), key, iv, out[len(dst):])
		if err != nil || !bytes.Equal(back, append(bytes.Clone(dst), plain...)) {
			t.Fatalf("Decrypt = %x, %v", back, err)
		}
	})
}

func TestDecryptRefuses(t *testing.T) {
	t.Parallel()
	var key SegmentKey
	var iv IV
	// seal raw blocks so that the padding can be chosen
	raw := func(block string) []byte {
		b := unhex(t, block)
		cipher.NewCBCEncrypter(mustAES(t, key), iv[:]).CryptBlocks(b, b)
		return b
	}
	head := strings.Repeat("aa", 12)
	for name, in := range map[string][]byte{
		"empty":             {},
		"not whole blocks":  make([]byte, 17),
		"pad 0":             raw(head + "00000000"),
		"pad 17":            raw(strings.Repeat("11", 16)),
		"pad 255":           raw(strings.Repeat("ff", 16)),
		"uneven, first off": raw(head + "03040404"),
		"uneven, mid off":   raw(head + "04040304"),
		"wrong key":         Encrypt(nil, SegmentKey{1}, iv, make([]byte, 64)),
	} {
		out, err := Decrypt(nil, key, iv, in)
		if out != nil || err != ErrCiphertext {
			t.Errorf("%s: Decrypt = %x, %v", name, out, err)
		}
	}
	if out, err := Decrypt(nil, key, iv, raw(head+"04040404")); err != nil || len(out) != 12 {
		t.Errorf("good padding refused: %x, %v", out, err)
	}
}

func mustAES(t testing.TB, k SegmentKey) cipher.Block {
	t.Helper()
	b, err := aes.NewCipher(k[:])
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKeysStayOutOfLogs(t *testing.T) {
	t.Parallel()
	k, err := NewContentKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ K ContentKey }
	for _, v := range []any{k, &k, Key(k, "flac"), DownloadKey(k, "flac"), holder{k}} {
		var out bytes.Buffer
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "key", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "key", v)
		fmt.Fprintf(&out, "%v %+v %#v %x %s %d", v, v, v, v, v, v)
		js, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(js)
		for _, secret := range [][]byte{k[:], key16(k)} {
			for _, form := range []string{"%x", "%d", "%v", "%s", "%#v"} {
				s := strings.Trim(fmt.Sprintf(form, secret[:4]), "[]{}")
				if strings.Contains(out.String(), s) {
					t.Errorf("%T shows its bytes: %s", v, out.String())
				}
			}
		}
		if !strings.Contains(out.String(), redacted) {
			t.Errorf("%T does not say %s: %s", v, redacted, out.String())
		}
	}
}

func key16(k ContentKey) []byte { s := Key(k, "flac"); return s[:] }

func TestShortRandomness(t *testing.T) {
	t.Parallel()
	if _, err := NewContentKey(strings.NewReader("short")); err == nil {
		t.Error("NewContentKey took 5 bytes")
	}
	if _, err := NewIV(strings.NewReader("short")); err == nil {
		t.Error("NewIV took 5 bytes")
	}
	if _, err := NewWriter(new(bytes.Buffer), FileKey{}, nil, strings.NewReader("short")); err == nil {
		t.Error("NewWriter took 5 bytes")
	}
}

func FuzzDecrypt(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("0123456789abcdef0123456789abcdef"))
	f.Add(Encrypt(nil, SegmentKey{}, IV{}, []byte("plain")))
	f.Fuzz(func(t *testing.T, in []byte) {
		out, err := Decrypt(nil, SegmentKey{}, IV{}, in)
		if err != nil {
			if !errors.Is(err, ErrCiphertext) || out != nil {
				t.Fatalf("%x, %v", out, err)
			}
			return
		}
		if !bytes.Equal(Encrypt(nil, SegmentKey{}, IV{}, out), in) {
			t.Fatal("two ciphertexts for one plaintext")
		}
	})
}

// BenchmarkSegment compares sealing with the block cipher alone.
func BenchmarkSegment(b *testing.B) {
	plain := make([]byte, 1<<20-16)
	b.Run("seal", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		dst := make([]byte, 0, 1<<20)
		for b.Loop() {
			dst = Encrypt(dst[:0], SegmentKey{}, IV{}, plain)
		}
	})
	b.Run("cbc", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		dst := make([]byte, len(plain))
		var iv IV
		for b.Loop() {
			cipher.NewCBCEncrypter(mustAES(b, SegmentKey{}), iv[:]).CryptBlocks(dst, plain)
		}
	})
}
