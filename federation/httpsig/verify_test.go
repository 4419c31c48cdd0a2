package httpsig_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/yaronf/httpsign"

	"antiphon/federation/httpsig"
)

const (
	origin = "https://music.example"
	actor  = "https://peer.example/users/lin"
	keyID  = actor + "#main-key"
)

var (
	now  = time.Now().UTC().Truncate(time.Second) // the RFC 9421 library signs by the wall clock
	body = []byte(`{"type":"Follow"}`)

	rsaKey  = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })
	rsaKey2 = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })
	edKey   = sync.OnceValue(func() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) })
)

func generate(bits int) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return key
}

// ring is a Keys that counts what it is asked.
type ring struct {
	cached, fresh crypto.PublicKey
	err           error
	id            string
	asked         []bool
}

func (r *ring) Key(_ context.Context, id string, fresh bool) (httpsig.Key, error) {
	r.asked = append(r.asked, fresh)
	if r.err != nil {
		return httpsig.Key{}, r.err
	}
	key := httpsig.Key{ID: id, Owner: actor, Public: r.cached}
	if fresh && r.fresh != nil {
		key.Public = r.fresh
	}
	if r.id != "" {
		key.ID = r.id
	}
	return key, nil
}

// incoming is a request as net/http hands it to a handler behind a proxy that ends TLS.
func incoming(method, target string) *http.Request {
	req := httptest.NewRequest(method, target, nil)
	req.Host = "music.example"
	return req
}

// post is a signed POST as the inbox receives it.
func post(t *testing.T) *http.Request {
	t.Helper()
	req := incoming(http.MethodPost, "/users/ada/inbox")
	req.Header.Set("Content-Type", "application/activity+json")
	if err := httpsig.Sign(req, body, keyID, rsaKey(), now); err != nil {
		t.Fatal(err)
	}
	return req
}

// cavage signs by hand, so that a test can say exactly what is covered.
func cavage(req *http.Request, key crypto.Signer, algorithm string, extra string, headers ...string) {
	var lines []string
	for _, h := range headers {
		v := req.Header.Get(h)
		switch h {
		case "(request-target)":
			v = strings.ToLower(req.Method) + " " + req.RequestURI
		case "host":
			v = req.Host
		case "(created)":
			v = fmt.Sprint(now.Unix())
		}
		lines = append(lines, h+": "+v)
	}
	sig := raw(key, strings.Join(lines, "\n"))
	req.Header.Set("Signature", fmt.Sprintf(`keyId="%s",algorithm="%s",%sheaders="%s",signature="%s"`,
		keyID, algorithm, extra, strings.Join(headers, " "), base64.StdEncoding.EncodeToString(sig)))
}

func raw(key crypto.Signer, text string) []byte {
	msg, opts := []byte(text), crypto.SignerOpts(crypto.Hash(0))
	if _, ok := key.(*rsa.PrivateKey); ok {
		sum := sha256.Sum256(msg)
		msg, opts = sum[:], crypto.SHA256
	}
	sig, err := key.Sign(rand.Reader, msg, opts)
	if err != nil {
		panic(err)
	}
	return sig
}

func verify(r *ring, req *http.Request, body []byte) (httpsig.Key, error) {
	v := &httpsig.Verifier{Origin: origin, Keys: r, Now: func() time.Time { return now }}
	return v.Verify(context.Background(), req, body)
}

func TestSignVerify(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/users/ada/inbox", "/", "/search?q=a%20b&c", "/users/%40ada/in%2Fbox?x=%C3%A9"} {
		req := incoming(http.MethodPost, target)
		if err := httpsig.Sign(req, body, keyID, rsaKey(), now); err != nil {
			t.Fatal(err)
		}
		r := &ring{cached: &rsaKey().PublicKey}
		key, err := verify(r, req, body)
		if err != nil || key.Owner != actor || key.ID != keyID || len(r.asked) != 1 {
			t.Errorf("%s: %+v %v, keys asked %v", target, key, err, r.asked)
		}
		get := incoming(http.MethodGet, target)
		if err := httpsig.Sign(get, nil, keyID, rsaKey(), now); err != nil {
			t.Fatal(err)
		}
		if _, err := verify(&ring{cached: &rsaKey().PublicKey}, get, nil); err != nil {
			t.Errorf("GET %s: %v", target, err)
		}
		if get.Header.Get("Digest") != "" {
			t.Error("a GET without a body carries a digest")
		}
	}
}

