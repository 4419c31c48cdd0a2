package umbral

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"antiphon/media/pre/secp256k1"
)

// hexBytes is a byte string in lower-case hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := hex.DecodeString(s)
	*h = v
	return err
}

type vectors struct {
	Params struct {
		Compressed hexBytes `json:"u_compressed"`
	} `json:"params"`
	Cases      []vectorCase      `json:"cases"`
	Signatures []vectorSignature `json:"signatures"`
	Negative   []vectorNegative  `json:"negative"`
}

type vectorCase struct {
	Name            string     `json:"name"`
	Threshold       int        `json:"threshold"`
	Shares          int        `json:"shares"`
	SignDelegating  bool       `json:"sign_delegating_key"`
	SignReceiving   bool       `json:"sign_receiving_key"`
	DelegatingSK    hexBytes   `json:"delegating_sk"`
	DelegatingPK    hexBytes   `json:"delegating_pk"`
	ReceivingSK     hexBytes   `json:"receiving_sk"`
	ReceivingPK     hexBytes   `json:"receiving_pk"`
	SigningSK       hexBytes   `json:"signing_sk"`
	VerifyingPK     hexBytes   `json:"verifying_pk"`
	Plaintext       hexBytes   `json:"plaintext"`
	Ciphertext      hexBytes   `json:"ciphertext"`
	CapsuleSimple   hexBytes   `json:"capsule_simple"`
	CapsuleMsgpack  hexBytes   `json:"capsule_msgpack"`
	KFrags          []hexBytes `json:"kfrags_msgpack"`
	CFrags          []hexBytes `json:"cfrags_msgpack"`
	CFragsSimple    []hexBytes `json:"cfrags_simple"`
	DecryptWith     []int      `json:"decrypt_with"`
	Decrypted       hexBytes   `json:"decrypted"`
	KFragMessageSum hexBytes   `json:"kfrag_message_hash_0"`
	RNG             struct {
		Keys      []hexBytes   `json:"keys"`
		Encrypt   []hexBytes   `json:"encrypt"`
		Generate  []hexBytes   `json:"generate_kfrags"`
		Reencrypt [][]hexBytes `json:"reencrypt"`
	} `json:"rng"`
}

type vectorSignature struct {
	SK      hexBytes   `json:"sk"`
	PK      hexBytes   `json:"pk"`
	Message hexBytes   `json:"message"`
	Entropy []hexBytes `json:"entropy"`
	RS      hexBytes   `json:"rs"`
}

type vectorNegative struct {
	Name         string     `json:"name"`
	Op           string     `json:"op"`
	SK           hexBytes   `json:"sk"`
	PK           hexBytes   `json:"pk"`
	Message      hexBytes   `json:"message"`
	RS           hexBytes   `json:"rs"`
	Capsule      hexBytes   `json:"capsule_msgpack"`
	KFrag        hexBytes   `json:"kfrag_msgpack"`
	CFrag        hexBytes   `json:"cfrag_msgpack"`
	CFrags       []hexBytes `json:"cfrags_msgpack"`
	Ciphertext   hexBytes   `json:"ciphertext"`
	DelegatingSK hexBytes   `json:"delegating_sk"`
	DelegatingPK hexBytes   `json:"delegating_pk"`
	ReceivingSK  hexBytes   `json:"receiving_sk"`
	ReceivingPK  hexBytes   `json:"receiving_pk"`
	VerifyingPK  hexBytes   `json:"verifying_pk"`
}

func loadVectors(tb testing.TB) *vectors {
	tb.Helper()
	b, err := os.ReadFile("../testdata/umbral.json")
	if err != nil {
		tb.Fatal(err)
	}
	v := new(vectors)
	if err := json.Unmarshal(b, v); err != nil {
		tb.Fatal(err)
	}
	return v
}

// replay is the recorded randomness. It ends with an error when more is drawn than was recorded.
func replay(draws []hexBytes) *bytes.Reader {
	var all []byte
	for _, d := range draws {
		all = append(all, d...)
	}
	return bytes.NewReader(all)
}

func drained(t *testing.T, r *bytes.Reader, what string) {
	t.Helper()
	if r.Len() != 0 {
		t.Errorf("%s left %d bytes of randomness", what, r.Len())
	}
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Fatalf("%s:\n got %x\nwant %x", what, got, want)
	}
}

