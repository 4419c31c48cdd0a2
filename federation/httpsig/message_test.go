package httpsig_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mr-tron/base58"
	"github.com/yaronf/httpsign"
	"pgregory.net/rapid"

	"antiphon/federation/httpsig"
)

var update = flag.Bool("update", false, "write testdata/message.json anew")

// vector is testdata/message.json: the frozen example that the browser's module is tested against too.
type vector struct {
	Seed        string            `json:"seed"`
	KeyID       string            `json:"keyid"`
	Method      string            `json:"method"`
	URL         string            `json:"url"`
	ContentType string            `json:"contentType"`
	Body        string            `json:"body"`
	Created     int64             `json:"created"`
	Nonce       string            `json:"nonce"`
	Base        string            `json:"base"`
	Headers     map[string]string `json:"headers"`
}

func multikey(key ed25519.PrivateKey) string {
	return "z" + base58.Encode(append([]byte{0xed, 0x01}, key.Public().(ed25519.PublicKey)...))
}

func TestMessageVector(t *testing.T) {
	t.Parallel()
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	p := httpsig.MessageParams{Created: time.Unix(1795176000, 0).UTC()}
	for i := range p.Nonce {
		p.Nonce[i] = byte(0xf0 + i)
	}
	m := httpsig.Message{Method: "POST", TargetURI: "https://p.example/antiphon/v1/reencrypt", ContentType: "application/json",
		Body: []byte(`{"grant":"https://s.example/grants/abc","set":1,"capsules":["AAAA"]}`)}
	h, err := httpsig.SignMessage(m, key, multikey(key), p)
	if err != nil {
		t.Fatal(err)
	}
	params := strings.TrimPrefix(h.Get("Signature-Input"), "sig1=")
	got := vector{Seed: hex.EncodeToString(seed), KeyID: multikey(key), Method: m.Method, URL: m.TargetURI, ContentType: m.ContentType,
		Body: string(m.Body), Created: p.Created.Unix(), Nonce: hex.EncodeToString(p.Nonce[:]), Headers: map[string]string{},
		Base: "\"@method\": POST\n\"@target-uri\": " + m.TargetURI + "\n\"content-type\": application/json\n\"content-digest\": " +
			h.Get("Content-Digest") + "\n\"@signature-params\": " + params}
	for name := range h {
		got.Headers[name] = h.Get(name)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("testdata/message.json", text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/message.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text.Bytes(), want) {
		t.Errorf("the frozen message changed:\n%s\nwant\n%s", text.Bytes(), want)
	}
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte(got.Base), mustSig(t, h)) {
		t.Error("the base in the file is not what was signed")
	}
	back, err := httpsig.VerifyMessage(m, h, key.Public().(ed25519.PublicKey), multikey(key), p.Created)
	if err != nil || back != p {
		t.Errorf("verify: %+v %v", back, err)
	}
}

