package main

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"antiphon/federation/actor"
	"antiphon/federation/evidence"
	"antiphon/internal/db"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// errUnknownKey ends the program with status 3: the proof is good, and nobody known says whose key it was made with.
var errUnknownKey = errors.New("the key is not known")

const verifyUsage = `Usage: antiphon verify [options] FILE

Checks one signed object (a receipt, grant, agreement, track, ...) or a bundle of one with keys, such as the library's
"proof of purchase", or an artist's statement of a pool. It asks nobody: neither a server nor the network is needed. FILE - is the standard input.

The key that the object was signed with is believed if it is in the file of --keys, or in the data folder of an
instance that has seen it at the signer's own server, or if a ledger has recorded it under a checkpoint that a key of
--keys has signed. A key that FILE itself brings is never believed for that alone.

The file of --keys is an actor's document as its server gave it, or {"keys": [such documents], "notes": [verifier keys
of ledgers and witnesses]}.

Status: 0 the proof holds and the key is known; 3 the proof holds, and the key is known to nobody asked: compare its
fingerprint; 1 broken, or there is no key to check with; 2 wrong usage.

`

// runVerify judges a signed object without any server.
func runVerify(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("verify", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, verifyUsage)
		set.PrintDefaults()
	}
	keys := set.String("keys", "", "`file` of keys that you trust")
	at := set.String("at", "", "judge as of this `time`, such as 2026-11-20T12:00:00Z; now when empty")
	data := set.String("data", "", "data `folder` of an instance, for the keys that it has seen")
	asJSON := set.Bool("json", false, "print one JSON object")
	file, err := parseOne(set, args)
	if err != nil {
		return err
	}
	moment := time.Now()
	if *at != "" {
		if moment, err = time.Parse(time.RFC3339, *at); err != nil {
			return misused(stderr, "--at %q is not a time such as 2026-11-20T12:00:00Z", *at)
		}
	}
	raw, err := readBounded(file)
	if err != nil {
		return misused(stderr, "%v", err)
	}
	ring, err := ringOf(ctx, file, *keys, *data, raw, moment)
	if err != nil {
		return misused(stderr, "%v", err)
	}
	if evidence.IsPoolStatement(raw) {
		return verifyStatement(raw, ring, *asJSON, stdout)
	}
	found, err := evidence.Check(raw, ring, moment)
	if *asJSON {
		if printed := printJSON(stdout, found, err); printed != nil {
			return printed
		}
	} else if err == nil {
		if printed := printFinding(stdout, found); printed != nil {
			return printed
		}
	}
	if err != nil {
		// What a stranger's file says must not move the terminal's cursor.
		return errors.New(strings.Map(printable, err.Error()))
	}
	if found.Trust.By == evidence.Nobody {
		return errUnknownKey
	}
	return nil
}

// verifyStatement judges an artist's statement of a pool.
func verifyStatement(raw []byte, ring *evidence.Ring, asJSON bool, stdout io.Writer) error {
	f, err := evidence.CheckPoolStatement(raw, ring)
	if asJSON {
		if printed := printStatementJSON(stdout, f, err); printed != nil {
			return printed
		}
	}
	if err != nil {
		return errors.New(strings.Map(printable, err.Error()))
	}
	if !asJSON {
		if err := printStatement(stdout, f); err != nil {
			return err
		}
	}
	if f.Trust.By == evidence.Nobody {
		return errUnknownKey
	}
	return nil
}

