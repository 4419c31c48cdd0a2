package vocab

import "fmt"

// Snapshot is the part of an actor's document that proofs are checked with, kept for the day when the actor's server is
// gone. An actor's whole document can be read as one.
type Snapshot struct {
	// ID is the actor.
	ID string
	// ProofKeys (assertionMethod) sign objects, RequestingKeys a listener's key links and agreements; all are Ed25519.
	ProofKeys, RequestingKeys []Key
}

// Object is the snapshot in the form that ReadSnapshot reads.
func (s Snapshot) Object() map[string]any {
	m := map[string]any{"id": s.ID}
	a := Actor{ID: s.ID, ProofKeys: s.ProofKeys, RequestingKeys: s.RequestingKeys}
	// Key links are all that can be wrong in an actor's keys, and there are none.
	_ = a.putKeys(m)
	return m
}

// ReadSnapshot reads the keys from a snapshot or from an actor's document. Keys that the actor does not control are
// left out; whether the actor's server ever said any of it is not known to it.
func ReadSnapshot(raw []byte) (Snapshot, error) {
	o, err := openObject(raw)
	if err != nil {
		return Snapshot{}, fmt.Errorf("read keys of an actor: %w", err)
	}
	a := Actor{ID: o.id("id")}
	if o.err() != nil {
		return Snapshot{}, fmt.Errorf("read keys of an actor: %w", o.err())
	}
	a.readKeys(o)
	return Snapshot{ID: a.ID, ProofKeys: a.ProofKeys, RequestingKeys: a.RequestingKeys}, nil
}

// Key returns the keys that may have signed an object of kind as the one with this URI: a listener's requesting keys
// sign key links, and agreements; all else is signed with proof keys.
func (s Snapshot) Key(kind Kind, method string) (Key, bool) {
	keys := s.ProofKeys
	switch kind {
	case KindKeyLink:
		keys = s.RequestingKeys
	case KindAgreement:
		keys = append(append([]Key{}, s.ProofKeys...), s.RequestingKeys...)
	}
	for _, k := range keys {
		if k.ID == method {
			return k, true
		}
	}
	return Key{}, false
}
