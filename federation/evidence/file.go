package evidence

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"antiphon/payments/ledger"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/proof"
)

// maxSnapshots bounds the actors of one file.
const maxSnapshots = 64

// Bundle writes an object, byte for byte as it was signed, with the keys of its signer: what a buyer keeps as the proof
// of a purchase. In p is the ledger's record of the payment, or nil. The result is canonical JSON.
func Bundle(object []byte, keys []vocab.Snapshot, p *ledger.RecordProof) ([]byte, error) {
	if _, err := jsonld.ParseSigned(object); err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	snapshots := []any{}
	for _, s := range keys {
		snapshots = append(snapshots, s.Object())
	}
	members := map[string]any{"keys": snapshots}
	if p != nil {
		var list []any
		for _, h := range p.Hashes {
			list = append(list, base64.StdEncoding.EncodeToString(h[:]))
		}
		if list == nil {
			list = []any{}
		}
		members["checkpoint"] = string(p.Checkpoint)
		members["inclusion"] = map[string]any{"n": p.N, "record": base64.StdEncoding.EncodeToString(p.Record), "hashes": list}
	}
	rest, err := jsonld.Canonicalize(members)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	// The members stand in order, and "object" comes after all others.
	out := append(bytes.TrimSuffix(rest, []byte("}")), `,"object":`...)
	return append(append(out, object...), '}'), nil
}

// ClaimOf is what the object of a file says about who signed it, so that the right keys can be looked up. That it is true
// is for [Check] to see.
func ClaimOf(file []byte) (proof.Claim, error) {
	b, err := readBundle(file)
	if err != nil {
		return proof.Claim{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	claim, err := b.claim(farAhead)
	if err != nil {
		return proof.Claim{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return claim, nil
}

// readBundle reads a bundle, or a signed object alone.
func readBundle(file []byte) (*bundle, error) {
	whole, err := jsonld.ParseSigned(file)
	if err != nil {
		return nil, err
	}
	if _, ok := whole["object"]; !ok || whole["type"] != nil {
		return &bundle{object: file}, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(file, &members); err != nil {
		return nil, err
	}
	b := &bundle{object: members["object"]}
	for name, raw := range members {
		switch name {
		case "object":
		case "keys":
			if b.snapshots, err = readSnapshots(raw); err != nil {
				return nil, err
			}
		case "checkpoint":
			if err := json.Unmarshal(raw, &b.checkpoint); err != nil {
				return nil, fmt.Errorf("checkpoint: %w", err)
			}
		case "inclusion":
			if b.inclusion, err = readInclusion(raw); err != nil {
				return nil, fmt.Errorf("inclusion: %w", err)
			}
		default:
			return nil, fmt.Errorf("%.60q is not a part of a bundle", name)
		}
	}
	if (b.inclusion == nil) != (b.checkpoint == "") {
		return nil, errors.New("checkpoint and inclusion come together")
	}
	if b.inclusion != nil {
		b.inclusion.Checkpoint = []byte(b.checkpoint)
		return b, checkNote(b.checkpoint)
	}
	return b, nil
}

func readSnapshots(raw []byte) ([]vocab.Snapshot, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if len(list) > maxSnapshots {
		return nil, fmt.Errorf("keys of %d actors, %d at most", len(list), maxSnapshots)
	}
	var all []vocab.Snapshot
	for _, one := range list {
		s, err := vocab.ReadSnapshot(one)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// readInclusion reads the one spelling that Bundle writes: encoding/json would take others.
func readInclusion(raw []byte) (*ledger.RecordProof, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, err
	}
	var p ledger.RecordProof
	var record string
	var list []string
	for name, to := range map[string]any{"n": &p.N, "record": &record, "hashes": &list} {
		if err := json.Unmarshal(members[name], to); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if len(members) != 3 {
		return nil, errors.New("n, record and hashes are its members")
	}
	var err error
	if p.Record, err = base64.StdEncoding.Strict().DecodeString(record); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	for _, text := range list {
		h, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || len(h) != tlog.HashSize {
			return nil, fmt.Errorf("%.60q is not a hash", text)
		}
		p.Hashes = append(p.Hashes, tlog.Hash(h))
	}
	return &p, nil
}

// checkNote refuses second spellings of a signature's base64, which the reader of notes would take.
func checkNote(text string) error {
	_, signatures, _ := strings.Cut(text, "\n\n")
	for line := range strings.Lines(signatures) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if _, err := base64.StdEncoding.Strict().DecodeString(fields[len(fields)-1]); err != nil {
			return fmt.Errorf("checkpoint: signature: %w", err)
		}
	}
	return nil
}
