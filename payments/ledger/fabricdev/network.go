package fabricdev

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/payments/ledger/fabric"
)

// Channel and Chaincode are the names that the ledger has on a network of this package.
const (
	Channel   = "antiphon"
	Chaincode = "ledger"
)

// startLimit bounds each of the network's steps, which take seconds.
const startLimit = 2 * time.Minute

// Config of a network.
type Config struct {
	// Dir is a folder for all its files: keys, blocks, state, logs. It is made; it must be empty or missing.
	Dir string
	// Programs is the folder of Fabric's programs, as [Programs] returns it.
	Programs string
	// Orgs are the organizations, each with a peer: short lower-case names; alpha and beta when empty.
	Orgs []string
	// BFT orders by SmartBFT instead of Raft; with one orderer, as here, the difference is only that it runs.
	BFT bool
	// TLS lets the peers reach the contract through TLS, as they would from another machine.
	TLS bool
	// AnyTime makes peers take transactions that bear any time, for tests of what happens in months. Otherwise 15 minutes
	// are the most that clocks may differ.
	AnyTime bool
}

// Network is an orderer and the peers, running.
type Network struct {
	cfg     Config
	layout  *layout
	orderer *process
	peers   []*process
	servers []*fabric.Server
}

var nameForm = regexp.MustCompile(`^[a-z]{1,20}$`)

// Start makes keys for everyone, starts the orderer and the peers, and joins them to one channel. Whoever gets a
// Network closes it; ctx bounds the start only. It takes seconds.
func Start(ctx context.Context, cfg Config) (started *Network, err error) {
	if len(cfg.Orgs) == 0 {
		cfg.Orgs = []string{"alpha", "beta"}
	}
	for i, name := range cfg.Orgs {
		if !nameForm.MatchString(name) || slices.Contains(cfg.Orgs[:i], name) {
			return nil, fmt.Errorf("organization %q: want lower-case letters, and each once", name)
		}
	}
	if len(cfg.Orgs) < 2 {
		return nil, errors.New("want two organizations at least: one alone has nobody to agree with")
	}
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	if there, err := os.ReadDir(cfg.Dir); err == nil && len(there) > 0 {
		return nil, fmt.Errorf("%s is not empty: a network begins with new keys and no blocks", cfg.Dir)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	n := &Network{cfg: cfg}
	if n.layout, err = plan(cfg); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			started, err = nil, errors.Join(err, n.Close())
		}
	}()
	genesis, err := n.prepare(ctx)
	if err != nil {
		return nil, err
	}
	return n, n.join(ctx, genesis)
}

// prepare writes configuration, keys and the channel's first block.
func (n *Network) prepare(ctx context.Context) (genesis string, err error) {
	if err := n.layout.write(); err != nil {
		return "", err
	}
	dir := n.layout.Dir
	_, err = tool(ctx, dir, n.program("cryptogen"), []string{"generate", "--config", "crypto-config.yaml", "--output", "crypto"})
	if err != nil {
		return "", err
	}
	genesis = filepath.Join(dir, "genesis.block")
	_, err = tool(ctx, dir, n.program("configtxgen"), []string{
		"-configPath", dir, "-profile", "Ledger", "-channelID", Channel, "-outputBlock", genesis,
	})
	return genesis, err
}

// join starts everyone and joins them to the channel.
func (n *Network) join(ctx context.Context, genesis string) error {
	dir := filepath.Join(n.layout.Dir, "orderer")
	var err error
	if n.orderer, err = start("orderer", dir, n.program("orderer"), nil, "FABRIC_CFG_PATH="+dir); err != nil {
		return err
	}
	n.peers = make([]*process, len(n.layout.Orgs))
	var all errgroup.Group
	all.Go(func() error {
		if err := n.orderer.listening(ctx, n.layout.Orderer.Admin); err != nil {
			return err
		}
		said, err := tool(ctx, dir, n.program("osnadmin"), []string{
			"channel", "join", "--channelID", Channel, "--config-block", genesis, "-o", n.layout.Orderer.Admin,
		})
		if err == nil && !strings.Contains(said, "201") { // it ends with 0 whatever the orderer answers
			err = fmt.Errorf("the orderer did not join the channel: %s", said)
		}
		return err
	})
	for i := range n.layout.Orgs {
		all.Go(func() error {
			if err := n.StartPeer(ctx, i); err != nil {
				return err
			}
			_, err := n.peer(ctx, i, "channel", "join", "-b", genesis)
			return err
		})
	}
	return all.Wait()
}

