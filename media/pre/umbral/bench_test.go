package umbral

import (
	"crypto/rand"
	"testing"
)

// scene is a 2-of-3 grant of a 32-byte content key, with everything that one of the operations begins from.
type scene struct {
	a, b, s    *SecretKey
	keys       Keys
	plaintext  []byte
	capsule    *Capsule
	ciphertext []byte
	kfrags     []*VerifiedKeyFrag
	cfrags     []*VerifiedCapsuleFrag
}

func newScene(tb testing.TB) *scene {
	tb.Helper()
	key := func() *SecretKey { return must[*SecretKey](tb)(GenerateSecretKey(rand.Reader)) }
	c := &scene{a: key(), b: key(), s: key(), plaintext: make([]byte, 32)}
	c.keys = Keys{Verifying: c.s.PublicKey(), Delegating: c.a.PublicKey(), Receiving: c.b.PublicKey()}
	var err error
	if c.capsule, c.ciphertext, err = Encrypt(rand.Reader, c.keys.Delegating, c.plaintext); err != nil {
		tb.Fatal(err)
	}
	c.kfrags = must[[]*VerifiedKeyFrag](tb)(GenerateKeyFrags(rand.Reader, c.params(2, 3)))
	for _, k := range c.kfrags {
		c.cfrags = append(c.cfrags, must[*VerifiedCapsuleFrag](tb)(Reencrypt(rand.Reader, c.capsule, k)))
	}
	return c
}

func (c *scene) params(threshold, shares int) KeyFragParams {
	return KeyFragParams{
		Delegating: c.a, Receiving: c.keys.Receiving, Signing: c.s, Threshold: threshold, Shares: shares,
	}
}

func (c *scene) decrypt(cfrags ...*VerifiedCapsuleFrag) ([]byte, error) {
	return DecryptReencrypted(DecryptParams{
		Receiving: c.b, Delegating: c.keys.Delegating, Capsule: c.capsule, CapsuleFrags: cfrags, Ciphertext: c.ciphertext,
	})
}

func BenchmarkEncrypt(b *testing.B) {
	c := newScene(b)
	for b.Loop() {
		if _, _, err := Encrypt(rand.Reader, c.keys.Delegating, c.plaintext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGenerateKeyFrags2of3(b *testing.B) {
	c := newScene(b)
	for b.Loop() {
		must[[]*VerifiedKeyFrag](b)(GenerateKeyFrags(rand.Reader, c.params(2, 3)))
	}
}

func BenchmarkParseCapsule(b *testing.B) {
	enc := newScene(b).capsule.Bytes()
	for b.Loop() {
		must[*Capsule](b)(ParseCapsule(enc))
	}
}

func BenchmarkVerifyKeyFrag(b *testing.B) {
	c := newScene(b)
	enc := c.kfrags[0].Bytes()
	for b.Loop() {
		must[*VerifiedKeyFrag](b)(must[*KeyFrag](b)(ParseKeyFrag(enc)).Verify(c.keys))
	}
}

func BenchmarkReencrypt(b *testing.B) {
	c := newScene(b)
	for b.Loop() {
		must[*VerifiedCapsuleFrag](b)(Reencrypt(rand.Reader, c.capsule, c.kfrags[0]))
	}
}

func BenchmarkVerifyCapsuleFrag(b *testing.B) {
	c := newScene(b)
	enc := c.cfrags[0].Bytes()
	for b.Loop() {
		must[*VerifiedCapsuleFrag](b)(must[*CapsuleFrag](b)(ParseCapsuleFrag(enc)).Verify(c.capsule, c.keys))
	}
}

func BenchmarkDecryptReencrypted2of3(b *testing.B) {
	c := newScene(b)
	for b.Loop() {
		must[[]byte](b)(c.decrypt(c.cfrags[:2]...))
	}
}

func BenchmarkDecryptOriginal(b *testing.B) {
	c := newScene(b)
	for b.Loop() {
		must[[]byte](b)(DecryptOriginal(c.a, c.capsule, c.ciphertext))
	}
}
