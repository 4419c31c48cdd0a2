// Command antiphon is a music server for the fediverse. This package holds one file per command and all the wiring;
// what it wires is in the other rooms.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// command is one word that follows antiphon on the command line.
type command struct {
	name  string
	short string
	run   func(ctx context.Context, args []string, stdout, stderr io.Writer) error
}

// errUsage ends the program with status 2; the command has said what is wrong.
var errUsage = errors.New("usage")

func commands() []command {
	return []command{
		{"demo", "show on this machine what Antiphon does, from upload to playing", runDemo},
		{"serve", "run an instance", runServe},
		{"config", "print the configuration in force, secrets redacted", runConfig},
		{"doctor", "say what is missing or slow on this machine, and what to do", runDoctor},
		{"ledger", "check the ledger of payments, or print its checkpoint", runLedger},
		{"verify", "check a receipt or another signed object, without any server", runVerify},
		{"month", "compute a month of the pool from its file, without any server", runMonth},
		{"till", "print the transaction that makes a till, for payments in a token", runTill},
		{"raiden", "look at this instance's Raiden node (raiden check), or run a network for development (raiden dev)", runRaiden},
		{"fabric", "use the ledger that is shared with others, or try one (fabric dev)", runFabric},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		usage(stdout)
		return 0
	}
	for _, c := range commands() {
		if c.name != args[0] {
			continue
		}
		switch err := c.run(ctx, args[1:], stdout, stderr); {
		case err == nil, errors.Is(err, errHelp):
			return 0
		case errors.Is(err, errUsage):
			return 2
		case errors.Is(err, errUnknownKey):
			return 3
		default:
			fmt.Fprintf(stderr, "antiphon %s: %v\n", c.name, err)
			return 1
		}
	}
	fmt.Fprintf(stderr, "antiphon: there is no command %q\n\n", args[0])
	usage(stderr)
	return 2
}

func usage(w io.Writer) {
	fmt.Fprint(w, "antiphon is a music server for the fediverse.\n\nUsage: antiphon <command> [options]\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s  %s\n", c.name, c.short)
	}
	fmt.Fprint(w, "\n`antiphon <command> --help` tells more.\n")
}