func (n *Network) program(name string) string { return filepath.Join(n.cfg.Programs, name) }

// peer runs Fabric's command for an administrator of organization i.
func (n *Network) peer(ctx context.Context, i int, args ...string) (string, error) {
	o := n.layout.Orgs[i]
	return tool(ctx, n.layout.Dir, n.program("peer"), args,
		"FABRIC_CFG_PATH="+filepath.Join(n.layout.Dir, o.Name),
		"CORE_PEER_LOCALMSPID="+o.MSP,
		"CORE_PEER_ADDRESS="+o.Address,
		"CORE_PEER_MSPCONFIGPATH="+filepath.Join(o.Folder, "users", "Admin@"+o.Domain, "msp"),
		"CORE_PEER_TLS_ENABLED=true",
		"CORE_PEER_TLS_ROOTCERT_FILE="+filepath.Join(o.Peer, "tls", "ca.crt"),
	)
}

// StartPeer starts the peer of organization i, which was stopped, and waits until it listens.
func (n *Network) StartPeer(ctx context.Context, i int) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	o := n.layout.Orgs[i]
	dir := filepath.Join(n.layout.Dir, o.Name)
	p, err := start("peer of "+o.Name, dir, n.program("peer"), []string{"node", "start"}, "FABRIC_CFG_PATH="+dir)
	if err != nil {
		return err
	}
	n.peers[i] = p
	return p.listening(ctx, o.Address)
}

// StopPeer stops the peer of organization i. Twice is safe.
func (n *Network) StopPeer(i int) error { return n.peers[i].stop() }

// Close stops everything that runs. The files stay. Twice is safe.
func (n *Network) Close() error {
	var err error
	for _, s := range n.servers {
		s.Stop()
	}
	for _, p := range append(slices.Clone(n.peers), n.orderer) {
		if p != nil {
			err = errors.Join(err, p.stop())
		}
	}
	return err
}

// Wait returns when ctx ends, or with an error that says which process has ended before, and what it said at last.
func (n *Network) Wait(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broken := make(chan *process, len(n.peers)+1)
	for _, p := range append(slices.Clone(n.peers), n.orderer) {
		go func() {
			select {
			case <-p.ended:
				broken <- p
			case <-ctx.Done():
			}
		}()
	}
	select {
	case p := <-broken:
		return p.gone()
	case <-ctx.Done():
		return nil
	}
}

// Node is one process of the network.
type Node struct {
	// Name is what it is, such as "peer of alpha".
	Name string
	// Address is where it listens.
	Address string
	PID     int
	// Log is the file of what it says.
	Log string
}

// Nodes are the network's processes, the orderer first.
func (n *Network) Nodes() []Node {
	nodes := []Node{{n.orderer.name, n.layout.Orderer.Address, n.orderer.cmd.Process.Pid, n.orderer.log}}
	for i, p := range n.peers {
		nodes = append(nodes, Node{p.name, n.layout.Orgs[i].Address, p.cmd.Process.Pid, p.log})
	}
	return nodes
}

// Member is what the server of organization i is configured with to use its peer.
func (n *Network) Member(i int) fabric.Config {
	o := n.layout.Orgs[i]
	user := filepath.Join(o.Folder, "users", "User1@"+o.Domain, "msp")
	return fabric.Config{
		Peer: o.Address, CA: filepath.Join(o.Peer, "tls", "ca.crt"),
		MSP: o.MSP, Cert: filepath.Join(user, "signcerts", "User1@"+o.Domain+"-cert.pem"), Key: filepath.Join(user, "keystore", "priv_sk"),
		Channel: Channel, Chaincode: Chaincode,
	}
}
