package vocab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"antiphon/vocab/multikey"
)

const (
	maxKeys = 16
	maxPEM  = 8192
	// SealingKeySize is the length of an X-Wing public key.
	SealingKeySize = 1216

	receivingKeyName  = "#receiving-"
	requestingKeyName = "#requesting-"
	verifyingKeyName  = "#umbral-"

	kemXWing             = 0x647a
	kdfHKDFSHA256        = 1
	aeadChaCha20Poly1305 = 3
)

// PublicKey is an actor's RSA or Ed25519 key for HTTP signatures, as PEM (see httpsig.ParsePublicKey).
type PublicKey struct{ ID, PEM string }

// Key is a Multikey under its URI; the actor is its controller.
type Key struct {
	ID       string
	Multikey string
}

func numberedKey(actor, name string, number int, multikey string) Key {
	return Key{ID: actor + name + strconv.Itoa(number), Multikey: multikey}
}

// ReceivingKey returns actor's receiving key number n (from 1) under its URI.
func ReceivingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, receivingKeyName, n, multikey)
}

// RequestingKey returns actor's requesting key number n (from 1) under its URI.
func RequestingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, requestingKeyName, n, multikey)
}

// VerifyingKey returns actor's verifying key number n (from 1) under its URI.
func VerifyingKey(actor string, n int, multikey string) Key {
	return numberedKey(actor, verifyingKeyName, n, multikey)
}

// Number is the N of a key URI that ends in "-N", or 0.
func (k Key) Number() int {
	_, text, _ := strings.Cut(k.ID, "#")
	i := strings.LastIndexByte(text, '-')
	n, err := strconv.Atoi(text[i+1:])
	if err != nil || n < 1 || n > maxVersion || strconv.Itoa(n) != text[i+1:] {
		return 0
	}
	return n
}

// Current returns the key with the highest number.
func Current(keys []Key) (Key, bool) {
	if len(keys) == 0 {
		return Key{}, false
	}
	return slices.MaxFunc(keys, func(a, b Key) int { return a.Number() - b.Number() }), true
}

// SealingKey is an HPKE public key of the one suite in use: X-Wing, HKDF-SHA256, ChaCha20Poly1305.
type SealingKey struct {
	ID string
	// PublicKey is SealingKeySize bytes.
	PublicKey []byte
}

func (a Actor) putKeys(m map[string]any) error {
	if a.PublicKey.ID != "" {
		m["publicKey"] = map[string]any{"id": a.PublicKey.ID, "owner": a.ID, "publicKeyPem": a.PublicKey.PEM}
	}
	for name, keys := range map[string][]Key{
		"assertionMethod": a.ProofKeys, "keyAgreement": a.ReceivingKeys, "requestingKey": a.RequestingKeys,
		"verifyingKey": a.VerifyingKeys,
	} {
		var list []any
		for _, k := range keys {
			list = append(list, map[string]any{"id": k.ID, "type": "Multikey", "controller": a.ID, "publicKeyMultibase": k.Multikey})
		}
		if list != nil {
			m[name] = list
		}
	}
	if k := a.SealingKey; k != nil {
		m["sealingKey"] = map[string]any{
			"id": k.ID, "kem": kemXWing, "kdf": kdfHKDFSHA256, "aead": aeadChaCha20Poly1305, "publicKey": encodeBytes(k.PublicKey),
		}
	}
	var links []any
	for _, raw := range a.KeyLinks {
		var link map[string]any
		if err := json.Unmarshal(raw, &link); err != nil {
			return fmt.Errorf("build actor: key link: %w", err)
		}
		links = append(links, link)
	}
	if links != nil {
		m["keyLink"] = links
	}
	return nil
}

