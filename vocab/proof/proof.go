// Package proof signs objects and checks their signatures: the integrity proofs of FEP-8b32 with the cryptosuite
// eddsa-jcs-2022, in the one strict form that Antiphon's signed objects have.
//
//	object ── without proof ──────────────── JCS ── SHA-256 ──┐ 32 bytes
//	proof ─── without proofValue ─────────── JCS ── SHA-256 ──┴ 32 bytes, first
//	                                                          └── Ed25519 ── "z" + base58btc ── proofValue
//
// The proof lies in the object, and repeats its @context. A signed object is one of the kinds of package vocab with
// exactly that kind's context, because a context of one's own could give the signed words another meaning. What is
// signed is the final map and what is checked are the received bytes: nothing may rewrite the object in between.
//
// It does not know whose key is whose: Verify asks a Resolver. It is not for proofs of other software's objects.
//
// Begin with Sign and Verify.
package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/mr-tron/base58"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

const (
	proofType   = "DataIntegrityProof"
	cryptosuite = "eddsa-jcs-2022"
	purpose     = "assertionMethod"
	timeLayout  = "2006-01-02T15:04:05Z"

	// Skew is how far in the future a proof's time may lie.
	Skew = 5 * time.Minute
)

var (
	// ErrForm says that the object or its proof does not have the form that is accepted; no key was asked for.
	ErrForm = errors.New("signed object has not the right form")
	// ErrSignature says that the signature is wrong.
	ErrSignature = errors.New("proof is not valid")
)

// Claim is what an object says about who signed it, before that is known to be true.
type Claim struct {
	Kind vocab.Kind
	// Signer is the URI in attributedTo, or in actor for a KeyLink.
	Signer string
	// VerificationMethod is the URI of the key, on the host of Signer.
	VerificationMethod string
}

// Resolver finds the key of a claim. It must return a key only if Signer's own document lists VerificationMethod
// with Signer as its controller: in assertionMethod, or among the requesting keys for a KeyLink and for the
// Agreement of a listener. Its error ends Verify and can be seen through errors.Is.
type Resolver func(Claim) (ed25519.PublicKey, error)

// Verified is an object whose proof is good.
type Verified struct {
	Claim
	// Created is the time in the proof.
	Created time.Time
	// Raw is what was checked, byte for byte: this is what is stored.
	Raw []byte
	// Object is Raw as a map. Changing it changes nothing in Raw.
	Object map[string]any
}

// Sign returns object with a proof in it, as a map and as the bytes to send. The object must be of a signed kind,
// with its context, its signer in attributedTo, and a key URI on the signer's host; what Verify would refuse is not
// signed. object itself is not changed.
func Sign(object map[string]any, key ed25519.PrivateKey, verificationMethod string, created time.Time) (map[string]any, []byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("sign: key of %d bytes: %w", len(key), ErrForm)
	}
	if _, ok := object["proof"]; ok {
		return nil, nil, fmt.Errorf("sign: object has a proof: %w", ErrForm)
	}
	p := map[string]any{
		"@context": object["@context"], "type": proofType, "cryptosuite": cryptosuite, "proofPurpose": purpose,
		"verificationMethod": verificationMethod, "created": created.UTC().Format(timeLayout),
	}
	hash, err := hashData(object, p)
	if err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	p["proofValue"] = "z" + base58.Encode(ed25519.Sign(key, hash))
	signed := maps.Clone(object)
	signed["proof"] = p
	raw, err := jsonld.Marshal(signed)
	if err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	own := func(Claim) (ed25519.PublicKey, error) { return key.Public().(ed25519.PublicKey), nil }
	if _, err := Verify(raw, own, created); err != nil {
		return nil, nil, fmt.Errorf("sign: %w", err)
	}
	return signed, raw, nil
}

// Verify checks the one proof of raw at the time now. Everything that needs no key is checked before resolve is
// called, once. The error is ErrForm, ErrSignature, one of jsonld's, or what resolve returned.
func Verify(raw []byte, resolve Resolver, now time.Time) (Verified, error) {
	object, err := jsonld.ParseSigned(raw)
	if err != nil {
		return Verified{}, fmt.Errorf("verify proof: %w", err)
	}
	v := Verified{Raw: raw, Object: object}
	if v.Claim, err = readClaim(object); err != nil {
		return Verified{}, fmt.Errorf("verify proof: %w", err)
	}
	p, err := readProof(object, &v)
	if err != nil {
		return Verified{}, fmt.Errorf("verify proof: %w", err)
	}
	if v.Created.After(now.Add(Skew)) {
		return Verified{}, fmt.Errorf("verify proof: created %s, in the future: %w", v.Created, ErrForm)
	}
	key, err := resolve(v.Claim)
	if err != nil {
		return Verified{}, fmt.Errorf("verify proof: key %s: %w", v.VerificationMethod, err)
	}
	if err := check(object, p, key); err != nil {
		return Verified{}, fmt.Errorf("verify proof of %s: %w", v.Signer, err)
	}
	return v, nil
}

