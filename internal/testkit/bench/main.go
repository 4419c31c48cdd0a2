// Command bench measures what Antiphon promises about speed, and prints a line "name value unit floor ok|MISSED" for each
// figure; a floor of "-" is a figure without a promise. It ends with 1 when a floor is missed and with 2 when something
// could not be measured. It works in a temporary folder and writes nothing else.
//
// What can be compared is measured in turns with its peer in one run, and the median of the rounds counts, so that a
// figure says the same on another machine. It is no test of correctness. From the root:
//
//	make bench
//	go run ./internal/testkit/bench --only seal,store --json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// check is one thing that is measured, with what is said of it by --help.
type check struct {
	name, about string
	run         func(*bench, context.Context) error
}

// checks stand in the order in which they run: what is heavy comes last.
var checks = []check{
	{"seal", "sealing of segments against AES-CBC alone", (*bench).seal},
	{"umbral", "re-encryption against @nucypher/umbral-pre", (*bench).umbral},
	{"grant", "issuing a 2-of-3 grant, and a proxy's answers", (*bench).grant},
	{"listen", "recording of plays", (*bench).listen},
	{"payment", "from the node's answer to the seller's watcher", (*bench).payment},
	{"royalty", "a month of the pool, computed from its lines", (*bench).royalty},
	{"inbox", "activities taken by a running instance, on both databases", (*bench).inbox},
	{"read", "documents read from a running instance, and with a million activities stored", (*bench).read},
	{"store", "the embedded block store against a Kubo daemon", (*bench).store},
	{"ledger", "the embedded ledger: payments recorded, all of it checked, proofs", (*bench).ledger},
	{"fabric", "the ledger on Hyperledger Fabric, from a command to its commit", (*bench).fabric},
	{"ingest", "an uploaded track against FFmpeg alone", (*bench).ingest},
	{"delivery", "a post to the servers of its followers against signing alone", (*bench).delivery},
	{"renewal", "a month of 1,000 subscribers, from the payments to the grants", (*bench).renewal},
	{"sale", "from the node's answer to the grant, on running instances", (*bench).sale},
	{"idle", "memory of an instance a minute after its last work", (*bench).idle},
	{"click", "from a click to the first sound in Chromium", (*bench).click},
	{"cold", "from a click to the first sound in a browser that holds nothing", (*bench).coldClick},
	{"build", "size of the program, and with --cold the time to build it", (*bench).build},
}

// errMissed is the end of a run in which everything was measured, and something was too slow.
var errMissed = errors.New("a floor was missed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errMissed):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	b := &bench{out: stdout}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.BoolVar(&b.json, "json", false, "print one JSON object a figure")
	set.BoolVar(&b.cold, "cold", false, "also build from an empty cache, which takes minutes")
	set.IntVar(&b.rounds, "rounds", 5, "how often each comparison is made; the median counts")
	set.DurationVar(&b.length, "length", 10*time.Second, "how long each run of clients lasts; 60s for a full one")
	set.IntVar(&b.perSecond, "per-second", 4000, "for how many posts a second requests are signed before a run")
	only := set.String("only", "", "comma-separated checks; all when empty:"+describe())
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() > 0 || b.rounds < 1 {
		return errors.New("bench takes flags only, and at least one round; see --help")
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	if _, err := os.Stat("go.mod"); err != nil {
		return fmt.Errorf("run it from the root of the module: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "antiphon-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)

	var failed []error
	for _, c := range chosen {
		if err := c.run(b, ctx); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if b.missed {
		return errMissed
	}
	return nil
}

// choose finds the checks that a list names.
func choose(list string) ([]check, error) {
	if list == "" {
		return checks, nil
	}
	names := strings.Split(list, ",")
	var chosen []check
	for _, c := range checks {
		if i := slices.Index(names, c.name); i >= 0 {
			chosen, names = append(chosen, c), slices.Delete(names, i, i+1)
		}
	}
	if len(names) > 0 {
		return nil, fmt.Errorf("there is no check %q; see --help", names[0])
	}
	return chosen, nil
}

func describe() string {
	var text strings.Builder
	for _, c := range checks {
		fmt.Fprintf(&text, "\n  %-8s %s", c.name, c.about)
	}
	return text.String()
}
