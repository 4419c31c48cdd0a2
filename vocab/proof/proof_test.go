package proof_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/proof"
)

const (
	ada    = "https://music.example/users/ada"
	adaKey = ada + "#ed25519-1"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

func receipt() map[string]any {
	return map[string]any{
		"@context": vocab.Context(vocab.KindReceipt), "id": "https://music.example/receipts/1",
		"type": []any{"Receipt", "Document"}, "attributedTo": ada, "to": "https://other.example/users/lin",
		"product": "https://music.example/products/9", "version": 3, "ground": "payment", "amount": "5000000",
		"decimals": 6, "paidAt": "2026-11-20T12:00:00Z",
	}
}

func resolver(t *testing.T) proof.Resolver {
	return func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Signer != ada || c.VerificationMethod != adaKey || c.Kind != vocab.KindReceipt {
			t.Errorf("resolve %+v", c)
		}
		return testKey().Public().(ed25519.PublicKey), nil
	}
}

func mustSign(t *testing.T, object map[string]any) []byte {
	t.Helper()
	_, raw, err := proof.Sign(object, testKey(), adaKey, now)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	object := receipt()
	raw := mustSign(t, object)
	if _, ok := object["proof"]; ok {
		t.Error("Sign changed its argument")
	}
	v, err := proof.Verify(raw, resolver(t), now)
	if err != nil {
		t.Fatal(err)
	}
	if v.Kind != vocab.KindReceipt || v.Signer != ada || !v.Created.Equal(now) || !bytes.Equal(v.Raw, raw) {
		t.Errorf("verified %+v", v)
	}

	// Another server may write the same object with other white space and another order.
	var indented bytes.Buffer
	if err := json.Indent(&indented, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	if _, err := proof.Verify(indented.Bytes(), resolver(t), now); err != nil {
		t.Errorf("indented: %v", err)
	}
}

func TestFrozenReceipt(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/receipt.json")
	if err != nil {
		t.Fatal(err)
	}
	if got := mustSign(t, receipt()); string(got) != strings.TrimSpace(string(want)) {
		t.Errorf("signed:\n%s\nwant:\n%s", got, want)
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	edit := func(change func(object, p map[string]any)) []byte {
		object, err := jsonld.Parse(mustSign(t, receipt()))
		if err != nil {
			t.Fatal(err)
		}
		change(object, object["proof"].(map[string]any))
		raw, err := jsonld.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := string(mustSign(t, receipt()))
	cases := []struct {
		name string
		raw  []byte
		want error
	}{
		{"changed amount", edit(func(o, _ map[string]any) { o["amount"] = "1" }), proof.ErrSignature},
		{"added known term", edit(func(o, _ map[string]any) { o["provider"] = "raiden" }), proof.ErrSignature},
		{"missing term", edit(func(o, _ map[string]any) { delete(o, "to") }), proof.ErrSignature},
		{"earlier time", edit(func(_, p map[string]any) { p["created"] = "2026-11-19T12:00:00Z" }), proof.ErrSignature},
		{"other key of the host", edit(func(_, p map[string]any) { p["proofValue"] = "z" + strings.Repeat("1", 64) }), proof.ErrSignature},
		{"unlisted term", edit(func(o, _ map[string]any) { o["discount"] = "1" }), proof.ErrForm},
		{"unlisted term within", edit(func(o, _ map[string]any) { o["to"] = []any{map[string]any{"discount": "1"}} }), proof.ErrForm},
		{"@id within", edit(func(o, _ map[string]any) { o["to"] = map[string]any{"@id": "x"} }), proof.ErrForm},
		{"context within", edit(func(o, _ map[string]any) { o["to"] = map[string]any{"@context": "x"} }), proof.ErrForm},
		{"no proof", edit(func(o, _ map[string]any) { delete(o, "proof") }), proof.ErrForm},
		{"two proofs", edit(func(o, p map[string]any) { o["proof"] = []any{p, p} }), proof.ErrForm},
		{"one proof in an array", edit(func(o, p map[string]any) { o["proof"] = []any{p} }), proof.ErrForm},
		{"context of another kind", edit(func(o, p map[string]any) {
			o["@context"], p["@context"] = vocab.Context(vocab.KindAccessGrant), vocab.Context(vocab.KindAccessGrant)
		}), proof.ErrForm},
		{"context that redefines", edit(func(o, p map[string]any) {
			c := vocab.Context(vocab.KindReceipt)
			c[2].(map[string]any)["amount"] = "https://evil.example/nothing"
			o["@context"], p["@context"] = c, c
		}), proof.ErrForm},
		{"context of the proof differs", edit(func(_, p map[string]any) { p["@context"] = vocab.ActivityStreams }), proof.ErrForm},
		{"no context of the proof", edit(func(_, p map[string]any) { delete(p, "@context") }), proof.ErrForm},
		{"extra member of the proof", edit(func(_, p map[string]any) { p["domain"] = "x" }), proof.ErrForm},
		{"other type", edit(func(_, p map[string]any) { p["type"] = "Ed25519Signature2020" }), proof.ErrForm},
		{"other suite", edit(func(_, p map[string]any) { p["cryptosuite"] = "eddsa-rdfc-2022" }), proof.ErrForm},
		{"other purpose", edit(func(_, p map[string]any) { p["proofPurpose"] = "authentication" }), proof.ErrForm},
		{"key on another host", edit(func(_, p map[string]any) { p["verificationMethod"] = "https://evil.example/#k" }), proof.ErrForm},
		{"key is a did:key", edit(func(_, p map[string]any) { p["verificationMethod"] = "did:key:z6Mk" }), proof.ErrForm},
		{"time with an offset", edit(func(_, p map[string]any) { p["created"] = "2026-11-20T12:00:00+00:00" }), proof.ErrForm},
		{"time in the future", edit(func(_, p map[string]any) { p["created"] = "2026-11-20T12:05:01Z" }), proof.ErrForm},
		{"signature of 63 bytes", edit(func(_, p map[string]any) { p["proofValue"] = "z" + strings.Repeat("1", 63) }), proof.ErrForm},
		{"signature in base64", edit(func(_, p map[string]any) { p["proofValue"] = "u" + strings.Repeat("A", 86) }), proof.ErrForm},
		{"signature is long", edit(func(_, p map[string]any) { p["proofValue"] = "z" + strings.Repeat("2", 100_000) }), proof.ErrForm},
		{"signature is a number", edit(func(_, p map[string]any) { p["proofValue"] = 1 }), proof.ErrForm},
		{"no signer", edit(func(o, _ map[string]any) { delete(o, "attributedTo") }), proof.ErrForm},
		{"signer in an array", edit(func(o, _ map[string]any) { o["attributedTo"] = []any{ada} }), proof.ErrForm},
		{"id on another host", edit(func(o, _ map[string]any) { o["id"] = "https://other.example/receipts/1" }), proof.ErrForm},
		{"type is unsigned", edit(func(o, _ map[string]any) { o["type"] = "Note" }), proof.ErrForm},
		{"type is unknown", edit(func(o, _ map[string]any) { o["type"] = []any{"Voucher", "Document"} }), proof.ErrForm},
		{"no type", edit(func(o, _ map[string]any) { delete(o, "type") }), proof.ErrForm},
		{"fraction", []byte(strings.Replace(good, `"version":3`, `"version":3.5`, 1)), jsonld.ErrMalformed},
		{"exponent of the same value", []byte(strings.Replace(good, `"version":3`, `"version":3e0`, 1)), jsonld.ErrMalformed},
		{"amount twice", []byte(strings.Replace(good, `"version":3`, `"version":3,"amount":"1"`, 1)), jsonld.ErrMalformed},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			keys := 0
			resolve := func(proof.Claim) (ed25519.PublicKey, error) {
				keys++
				return testKey().Public().(ed25519.PublicKey), nil
			}
			if _, err := proof.Verify(tc.raw, resolve, now); !errors.Is(err, tc.want) {
				t.Errorf("Verify: %v, want %v", err, tc.want)
			}
			if keys > 1 {
				t.Errorf("key asked for %d times", keys)
			}
		})
	}
}

func TestVerifyAsksForTheKey(t *testing.T) {
	t.Parallel()
	unknown := errors.New("no such key")
	raw := mustSign(t, receipt())
	if _, err := proof.Verify(raw, func(proof.Claim) (ed25519.PublicKey, error) { return nil, unknown }, now); !errors.Is(err, unknown) {
		t.Errorf("Verify: %v", err)
	}
	other := func(proof.Claim) (ed25519.PublicKey, error) {
		return ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey), nil
	}
	if _, err := proof.Verify(raw, other, now); !errors.Is(err, proof.ErrSignature) {
		t.Errorf("re-signed with another key: %v", err)
	}
	empty := func(proof.Claim) (ed25519.PublicKey, error) { return nil, nil }
	if _, err := proof.Verify(raw, empty, now); !errors.Is(err, proof.ErrForm) {
		t.Errorf("empty key: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	signed, _, err := proof.Sign(receipt(), testKey(), adaKey, now)
	if err != nil {
		t.Fatal(err)
	}
	unlisted := receipt()
	unlisted["discount"] = "1"
	fraction := receipt()
	fraction["version"] = 0.5
	for name, sign := range map[string]func() error{
		"signed already": func() error { _, _, err := proof.Sign(signed, testKey(), adaKey, now); return err },
		"unlisted term":  func() error { _, _, err := proof.Sign(unlisted, testKey(), adaKey, now); return err },
		"fraction":       func() error { _, _, err := proof.Sign(fraction, testKey(), adaKey, now); return err },
		"foreign key":    func() error { _, _, err := proof.Sign(receipt(), testKey(), "https://x.example/#k", now); return err },
		"no key":         func() error { _, _, err := proof.Sign(receipt(), nil, adaKey, now); return err },
	} {
		if err := sign(); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	_, raw, err := proof.Sign(receipt(), testKey(), adaKey, now)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"type":["Receipt"],"proof":{}}`))
	key := testKey().Public().(ed25519.PublicKey)
	want := receipt()
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, err := proof.Verify(raw, func(proof.Claim) (ed25519.PublicKey, error) { return key, nil }, now)
		if err == nil && v.Object["amount"] != want["amount"] {
			t.Errorf("another object passed: %s", raw)
		}
	})
}
