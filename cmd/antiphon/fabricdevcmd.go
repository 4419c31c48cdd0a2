package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"antiphon/payments/ledger/fabricdev"
)

// runFabricDev runs the smallest network of Hyperledger Fabric.
func runFabricDev(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	set := options("fabric dev", stderr)
	set.Usage = func() {
		fmt.Fprint(stderr, "Usage: antiphon fabric dev [options]\n\n"+
			"Runs a network of Hyperledger Fabric for development, all on loopback: an orderer, a peer for each organization,\n"+
			"and the ledger's contract on it. It says what runs where and what an instance is configured with, and stops on\n"+
			"Ctrl-C. Every start begins with new keys and an empty ledger. Fabric's programs are built by .ci/fabric.\n\n")
		set.PrintDefaults()
	}
	programs := set.String("programs", "", "`folder` of Fabric's programs; empty: where .ci/fabric leaves them")
	orgs := set.String("orgs", "alpha,beta", "names of the organizations, two at least, a peer each")
	bft := set.Bool("bft", false, "order by SmartBFT instead of Raft")
	dir := set.String("dir", "", "an empty `folder` for the network's files, which stay; empty: one that is removed at the end")
	if err := parse(set, args); err != nil {
		return err
	}
	cfg := fabricdev.Config{Dir: *dir, Orgs: strings.Split(*orgs, ","), BFT: *bft}
	if cfg.Programs, err = fabricdev.Programs(*programs); err != nil {
		return err
	}
	if cfg.Dir == "" {
		if cfg.Dir, err = os.MkdirTemp("", "antiphon-fabric-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.Dir)) }()
	}
	fmt.Fprintln(stderr, "starting, which takes seconds")
	network, err := fabricdev.Start(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	if err := network.Deploy(ctx); err != nil {
		return err
	}
	if err := describe(stdout, network, cfg.Orgs); err != nil {
		return err
	}
	return network.Wait(ctx)
}

// describe says what runs where, and how an instance of each organization joins.
func describe(w io.Writer, n *fabricdev.Network, orgs []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Hyperledger Fabric %s, for development\n\n", fabricdev.Version)
	for _, node := range n.Nodes() {
		fmt.Fprintf(&b, "%-16s %-16s process %-8d %s\n", node.Name, node.Address, node.PID, node.Log)
	}
	for i, name := range orgs {
		m := n.Member(i)
		fmt.Fprintf(&b, "\n# antiphon.toml of an instance of %s\n[ledger.fabric]\npeer = %q\npeer_ca = %q\nmsp = %q\ncert = %q\nkey = %q\n",
			name, m.Peer, m.CA, m.MSP, m.Cert, m.Key)
	}
	b.WriteString("\nReady; Ctrl-C stops it.\n")
	_, err := io.WriteString(w, b.String())
	return err
}