// What leaves must be what other servers read: the header's form is theirs.
func TestSignForm(t *testing.T) {
	t.Parallel()
	req := post(t)
	sig := req.Header.Get("Signature")
	for _, want := range []string{`keyId="` + keyID + `"`, `algorithm="rsa-sha256"`, `headers="(request-target) host date digest"`} {
		if !strings.Contains(sig, want) {
			t.Errorf("%s is not in %s", want, sig)
		}
	}
	if got := req.Header.Get("Digest"); got != httpsig.Digest(body) {
		t.Errorf("digest %s", got)
	}
	if req.Header.Get("Date") != now.Format(http.TimeFormat) {
		t.Errorf("date %s", req.Header.Get("Date"))
	}
	if err := httpsig.Sign(req, body, keyID, generate(1024), now); !errors.Is(err, httpsig.ErrWeakKey) {
		t.Errorf("a key of 1024 bits signs: %v", err)
	}
	if err := httpsig.Sign(req, body, "a\"b", rsaKey(), now); err == nil {
		t.Error("a key id with a quote signs")
	}
}

func TestVerifyCavage(t *testing.T) {
	t.Parallel()
	full := []string{"(request-target)", "host", "date", "digest"}
	resign := func(edit func(*http.Request), algorithm, extra string, headers ...string) func(*http.Request) {
		return func(r *http.Request) {
			if edit != nil {
				edit(r)
			}
			cavage(r, rsaKey(), algorithm, extra, headers...)
		}
	}
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	date := func(t time.Time) func(*http.Request) { return set("Date", t.Format(http.TimeFormat)) }
	cases := []struct {
		name string
		edit func(*http.Request)
		want error
	}{
		{"as it is", nil, nil},
		{"A1 unsigned", func(r *http.Request) { r.Header.Del("Signature") }, httpsig.ErrUnsigned},
		{"A7 no request-target", resign(nil, "rsa-sha256", "", "host", "date", "digest"), httpsig.ErrSignature},
		{"A7 no host", resign(nil, "rsa-sha256", "", "(request-target)", "date", "digest"), httpsig.ErrSignature},
		{"A7 no date", resign(nil, "rsa-sha256", "", "(request-target)", "host", "digest"), httpsig.ErrSignature},
		{"A7 no digest", resign(nil, "rsa-sha256", "", "(request-target)", "host", "date"), httpsig.ErrSignature},
		{"more than needed", resign(nil, "rsa-sha256", "", append(full, "content-type")...), nil},
		{"created for date", resign(nil, "hs2019", fmt.Sprintf("created=%d,", now.Unix()), "(request-target)", "host", "(created)", "digest"), nil},
		{"created quoted", resign(nil, "hs2019", fmt.Sprintf("created=\"%d\",", now.Unix()), "(request-target)", "host", "(created)", "digest"), nil},
		{"created with rsa-sha256", resign(nil, "rsa-sha256", fmt.Sprintf("created=%d,", now.Unix()), "(request-target)", "host", "(created)", "digest"), httpsig.ErrSignature},
		{"created absent", resign(nil, "hs2019", "", "(request-target)", "host", "(created)", "digest"), httpsig.ErrSignature},
		{"created old", resign(nil, "hs2019", fmt.Sprintf("created=%d,", now.Unix()-7200), full...), httpsig.ErrSignature},
		{"created not a number", resign(nil, "hs2019", "created=1e9,", full...), httpsig.ErrSignature},
		{"expired", resign(nil, "hs2019", fmt.Sprintf("expires=%d,", now.Unix()-600), full...), httpsig.ErrSignature},
		{"not yet expired", resign(nil, "hs2019", fmt.Sprintf("expires=%d,", now.Unix()+600), full...), nil},
		{"algorithm hs2019", resign(nil, "hs2019", "", full...), nil},
		{"A8 digest missing", resign(func(r *http.Request) { r.Header.Del("Digest") }, "rsa-sha256", "", "(request-target)", "host", "date"), httpsig.ErrSignature},
		{"A8 digest wrong", resign(set("Digest", httpsig.Digest([]byte("other"))), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 digest SHA-512", resign(set("Digest", "SHA-512="+strings.Repeat("A", 86)+"=="), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 digest MD5", resign(set("Digest", "MD5=1B2M2Y8AsgTpgAmY7PhCfg=="), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 digest short", resign(set("Digest", "SHA-256=AAAA"), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 digest garbage", resign(set("Digest", "SHA-256=!!!"), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 two digests in one", resign(set("Digest", httpsig.Digest(body)+", "+httpsig.Digest(nil)), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A8 two digest headers", func(r *http.Request) { r.Header.Add("Digest", httpsig.Digest(body)) }, httpsig.ErrSignature},
		{"A8 content digest beside it is wrong", set("Content-Digest", "sha-256=:AAAA:"), httpsig.ErrSignature},
		{"A10 date 13 h old", resign(date(now.Add(-13*time.Hour)), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A10 date 2 h ahead", resign(date(now.Add(2*time.Hour)), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A10 date just in time", resign(date(now.Add(59*time.Minute)), "rsa-sha256", "", full...), nil},
		{"A10 date not HTTP", resign(set("Date", now.Format(time.RFC3339)), "rsa-sha256", "", full...), httpsig.ErrSignature},
		{"A10 date absent", func(r *http.Request) { r.Header.Del("Date") }, httpsig.ErrSignature},
		{"two dates", func(r *http.Request) { r.Header.Add("Date", now.Format(http.TimeFormat)) }, httpsig.ErrSignature},
		{"A13 other host", func(r *http.Request) { r.Host = "other.example" }, httpsig.ErrSignature},
		{"A13 other inbox", func(r *http.Request) { r.RequestURI = "/users/eve/inbox" }, httpsig.ErrSignature},
		{"other method", func(r *http.Request) { r.Method = http.MethodPut }, httpsig.ErrSignature},
		{"A15 hmac", resign(nil, "hmac-sha256", "", full...), httpsig.ErrSignature},
		{"A15 none", resign(nil, "none", "", full...), httpsig.ErrSignature},
		{"A15 ed25519 with an RSA key", resign(nil, "ed25519", "", full...), httpsig.ErrSignature},
		{"A15 rsa-sha1", resign(nil, "rsa-sha1", "", full...), httpsig.ErrSignature},
		{"two signatures", func(r *http.Request) { r.Header.Add("Signature", r.Header.Get("Signature")) }, httpsig.ErrSignature},
		{"parameter twice", func(r *http.Request) {
			r.Header.Set("Signature", `keyId="https://evil.example/#k",`+r.Header.Get("Signature"))
		}, httpsig.ErrSignature},
		{"header listed twice", resign(nil, "rsa-sha256", "", append(full, "date")...), httpsig.ErrSignature},
		{"signed header is absent", resign(nil, "rsa-sha256", "", append(full, "x-none")...), httpsig.ErrSignature},
		{"signed header twice", resign(func(r *http.Request) { r.Header["X-Two"] = []string{"a", "b"} }, "rsa-sha256", "", append(full, "x-two")...), httpsig.ErrSignature},
		{"no headers parameter", func(r *http.Request) {
			r.Header.Set("Signature", strings.Replace(r.Header.Get("Signature"), "headers=", "x=", 1))
		}, httpsig.ErrSignature},
		{"100 kB of header", set("Signature", `keyId="`+strings.Repeat("a", 100_000)+`"`), httpsig.ErrSignature},
		{"in Authorization", func(r *http.Request) {
			r.Header.Set("Authorization", "Signature "+r.Header.Get("Signature"))
			r.Header.Del("Signature")
		}, httpsig.ErrUnsigned},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req := post(t)
			if tc.edit != nil {
				tc.edit(req)
			}
			if _, err := verify(&ring{cached: &rsaKey().PublicKey}, req, body); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("A9 body swapped", func(t *testing.T) {
		t.Parallel()
		r := &ring{cached: &rsaKey().PublicKey}
		if _, err := verify(r, post(t), []byte(`{"type":"Delete"}`)); !errors.Is(err, httpsig.ErrSignature) || len(r.asked) != 0 {
			t.Errorf("got %v, keys asked %v", err, r.asked)
		}
	})
	t.Run("signed without the query", func(t *testing.T) {
		t.Parallel()
		req := incoming(http.MethodGet, "/outbox?page=2")
		req.Header.Set("Date", now.Format(http.TimeFormat))
		req.RequestURI = "/outbox"
		cavage(req, rsaKey(), "hs2019", "", "(request-target)", "host", "date")
		req.RequestURI = "/outbox?page=2"
		if _, err := verify(&ring{cached: &rsaKey().PublicKey}, req, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("Ed25519", func(t *testing.T) {
		t.Parallel()
		req := post(t)
		cavage(req, edKey(), "hs2019", "", full...)
		if _, err := verify(&ring{cached: edKey().Public()}, req, body); err != nil {
			t.Error(err)
		}
		cavage(req, edKey(), "rsa-sha256", "", full...)
		if _, err := verify(&ring{cached: edKey().Public()}, req, body); !errors.Is(err, httpsig.ErrSignature) {
			t.Errorf("an Ed25519 key with an RSA algorithm: %v", err)
		}
	})
}

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	good, other := &rsaKey().PublicKey, &rsaKey2().PublicKey
	gone := errors.New("410 gone")
	small := generate(1024)
	cases := []struct {
		name  string
		ring  ring
		want  error
		asked int
	}{
		{"A2 wrong key for good", ring{cached: other}, httpsig.ErrSignature, 2},
		{"A2 wrong key, another wrong key", ring{cached: other, fresh: edKey().Public()}, httpsig.ErrSignature, 2},
		{"A17 rotated", ring{cached: other, fresh: good}, nil, 2},
		{"A18 key cannot be had", ring{err: gone}, gone, 1},
		{"A5 key answers under another id", ring{cached: good, id: actor}, httpsig.ErrKey, 1},
		{"A15 cached key too small", ring{cached: &small.PublicKey}, httpsig.ErrKey, 2},
		{"A15 cached key too small, rotated", ring{cached: &small.PublicKey, fresh: good}, nil, 2},
		{"A15 EC key", ring{cached: ecKey(t).Public()}, httpsig.ErrKey, 2},
		{"A15 exponent 1", ring{cached: &rsa.PublicKey{N: good.N, E: 1}}, httpsig.ErrKey, 2},
		{"A15 16384 bits", ring{cached: &rsa.PublicKey{N: new(big.Int).Lsh(good.N, 16384-2048), E: 65537}}, httpsig.ErrKey, 2},
		{"no key at all", ring{}, httpsig.ErrKey, 2},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := verify(&tc.ring, post(t), body)
			if !errors.Is(err, tc.want) || len(tc.ring.asked) != tc.asked {
				t.Errorf("got %v after asking %v, want %v after %d", err, tc.ring.asked, tc.want, tc.asked)
			}
		})
	}
}

func ecKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign9421 signs a POST with a library that is not ours, as peers do.
func sign9421(t *testing.T, fields []string, edit func(*httpsign.SignConfig, *http.Request)) *http.Request {
	t.Helper()
	return sign9421With(t, fields, edit, func(cfg *httpsign.SignConfig, f httpsign.Fields) (*httpsign.Signer, error) {
		return httpsign.NewRSASigner(*rsaKey(), cfg, f)
	})
}

func sign9421With(t *testing.T, fields []string, edit func(*httpsign.SignConfig, *http.Request),
	signer func(*httpsign.SignConfig, httpsign.Fields) (*httpsign.Signer, error)) *http.Request {
	t.Helper()
	out, err := http.NewRequest(http.MethodPost, origin+"/users/ada/inbox?a=b", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	out.Header.Set("Content-Digest", "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":")
	out.Header.Set("Date", now.Format(http.TimeFormat))
	out.Header.Set("Host", "music.example")
	cfg := httpsign.NewSignConfig().SetKeyID(keyID)
	if edit != nil {
		edit(cfg, out)
	}
	s, err := signer(cfg, httpsign.Headers(fields...))
	if err != nil {
		t.Fatal(err)
	}
	in, sig, err := httpsign.SignRequest("sig1", *s, out)
	if err != nil {
		t.Fatal(err)
	}
	req := incoming(http.MethodPost, "/users/ada/inbox?a=b")
	req.Header = out.Header.Clone()
	req.Header.Del("Host")
	req.Header.Set("Signature-Input", in)
	req.Header.Set("Signature", sig)
	return req
}

func TestVerifyRFC9421(t *testing.T) {
	t.Parallel()
	full := []string{"@method", "@target-uri", "content-digest"}
	edit := func(name, old, new string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, strings.Replace(r.Header.Get(name), old, new, 1)) }
	}
	cases := []struct {
		name   string
		fields []string
		sign   func(*httpsign.SignConfig, *http.Request)
		edit   func(*http.Request)
		want   error
	}{
		{"as it is", full, nil, nil, nil},
		{"as Fedify knocks", []string{"@method", "@target-uri", "@authority", "host", "date", "content-digest"}, nil, nil, nil},
		{"without alg", full, func(c *httpsign.SignConfig, _ *http.Request) { c.SignAlg(false) }, nil, nil},
		{"with nonce and tag", full, func(c *httpsign.SignConfig, _ *http.Request) { c.SetNonce("n").SetTag("t") }, nil, nil},
		{"A16 no created", full, func(c *httpsign.SignConfig, _ *http.Request) { c.SignCreated(false) }, nil, httpsig.ErrSignature},
		{"A16 no keyid", full, nil, edit("Signature-Input", "keyid=", "kid="), httpsig.ErrSignature},
		{"A16 no method", []string{"@target-uri", "content-digest"}, nil, nil, httpsig.ErrSignature},
		{"A16 no target", []string{"@method", "@authority", "@path", "content-digest"}, nil, nil, httpsig.ErrSignature},
		{"A16 no content digest", []string{"@method", "@target-uri"}, nil, nil, httpsig.ErrSignature},
		{"A16 content digest gone", full, nil, func(r *http.Request) { r.Header.Del("Content-Digest") }, httpsig.ErrSignature},
		{"A16 content digest of something else", full, func(_ *httpsign.SignConfig, r *http.Request) {
			r.Header.Set("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:")
		}, nil, httpsig.ErrSignature},
		{"A16 content digest sha-512", full, func(_ *httpsign.SignConfig, r *http.Request) {
			r.Header.Set("Content-Digest", "sha-512=:"+strings.Repeat("A", 86)+"==:")
		}, nil, httpsig.ErrSignature},
		{"A16 two labels", full, nil, func(r *http.Request) {
			r.Header.Set("Signature-Input", r.Header.Get("Signature-Input")+`, sig2=("@method");keyid="https://evil.example/#k";created=1`)
			r.Header.Set("Signature", r.Header.Get("Signature")+`, sig2=:AAAA:`)
		}, httpsig.ErrSignature},
		{"other label in Signature", full, nil, edit("Signature", "sig1=", "sig2="), httpsig.ErrSignature},
		{"A16 ;sf", full, nil, edit("Signature-Input", `"content-digest"`, `"content-digest";sf`), httpsig.ErrSignature},
		{"A16 ;sf=1 (a panic in the library)", full, nil, edit("Signature-Input", `"content-digest"`, `"content-digest";sf=1`), httpsig.ErrSignature},
		{"A16 ;bs", full, nil, edit("Signature-Input", `"content-digest"`, `"content-digest";bs`), httpsig.ErrSignature},
		{"A16 ;req", full, nil, edit("Signature-Input", `"content-digest"`, `"content-digest";req`), httpsig.ErrSignature},
		{"component twice", full, nil, edit("Signature-Input", `"@method"`, `"@method" "@method"`), httpsig.ErrSignature},
		{"@status", full, nil, edit("Signature-Input", `"@method"`, `"@method" "@status"`), httpsig.ErrSignature},
		{"two Signature-Input headers", full, nil, func(r *http.Request) { r.Header.Add("Signature-Input", r.Header.Get("Signature-Input")) }, httpsig.ErrSignature},
		{"display string (a panic in the library)", full, nil, func(r *http.Request) { r.Header.Set("Signature-Input", "aaa0=%0000000000") }, httpsig.ErrSignature},
		{"date (a panic in the library)", full, nil, func(r *http.Request) { r.Header.Set("Signature-Input", "a00=@") }, httpsig.ErrSignature},
		{"percent sign in the key id", full, func(c *httpsign.SignConfig, _ *http.Request) { c.SetNonce("%\"\\%") }, nil, nil},
		{"not a dictionary", full, nil, func(r *http.Request) { r.Header.Set("Signature-Input", "((((") }, httpsig.ErrSignature},
		{"signature is a string", full, nil, func(r *http.Request) { r.Header.Set("Signature", `sig1="abc"`) }, httpsig.ErrSignature},
		{"created changed", full, nil, edit("Signature-Input", "created=", "created=1"), httpsig.ErrSignature},
		{"expired", full, func(c *httpsign.SignConfig, _ *http.Request) { c.SetExpires(now.Unix() - 600) }, nil, httpsig.ErrSignature},
		{"alg changed", full, nil, edit("Signature-Input", "rsa-v1_5-sha256", "ed25519"), httpsig.ErrSignature},
		{"alg hmac", full, nil, edit("Signature-Input", "rsa-v1_5-sha256", "hmac-sha256"), httpsig.ErrSignature},
		{"A13 other host", full, nil, func(r *http.Request) { r.Host = "other.example" }, httpsig.ErrSignature},
		{"A13 other path", full, nil, func(r *http.Request) { r.RequestURI = "/users/eve/inbox" }, httpsig.ErrSignature},
		{"other query", full, nil, func(r *http.Request) { r.RequestURI = "/users/ada/inbox?a=c" }, httpsig.ErrSignature},
		{"signed date is old", append(full, "date"), func(_ *httpsign.SignConfig, r *http.Request) {
			r.Header.Set("Date", now.Add(-13*time.Hour).Format(http.TimeFormat))
		}, nil, httpsig.ErrSignature},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			req := sign9421(t, tc.fields, tc.sign)
			if tc.edit != nil {
				tc.edit(req)
			}
			if _, err := verify(&ring{cached: &rsaKey().PublicKey}, req, body); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("old by our clock", func(t *testing.T) {
		t.Parallel()
		v := &httpsig.Verifier{Origin: origin, Keys: &ring{cached: &rsaKey().PublicKey}, Now: func() time.Time { return now.Add(2 * time.Hour) }}
		if _, err := v.Verify(t.Context(), sign9421(t, full, nil), body); !errors.Is(err, httpsig.ErrSignature) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Ed25519", func(t *testing.T) {
		t.Parallel()
		req := sign9421With(t, full, nil, func(cfg *httpsign.SignConfig, f httpsign.Fields) (*httpsign.Signer, error) {
			return httpsign.NewEd25519Signer(edKey(), cfg, f)
		})
		if _, err := verify(&ring{cached: edKey().Public()}, req, body); err != nil {
			t.Error(err)
		}
	})
	t.Run("wrong key is asked for afresh once", func(t *testing.T) {
		t.Parallel()
		r := &ring{cached: &rsaKey2().PublicKey, fresh: &rsaKey().PublicKey}
		if _, err := verify(r, sign9421(t, full, nil), body); err != nil || len(r.asked) != 2 {
			t.Errorf("got %v after %v", err, r.asked)
		}
	})
}

func TestKeyID(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]*http.Request{"cavage": post(t), "RFC 9421": sign9421(t, []string{"@method"}, nil)} {
		if got, err := httpsig.KeyID(req); err != nil || got != keyID {
			t.Errorf("%s: %q %v", name, got, err)
		}
	}
	if _, err := httpsig.KeyID(httptest.NewRequest(http.MethodGet, "/", nil)); !errors.Is(err, httpsig.ErrUnsigned) {
		t.Errorf("unsigned: %v", err)
	}
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	encode := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkix := func(key crypto.PublicKey) string {
		text, err := httpsig.FormatPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := &rsaKey().PublicKey
	for name, text := range map[string]string{"PKIX": pkix(good), "PKCS #1": encode("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(good)),
		"with space around": "\n " + pkix(good) + "\n\n", "Ed25519": pkix(edKey().Public())} {
		if _, err := httpsig.ParsePublicKey(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	private, _ := x509.MarshalPKCS8PrivateKey(edKey())
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(new(big.Int).Lsh(good.N, 16384-2048), 0, 1), E: 65537}
	for name, text := range map[string]string{
		"empty": "", "no PEM": "MIIB", "EC": pkix(ecKey(t).Public()), "private": encode("PRIVATE KEY", private),
		"certificate": encode("CERTIFICATE", private), "1024 bits": pkix(&generate(1024).PublicKey), "16384 bits": pkix(huge),
		"exponent 1": pkix(&rsa.PublicKey{N: good.N, E: 1}), "exponent 4": pkix(&rsa.PublicKey{N: good.N, E: 4}),
		"two blocks": pkix(good) + pkix(good), "text behind": pkix(good) + "x", "a megabyte": strings.Repeat("a", 1<<20),
		"not DER": encode("PUBLIC KEY", []byte("hello")),
	} {
		if _, err := httpsig.ParsePublicKey(text); !errors.Is(err, httpsig.ErrWeakKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
