package erc20test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/rpc"
)

// Node is a JSON-RPC server over a chain.
type Node struct {
	// URL is where it listens.
	URL string

	chain *rpc.Client
	mu    sync.Mutex
	fault Fault
	asked map[string]int
}

// Fault answers a question instead of the chain, or returns false and lets the chain answer. It may change the
// question's parameters.
type Fault func(w http.ResponseWriter, q *Question) bool

// Question is one request for a method.
type Question struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params []any           `json:"params"`
	// Done ends when nobody waits for the answer any more.
	Done <-chan struct{} `json:"-"`
}

// Answer writes a result.
func (q *Question) Answer(w http.ResponseWriter, result any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "result": result})
}

// Refuse writes an error.
func (q *Question) Refuse(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"jsonrpc": "2.0", "id": q.ID, "error": map[string]any{"code": code, "message": message}})
}

func newNode(tb testing.TB, chain *rpc.Client) *Node {
	n := &Node{chain: chain, asked: map[string]int{}}
	server := httptest.NewServer(n)
	tb.Cleanup(server.Close)
	n.URL = server.URL
	return n
}

// Misbehave has every question go through a fault from now on; nil ends it.
func (n *Node) Misbehave(f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = f
}

// Asked is how many questions there were in all, since it was asked last.
func (n *Node) Asked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	sum := 0
	for _, count := range n.asked {
		sum += count
	}
	clear(n.asked)
	return sum
}

// ServeHTTP implements [http.Handler].
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q Question
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&q); err != nil {
		http.Error(w, "one question at a time", http.StatusBadRequest)
		return
	}
	q.Done = r.Context().Done()
	n.mu.Lock()
	n.asked[q.Method]++
	fault := n.fault
	n.mu.Unlock()
	if fault != nil && fault(w, &q) {
		return
	}
	var result json.RawMessage
	if err := n.chain.CallContext(r.Context(), &result, q.Method, q.Params...); err != nil {
		q.Refuse(w, -32000, err.Error())
		return
	}
	q.Answer(w, result)
}
