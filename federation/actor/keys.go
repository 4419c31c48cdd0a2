package actor

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"

	"antiphon/federation/fetch"
	"antiphon/federation/httpsig"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// Keys finds the keys of HTTP signatures, as httpsig.Verifier asks for them. A key counts only if its owner's own
// document lists it.
func (r *Registry) Keys() httpsig.Keys { return keys{r} }

type keys struct{ *Registry }

// KnowsKey reports whether the key of that URI can be looked for here, without asking its server who it is.
func (r *Registry) KnowsKey(ctx context.Context, keyID string) (bool, error) {
	if _, _, ok := read(&r.cache, &r.cache.keys, keyID, r.now()); ok {
		return true, nil
	}
	owner, _, ok := strings.Cut(keyID, "#")
	if !ok {
		if owner, ok = recall(r, r.owners, keyID); !ok {
			return false, nil
		}
	}
	if r.Own(owner) {
		return true, nil
	}
	_, err := take(r.db.Read.WithContext(ctx).Select("uri").Where("uri = ? AND NOT local", owner), owner)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Key returns the key of that URI. Its error is ErrNotFound, ErrGone, or httpsig.ErrWeakKey.
func (k keys) Key(ctx context.Context, keyID string, fresh bool) (httpsig.Key, error) {
	known, turn, ok := read(&k.cache, &k.cache.keys, keyID, k.now())
	if ok && !fresh {
		return known, nil
	}
	key, err := k.find(ctx, keyID, fresh)
	if err == nil && !k.Own(key.Owner) {
		if fresh {
			turn = k.cache.now() // fetching the actor was what dropped the old key
		}
		write(&k.cache, &k.cache.keys, keyID, key, k.now().Add(cached), turn)
	}
	return key, err
}

func (k keys) find(ctx context.Context, keyID string, fresh bool) (httpsig.Key, error) {
	owner, err := k.ownerOf(ctx, keyID)
	if err != nil {
		return httpsig.Key{}, err
	}
	if k.Own(owner) {
		return k.ownKey(ctx, keyID, owner)
	}
	a, err := k.Find(ctx, owner, fresh)
	if err != nil {
		return httpsig.Key{}, err
	}
	if a.HTTPKeyID != keyID && !fresh {
		// The key may be newer than what we know.
		if a, err = k.Find(ctx, owner, true); err != nil {
			return httpsig.Key{}, err
		}
	}
	if a.HTTPKeyID != keyID {
		return httpsig.Key{}, fmt.Errorf("%w: %s does not list key %s", ErrNotFound, owner, keyID)
	}
	public, err := httpsig.ParsePublicKey(a.HTTPKeyPEM)
	if err != nil {
		return httpsig.Key{}, err
	}
	return httpsig.Key{ID: keyID, Owner: a.URI, Public: public}, nil
}

func (k keys) ownKey(ctx context.Context, keyID, owner string) (httpsig.Key, error) {
	stored, err := k.current(ctx, owner, purposeHTTP)
	if err != nil {
		return httpsig.Key{}, err
	}
	if stored.ID != keyID {
		return httpsig.Key{}, fmt.Errorf("%w: key %s", ErrNotFound, keyID)
	}
	public, err := httpsig.ParsePublicKey(stored.Public)
	if err != nil {
		return httpsig.Key{}, err
	}
	return httpsig.Key{ID: keyID, Owner: owner, Public: public}, nil
}

// ownerOf is the actor that a key's URI says it belongs to: the URI itself before a fragment, or what its document
// names, on the same host.
func (r *Registry) ownerOf(ctx context.Context, keyID string) (string, error) {
	if owner, _, ok := strings.Cut(keyID, "#"); ok {
		return owner, nil
	}
	if owner, ok := recall(r, r.owners, keyID); ok {
		return owner, nil
	}
	if f, ok := recall(r, r.failed, keyID); ok && r.now().Sub(f.at) < pause {
		return "", f.err
	}
	if r.Own(keyID) {
		return "", fmt.Errorf("%w: key %s", ErrNotFound, keyID)
	}
	owner, err := r.askOwner(ctx, keyID)
	if err != nil {
		remember(r, r.failed, keyID, failure{r.now(), err})
		return "", err
	}
	remember(r, r.owners, keyID, owner)
	return owner, nil
}

func (r *Registry) askOwner(ctx context.Context, keyID string) (string, error) {
	document, err := r.fetch.Get(ctx, keyID)
	if errors.Is(err, fetch.ErrGone) {
		return "", fmt.Errorf("key %s: %w", keyID, ErrGone)
	}
	if err != nil {
		return "", fmt.Errorf("%w: key %s: %w", ErrNotFound, keyID, err)
	}
	owner, err := vocab.ReadKeyOwner(document.Raw, keyID)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if !vocab.SameOrigin(owner, keyID) {
		return "", fmt.Errorf("%w: key %s names an owner on another host", ErrNotFound, keyID)
	}
	return owner, nil
}

// ProofKeyOf returns the key that a proof's verificationMethod names and the actor that controls it. An unknown method
// makes the actor's document be fetched again.
func (r *Registry) ProofKeyOf(ctx context.Context, verificationMethod string) (key ed25519.PublicKey, controller string, err error) {
	controller, _, ok := strings.Cut(verificationMethod, "#")
	if !ok {
		return nil, "", fmt.Errorf("%w: %s is not a key of an actor", ErrNotFound, verificationMethod)
	}
	if r.Own(controller) {
		return r.ownProofKey(ctx, verificationMethod, controller)
	}
	for _, fresh := range []bool{false, true} {
		a, err := r.Find(ctx, controller, fresh)
		if err != nil {
			return nil, "", err
		}
		if key, ok := a.ProofKeys[verificationMethod]; ok {
			return key, controller, nil
		}
	}
	return nil, "", fmt.Errorf("%w: %s does not list key %s", ErrNotFound, controller, verificationMethod)
}

func (r *Registry) ownProofKey(ctx context.Context, verificationMethod, controller string) (ed25519.PublicKey, string, error) {
	var found keyRow
	err := r.db.Read.WithContext(ctx).Where("id = ? AND actor = ? AND purpose = ?", verificationMethod, controller, purposeProof).Take(&found).Error
	if err != nil {
		return nil, "", fmt.Errorf("%w: key %s: %w", ErrNotFound, verificationMethod, err)
	}
	key, err := multikey.DecodeEd25519(found.Public)
	return key, controller, err
}

// Resolver finds the keys of proofs, for proof.Verify: an actor's proof keys, and for an Agreement the listener's
// current requesting key.
func (r *Registry) Resolver(ctx context.Context) proof.Resolver {
	return func(c proof.Claim) (ed25519.PublicKey, error) {
		if c.Kind == vocab.KindAgreement {
			a, err := r.Find(ctx, c.Signer, false)
			if err != nil {
				return nil, err
			}
			if k := vocab.RequestingKey(a.URI, a.KeyNumber, a.RequestingKey); k.ID == c.VerificationMethod {
				return multikey.DecodeEd25519(k.Multikey)
			}
		}
		if controller, _, _ := strings.Cut(c.VerificationMethod, "#"); controller != c.Signer {
			return nil, fmt.Errorf("%w: key %s is not one of %s", proof.ErrForm, c.VerificationMethod, c.Signer)
		}
		key, _, err := r.ProofKeyOf(ctx, c.VerificationMethod)
		return key, err
	}
}
