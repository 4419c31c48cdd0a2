package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"antiphon/payments/ledger"
)

// runLedger checks the ledger of payments from its first record to its last, or prints its newest signed checkpoint.
func runLedger(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("ledger", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: antiphon ledger [options] verify|checkpoint\n\n"+
			"verify goes through every record, hash, signature and balance; checkpoint prints the newest signed checkpoint,\n"+
			"which anyone may keep to hold a later ledger against.\n\n")
		set.PrintDefaults()
	}
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	verb := set.Arg(0)
	if set.NArg() != 1 || verb != "verify" && verb != "checkpoint" {
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
	if verb == "checkpoint" {
		signed, err := h.ledger.Checkpoint(ctx, h.db.Read)
		if errors.Is(err, ledger.ErrNotFound) {
			return errors.New("the ledger is empty")
		}
		if err == nil {
			_, err = stdout.Write(signed)
		}
		return err
	}
	size, err := h.ledger.VerifyAll(ctx, h.db.Read)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d records, all as they were written\n", size)
	return err
}
