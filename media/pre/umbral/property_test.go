package umbral

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cloudflare/circl/group"
	"pgregory.net/rapid"
)

func TestOpenReencryptSeal(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		// Keys come from crypto/rand: rapid likes zeros, and with them keys that are refused with reason.
		key := func() *SecretKey {
			k, err := GenerateSecretKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			return k
		}
		a, b, s := key(), key(), key()
		keys := Keys{Verifying: s.PublicKey(), Delegating: a.PublicKey(), Receiving: b.PublicKey()}
		plaintext := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "plaintext")
		shares := rapid.IntRange(1, 6).Draw(t, "shares")
		threshold := rapid.IntRange(1, shares).Draw(t, "threshold")

		capsule, ciphertext, err := Encrypt(rand.Reader, keys.Delegating, plaintext)
		if err != nil || len(ciphertext) != len(plaintext)+CiphertextOverhead {
			t.Fatalf("%d bytes, %v", len(ciphertext), err)
		}
		kfrags, err := GenerateKeyFrags(rand.Reader, KeyFragParams{
			Delegating: a, Receiving: keys.Receiving, Signing: s, Threshold: threshold, Shares: shares,
		})
		if err != nil || len(kfrags) != shares {
			t.Fatalf("%d kfrags, %v", len(kfrags), err)
		}
		var cfrags []*VerifiedCapsuleFrag
		for _, made := range kfrags {
			received, err := ParseKeyFrag(made.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			kfrag, err := received.Verify(keys)
			if err != nil {
				t.Fatal(err)
			}
			made, err := Reencrypt(rand.Reader, capsule, kfrag)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := ParseCapsuleFrag(made.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			cfrag, err := answer.Verify(capsule, keys)
			if err != nil {
				t.Fatal(err)
			}
			cfrags = append(cfrags, cfrag)
		}
		cfrags = rapid.Permutation(cfrags).Draw(t, "order")
		count := rapid.IntRange(0, shares).Draw(t, "count")
		got, err := DecryptReencrypted(DecryptParams{
			Receiving: b, Delegating: keys.Delegating, Capsule: capsule, CapsuleFrags: cfrags[:count], Ciphertext: ciphertext,
		})
		switch {
		case count == 0:
			if !errors.Is(err, ErrFragments) {
				t.Fatalf("opened with no cfrags: %v", err)
			}
		case count < threshold:
			if !errors.Is(err, ErrOpen) {
				t.Fatalf("opened with %d of %d: %v", count, threshold, err)
			}
		case err != nil || !bytes.Equal(got, plaintext):
			t.Fatalf("opened %x, %v, want %x", got, err, plaintext)
		}
	})
}

// TestEveryByteMatters changes each byte of each object, one at a time.
func TestEveryByteMatters(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	check := func(name string, enc []byte, accept func([]byte) error) {
		t.Helper()
		if err := accept(enc); err != nil {
			t.Fatalf("%s unchanged: %v", name, err)
		}
		for i := range enc {
			for _, by := range []byte{1, 0x80, 0xff} {
				changed := bytes.Clone(enc)
				changed[i] ^= by
				if accept(changed) == nil {
					t.Errorf("%s: byte %d changed by %#x is accepted", name, i, by)
				}
			}
		}
		for n := range enc {
			if err := accept(enc[:n]); err == nil {
				t.Errorf("%s: %d bytes are accepted", name, n)
			}
		}
		if accept(append(bytes.Clone(enc), 0)) == nil {
			t.Errorf("%s: a trailing byte is accepted", name)
		}
	}
	check("capsule", c.capsule.Bytes(), func(b []byte) error {
		_, err := ParseCapsule(b)
		return err
	})
	check("capsule, MessagePack", c.capsule.MessagePack(), func(b []byte) error {
		_, err := ParseCapsuleMessagePack(b)
		return err
	})
	check("kfrag", c.kfrags[0].Bytes(), func(b []byte) error {
		f, err := ParseKeyFrag(b)
		if err != nil {
			return err
		}
		_, err = f.Verify(c.keys)
		return err
	})
	check("cfrag", c.cfrags[0].Bytes(), func(b []byte) error {
		f, err := ParseCapsuleFrag(b)
		if err != nil {
			return err
		}
		_, err = f.Verify(c.capsule, c.keys)
		return err
	})
	check("ciphertext", c.ciphertext, func(b []byte) error {
		_, err := DecryptOriginal(c.a, c.capsule, b)
		return err
	})
}