func (a *Actor) readKeys(o *object) {
	for _, e := range o.looseObjects("publicKey", maxKeys) {
		id, pem := e.looseSibling("id", a.ID), e.looseText("publicKeyPem", maxPEM)
		if a.PublicKey.ID == "" && id != "" && pem != "" && e.get("owner") == a.ID {
			a.PublicKey = PublicKey{ID: id, PEM: pem}
		}
	}
	isEd25519 := func(s string) bool { _, err := multikey.DecodeEd25519(s); return err == nil }
	isSecp256k1 := func(s string) bool { _, err := multikey.DecodeSecp256k1(s); return err == nil }
	a.ProofKeys = a.multikeys(o, "assertionMethod", "", isEd25519)
	a.ReceivingKeys = a.multikeys(o, "keyAgreement", a.ID+receivingKeyName, isSecp256k1)
	a.RequestingKeys = a.multikeys(o, "requestingKey", a.ID+requestingKeyName, isEd25519)
	a.VerifyingKeys = a.multikeys(o, "verifyingKey", a.ID+verifyingKeyName, isSecp256k1)
	for _, e := range o.looseObjects("sealingKey", maxKeys) {
		if e.get("kem") != float64(kemXWing) || e.get("kdf") != float64(kdfHKDFSHA256) || e.get("aead") != float64(aeadChaCha20Poly1305) {
			continue
		}
		text, _ := e.get("publicKey").(string)
		key, ok := decodeBytes(text, SealingKeySize)
		if id := e.looseSibling("id", a.ID); ok && id != "" && a.SealingKey == nil {
			a.SealingKey = &SealingKey{ID: id, PublicKey: key}
		}
	}
}

// multikeys reads the keys of one kind that the actor controls. With a prefix, their URIs are that and a number;
// of two keys under one URI neither is taken.
func (a *Actor) multikeys(o *object, name, prefix string, valid func(string) bool) []Key {
	count := map[string]int{}
	var all []Key
	for _, e := range o.looseObjects(name, maxKeys) {
		k := Key{ID: e.looseSibling("id", a.ID)}
		k.Multikey, _ = e.get("publicKeyMultibase").(string)
		if k.ID == "" || e.get("controller") != a.ID || !slices.Contains(typesOf(e.get("type")), "Multikey") {
			continue
		}
		if prefix != "" && (k.Number() == 0 || k.ID != prefix+strconv.Itoa(k.Number())) {
			continue
		}
		count[k.ID]++
		all = append(all, k)
	}
	var out []Key
	for _, k := range all {
		if count[k.ID] == 1 && valid(k.Multikey) {
			out = append(out, k)
		}
	}
	return out
}

// readKeyLinks takes the links from the bytes as they came, because they are signed.
func (a *Actor) readKeyLinks(raw []byte) {
	var members map[string]json.RawMessage // not a struct, whose names would match in any case
	if json.Unmarshal(raw, &members) != nil || members["keyLink"] == nil {
		return
	}
	var list []json.RawMessage
	if json.Unmarshal(members["keyLink"], &list) != nil {
		list = []json.RawMessage{members["keyLink"]}
	}
	for _, link := range list {
		if len(a.KeyLinks) < maxKeys && len(link) > 0 && link[0] == '{' {
			a.KeyLinks = append(a.KeyLinks, link)
		}
	}
}

// ReadKeyOwner reads the document that was fetched for the URI of an HTTP signature key, which is an actor, a stub of
// one, or the key alone, and returns the URI of the actor that it says owns the key. Only that actor's own document
// can confirm it.
func ReadKeyOwner(raw []byte, keyID string) (string, error) {
	o, err := openObject(raw)
	if err != nil {
		return "", fmt.Errorf("read key %s: %w", keyID, err)
	}
	candidates := append([]*object{o}, o.looseObjects("publicKey", maxKeys)...)
	for _, e := range candidates {
		if e.get("id") != keyID || !e.has("publicKeyPem") {
			continue
		}
		if owner := e.looseSibling("owner", keyID); owner != "" {
			return owner, nil
		}
	}
	return "", fmt.Errorf("read key %s: names no owner on its host: %w", keyID, ErrInvalid)
}
