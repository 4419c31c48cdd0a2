package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"antiphon/payments/ledger"
)

// runLedger checks the ledger of payments from its first record to its last, or prints its newest signed checkpoint.
func runLedger(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := flag.NewFlagSet("antiphon ledger", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: antiphon ledger [options] verify|checkpoint\n\n"+
			"verify goes through every record, hash, signature and balance; checkpoint prints the newest signed checkpoint,\n"+
			"which anyone may keep to hold a later ledger against.\n\n")
		set.PrintDefaults()
	}
	path := set.String("config", "antiphon.toml", "the configuration `file`; the default one may be missing")
	if err := set.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return errUsage
	}
	verb := set.Arg(0)
	if set.NArg() != 1 || verb != "verify" && verb != "checkpoint" {
		set.Usage()
		return errUsage
	}
	c, err := loadConfig(*path, *path == "antiphon.toml", os.LookupEnv)
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
