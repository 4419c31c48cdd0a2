// Package raidentest is what tests of Raiden need: a network of fake nodes that replay the two dialects with their
// oddities, and the conformance suite that every network must pass, fake or not.
//
// It is for tests only, and it proves nothing about a real node: the fakes say what real nodes were seen to say. Call
// New for fakes and Run for the suite.
package raidentest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// Network is two fake nodes with a channel between them. Its fields do not change.
type Network struct {
	Dialect raiden.Dialect
	Token   eip55.Address
	Payer   *Node
	Payee   *Node

	mu      sync.Mutex
	seconds int // passed since the first payment: history is told apart by time in the python dialect
}

// Node is one fake node.
type Node struct {
	URL     string
	Address eip55.Address

	network *Network
	partner *Node
	balance *big.Int
	history []Line
	pending []string
	answer  func(w http.ResponseWriter, r *http.Request) bool
	paid    int
}

// Line is a line of a node's history. A Raw line is sent as it is.
type Line struct {
	Raw        string
	Event      raiden.EventKind
	Initiator  eip55.Address
	Target     eip55.Address
	Amount     string
	Identifier uint64
	Secret     string // with "0x"; light only
	SecretHash string // with "0x"; light only
	Time       time.Time
}

// startBalance is what a fake payer has, above what a 64-bit integer holds.
const startBalance = "1000000000000000000000"

// New starts the two nodes of a dialect; they stop when the test ends.
func New(t testing.TB, dialect raiden.Dialect) *Network {
	t.Helper()
	n := &Network{Dialect: dialect, Token: eip55.Address{0xAA, 0xBB, 19: 1}}
	n.Payer, n.Payee = n.node(t, eip55.Address{0xCC, 19: 2}), n.node(t, eip55.Address{0xDD, 19: 3})
	n.Payer.partner, n.Payee.partner = n.Payee, n.Payer
	n.Payer.balance.SetString(startBalance, 10)
	return n
}

func (n *Network) node(t testing.TB, address eip55.Address) *Node {
	node := &Node{network: n, Address: address, balance: new(big.Int)}
	s := httptest.NewServer(node)
	t.Cleanup(s.Close)
	node.URL = s.URL
	return node
}

// Client makes a client of the node.
func (n *Node) Client(t testing.TB) *raiden.Client { return client(t, n.URL) }

func client(t testing.TB, url string) *raiden.Client {
	t.Helper()
	c, err := raiden.New(raiden.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

// Add appends lines to the node's history.
func (n *Node) Add(lines ...Line) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	n.history = append(n.history, lines...)
}

// Change lets fn change the node's history.
func (n *Node) Change(fn func(history []Line) []Line) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	n.history = fn(n.history)
}

// Pending replaces the node's pending transfers, each as JSON.
func (n *Node) Pending(transfers ...string) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	n.pending = transfers
}

// Intercept lets fn answer requests first; it returns false for those that the node is to answer. nil ends it.
func (n *Node) Intercept(fn func(w http.ResponseWriter, r *http.Request) bool) {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	n.answer = fn
}

// Paid is how many payments the node has made.
func (n *Node) Paid() int {
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	return n.paid
}

// PendingTransfer is a pending transfer to the node as its dialect shows it.
func (n *Node) PendingTransfer(initiator eip55.Address, identifier uint64) string {
	role := "target"
	if n.network.Dialect == raiden.DialectLight {
		role = "target," // seen
	}
	return fmt.Sprintf(`{"channel_identifier":"1","initiator":%q,"target":%q,"token_address":%q,"payment_identifier":"%d",`+
		`"locked_amount":"1","transferred_amount":"0","role":%q}`, initiator, n.Address, n.network.Token, identifier, role)
}

// Secret makes a secret and its hash, both as a node writes them.
func Secret() (secret, hash string) {
	var s [32]byte
	_, _ = rand.Read(s[:]) // never fails
	sum := sha256.Sum256(s[:])
	return "0x" + hex.EncodeToString(s[:]), "0x" + hex.EncodeToString(sum[:])
}

// ServeHTTP answers as the dialect does.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.network.mu.Lock()
	answer := n.answer
	n.network.mu.Unlock()
	if answer != nil && answer(w, r) {
		return
	}
	n.network.mu.Lock()
	defer n.network.mu.Unlock()
	n.route(w, r)
}

// pay moves the money and writes both histories.
func (n *Node) pay(units *big.Int, identifier uint64) Line {
	secret, hash := Secret()
	n.network.seconds++
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).Add(time.Duration(n.network.seconds) * time.Second)
	n.balance.Sub(n.balance, units)
	n.partner.balance.Add(n.partner.balance, units)
	n.paid++
	line := Line{
		Event: raiden.EventSent, Initiator: n.Address, Target: n.partner.Address, Amount: units.String(), Identifier: identifier,
		Secret: secret, SecretHash: hash, Time: at,
	}
	n.history = append(n.history, line)
	line.Event = raiden.EventReceived
	n.partner.history = append(n.partner.history, line)
	line.Event = raiden.EventSent
	return line
}

// encode writes the line as its dialect does: light tells everything, in strings; python names only the other side,
// tells no secret, and writes numbers.
func (n *Node) encode(l Line) string {
	if l.Raw != "" {
		return l.Raw
	}
	logTime := l.Time.UTC().Format("2006-01-02T15:04:05.000")
	v := map[string]any{"event": l.Event, "token_address": n.network.Token, "log_time": logTime}
	if n.network.Dialect == raiden.DialectPython {
		v["amount"], v["identifier"] = json.Number(l.Amount), l.Identifier
		if l.Event == raiden.EventReceived {
			v["initiator"] = l.Initiator
		} else {
			v["target"] = l.Target
		}
	} else {
		v["amount"], v["identifier"] = l.Amount, fmt.Sprint(l.Identifier)
		v["initiator"], v["target"], v["secret"], v["secret_hash"] = l.Initiator, l.Target, l.Secret, l.SecretHash
	}
	return encode(v)
}

func encode(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		// Only what this package has made is encoded.
		panic(err)
	}
	return string(data)
}

// pair is the network for the suite.
func (n *Network) pair() Pair {
	tooMuch, err := amount.ParseUnits(startBalance + "0")
	if err != nil {
		panic(err) // a constant
	}
	return Pair{Payer: n.Payer.URL, Payee: n.Payee.URL, Token: n.Token, TooMuch: tooMuch}
}

// Opener makes a network of fakes for Run.
func Opener(dialect raiden.Dialect) func(testing.TB) Pair {
	return func(t testing.TB) Pair { return New(t, dialect).pair() }
}
