package vocab

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"time"

	"antiphon/vocab/jsonld"
)

const (
	// SealedEncSize is the length of HPKE's encapsulated key with X-Wing.
	SealedEncSize = 1120
	// SealedCiphertextSize is the length of one sealed key fragment: 310 bytes and the tag.
	SealedCiphertextSize = 326
)

// KeyFragment brings one sealed key fragment to one proxy. It names neither buyer nor track.
type KeyFragment struct {
	ID string
	// AttributedTo is the artist, whose proof the fragment carries.
	AttributedTo string
	// Target is the actor of the proxy's instance.
	Target string
	Grant  string
	Set    int
	// DelegatingKey, VerifyingKey and ReceivingKey are secp256k1 Multikeys, RequestingKey is an Ed25519 Multikey.
	DelegatingKey, VerifyingKey, ReceivingKey, RequestingKey string
	// Capsules are SHA-256 of each capsule that may be re-encrypted: 1 to MaxItems, all different.
	Capsules  [][]byte
	StartTime time.Time
	// EndTime is nil for a grant for good.
	EndTime *time.Time
	Updated time.Time
	Sealed  Sealed
}

// Sealed is a key fragment under a proxy's sealing key (HPKE base mode, see AAD).
type Sealed struct {
	// Key is the sealing key's id, a fragment of the proxy's actor: "https://p.example/actor#sealing-1".
	Key string
	// Enc is SealedEncSize bytes, Ciphertext SealedCiphertextSize.
	Enc, Ciphertext []byte
}

// Object is the key fragment as it is signed. It does not check; ReadKeyFragment does. Before the fragment is sealed,
// Sealed may be zero: AAD leaves it out.
func (k KeyFragment) Object() map[string]any {
	capsules := make([]any, len(k.Capsules))
	for i, c := range k.Capsules {
		capsules[i] = encodeBytes(c)
	}
	return map[string]any{
		"@context": Context(KindKeyFragment), "id": k.ID, "type": []any{"KeyFragment", "Document"},
		"attributedTo": k.AttributedTo, "target": k.Target, "grant": k.Grant, "set": k.Set,
		"delegatingKey": k.DelegatingKey, "verifyingKey": k.VerifyingKey,
		"receivingKey": k.ReceivingKey, "requestingKey": k.RequestingKey, "capsules": capsules,
		"startTime": formatTime(k.StartTime), "endTime": timeOrNull(k.EndTime), "updated": formatTime(k.Updated),
		"sealed": map[string]any{
			"key": k.Sealed.Key, "enc": encodeBytes(k.Sealed.Enc), "ciphertext": encodeBytes(k.Sealed.Ciphertext),
		},
	}
}

// AAD is what HPKE authenticates beside a sealed key fragment: RFC 8785's form of object without its members "sealed"
// and "proof". object is from KeyFragment.Object at the seller and from jsonld.ParseSigned of the received bytes at
// the proxy; it is not changed.
func AAD(object map[string]any) ([]byte, error) {
	rest := maps.Clone(object)
	delete(rest, "sealed")
	delete(rest, "proof")
	aad, err := jsonld.Canonicalize(rest)
	if err != nil {
		return nil, fmt.Errorf("additional data of a key fragment: %w", err)
	}
	return aad, nil
}

// ReadKeyFragment reads a key fragment's exact form. It looks neither at the proof nor at the clock, and opens nothing.
// Errors wrap ErrInvalid or those of vocab/jsonld.
func ReadKeyFragment(raw []byte) (KeyFragment, error) {
	o, err := openSigned(raw, KindKeyFragment, "KeyFragment", "Document")
	if err != nil {
		return KeyFragment{}, err
	}
	k := KeyFragment{ID: o.id("id")}
	k.AttributedTo = o.sibling("attributedTo", k.ID)
	k.Target = o.id("target")
	k.Grant = o.sibling("grant", k.ID)
	k.Set = o.version("set")
	k.DelegatingKey = o.secp256k1("delegatingKey")
	k.VerifyingKey = o.secp256k1("verifyingKey")
	k.ReceivingKey = o.secp256k1("receivingKey")
	o.different("receivingKey", k.ReceivingKey, k.DelegatingKey, k.VerifyingKey)
	o.different("delegatingKey", k.DelegatingKey, k.VerifyingKey)
	k.RequestingKey = o.ed25519("requestingKey")
	k.Capsules = o.byteList("capsules", ContentKeyHashSize, 1, MaxItems)
	seen := map[string]bool{}
	for _, c := range k.Capsules {
		if seen[string(c)] {
			o.fail("capsules", "names a capsule twice")
		}
		seen[string(c)] = true
	}
	k.StartTime = o.moment("startTime")
	k.EndTime = o.until("endTime", k.StartTime)
	k.Updated = o.moment("updated")
	s := o.child("sealed")
	k.Sealed = Sealed{
		Key: s.keyOf("key", k.Target), Enc: s.bytes("enc", SealedEncSize), Ciphertext: s.bytes("ciphertext", SealedCiphertextSize),
	}
	if err := o.close(); err != nil {
		return KeyFragment{}, err
	}
	return k, nil
}

var keyNamePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// keyOf asks for the id of one of the actor's keys: a fragment of the actor's own id.
func (o *object) keyOf(name, actor string) string {
	s, _ := o.get(name).(string)
	document, fragment, _ := strings.Cut(s, "#")
	if document != actor || !keyNamePattern.MatchString(fragment) {
		o.fail(name, "is not a key of %.200s", actor)
		return ""
	}
	return s
}