func must[T any](tb testing.TB) func(T, error) T {
	return func(v T, err error) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

func TestParameterPoint(t *testing.T) {
	t.Parallel()
	u := secp256k1.Group.HashToElement([]byte(tagParametersMessage), []byte(tagParametersDST))
	derived := must[point](t)(newPoint(u))
	same(t, "U", parameterEncoding[:], derived.enc[:])
	same(t, "U", parameterEncoding[:], loadVectors(t).Params.Compressed)
	if !parameterPoint().e.IsEqual(u) {
		t.Error("U decodes to another point")
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	cases := loadVectors(t).Cases
	if len(cases) != 20 {
		t.Fatalf("%d cases, want 20", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			replayCase(t, c)
		})
	}
}

func replayCase(t *testing.T, c vectorCase) {
	rng := replay(c.RNG.Keys)
	a := must[*SecretKey](t)(GenerateSecretKey(rng))
	b := must[*SecretKey](t)(GenerateSecretKey(rng))
	s := must[*SecretKey](t)(GenerateSecretKey(rng))
	drained(t, rng, "keys")
	same(t, "delegating sk", a.Bytes(), c.DelegatingSK)
	same(t, "receiving sk", b.Bytes(), c.ReceivingSK)
	same(t, "signing sk", s.Bytes(), c.SigningSK)
	same(t, "delegating pk", a.PublicKey().Bytes(), c.DelegatingPK)
	same(t, "receiving pk", b.PublicKey().Bytes(), c.ReceivingPK)
	same(t, "verifying pk", s.PublicKey().Bytes(), c.VerifyingPK)

	rng = replay(c.RNG.Encrypt)
	capsule, ciphertext, err := Encrypt(rng, a.PublicKey(), c.Plaintext)
	if err != nil {
		t.Fatal(err)
	}
	drained(t, rng, "encrypt")
	same(t, "ciphertext", ciphertext, c.Ciphertext)
	same(t, "capsule", capsule.Bytes(), c.CapsuleSimple)
	same(t, "capsule, MessagePack", capsule.MessagePack(), c.CapsuleMsgpack)
	parsed := must[*Capsule](t)(ParseCapsule(c.CapsuleSimple))
	if !parsed.Equal(must[*Capsule](t)(ParseCapsuleMessagePack(c.CapsuleMsgpack))) || !parsed.Equal(capsule) {
		t.Error("the capsule's two encodings differ")
	}
	same(t, "original", must[[]byte](t)(DecryptOriginal(a, parsed, ciphertext)), c.Plaintext)

	rng = replay(c.RNG.Generate)
	kfrags := must[[]*VerifiedKeyFrag](t)(GenerateKeyFrags(rng, KeyFragParams{
		Delegating: a, Receiving: b.PublicKey(), Signing: s, Threshold: c.Threshold, Shares: c.Shares,
		OmitDelegatingKey: !c.SignDelegating, OmitReceivingKey: !c.SignReceiving,
	}))
	drained(t, rng, "kfrags")
	keys := Keys{Verifying: s.PublicKey(), Delegating: a.PublicKey(), Receiving: b.PublicKey()}
	cfrags := make([]*VerifiedCapsuleFrag, len(kfrags))
	for i, made := range kfrags {
		same(t, "kfrag", made.Bytes(), c.KFrags[i])
		received := must[*KeyFrag](t)(ParseKeyFrag(c.KFrags[i]))
		same(t, "kfrag read", received.Bytes(), c.KFrags[i])
		_, err := received.Verify(keys)
		if bound := c.SignDelegating && c.SignReceiving; bound && err != nil || !bound && !errors.Is(err, ErrUnbound) {
			t.Fatalf("verify kfrag, bound %v: %v", bound, err)
		}
		verified := must[*VerifiedKeyFrag](t)(received.VerifyAsFlagged(keys))

		rng = replay(c.RNG.Reencrypt[i])
		cfrag := must[*VerifiedCapsuleFrag](t)(Reencrypt(rng, parsed, verified))
		drained(t, rng, "re-encrypt")
		same(t, "cfrag", cfrag.Bytes(), c.CFragsSimple[i])
		same(t, "cfrag, MessagePack", cfrag.MessagePack(), c.CFrags[i])
		simple := must[*CapsuleFrag](t)(ParseCapsuleFrag(c.CFragsSimple[i]))
		packed := must[*CapsuleFrag](t)(ParseCapsuleFragMessagePack(c.CFrags[i]))
		same(t, "cfrag read", packed.Bytes(), simple.Bytes())
		cfrags[i] = must[*VerifiedCapsuleFrag](t)(packed.Verify(parsed, keys))
	}
	if c.KFragMessageSum != nil {
		f := kfrags[0].f
		sum := sha256.Sum256(fragMessage(f.id, f.commitment, f.precursor, keys.Delegating, keys.Receiving))
		same(t, "kfrag message", sum[:], c.KFragMessageSum)
	}

	var chosen []*VerifiedCapsuleFrag
	for _, i := range c.DecryptWith {
		chosen = append(chosen, cfrags[i])
	}
	for _, use := range [][]*VerifiedCapsuleFrag{chosen, cfrags} {
		got := must[[]byte](t)(DecryptReencrypted(DecryptParams{
			Receiving: b, Delegating: a.PublicKey(), Capsule: parsed, CapsuleFrags: use, Ciphertext: ciphertext,
		}))
		same(t, "decrypted", got, c.Decrypted)
	}
}

func TestSignatureVectors(t *testing.T) {
	t.Parallel()
	for _, v := range loadVectors(t).Signatures {
		sk := must[*SecretKey](t)(ParseSecretKey(v.SK))
		same(t, "public key", sk.PublicKey().Bytes(), v.PK)
		sig := must[*Signature](t)(sk.Sign(replay(v.Entropy), v.Message))
		same(t, "signature", sig.Bytes(), v.RS)
		if err := sk.PublicKey().Verify(v.Message, must[*Signature](t)(ParseSignature(v.RS))); err != nil {
			t.Error(err)
		}
		if err := sk.PublicKey().Verify(append(v.Message, 0), sig); !errors.Is(err, ErrSignature) {
			t.Errorf("another message: %v", err)
		}
	}
}

// TestNegativeVectors refuses all 53, also the five that the reference accepts: the one it means to accept has a
// changed signature for the receiver, which a proxy that checks both signatures sees.
func TestNegativeVectors(t *testing.T) {
	t.Parallel()
	negatives := loadVectors(t).Negative
	if len(negatives) != 53 {
		t.Fatalf("%d negatives, want 53", len(negatives))
	}
	classes := []error{
		ErrEncoding, ErrCapsule, ErrSignature, ErrCommitment, ErrProof, ErrKeys, ErrUnbound, ErrFragments, ErrOpen,
		ErrCiphertext,
	}
	for _, n := range negatives {
		t.Run(n.Op+"/"+n.Name, func(t *testing.T) {
			t.Parallel()
			err := n.run()
			if err == nil {
				t.Fatal("accepted")
			}
			for _, class := range classes {
				if errors.Is(err, class) {
					return
				}
			}
			t.Errorf("error of no class: %v", err)
		})
	}
}

func (n vectorNegative) run() error {
	switch n.Op {
	case "capsule_decode":
		_, err := ParseCapsuleMessagePack(n.Capsule)
		return err
	case "kfrag_verify":
		f, err := ParseKeyFrag(n.KFrag)
		if err != nil {
			return err
		}
		_, err = f.VerifyAsFlagged(n.keys())
		return err
	case "cfrag_verify":
		f, err := ParseCapsuleFragMessagePack(n.CFrag)
		if err != nil {
			return err
		}
		capsule, err := ParseCapsuleMessagePack(n.Capsule)
		if err != nil {
			return errors.New("the vector's capsule is not what is wrong with it")
		}
		_, err = f.Verify(capsule, n.keys())
		return err
	case "decrypt_reencrypted":
		return n.decrypt()
	case "decrypt_original":
		a, err := ParseSecretKey(n.DelegatingSK)
		if err != nil {
			return err
		}
		capsule, err := ParseCapsuleMessagePack(n.Capsule)
		if err != nil {
			return err
		}
		_, err = DecryptOriginal(a, capsule, n.Ciphertext)
		return err
	case "sk_decode":
		_, err := ParseSecretKey(n.SK)
		return err
	case "pk_decode":
		_, err := ParsePublicKey(n.PK)
		return err
	case "sig_verify":
		sig, err := ParseSignature(n.RS)
		if err != nil {
			return err
		}
		pk, err := ParsePublicKey(n.PK)
		if err != nil {
			return err
		}
		return pk.Verify(n.Message, sig)
	}
	return errors.New("unknown op " + n.Op)
}

func (n vectorNegative) keys() Keys {
	var k Keys
	k.Verifying, _ = ParsePublicKey(n.VerifyingPK)
	k.Delegating, _ = ParsePublicKey(n.DelegatingPK)
	k.Receiving, _ = ParsePublicKey(n.ReceivingPK)
	return k
}

func (n vectorNegative) decrypt() error {
	b, err := ParseSecretKey(n.ReceivingSK)
	if err != nil {
		return err
	}
	a, err := ParsePublicKey(n.DelegatingPK)
	if err != nil {
		return err
	}
	capsule, err := ParseCapsuleMessagePack(n.Capsule)
	if err != nil {
		return err
	}
	var frags []*VerifiedCapsuleFrag
	for _, enc := range n.CFrags {
		f, err := ParseCapsuleFragMessagePack(enc)
		if err != nil {
			return err
		}
		frags = append(frags, &VerifiedCapsuleFrag{f.f}) // what the vector tests is the opening
	}
	_, err = DecryptReencrypted(DecryptParams{
		Receiving: b, Delegating: a, Capsule: capsule, CapsuleFrags: frags, Ciphertext: n.Ciphertext,
	})
	return err
}
