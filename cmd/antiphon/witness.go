package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"antiphon/api"
	seen "antiphon/federation/witness"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/witness"
)

// openBooks joins what others may see of the ledger, and what this instance signs of theirs.
func (h *house) openBooks() (*api.Books, error) {
	key, err := h.ledgerKey()
	if err != nil {
		return nil, err
	}
	books := &api.Books{Ledger: h.ledger, Key: key, DB: h.db, Entries: h.config.Ledger.Publish, Log: h.log}
	if len(h.config.Ledger.WitnessFor) == 0 {
		return books, nil
	}
	seed, err := h.vault.Key("witness")
	if err != nil {
		return nil, err
	}
	scheme, _, _ := strings.Cut(h.config.Server.BaseURL, "://")
	books.Witness, err = witness.New(witness.Config{
		Name: h.config.host() + "/witness", Key: ed25519.NewKeyFromSeed(seed[:]), Log: h.log, Now: time.Now,
		LogKey: seen.LogKeys{HTTP: h.http, Scheme: scheme, Allowed: h.signsFor}.LogKey,
	}, h.db)
	return books, err
}

// signsFor reports whether this instance is a witness for the ledger of a host.
func (h *house) signsFor(ctx context.Context, host string) bool {
	if blocked, err := h.hosts.IsBlocked(ctx, host); err != nil || blocked {
		return false
	}
	hosts := h.config.Ledger.WitnessFor
	known := &peers{db: h.db, log: h.log}
	return slices.Contains(hosts, "*") || slices.Contains(hosts, host) || slices.Contains(hosts, "known") && known.knows(ctx, host)
}

// verifyLedger goes through the ledger, and compares it with what the witness at the address has seen, if there is one.
func (h *house) verifyLedger(ctx context.Context, address string, stdout io.Writer) error {
	size, err := h.ledger.VerifyAll(ctx, h.db.Read)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d records, all as they were written\n", size)
	signed, err := ledger.Witnesses(ctx, h.db.Read)
	if err != nil {
		return err
	}
	for _, w := range signed {
		fmt.Fprintf(stdout, "%s has signed for %d of them, on %s\n", w.Name, w.Size, w.At.UTC().Format(time.DateTime))
	}
	refusals, err := seen.Refusals(ctx, h.db.Read)
	if err != nil {
		return err
	}
	var failed []error
	for _, refusal := range refusals {
		failed = append(failed, fmt.Errorf("a witness refuses to sign: %s", refusal))
	}
	if address == "" {
		return errors.Join(failed...)
	}
	found, err := seen.Compare(ctx, h.http, h.ledger, h.db.Read, address)
	switch {
	case errors.Is(err, ledger.ErrTampered):
		failed = append(failed, fmt.Errorf("this is not the ledger that the witness has seen: %w", err))
	case err != nil:
		failed = append(failed, err)
	default:
		fmt.Fprintf(stdout, "%s has seen %d records, and they are those that are here\n", address, found.Size)
	}
	for _, f := range found.Forks {
		said := "it has refused a checkpoint that nobody has shown to go on from the one before"
		if f.Proved {
			said = "it holds two checkpoints of one size, both signed with this ledger's key"
		}
		failed = append(failed, fmt.Errorf("%s: %s, on %s", address, said, f.FoundAt.UTC().Format(time.DateTime)))
	}
	return errors.Join(failed...)
}
