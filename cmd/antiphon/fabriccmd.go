package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"antiphon/payments/ledger/contract"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/royalty"
)

const fabricUsage = `Usage: antiphon fabric <verb> [options]

  dev     run a network of Hyperledger Fabric on this machine, for development
  package write what the operator's peer installs to find the contract, and print its id
  state   print what the shared ledger says, a key and its value on a line
  policy  set the first or the next policy on the shared ledger
  node    say on the shared ledger that an instance takes part, and who speaks for it

The last three ask the operator's peer that [ledger.fabric] names; docs/fabric.md tells the whole.
`

// runFabric is what operators do on the ledger that they share, and a network to try it.
func runFabric(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	verbs := map[string]func(context.Context, []string, io.Writer, io.Writer) error{
		"dev": runFabricDev, "package": runFabricPackage, "state": runFabricState, "policy": runFabricPolicy, "node": runFabricNode,
	}
	if len(args) > 0 {
		if run, known := verbs[args[0]]; known {
			return run(ctx, args[1:], stdout, stderr)
		}
	}
	fmt.Fprint(stderr, fabricUsage)
	if len(args) > 0 && (args[0] == "--help" || args[0] == "-h") {
		return errHelp
	}
	return errUsage
}

func runFabricPackage(_ context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("fabric package [options] FILE", stderr)
	address := set.String("address", "127.0.0.1:7052", "where ledger.fabric.listen is, as the peer dials it")
	ca := set.String("ca", "", "`path` of the certificate that ledger.fabric.listen_cert goes back to; needed when it is not on loopback")
	cert := set.String("cert", "", "`path` of the peer's TLS certificate for this connection")
	key := set.String("key", "", "`path` of its private key, which will lie in the package")
	if err := parse(set, args); err != nil {
		return err
	}
	if set.NArg() != 1 {
		set.Usage()
		return errUsage
	}
	pack, id, err := fabric.Package(fabric.PackageConfig{Address: *address, CA: *ca, Cert: *cert, Key: *key})
	if err != nil {
		return err
	}
	if err := os.WriteFile(set.Arg(0), pack, 0o600); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, id)
	return err
}

// onShared does something on the shared ledger of the configuration.
func onShared(read func() (*config, error), do func(*fabric.Backend) error) error {
	c, err := read()
	if err != nil {
		return err
	}
	b, err := openFabric(c)
	if err != nil {
		return err
	}
	if b == nil {
		return errors.New("ledger.fabric.peer is not set: there is no shared ledger")
	}
	return errors.Join(do(b), b.Close())
}

func runFabricState(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("fabric state [PREFIX]", stderr)
	read := withConfig(set)
	if err := parse(set, args); err != nil {
		return err
	}
	if set.NArg() > 1 {
		set.Usage()
		return errUsage
	}
	return onShared(read, func(b *fabric.Backend) error {
		// No key goes on with what is no character.
		return b.Range(ctx, set.Arg(0), set.Arg(0)+"\U0010ffff", func(key, value string) error {
			_, err := fmt.Fprintf(stdout, "%s %s\n", key, value)
			return err
		})
	})
}

func runFabricPolicy(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("fabric policy", stderr)
	read := withConfig(set)
	from := set.String("from", "", "first `month` of the default policy, such as 2026-12; this one when empty")
	file := set.String("file", "", "a policy as JSON, as `antiphon fabric state policy` prints it, instead of the default one")
	if err := parse(set, args); err != nil {
		return err
	}
	month := royalty.MonthOf(time.Now())
	if *from != "" {
		var err error
		if month, err = royalty.ParseMonth(*from); err != nil {
			return err
		}
	}
	policy := contract.DefaultPolicy(month)
	if *file != "" {
		raw, err := readBounded(*file)
		if err != nil {
			return err
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.DisallowUnknownFields()
		policy = contract.Policy{}
		if err := d.Decode(&policy); err != nil {
			return fmt.Errorf("%s: %w", *file, err)
		}
	}
	return onShared(read, func(b *fabric.Backend) error {
		if err := b.Submit(ctx, policy); err != nil {
			return err
		}
		_, err := fmt.Fprintf(stdout, "policy %d holds from %s on\n", policy.Version, policy.From)
		return err
	})
}

func runFabricNode(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	set := options("fabric node [options] HOST MSP", stderr)
	read := withConfig(set)
	owner := set.String("owner", "", "`URI` of who runs it, of which the ledger gets a hash: nodes of one owner never judge each other; its own when empty")
	cluster := set.String("cluster", "", "`name` of the instances that it runs with")
	suspended := set.Bool("suspended", false, "it is not drawn to judge, and does not vote")
	if err := parse(set, args); err != nil {
		return err
	}
	if set.NArg() != 2 {
		set.Usage()
		return errUsage
	}
	node := contract.Node{Host: set.Arg(0), Caller: set.Arg(1), Cluster: *cluster, Suspended: *suspended}
	if *owner == "" {
		*owner = "https://" + node.Host + "/"
	}
	node.Owner = contract.Digest("owner", *owner)
	return onShared(read, func(b *fabric.Backend) error {
		if err := b.Submit(ctx, node); err != nil {
			return err
		}
		_, err := fmt.Fprintf(stdout, "%s takes part; %s speaks for it\n", node.Host, node.Caller)
		return err
	})
}