func printStatement(w io.Writer, f evidence.PoolFinding) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The statement holds: its total and %d lines are under the roots that the ledger has recorded.\n\n", f.Proved)
	for _, l := range f.Statement {
		fmt.Fprintf(&b, "  %-22s  %s\n", l.Name, strings.Map(printable, l.Value))
	}
	if f.Trust.By == evidence.Nobody {
		b.WriteString("\nNobody known has signed for the ledger: give its key, or a witness's, with --keys.\n")
	} else {
		fmt.Fprintf(&b, "\n%s signed for the ledger.\n", strings.Join(f.Trust.Signers, " and "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func printStatementJSON(w io.Writer, f evidence.PoolFinding, broken error) error {
	out := map[string]any{"proof": "broken", "key": string(evidence.Nobody)}
	if broken != nil {
		out["error"] = broken.Error()
	} else {
		out = map[string]any{"proof": "good", "kind": "PoolStatement", "lines": f.Proved, "says": f.Statement, "key": f.Trust.By, "ledgerSigners": f.Trust.Signers}
	}
	return json.NewEncoder(w).Encode(out)
}

func printable(r rune) rune {
	if unicode.IsPrint(r) {
		return r
	}
	return unicode.ReplacementChar
}

// parseOne parses a command's flags and its one argument, which may stand before or behind them.
func parseOne(set *flag.FlagSet, args []string) (string, error) {
	if err := parse(set, args); err != nil {
		return "", err
	}
	if set.NArg() == 0 {
		set.Usage()
		return "", errUsage
	}
	one := set.Arg(0)
	if err := parse(set, set.Args()[1:]); err != nil {
		return "", err
	}
	if set.NArg() > 0 {
		set.Usage()
		return "", errUsage
	}
	return one, nil
}

func misused(stderr io.Writer, format string, args ...any) error {
	fmt.Fprintf(stderr, "antiphon verify: "+format+"\n", args...)
	return errUsage
}

// readBounded reads a file that is no longer than any signed object; - is the standard input.
func readBounded(path string) ([]byte, error) {
	var in io.Reader = os.Stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, jsonld.MaxBytes+1))
}

// ringOf are the keys that are known for a file.
func ringOf(ctx context.Context, file, keys, data string, raw []byte, at time.Time) (*evidence.Ring, error) {
	ring := evidence.NewRing()
	if keys != "" {
		one, err := os.Stat(file)
		other, otherErr := os.Stat(keys)
		if err == nil && otherErr == nil && os.SameFile(one, other) {
			return nil, errors.New("--keys is the file itself: what it brings proves nothing")
		}
		trusted, err := readBounded(keys)
		if err != nil {
			return nil, err
		}
		if err := ring.Give(trusted); err != nil {
			return nil, fmt.Errorf("%s: %w", keys, err)
		}
	}
	if data != "" {
		if err := seeKeys(ctx, ring, data, raw, at); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// seeKeys adds what the instance of a data folder knows of the keys of whoever signed the file. It makes no database.
func seeKeys(ctx context.Context, ring *evidence.Ring, data string, raw []byte, at time.Time) error {
	path := filepath.Join(data, "antiphon.db")
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("no instance has its data in %s: %w", data, err)
	}
	d, err := db.Open(ctx, path, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer d.Close()
	claim, err := evidence.ClaimOf(raw)
	if err != nil {
		return nil // Check says what is wrong
	}
	seen, err := actor.KeysOf(ctx, d.Read, claim.Signer, at)
	if err != nil {
		return err
	}
	for _, k := range seen {
		s := vocab.Snapshot{ID: k.Actor}
		if k.Purpose == actor.Requesting {
			s.RequestingKeys = []vocab.Key{k.Key}
		} else {
			s.ProofKeys = []vocab.Key{k.Key}
		}
		if err := ring.See(s, k.First, k.Last); err != nil {
			return err
		}
	}
	return nil
}

// keyFingerprint is the short form of a key that people compare: the first 10 bytes of SHA-256 of its Multikey, in
// base32, in groups of four.
func keyFingerprint(multikey string) string {
	sum := sha256.Sum256([]byte(multikey))
	text := base32.StdEncoding.EncodeToString(sum[:10])
	var groups []string
	for ; len(text) > 0; text = text[4:] {
		groups = append(groups, text[:4])
	}
	return strings.Join(groups, " ")
}

// trustWords say why the key is believed, or why not.
func trustWords(f evidence.Finding) string {
	switch f.Trust.By {
	case evidence.Given:
		return "The key is known: it is among the keys that you gave."
	case evidence.Seen:
		return fmt.Sprintf("The key is known: the instance has seen it at %s, first on %s, last on %s.", hostOf(f.Signer),
			f.Trust.First.Format(time.DateOnly), f.Trust.Last.Format(time.DateOnly))
	case evidence.Ledger:
		return fmt.Sprintf("The key is known: the ledger recorded it with this payment, and %s signed for that.", strings.Join(f.Trust.Signers, " and "))
	default:
		return "The key is NOT known: only the file itself says that it is the signer's. Compare its fingerprint with the\n" +
			"signer, or give keys that you trust with --keys."
	}
}

func hostOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return uri
	}
	return u.Host
}

// printFinding tells a person who says what, and why to believe it.
func printFinding(w io.Writer, f evidence.Finding) error {
	var b strings.Builder
	fmt.Fprintf(&b, "The proof holds: this %s is what %s signed on %s.\n\n", f.Kind, f.Signer, f.Created.UTC().Format("2006-01-02 15:04:05 UTC"))
	for _, l := range f.Statement {
		fmt.Fprintf(&b, "  %-22s  %s\n", l.Name, l.Value)
	}
	if f.Record >= 0 {
		fmt.Fprintf(&b, "  %-22s  %d\n", "record in the ledger", f.Record)
	}
	fmt.Fprintf(&b, "\n  %-22s  %s\n  %-22s  %s\n  %-22s  %s\n\n%s\n",
		"signed with", f.VerificationMethod, "key", f.Key, "fingerprint", keyFingerprint(f.Key), trustWords(f))
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON tells the same to a program.
func printJSON(w io.Writer, f evidence.Finding, broken error) error {
	out := map[string]any{"proof": "broken", "key": string(evidence.Nobody)}
	if broken != nil {
		out["error"] = broken.Error()
	} else {
		out = map[string]any{
			"proof": "good", "kind": f.Kind, "signer": f.Signer, "created": f.Created.UTC().Format(time.RFC3339), "says": f.Statement,
			"verificationMethod": f.VerificationMethod, "publicKey": f.Key, "fingerprint": keyFingerprint(f.Key), "key": f.Trust.By,
		}
		if f.Trust.By == evidence.Seen {
			out["firstSeen"], out["lastSeen"] = f.Trust.First.Format(time.RFC3339), f.Trust.Last.Format(time.RFC3339)
		}
		if f.Record >= 0 {
			out["ledgerRecord"], out["ledgerSigners"] = f.Record, f.Trust.Signers
		}
	}
	return json.NewEncoder(w).Encode(out)
}
