package fabricdev

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/payments/ledger/fabric"
)

// Deploy runs the ledger's contract on the network: in this process there is a server of it for each organization, as
// each operator would have an own one, and every organization approves it. From then on two organizations, whichever,
// must come to the same result before a transaction counts.
func (n *Network) Deploy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var all errgroup.Group
	for i, o := range n.layout.Orgs {
		serve, to := n.chaincode(o)
		pack, id, err := fabric.Package(to)
		if err != nil {
			return err
		}
		path := filepath.Join(n.layout.Dir, o.Name, "ledger.tar.gz")
		if err := os.WriteFile(path, pack, 0o600); err != nil {
			return err
		}
		serve.PackageID = id
		server, err := fabric.Serve(serve)
		if err != nil {
			return err
		}
		n.servers = append(n.servers, server)
		all.Go(func() error {
			if _, err := n.peer(ctx, i, "lifecycle", "chaincode", "install", path); err != nil {
				return err
			}
			_, err := n.peer(ctx, i, append([]string{"lifecycle", "chaincode", "approveformyorg", "--package-id", id}, n.definition()...)...)
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	args := append([]string{"lifecycle", "chaincode", "commit"}, n.definition()...)
	for _, o := range n.layout.Orgs {
		args = append(args, "--peerAddresses", o.Address, "--tlsRootCertFiles", filepath.Join(o.Peer, "tls", "ca.crt"))
	}
	if _, err := n.peer(ctx, 0, args...); err != nil {
		return err
	}
	return n.Ready(ctx)
}

// Ready waits until every organization's peer finds enough others to agree with: after a start they have to meet first.
func (n *Network) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var all errgroup.Group
	for i := range n.layout.Orgs {
		all.Go(func() error { return n.memberReady(ctx, i) })
	}
	return all.Wait()
}

func (n *Network) memberReady(ctx context.Context, i int) error {
	b, err := fabric.Open(n.Member(i))
	if err != nil {
		return err
	}
	defer b.Close()
	poll := time.NewTicker(100 * time.Millisecond)
	defer poll.Stop()
	for {
		err := b.Ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return fmt.Errorf("peer of %s: %w", n.layout.Orgs[i].Name, err)
		}
	}
}

// definition is what every organization approves in the same words.
func (n *Network) definition() []string {
	return []string{
		"-o", n.layout.Orderer.Address, "--tls", "--cafile", filepath.Join(n.layout.Orderer.Folder, "tls", "ca.crt"),
		"--channelID", Channel, "--name", Chaincode, "--version", "1", "--sequence", "1", "--signature-policy", n.policy(),
	}
}

// policy: any two organizations' peers. A majority would stop when half of the operators sleep.
func (n *Network) policy() string {
	var b strings.Builder
	b.WriteString("OutOf(2")
	for _, o := range n.layout.Orgs {
		fmt.Fprintf(&b, ", '%s.peer'", o.MSP)
	}
	return b.String() + ")"
}

// chaincode is where an organization's contract is served, and what its peer is told of it.
func (n *Network) chaincode(o org) (serve fabric.ServerConfig, pack fabric.PackageConfig) {
	serve.Address, pack.Address = o.Service, o.Service
	if n.cfg.TLS {
		// One certificate does for both ends, since both are the organization's own and on one machine.
		ca, cert, key := filepath.Join(o.Peer, "tls", "ca.crt"), filepath.Join(o.Peer, "tls", "server.crt"), filepath.Join(o.Peer, "tls", "server.key")
		serve.ClientCA, serve.Cert, serve.Key = ca, cert, key
		pack.CA, pack.Cert, pack.Key = ca, cert, key
	}
	return serve, pack
}