func mustSig(t *testing.T, h http.Header) []byte {
	t.Helper()
	text := strings.TrimSuffix(strings.TrimPrefix(h.Get("Signature"), "sig1=:"), ":")
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestMessage(t *testing.T) {
	t.Parallel()
	id := multikey(edKey())
	public := edKey().Public().(ed25519.PublicKey)
	p := httpsig.MessageParams{Created: now, Nonce: [16]byte{1, 2, 3}}
	edit := func(name, old, new string) func(*httpsig.Message, http.Header) {
		return func(_ *httpsig.Message, h http.Header) {
			changed := strings.Replace(h.Get(name), old, new, 1)
			if changed == h.Get(name) {
				t.Errorf("%s has no %s", name, old)
			}
			h.Set(name, changed)
		}
	}
	cases := []struct {
		name string
		edit func(*httpsig.Message, http.Header)
		want error
	}{
		{"as it is", func(*httpsig.Message, http.Header) {}, nil},
		{"unsigned", func(_ *httpsig.Message, h http.Header) { h.Del("Signature") }, httpsig.ErrUnsigned},
		{"body swapped", func(m *httpsig.Message, _ http.Header) { m.Body = []byte("{}") }, httpsig.ErrSignature},
		{"body and digest swapped", func(m *httpsig.Message, h http.Header) {
			m.Body = nil
			h.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
		}, httpsig.ErrSignature},
		{"another proxy", func(m *httpsig.Message, _ http.Header) { m.TargetURI = "https://q.example/antiphon/v1/reencrypt" }, httpsig.ErrSignature},
		{"method", func(m *httpsig.Message, _ http.Header) { m.Method = "PUT" }, httpsig.ErrSignature},
		{"content type", func(m *httpsig.Message, h http.Header) {
			m.ContentType = "text/plain"
			h.Set("Content-Type", "text/plain")
		}, httpsig.ErrSignature},
		{"content type of the header only", func(_ *httpsig.Message, h http.Header) { h.Set("Content-Type", "text/plain") }, httpsig.ErrSignature},
		{"line feed in the target", func(m *httpsig.Message, _ http.Header) { m.TargetURI += "\n\"x\": y" }, httpsig.ErrSignature},
		{"tag", edit("Signature-Input", "antiphon-reencrypt", "other"), httpsig.ErrSignature},
		{"label", edit("Signature-Input", "sig1=", "sig2="), httpsig.ErrSignature},
		{"alg", edit("Signature-Input", "ed25519", "rsa-v1_5-sha256"), httpsig.ErrSignature},
		{"created", edit("Signature-Input", "created=", "created=1"), httpsig.ErrSignature},
		{"nonce other", edit("Signature-Input", `nonce="AQ`, `nonce="BQ`), httpsig.ErrSignature},
		{"nonce short", edit("Signature-Input", `nonce="AQ`, `nonce="`), httpsig.ErrSignature},
		{"nonce gone", edit("Signature-Input", `nonce=`, `n=`), httpsig.ErrSignature},
		{"component gone", edit("Signature-Input", ` "content-type"`, ``), httpsig.ErrSignature},
		{"component more", edit("Signature-Input", ` "content-type"`, ` "content-type" "date"`), httpsig.ErrSignature},
		{"parameter more", edit("Signature-Input", `;tag`, `;expires=9999999999;tag`), httpsig.ErrSignature},
		{"space", edit("Signature-Input", `;tag`, `; tag`), httpsig.ErrSignature},
		{"signature garbage", func(_ *httpsig.Message, h http.Header) { h.Set("Signature", "sig1=:AAAA:") }, httpsig.ErrSignature},
		{"header twice", func(_ *httpsig.Message, h http.Header) { h.Add("Signature", h.Get("Signature")) }, httpsig.ErrSignature},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			m := httpsig.Message{Method: "POST", TargetURI: "https://p.example/antiphon/v1/reencrypt", ContentType: "application/json", Body: body}
			h, err := httpsig.SignMessage(m, edKey(), id, p)
			if err != nil {
				t.Fatal(err)
			}
			tc.edit(&m, h)
			if _, err := httpsig.VerifyMessage(m, h, public, id, now); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	m := httpsig.Message{Method: "POST", TargetURI: "https://p.example/r", ContentType: "application/json", Body: body}
	h, err := httpsig.SignMessage(m, edKey(), id, p)
	if err != nil {
		t.Fatal(err)
	}
	for d, want := range map[time.Duration]error{300 * time.Second: nil, -300 * time.Second: nil, 301 * time.Second: httpsig.ErrSignature, -301 * time.Second: httpsig.ErrSignature} {
		if _, err := httpsig.VerifyMessage(m, h, public, id, now.Add(d)); !errors.Is(err, want) {
			t.Errorf("%s off: %v", d, err)
		}
	}
	other := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, 32))
	if _, err := httpsig.VerifyMessage(m, h, other.Public().(ed25519.PublicKey), multikey(other), now); !errors.Is(err, httpsig.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, err := httpsig.VerifyMessage(m, h, other.Public().(ed25519.PublicKey), id, now); !errors.Is(err, httpsig.ErrSignature) {
		t.Errorf("another key under this id: %v", err)
	}
	if _, err := httpsig.VerifyMessage(m, h, nil, id, now); !errors.Is(err, httpsig.ErrWeakKey) {
		t.Errorf("no key: %v", err)
	}
}

// A message is plain RFC 9421: a library that knows nothing of us must accept it.
func TestMessageElsewhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SliceOf(rapid.Byte()).Draw(t, "body")
		m := httpsig.Message{Method: "POST", TargetURI: origin + "/antiphon/v1/reencrypt", ContentType: "application/json", Body: text}
		p := httpsig.MessageParams{Created: now, Nonce: [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "nonce"))}
		h, err := httpsig.SignMessage(m, edKey(), multikey(edKey()), p)
		if err != nil {
			t.Fatal(err)
		}
		public := edKey().Public().(ed25519.PublicKey)
		cfg := httpsign.NewVerifyConfig().SetVerifyCreated(false).SetAllowedTags([]string{"antiphon-reencrypt"}).SetKeyID(multikey(edKey()))
		v, err := httpsign.NewEd25519Verifier(public, cfg, httpsign.Headers("@method", "@target-uri", "content-type", "content-digest"))
		if err != nil {
			t.Fatal(err)
		}
		out, err := http.NewRequest(m.Method, m.TargetURI, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		out.Header = h
		if err := httpsign.VerifyRequest("sig1", *v, out); err != nil {
			t.Fatal(err)
		}
		in := httptest.NewRequest(m.Method, "/antiphon/v1/reencrypt", bytes.NewReader(text))
		in.Header = h
		back, err := httpsig.VerifyMessage(httpsig.RequestMessage(in, origin+"/", text), h, public, multikey(edKey()), now)
		if err != nil || back != p {
			t.Fatalf("got %+v %v, want %+v", back, err, p)
		}
	})
}
