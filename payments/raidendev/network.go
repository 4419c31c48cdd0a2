package raidendev

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

const (
	// Decimals of the token.
	Decimals = 6
	// Symbol of the token, for display.
	Symbol = "devUSD"
	// Hub is the name of the node that mediates; no party may have it.
	Hub = "hub"
	// Notice is what must be said wherever this network's money is shown.
	Notice = "Development network: its tokens are worth nothing."
)

const (
	// defaultDeposit is 10,000 devUSD.
	defaultDeposit = 10_000_000_000
	// blockTime is the pace of the imaginary chain, which locks are counted in.
	blockTime = time.Second
	// lockBlocks is how long the first lock of a transfer lasts; each further one ends hopBlocks earlier, so that who
	// has paid still has the time to be paid.
	lockBlocks = 30
	hopBlocks  = 10
)

// Config says who takes part and where the network keeps its state.
type Config struct {
	// Dir holds the seed of all keys and the journal. It is made when missing; one process may have it open.
	Dir string
	// Nodes are the names of the parties, one node each. A party that is left out at a later start is offline and keeps
	// its money.
	Nodes []string
	// Port is the hub's; the nodes have the ports above it, in their order. 0 takes any free ports.
	Port int
	// Deposit is what the faucet gives each new node, in units of 10^-6 devUSD; zero means 10,000 devUSD.
	Deposit amount.Units
	Log     *slog.Logger
	Now     func() time.Time
	// Rand is the source of the seed, of secrets and of identifiers that a payer leaves out.
	Rand io.Reader
}

// NodeInfo is one node of the network.
type NodeInfo struct {
	Name    string
	URL     string // without a trailing slash, as raiden.Config wants it
	Address eip55.Address
}

// Network is an open development network.
type Network struct {
	cfg          Config
	seed         seed
	token        eip55.Address
	tokenNetwork eip55.Address
	infos        []NodeInfo
	servers      []*http.Server
	listeners    []net.Listener

	mu        sync.RWMutex // what stands below
	state     *state
	journal   *journal
	nodes     map[eip55.Address]*node
	messageID uint64
	lose      func(message) bool // messages that a test lets the network lose
}

// Open opens or makes the network and listens on loopback; nothing is answered before Serve. It finishes or takes back
// what an earlier process left undone.
func Open(cfg Config) (*Network, error) {
	if cfg.Deposit.IsZero() {
		cfg.Deposit = amount.NewUnits(defaultDeposit)
	}
	n := &Network{cfg: cfg, state: newState(), nodes: map[eip55.Address]*node{}}
	if err := n.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open development network: %w", err), n.Close())
	}
	cfg.Log.Warn("development network: its tokens are worth nothing", "dir", cfg.Dir, "token", n.token, "nodes", cfg.Nodes)
	return n, nil
}

func (n *Network) open() error {
	if err := checkNames(n.cfg.Nodes); err != nil {
		return err
	}
	if err := os.MkdirAll(n.cfg.Dir, 0o700); err != nil {
		return err
	}
	j, err := openJournal(filepath.Join(n.cfg.Dir, "journal"), n.state)
	if err != nil {
		return err
	}
	n.journal = j
	if n.seed, err = loadSeed(filepath.Join(n.cfg.Dir, "seed"), n.cfg.Rand, n.state.next == 0); err != nil {
		return err
	}
	n.token, n.tokenNetwork = n.seed.contract("token"), n.seed.contract("token network")
	if err := n.join(); err != nil {
		return err
	}
	if err := n.checkProofs(); err != nil {
		return err
	}
	if err := n.settle(); err != nil {
		return err
	}
	if err := n.journal.sync(); err != nil {
		return err
	}
	return n.listen()
}

func checkNames(names []string) error {
	seen := map[string]bool{Hub: true}
	for _, name := range names {
		if name == "" || seen[name] {
			return fmt.Errorf("node names must be different, not empty and not %q: %q", Hub, name)
		}
		seen[name] = true
	}
	return nil
}

// loadSeed reads the seed; only a network without any record may make one.
func loadSeed(path string, rand io.Reader, fresh bool) (seed, error) {
	var s seed
	text, err := os.ReadFile(path)
	if err == nil {
		if err := decodeHex(s[:], []byte(strings.TrimSpace(string(text)))); err != nil {
			return s, fmt.Errorf("read seed: %w", err)
		}
		return s, nil
	}
	if !errors.Is(err, os.ErrNotExist) || !fresh {
		return s, fmt.Errorf("read seed: %w", err)
	}
	if _, err := io.ReadFull(rand, s[:]); err != nil {
		return s, fmt.Errorf("make seed: %w", err)
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return s, fmt.Errorf("write seed: %w", err)
	}
	_, err = fmt.Fprintf(f, "0x%s\n", hex.EncodeToString(s[:]))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return s, fmt.Errorf("write seed: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return s, fmt.Errorf("write seed: %w", err)
	}
	return s, syncFolder(filepath.Dir(path))
}

