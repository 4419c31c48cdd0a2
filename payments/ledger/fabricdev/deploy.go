package fabricdev

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/payments/ledger/fabric"
)

// label is what a package is called on a peer, before its hash.
const label = "ledger_1"

// Deploy runs the ledger's contract on the network: in this process there is a server of it for each organization, as
// each operator would have an own one, and every organization approves it. From then on two organizations, whichever,
// must come to the same result before a transaction counts.
func (n *Network) Deploy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var all errgroup.Group
	for i, o := range n.layout.Orgs {
		path, id, err := n.pack(o)
		if err != nil {
			return err
		}
		server, err := fabric.Serve(fabric.ServerConfig{Address: o.Service, PackageID: id})
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

// pack writes the package of an organization, which holds only where its chaincode is served, and returns its id.
func (n *Network) pack(o org) (path, id string, err error) {
	connection, err := json.Marshal(map[string]any{"address": o.Service, "dial_timeout": "10s", "tls_required": false})
	if err != nil {
		return "", "", err
	}
	metadata, err := json.Marshal(map[string]string{"type": "ccaas", "label": label})
	if err != nil {
		return "", "", err
	}
	code, err := archive("connection.json", connection)
	if err != nil {
		return "", "", err
	}
	whole, err := archive("metadata.json", metadata, "code.tar.gz", code)
	if err != nil {
		return "", "", err
	}
	path = filepath.Join(n.layout.Dir, o.Name, label+".tar.gz")
	sum := sha256.Sum256(whole)
	return path, label + ":" + hex.EncodeToString(sum[:]), os.WriteFile(path, whole, 0o600)
}

// archive makes a gzipped tar of names and their bytes, the same every time.
func archive(nameAndBytes ...any) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	tape := tar.NewWriter(zip)
	for i := 0; i < len(nameAndBytes); i += 2 {
		name, data := nameAndBytes[i].(string), nameAndBytes[i+1].([]byte)
		err := tape.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), ModTime: time.Unix(0, 0)})
		if err != nil {
			return nil, err
		}
		if _, err := tape.Write(data); err != nil {
			return nil, err
		}
	}
	if err := tape.Close(); err != nil {
		return nil, err
	}
	if err := zip.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
