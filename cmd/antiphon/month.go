package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"antiphon/payments/ledger/contract"
	reports "antiphon/payments/report"
	"antiphon/payments/royalty"
)

const monthUsage = `Usage: antiphon month [options] inspect|compile|verify FILE

Computes a month of the listening pool from its file: who paid, what was heard, what was decided. It needs neither an
instance nor the network, and gives the same bytes on every machine.

inspect says what is in the file, and whether the lines of each day are those that were reported. compile prints the
month's statement as JSON; with --splits it writes the split lines, whose root the statement has. verify compiles the
month and compares the root of its splits with --root.

Status: 0 all is as it should be; 1 it is not; 2 wrong usage.

`

// runMonth compiles a month without a server.
func runMonth(_ context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("month", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, monthUsage)
		set.PrintDefaults()
	}
	splits := set.String("splits", "", "with compile: write the split lines to this `file`")
	root := set.String("root", "", "with verify: the `root` of the splits as it was reported, 64 hexadecimal digits")
	if err := parse(set, args); err != nil {
		return err
	}
	verb := set.Arg(0)
	file, err := parseOne(set, set.Args()[min(1, set.NArg()):])
	if err != nil {
		return err
	}
	verbs := map[string]func(reports.Month) error{
		"inspect": func(m reports.Month) error { return inspectMonth(m, stdout) },
		"compile": func(m reports.Month) error { return compileMonth(m, *splits, stdout) },
		"verify":  func(m reports.Month) error { return verifyMonth(m, *root, stdout) },
	}
	do, known := verbs[verb]
	if !known || (verb == "verify") != (*root != "") || *splits != "" && verb != "compile" {
		set.Usage()
		return errUsage
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	m, err := reports.Read(f, size)
	if err != nil {
		return err
	}
	return do(m)
}

// inspectMonth says what a file has.
func inspectMonth(m reports.Month, w io.Writer) error {
	payers := 0
	for range m.Payers {
		payers++
	}
	var carried royalty.Micro
	for _, c := range m.Carried {
		carried += c.Micro
	}
	fmt.Fprintf(w, "%s of %s, policy %d: %s, top %d\n%d paid, %s carried by %d, %d pairs held, %d removed\n",
		m.Month, m.Node, m.Policy.Version, m.Policy.Split, m.Policy.Top, payers, carried, len(m.Carried), len(m.Held), len(m.Removed))
	altered := 0
	for _, d := range m.Days {
		var tree royalty.Tree
		for line, err := range d.Lines {
			if err != nil {
				return fmt.Errorf("%s: %w", d.Day, err)
			}
			tree.Add(line.String())
		}
		words := "as reported"
		if contract.Root(tree) != d.Root {
			words = "NOT the lines that were reported"
			altered++
		}
		fmt.Fprintf(w, "%s  %d lines  %s\n", d.Day, tree.Size(), words)
	}
	if altered > 0 {
		return fmt.Errorf("%w: %d days", reports.ErrAltered, altered)
	}
	return nil
}

func compileMonth(m reports.Month, splits string, w io.Writer) (err error) {
	var emit func(royalty.SplitLine) error
	if splits != "" {
		f, err := os.Create(splits)
		if err != nil {
			return err
		}
		b := bufio.NewWriter(f)
		defer func() { err = errors.Join(err, b.Flush(), f.Close()) }()
		emit = func(l royalty.SplitLine) error {
			_, err := fmt.Fprintln(b, l)
			return err
		}
	}
	compiled, err := m.Compile(emit, nil)
	if err != nil {
		return err
	}
	dollars := map[string]string{}
	for _, artist := range slices.Sorted(maps.Keys(compiled.Artists)) {
		dollars[artist] = compiled.Artists[artist].String()
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"statement": compiled.Statement, "artists": dollars})
}

func verifyMonth(m reports.Month, root string, w io.Writer) error {
	compiled, err := m.Compile(nil, nil)
	if err != nil {
		return err
	}
	if compiled.Statement.SplitsRoot != root {
		return fmt.Errorf("the splits have the root %s, and %.70s was reported", compiled.Statement.SplitsRoot, root)
	}
	_, err = fmt.Fprintf(w, "The root of the splits is %s, as it was reported: %d lines, %s to %d artists.\n",
		root, compiled.Statement.SplitLines, compiled.Statement.Splits, compiled.Statement.ArtistCount)
	return err
}
