package access

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/vocab"
)

// Ask sends a body to a proxy, signed with the requesting key, and returns its answer's body.
type Ask func(ctx context.Context, proxy vocab.Proxy, body []byte) ([]byte, error)

// ErrOpen is returned when not enough proxies gave a good answer, or the key does not match the track's.
var ErrOpen = errors.New("grant does not open")

// Open gets the content key of one item of a grant: it asks the proxies in turn until threshold good cfrags are there,
// drops what does not verify, opens the capsule, and checks the content key's hash. The grant's proof is the caller's
// to check.
func Open(ctx context.Context, g vocab.Grant, item vocab.Item, receiving *umbral.SecretKey, ask Ask) (seal.ContentKey, error) {
	var none seal.ContentKey
	keys, err := umbralKeys(g.VerifyingKey, g.DelegatingKey, g.ReceivingKey)
	if err != nil {
		return none, fmt.Errorf("keys of the grant: %w", err)
	}
	if !keys.Receiving.Equal(receiving.PublicKey()) {
		return none, fmt.Errorf("%w: it was made for another key", ErrOpen)
	}
	capsule, err := umbral.ParseCapsule(item.Capsule)
	if err != nil {
		return none, fmt.Errorf("capsule of %s: %w", item.Track, err)
	}
	body, err := json.Marshal(ReencryptRequest{
		Grant: g.ID, Set: g.Set, Capsules: []string{base64.RawURLEncoding.EncodeToString(item.Capsule)},
	})
	if err != nil {
		return none, err
	}
	answers := pool{}
	var cfrags []*umbral.VerifiedCapsuleFrag
	var failures []error
	for _, proxy := range g.Proxies {
		cfrag, err := one(ctx, ask, proxy, body, capsule, keys)
		if err != nil {
			failures = append(failures, fmt.Errorf("proxy %s: %w", proxy.Actor, err))
			continue
		}
		if cfrags = answers.add(cfrag); len(cfrags) >= g.Threshold {
			break
		}
	}
	if len(cfrags) < g.Threshold {
		return none, errors.Join(append([]error{ErrOpen}, failures...)...)
	}
	plaintext, err := umbral.DecryptReencrypted(umbral.DecryptParams{
		Receiving: receiving, Delegating: keys.Delegating, Capsule: capsule, CapsuleFrags: cfrags, Ciphertext: item.Ciphertext,
	})
	if err != nil || len(plaintext) != len(none) {
		return none, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	key := seal.ContentKey(plaintext)
	hash := seal.ContentKeyHash(key)
	if subtle.ConstantTimeCompare(hash[:], item.ContentKeyHash) != 1 {
		return none, fmt.Errorf("%w: the key is not the track's", ErrOpen)
	}
	return key, nil
}

// pool collects cfrags by their run, and in it by their fragment: one that two proxies send counts once.
type pool map[string]map[string]*umbral.VerifiedCapsuleFrag

// add adds one and returns all of its run.
func (p pool) add(cfrag *umbral.VerifiedCapsuleFrag) []*umbral.VerifiedCapsuleFrag {
	const id, precursor, end = 66, 98, 131 // of the simple form: E1, V1, id, precursor
	b := cfrag.Bytes()
	run := string(b[precursor:end])
	if p[run] == nil {
		p[run] = map[string]*umbral.VerifiedCapsuleFrag{}
	}
	p[run][string(b[id:precursor])] = cfrag
	return slices.Collect(maps.Values(p[run]))
}

func one(ctx context.Context, ask Ask, proxy vocab.Proxy, body []byte, capsule *umbral.Capsule, keys umbral.Keys) (*umbral.VerifiedCapsuleFrag, error) {
	raw, err := ask(ctx, proxy, body)
	if err != nil {
		return nil, err
	}
	var answer ReencryptAnswer
	if err := json.Unmarshal(raw, &answer); err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	if len(answer.Cfrags) != 1 {
		return nil, fmt.Errorf("answer has %d cfrags", len(answer.Cfrags))
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(answer.Cfrags[0])
	if err != nil {
		return nil, fmt.Errorf("cfrag: %w", err)
	}
	cfrag, err := umbral.ParseCapsuleFrag(b)
	if err != nil {
		return nil, err
	}
	return cfrag.Verify(capsule, keys)
}
