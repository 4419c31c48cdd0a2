package main

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/mod/sumdb/note"

	"antiphon/federation/actor"
	"antiphon/federation/evidence"
	"antiphon/payments/ledger"
	"antiphon/vocab"
)

// runLedger checks the ledger of payments from its first record to its last, or prints its newest signed checkpoint, its
// verifier key, or the proof that a receipt's payment stands in it.
func runLedger(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("ledger", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: antiphon ledger [options] verify|checkpoint|key|prove FILE\n\n"+
			"verify goes through every record, hash, signature and balance, and through what witnesses have signed; with\n"+
			"--witness it also asks an instance what it has seen. checkpoint prints the newest signed checkpoint,\n"+
			"which anyone may keep to hold a later ledger against; key prints the key that it is signed with. prove prints\n"+
			"a receipt's file together with the proof that its payment stands in the ledger, for antiphon verify.\n\n")
		set.PrintDefaults()
	}
	seenBy := set.String("witness", "", "with verify: the `address` of an instance to compare with, such as https://w.example")
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	verb := set.Arg(0)
	// Options may stand behind the verb as well.
	if err := parse(set, set.Args()[min(1, set.NArg()):]); err != nil {
		return err
	}
	verbs := map[string]int{"verify": 0, "checkpoint": 0, "key": 0, "prove": 1}
	if n, known := verbs[verb]; !known || set.NArg() != n || *seenBy != "" && verb != "verify" {
		set.Usage()
		return errUsage
	}
	c, err := read()
	if err != nil {
		return err
	}
	h := &house{config: c, log: slog.New(slog.DiscardHandler)}
	defer h.Close()
	if err := h.openDisk(ctx); err != nil {
		return err
	}
	if err := h.openLedger(); err != nil {
		return err
	}
	switch verb {
	case "key":
		key, err := h.ledgerKey()
		if err == nil {
			_, err = fmt.Fprintln(stdout, key)
		}
		return err
	case "prove":
		return h.provePayment(ctx, set.Arg(0), stdout)
	case "checkpoint":
		signed, err := h.ledger.Checkpoint(ctx, h.db.Read)
		if errors.Is(err, ledger.ErrNotFound) {
			return errors.New("the ledger is empty")
		}
		if err == nil {
			_, err = stdout.Write(signed)
		}
		return err
	}
	return h.verifyLedger(ctx, *seenBy, stdout)
}

// ledgerKey is the key of the ledger's checkpoints, as signed notes have it.
func (h *house) ledgerKey() (string, error) {
	seed, err := h.vault.Key("ledger")
	if err != nil {
		return "", err
	}
	return note.NewEd25519VerifierKey(h.ledger.Verifier().Name(), ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
}

// provePayment writes a bundle of a receipt, the key that it was signed with, and the ledger's record of its payment.
func (h *house) provePayment(ctx context.Context, file string, stdout io.Writer) error {
	raw, err := readBounded(file)
	if err != nil {
		return err
	}
	r, err := vocab.ReadReceipt(raw)
	if err != nil {
		return err
	}
	n, err := ledger.FindPayment(ctx, h.db.Read, hex.EncodeToString(r.PaymentHash))
	if err != nil {
		return err
	}
	p, err := h.ledger.ProveRecord(ctx, h.db.Read, n)
	if err != nil {
		return err
	}
	key, err := actor.CurrentProofKey(ctx, h.db.Read, r.AttributedTo)
	if err != nil {
		return err
	}
	claim, err := evidence.ClaimOf(raw)
	if err != nil {
		return err
	}
	keys := vocab.Snapshot{ID: r.AttributedTo, ProofKeys: []vocab.Key{{ID: claim.VerificationMethod, Multikey: key}}}
	bundle, err := evidence.Bundle(raw, []vocab.Snapshot{keys}, &p)
	if err == nil {
		_, err = stdout.Write(bundle)
	}
	return err
}
