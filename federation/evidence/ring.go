package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// Ring holds the keys that are known: of actors, and of ledgers and their witnesses.
type Ring struct {
	known []knownActor
	notes []note.Verifier
}

type knownActor struct {
	vocab.Snapshot
	trust Trust
}

// NewRing is an empty ring: with it, every key is unknown.
func NewRing() *Ring { return &Ring{} }

// Give adds the keys of a file that the caller trusts: one actor's document, or {"keys": [actors' documents or
// snapshots], "notes": [verifier keys of ledgers and witnesses, as signed notes have them]}.
func (r *Ring) Give(file []byte) error {
	whole, err := jsonld.Parse(file)
	if err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if _, one := whole["id"]; one {
		s, err := vocab.ReadSnapshot(file)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		return r.add(s, Trust{By: Given})
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(file, &members); err != nil {
		return fmt.Errorf("read keys: %w", err)
	}
	if members["keys"] == nil && members["notes"] == nil {
		return errors.New("read keys: neither keys nor notes are in the file")
	}
	if members["keys"] != nil {
		snapshots, err := readSnapshots(members["keys"])
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		for _, s := range snapshots {
			if err := r.add(s, Trust{By: Given}); err != nil {
				return err
			}
		}
	}
	var notes []string
	if members["notes"] != nil {
		if err := json.Unmarshal(members["notes"], &notes); err != nil {
			return fmt.Errorf("read keys: notes: %w", err)
		}
	}
	for _, text := range notes {
		if err := r.addNote(text); err != nil {
			return err
		}
	}
	return nil
}

// See adds keys that an instance has seen at the actor's own server, first and last.
func (r *Ring) See(s vocab.Snapshot, first, last time.Time) error {
	return r.add(s, Trust{By: Seen, First: first, Last: last})
}

func (r *Ring) add(s vocab.Snapshot, t Trust) error {
	if len(s.ProofKeys)+len(s.RequestingKeys) == 0 {
		return fmt.Errorf("read keys: %s lists no key that objects are signed with", s.ID)
	}
	r.known = append(r.known, knownActor{s, t})
	return nil
}

// addNote takes a key in both its uses: a ledger signs plain notes, a witness with the time of its cosignature.
func (r *Ring) addNote(text string) error {
	plain, plainErr := note.NewVerifier(text)
	cosigner, cosignErr := fnote.NewVerifierForCosignatureV1(text)
	if plainErr != nil && cosignErr != nil {
		return fmt.Errorf("read keys: %.60q is not a key of a note: %w", text, plainErr)
	}
	for _, v := range []note.Verifier{plain, cosigner} {
		if v == nil {
			continue
		}
		twice := false
		for _, old := range r.notes {
			twice = twice || old.Name() == v.Name() && old.KeyHash() == v.KeyHash()
		}
		if !twice {
			r.notes = append(r.notes, v)
		}
	}
	return nil
}

// candidates are the known keys for a claim; one that was first seen after the time at was not known then.
func (r *Ring) candidates(c proof.Claim, at time.Time) []candidate {
	var all []candidate
	for _, a := range r.known {
		if a.ID != c.Signer || a.trust.First.After(at) {
			continue
		}
		k, ok := a.Key(c.Kind, c.VerificationMethod)
		if !ok {
			continue
		}
		if key, err := multikey.DecodeEd25519(k.Multikey); err == nil {
			all = append(all, candidate{key, k.Multikey, a.trust})
		}
	}
	return all
}
