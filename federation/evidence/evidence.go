// Package evidence judges signed objects when nobody can be asked: a receipt, a grant or any other object with a proof,
// alone or in a bundle with the keys that it was signed with, long after its server is gone.
//
//	{"object": {...}, "keys": [actors' keys], "checkpoint": "signed note", "inclusion": {"n", "record", "hashes"}}
//
// It looks, in this order, at the JSON (I-JSON), at the type and its exact terms, at the proof, and at the key. A key
// that the file itself brings proves nothing: it has to be on the [Ring] of keys that are known otherwise, or a ledger
// has to have recorded it under a checkpoint that a known key has signed.
//
// It opens no connection, writes nothing, and does not know what was bought is worth. Begin with [NewRing] and [Check].
package evidence

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// ErrBroken is wrapped by every refusal: the file is not what it claims to be, or nobody can tell.
var ErrBroken = errors.New("not proved")

// Finding is what a good proof says. Whether to believe it depends on Trust.
type Finding struct {
	proof.Claim
	// Created is when the proof says that it was made.
	Created time.Time
	// Statement is who says what, line by line.
	Statement []Line
	// Key is the Ed25519 Multikey that the proof was checked with.
	Key string
	// Trust says why the key is believed; its By is Nobody for a key that only the file itself brings.
	Trust Trust
	// Record is the number of the ledger's record of this payment, when the file proves one; otherwise -1.
	Record int64
}

// By is where a key is known from.
type By string

// Where keys are known from.
const (
	Nobody By = "nobody"
	Given  By = "given"  // the keys that the caller brought
	Seen   By = "seen"   // the actor's own server, by an instance that kept it
	Ledger By = "ledger" // a ledger's record of the payment
)

// Trust is why a key is believed to be its actor's.
type Trust struct {
	By By
	// First and Last are when the key was seen at its server, for Seen.
	First, Last time.Time
	// Signers are the names of the known keys on the ledger's checkpoint, for Ledger.
	Signers []string
}

// bundle is a file's content, its parts as they were read.
type bundle struct {
	object     json.RawMessage
	snapshots  []vocab.Snapshot
	checkpoint string
	inclusion  *ledger.RecordProof
}

// Check judges a file as of the time at. Its error wraps [ErrBroken]; a finding whose Trust is by Nobody is no error.
func Check(file []byte, ring *Ring, at time.Time) (Finding, error) {
	b, err := readBundle(file)
	if err != nil {
		return Finding{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	f, err := b.check(ring, at)
	if err != nil {
		return Finding{}, fmt.Errorf("%w: %w", ErrBroken, err)
	}
	return f, nil
}

// candidate is a key that an object may have been signed with.
type candidate struct {
	key   ed25519.PublicKey
	text  string
	trust Trust
}

func (b *bundle) check(ring *Ring, at time.Time) (Finding, error) {
	f := Finding{Record: -1}
	object, err := jsonld.ParseSigned(b.object)
	if err != nil {
		return f, err
	}
	kind, ok := vocab.SignedKind(object)
	if !ok {
		return f, fmt.Errorf("type %.100q is not one that carries a proof", object["type"])
	}
	if f.Statement, err = statement(kind, b.object); err != nil {
		return f, err
	}
	// Which keys come into question is known once the claim is; each is tried, those that are known first.
	claim, err := b.claim(at)
	if err != nil {
		return f, err
	}
	known := ring.candidates(claim, at)
	brought, err := b.candidates(claim)
	if err != nil {
		return f, err
	}
	if len(known)+len(brought) == 0 {
		return f, fmt.Errorf("the key %s is neither known nor in the file", claim.VerificationMethod)
	}
	for _, c := range brought {
		if len(known) > 0 && !slices.ContainsFunc(known, func(k candidate) bool { return k.text == c.text }) {
			return f, fmt.Errorf("the file brings another key %s than the one that is known", claim.VerificationMethod)
		}
	}
	for _, c := range append(known, brought...) {
		var verified proof.Verified
		verified, err = proof.Verify(b.object, func(proof.Claim) (ed25519.PublicKey, error) { return c.key, nil }, at)
		if err != nil {
			continue
		}
		f.Claim, f.Created, f.Key, f.Trust = verified.Claim, verified.Created, c.text, c.trust
		return f, b.consultLedger(&f, ring)
	}
	return f, err
}

// farAhead is when nothing was made in the future.
var farAhead = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// errClaim ends a proof's check once it is known whose key is asked for.
var errClaim = errors.New("claim")

// claim is what the object says about who signed it, after everything that needs no key was checked.
func (b *bundle) claim(at time.Time) (proof.Claim, error) {
	var claim proof.Claim
	_, err := proof.Verify(b.object, func(c proof.Claim) (ed25519.PublicKey, error) {
		claim = c
		return nil, errClaim
	}, at)
	if errors.Is(err, errClaim) {
		return claim, nil
	}
	return claim, err
}

// candidates are the claim's keys in the file. It may bring no others: what it says of them could not be judged.
func (b *bundle) candidates(c proof.Claim) ([]candidate, error) {
	var all []candidate
	for _, s := range b.snapshots {
		k, ok := s.Key(c.Kind, c.VerificationMethod)
		if s.ID != c.Signer || !ok {
			return nil, fmt.Errorf("the file brings keys of %s without %s", s.ID, c.VerificationMethod)
		}
		key, err := multikey.DecodeEd25519(k.Multikey)
		if err != nil {
			return nil, err
		}
		all = append(all, candidate{key, k.Multikey, Trust{By: Nobody}})
	}
	return all, nil
}

// consultLedger checks the ledger's record when the file brings one: it must be of the very payment that the receipt
// confirms, and it makes the key known that the ledger recorded with it.
func (b *bundle) consultLedger(f *Finding, ring *Ring) error {
	if b.inclusion == nil {
		return nil
	}
	host, err := url.Parse(f.Signer)
	if err != nil {
		return err
	}
	if len(ring.notes) == 0 {
		// Nobody is known who could have signed the checkpoint: it says nothing, for or against.
		return nil
	}
	p := b.inclusion
	signers, err := p.Witnessed(host.Host, ring.notes...)
	if err != nil {
		return err
	}
	r, err := vocab.ReadReceipt(b.object)
	if err != nil {
		return fmt.Errorf("a ledger's record is for a receipt: %w", err)
	}
	shown, err := ledger.ReadPayment(p.Record)
	if err != nil {
		return err
	}
	paid, err := amount.Parse(r.Amount, r.Asset)
	if err != nil {
		return err
	}
	payment := ledger.Payment{
		Order: r.Agreement, Payee: r.AttributedTo, Amount: paid, Provider: r.Provider,
		PaymentHash: fmt.Sprintf("%x", r.PaymentHash), ProofKey: f.Key,
	}
	if !shown.Of(payment) {
		return fmt.Errorf("the ledger's record %d is of another payment, or names another key", p.N)
	}
	f.Record = p.N
	if f.Trust.By == Nobody {
		f.Trust = Trust{By: Ledger, Signers: signers}
	}
	return nil
}