// join brings up every node that ever was, and gives the new ones a channel with the hub.
func (n *Network) join() error {
	for _, name := range append([]string{Hub}, n.cfg.Nodes...) {
		if _, known := n.state.names[name]; known {
			continue
		}
		if err := n.commit(record{Node: &joined{Name: name, Address: addressOf(n.seed.key(name).PubKey())}}); err != nil {
			return err
		}
	}
	for name, address := range n.state.names {
		key := n.seed.key(name)
		if addressOf(key.PubKey()) != address {
			return fmt.Errorf("%w: the seed is not the one of node %q", ErrCorrupt, name)
		}
		n.nodes[address] = &node{network: n, name: name, address: address, key: key, secrets: map[hash]secret{}}
	}
	hub := n.state.names[Hub]
	n.nodes[hub].online = true
	for _, name := range n.cfg.Nodes {
		party := n.nodes[n.state.names[name]]
		party.online = true
		if err := n.fund(party.address, hub); err != nil {
			return fmt.Errorf("fund node %q: %w", name, err)
		}
	}
	return nil
}

// fund opens and fills the first channel of a party, or what of it a killed process has left undone.
func (n *Network) fund(party, hub eip55.Address) error {
	c, ever := n.state.open[pairOf(party, hub)], false
	for _, old := range n.state.channels {
		_, err1 := old.side(party)
		_, err2 := old.side(hub)
		ever = ever || (err1 == nil && err2 == nil && !old.ends[0].deposit.IsZero())
	}
	if ever {
		return nil
	}
	if c == nil {
		id := uint64(len(n.state.channels)) + 1
		if err := n.commit(record{Open: &opened{Channel: id, Parties: [2]eip55.Address{party, hub}}}); err != nil {
			return err
		}
		c = n.state.open[pairOf(party, hub)]
	}
	return n.commit(record{Deposit: &funded{Channel: c.id, Party: party, Total: n.cfg.Deposit}})
}

// checkProofs verifies the newest signature of every channel's ends, which covers all the money in it.
func (n *Network) checkProofs() error {
	for _, c := range n.state.channels {
		for _, e := range c.ends {
			if e.nonce == 0 {
				continue
			}
			if err := e.last.Signature.verify(e.address, e.last.pack(n.tokenNetwork)); err != nil {
				return fmt.Errorf("%w: balance proof of channel %d: %w", ErrCorrupt, c.id, err)
			}
		}
	}
	return nil
}

// commit makes a change of state and journals it. It is safe from a power failure after journal.sync only.
func (n *Network) commit(r record) error {
	r.N, r.At = n.state.next, n.cfg.Now().UTC()
	if err := n.state.apply(r); err != nil {
		return err
	}
	return n.journal.append(r)
}

// block is the height of the imaginary chain, which began in 2020.
func (n *Network) block() uint64 {
	since := n.cfg.Now().Sub(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	return uint64(max(since, 0) / blockTime)
}

func (n *Network) randomUint64() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(n.cfg.Rand, b[:]); err != nil {
		return 0, fmt.Errorf("random number: %w", err)
	}
	return max(binary.BigEndian.Uint64(b[:]), 1), nil
}

func (n *Network) listen() error {
	for i, name := range append([]string{Hub}, n.cfg.Nodes...) {
		port := 0
		if n.cfg.Port != 0 {
			port = n.cfg.Port + i
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return err
		}
		address := n.state.names[name]
		n.listeners = append(n.listeners, l)
		n.infos = append(n.infos, NodeInfo{Name: name, URL: "http://" + l.Addr().String(), Address: address})
		n.servers = append(n.servers, &http.Server{
			Handler: n.nodes[address].handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
			IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(n.cfg.Log.Handler(), slog.LevelWarn),
		})
	}
	return nil
}

// Nodes lists the hub and then the parties in the order of the configuration.
func (n *Network) Nodes() []NodeInfo { return append([]NodeInfo(nil), n.infos...) }

// Token is the address of the network's token. It differs from network to network.
func (n *Network) Token() eip55.Address { return n.token }

// Asset is the token as an asset, "antiphon-dev:1/erc20:0x...".
func (n *Network) Asset() amount.Asset { return amount.Token(amount.DevNamespace, chainID, n.token) }

// Serve answers until ctx ends or the network is closed, and returns after its goroutines have ended.
func (n *Network) Serve(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range n.servers {
		g.Go(func() error {
			if err := s.Serve(n.listeners[i]); !errors.Is(err, http.ErrServerClosed) {
				return fmt.Errorf("serve node %s: %w", n.infos[i].Name, err)
			}
			return context.Canceled // ends the other goroutines
		})
		g.Go(func() error {
			<-ctx.Done()
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			if err := s.Shutdown(stop); err != nil {
				return errors.Join(err, s.Close())
			}
			return nil
		})
	}
	g.Go(func() error { return n.tick(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// tick settles transfers, once a block.
func (n *Network) tick(ctx context.Context) error {
	t := time.NewTicker(blockTime)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		n.mu.Lock()
		err := n.settle()
		n.mu.Unlock()
		if errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("settle transfers: %w", err)
		}
	}
}

// Close stops the nodes and closes the journal. Closing twice is safe.
func (n *Network) Close() error {
	var err error
	for i, s := range n.servers {
		err = errors.Join(err, s.Close())
		if e := n.listeners[i].Close(); !errors.Is(e, net.ErrClosed) {
			err = errors.Join(err, e)
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.journal == nil || errors.Is(n.journal.err, os.ErrClosed) {
		return err
	}
	return errors.Join(err, n.journal.close())
}