// readClaim looks at everything but the proof.
func readClaim(object map[string]any) (Claim, error) {
	kind, ok := vocab.SignedKind(object)
	if !ok {
		return Claim{}, fmt.Errorf("type %.100v is not a signed kind: %w", object["type"], ErrForm)
	}
	if !vocab.IsContext(kind, object["@context"]) {
		return Claim{}, fmt.Errorf("@context is not that of %s: %w", kind, ErrForm)
	}
	by := "attributedTo"
	if kind == vocab.KindKeyLink {
		by = "actor"
	}
	signer, _ := object[by].(string)
	if signer == "" {
		return Claim{}, fmt.Errorf("no %s: %w", by, ErrForm)
	}
	if id, ok := object["id"]; ok {
		if s, _ := id.(string); !vocab.SameOrigin(s, signer) {
			return Claim{}, fmt.Errorf("id %.100v is not on the host of %s: %w", id, signer, ErrForm)
		}
	}
	for name, value := range object {
		if name == "@context" || name == "proof" {
			continue
		}
		if err := checkTerms(kind, name, value); err != nil {
			return Claim{}, err
		}
	}
	return Claim{Kind: kind, Signer: signer}, nil
}

// checkTerms refuses, at any depth, what the context does not define, and contexts and proofs below the first level.
func checkTerms(kind vocab.Kind, name string, value any) error {
	if name == "@context" || name == "proof" || !vocab.HasTerm(kind, name) {
		return fmt.Errorf("%.60q is not a term of %s: %w", name, kind, ErrForm)
	}
	switch value := value.(type) {
	case map[string]any:
		for n, v := range value {
			if err := checkTerms(kind, n, v); err != nil {
				return err
			}
		}
	case []any:
		for _, v := range value {
			if err := checkTerms(kind, name, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// readProof looks at the proof and fills in what it says.
func readProof(object map[string]any, v *Verified) (map[string]any, error) {
	p, ok := object["proof"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("not exactly one proof: %w", ErrForm)
	}
	const members = 7
	if len(p) != members || p["type"] != proofType || p["cryptosuite"] != cryptosuite || p["proofPurpose"] != purpose {
		return nil, fmt.Errorf("not a proof of %s: %w", cryptosuite, ErrForm)
	}
	if !reflect.DeepEqual(p["@context"], object["@context"]) {
		return nil, fmt.Errorf("@context of the proof is another: %w", ErrForm)
	}
	method, _ := p["verificationMethod"].(string)
	if !vocab.SameOrigin(method, v.Signer) {
		return nil, fmt.Errorf("key %.100q is not on the host of %s: %w", method, v.Signer, ErrForm)
	}
	text, _ := p["created"].(string)
	created, err := time.Parse(timeLayout, text)
	if err != nil || len(text) != len(timeLayout) {
		return nil, fmt.Errorf("created %.40q: %w", text, ErrForm)
	}
	v.VerificationMethod, v.Created = method, created
	return p, nil
}

// check verifies the signature and nothing else.
func check(object, p map[string]any, key ed25519.PublicKey) error {
	// 64 bytes are at most 88 characters in base58, which is quadratic.
	text, ok := p["proofValue"].(string)
	if !ok || !strings.HasPrefix(text, "z") || len(text) > 90 {
		return fmt.Errorf("proofValue: %w", ErrForm)
	}
	signature, err := base58.Decode(text[1:])
	if err != nil || len(signature) != ed25519.SignatureSize || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("proofValue: %w", ErrForm)
	}
	hash, err := hashData(object, p)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, hash, signature) {
		return ErrSignature
	}
	return nil
}

// hashData is what Ed25519 signs.
func hashData(object, p map[string]any) ([]byte, error) {
	var out []byte
	for _, part := range []struct {
		m       map[string]any
		without string
	}{{p, "proofValue"}, {object, "proof"}} {
		m := maps.Clone(part.m)
		delete(m, part.without)
		canonical, err := jsonld.Canonicalize(m)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(canonical)
		out = append(out, sum[:]...)
	}
	return out, nil
}
