package fedtest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"antiphon/federation/httpsig"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// Peer is another server, as honest as the test wants it to be: it serves documents that the test sets, and takes what
// it is sent.
type Peer struct {
	BaseURL, Host string

	mu        sync.Mutex
	documents map[string]answer
	requests  map[string]int
	received  []Received
	status    int
	header    http.Header
}

type answer struct {
	status int
	body   []byte
}

// Received is a request to one of the peer's inboxes.
type Received struct {
	Path   string
	Header http.Header
	Body   []byte
}

// NewPeer starts a peer that ends with the test.
func NewPeer(t testing.TB) *Peer {
	t.Helper()
	p := &Peer{documents: map[string]answer{}, requests: map[string]int{}, status: http.StatusAccepted, header: http.Header{}}
	server := httptest.NewServer(p)
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	p.BaseURL, p.Host = server.URL, strings.TrimPrefix(server.URL, "http://")
	return p
}

// ServeHTTP serves documents and takes activities.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests[r.URL.Path]++
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		p.received = append(p.received, Received{r.URL.Path, r.Header.Clone(), body})
		maps.Copy(w.Header(), p.header)
		w.WriteHeader(p.status)
		return
	}
	found, ok := p.documents[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", vocab.ActivityType)
	w.WriteHeader(found.status)
	if _, err := w.Write(found.body); err != nil {
		return // the asker has gone
	}
}

// Answer sets the status and header of answers to POST.
func (p *Peer) Answer(status int, header http.Header) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status, p.header = status, header
}

// Serve sets the document at a path; nil removes it, and answers 410.
func (p *Peer) Serve(t testing.TB, path string, document map[string]any) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if document == nil {
		p.documents[path] = answer{status: http.StatusGone}
		return
	}
	raw, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	p.documents[path] = answer{http.StatusOK, raw}
}

// Received returns the requests to inboxes so far.
func (p *Peer) Received() []Received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Received(nil), p.received...)
}

// Requests counts the requests to a path.
func (p *Peer) Requests(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests[path]
}

// Person is an actor of a peer, with its keys.
type Person struct {
	Peer       *Peer
	URI, KeyID string
	Key        *rsa.PrivateKey
	Proof      ed25519.PrivateKey
	// Document is what the peer serves; change it and call Publish.
	Document map[string]any
}

// Person makes an actor and serves its document.
func (p *Peer) Person(t testing.TB, name string) *Person {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, proof, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := multikey.EncodeEd25519(public)
	if err != nil {
		t.Fatal(err)
	}
	uri := p.BaseURL + "/users/" + name
	who := &Person{Peer: p, URI: uri, KeyID: uri + "#main-key", Key: key, Proof: proof}
	who.Document, err = vocab.Actor{
		ID: uri, Type: vocab.Person, PreferredUsername: name, Name: name, Inbox: uri + "/inbox", Followers: uri + "/followers",
		PublicKey: vocab.PublicKey{ID: who.KeyID, PEM: PEM(t, key)}, ProofKeys: []vocab.Key{{ID: uri + "#ed25519-1", Multikey: text}},
	}.Build()
	if err != nil {
		t.Fatal(err)
	}
	who.Publish(t)
	return who
}

// Publish serves the person's document as it is now.
func (w *Person) Publish(t testing.TB) {
	t.Helper()
	w.Peer.Serve(t, strings.TrimPrefix(w.URI, w.Peer.BaseURL), w.Document)
}

// PEM is the public half of a key.
func PEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	text, err := httpsig.FormatPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Request is a signed POST of body to url.
func (w *Person) Request(t testing.TB, url string, body []byte, now time.Time) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", vocab.ActivityType)
	if err := httpsig.Sign(req, body, w.KeyID, w.Key, now); err != nil {
		t.Fatal(err)
	}
	return req
}

// Post signs body, sends it to url and returns the status of the answer.
func (w *Person) Post(t testing.TB, url string, body []byte, now time.Time) int {
	t.Helper()
	return Do(t, w.Request(t, url, body, now))
}

// Do sends a request and returns the status of the answer.
func Do(t testing.TB, req *http.Request) int {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode
}

// JSON builds an activity.
func JSON(t testing.TB, a vocab.Activity) []byte {
	t.Helper()
	m, err := a.Build()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