// TestProofEquations forges proofs in which only some of the three equations hold; they are checked as one sum.
func TestProofEquations(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	other := newScene(t)
	for name, forge := range map[string]func(f *capsuleFrag){
		"E":  func(f *capsuleFrag) { f.e1 = other.cfrags[0].f.e1 },
		"V":  func(f *capsuleFrag) { f.v1 = other.cfrags[0].f.v1 },
		"E2": func(f *capsuleFrag) { f.proof.e2 = other.cfrags[0].f.proof.e2 },
		"V2": func(f *capsuleFrag) { f.proof.v2 = other.cfrags[0].f.proof.v2 },
		"U2": func(f *capsuleFrag) { f.proof.u2 = other.cfrags[0].f.proof.u2 },
		"E2 and V2, off by opposite points": func(f *capsuleFrag) {
			g := curve.Generator()
			f.proof.e2 = must[point](t)(newPoint(curve.NewElement().Add(f.proof.e2.e, g)))
			f.proof.v2 = must[point](t)(newPoint(curve.NewElement().Add(f.proof.v2.e, curve.NewElement().Neg(g))))
		},
		"z": func(f *capsuleFrag) { f.proof.z = curve.NewScalar().Add(f.proof.z, curve.NewScalar().SetUint64(1)) },
	} {
		f := c.cfrags[0].f
		forge(&f)
		if _, err := (&CapsuleFrag{f}).Verify(c.capsule, c.keys); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (&CapsuleFrag{c.cfrags[0].f}).Verify(other.capsule, c.keys); !errors.Is(err, ErrProof) {
		t.Errorf("another capsule: %v", err)
	}
}

// TestCollusion documents the scheme's limit: threshold many proxies and the receiver together compute the delegating
// secret key. It is why every product has a delegating key of its own, and why a new version is sealed to a new one.
func TestCollusion(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	x := c.kfrags[0].f.precursor
	shared := sharedSecret{precursor: x, receiving: c.b.public.p, dh: must[point](t)(mulPoint(c.b.k, x))}
	recover := func(colluding ...*VerifiedKeyFrag) group.Scalar {
		var arguments []group.Scalar
		for _, k := range colluding {
			arguments = append(arguments, shared.argument(k.f.id))
		}
		sum := curve.NewScalar()
		for i, lambda := range must[[]group.Scalar](t)(lagrange(arguments)) {
			sum.Add(sum, lambda.Mul(lambda, colluding[i].f.key))
		}
		return sum.Mul(sum, shared.scalar())
	}
	if !recover(c.kfrags[1], c.kfrags[2]).IsEqual(c.a.k) {
		t.Error("two proxies and the receiver do not recover a: the comment in doc.go is wrong")
	}
	if recover(c.kfrags[0]).IsEqual(c.a.k) {
		t.Error("one proxy of a threshold of two and the receiver recover a")
	}
}

func TestFragmentsThatDoNotFit(t *testing.T) {
	t.Parallel()
	c, other := newScene(t), newScene(t)
	again := must[[]*VerifiedKeyFrag](t)(GenerateKeyFrags(rand.Reader, c.params(2, 2)))
	second := must[*VerifiedCapsuleFrag](t)(Reencrypt(rand.Reader, c.capsule, again[0]))
	foreign := must[*VerifiedCapsuleFrag](t)(Reencrypt(rand.Reader, other.capsule, c.kfrags[1]))
	for _, tc := range []struct {
		name   string
		cfrags []*VerifiedCapsuleFrag
		want   error
	}{
		{"none", nil, ErrFragments},
		{"too few", c.cfrags[:1], ErrOpen},
		{"one twice", []*VerifiedCapsuleFrag{c.cfrags[0], c.cfrags[0]}, ErrFragments},
		{"of two sets", []*VerifiedCapsuleFrag{c.cfrags[0], second}, ErrFragments},
		{"of two capsules", []*VerifiedCapsuleFrag{c.cfrags[0], foreign}, ErrOpen},
	} {
		if _, err := c.decrypt(tc.cfrags...); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestGenerateRefuses(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	g := must[point](t)(newPoint(curve.Generator()))
	for _, tc := range []struct {
		name   string
		change func(*KeyFragParams)
		want   error
	}{
		{"threshold 0", func(p *KeyFragParams) { p.Threshold = 0 }, ErrThreshold},
		{"threshold above shares", func(p *KeyFragParams) { p.Threshold = 4 }, ErrThreshold},
		{"negative", func(p *KeyFragParams) { p.Threshold, p.Shares = -1, -1 }, ErrThreshold},
		{"too many", func(p *KeyFragParams) { p.Shares = MaxShares + 1 }, ErrThreshold},
		{"no delegating key", func(p *KeyFragParams) { p.Delegating = nil }, ErrKeys},
		{"no receiving key", func(p *KeyFragParams) { p.Receiving = nil }, ErrKeys},
		{"no signing key", func(p *KeyFragParams) { p.Signing = nil }, ErrKeys},
		{"signs with the delegating key", func(p *KeyFragParams) { p.Signing = p.Delegating }, ErrKeys},
		{"receiver is the delegator", func(p *KeyFragParams) { p.Receiving = p.Delegating.PublicKey() }, ErrKeys},
		{"receiver is the signer", func(p *KeyFragParams) { p.Receiving = p.Signing.PublicKey() }, ErrKeys},
		{"receiver is G", func(p *KeyFragParams) { p.Receiving = &PublicKey{g} }, ErrKeys},
		{"receiver is U", func(p *KeyFragParams) { p.Receiving = &PublicKey{parameterPoint()} }, ErrKeys},
	} {
		p := c.params(2, 3)
		tc.change(&p)
		if _, err := GenerateKeyFrags(rand.Reader, p); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	short := bytes.NewReader(make([]byte, 40))
	if _, err := GenerateKeyFrags(short, c.params(2, 3)); err == nil {
		t.Error("kfrags without randomness")
	}
}

// TestIdentityCapsule: anyone can make V = -E pass the equation, and the key of such a capsule would be the identity.
func TestIdentityCapsule(t *testing.T) {
	t.Parallel()
	r := must[group.Scalar](t)(drawScalar(rand.Reader))
	e := must[point](t)(mulGen(r))
	v := must[point](t)(newPoint(curve.NewElement().Neg(e.e)))
	c := newCapsule(e, v, curve.NewScalar())
	c.s.Sub(c.s.Mul(r, c.hash()), r)
	if _, err := ParseCapsule(newCapsule(e, v, c.s).Bytes()); !errors.Is(err, ErrCapsule) {
		t.Errorf("accepted: %v", err)
	}
}

func TestSecretsAreRedacted(t *testing.T) {
	t.Parallel()
	c := newScene(t)
	received := must[*KeyFrag](t)(ParseKeyFrag(c.kfrags[0].Bytes()))
	share := encodeScalar(received.f.key)
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, secret := range []any{c.a, received, c.kfrags[0]} {
		log.Info("made", "value", secret)
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%d", "%s", "%q"} {
			fmt.Fprintf(&out, verb, secret)
		}
	}
	for _, secret := range [][]byte{c.a.Bytes(), share[:]} {
		if shown := out.String(); strings.Contains(shown, hex.EncodeToString(secret)) || strings.Contains(shown, fmt.Sprint(secret)) {
			t.Errorf("a secret was printed: %s", shown)
		}
	}
	if got := strings.Count(out.String(), "[redacted]"); got != 3*8 {
		t.Errorf("%d redactions, want 24", got)
	}
}
