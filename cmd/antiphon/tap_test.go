package main

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// exchange is a request and its answer, byte for byte.
type exchange struct {
	method, url string
	header      http.Header
	body        []byte
	status      int
	answer      http.Header
	content     []byte
}

// fromBrowser tells browsers from other servers.
func (e exchange) fromBrowser() bool { return strings.Contains(e.header.Get("User-Agent"), "Chrome/") }

// sent is the whole request as text to search in.
func (e exchange) sent() []byte {
	var b bytes.Buffer
	b.WriteString(e.method + " " + e.url + "\n")
	_ = e.header.Write(&b)
	b.WriteByte('\n')
	b.Write(e.body)
	return b.Bytes()
}

// got is the whole answer as text to search in.
func (e exchange) got() []byte {
	var b bytes.Buffer
	_ = e.answer.Write(&b)
	b.WriteByte('\n')
	b.Write(e.content)
	return b.Bytes()
}

// tap stands before an instance, under the instance's address, and keeps all that passes.
type tap struct {
	*httptest.Server
	target    string
	transport *http.Transport

	mu        sync.Mutex
	exchanges []exchange
	cutUpload bool
	// offsets are the Upload-Offset of each upload request.
	offsets []string
}

// newTap listens; target is where the instance itself does.
func newTap(tb testing.TB, target string) *tap {
	// Answers are kept as they are read by people, not compressed.
	t := &tap{target: target, transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}}
	t.Server = httptest.NewServer(t)
	tb.Cleanup(t.stop)
	return t
}

// stop ends the tap; from then on nothing answers at the address. Stopping twice does nothing.
func (t *tap) stop() {
	t.CloseClientConnections()
	t.Close()
	t.transport.CloseIdleConnections()
}

// breakNextUpload has the next upload break off in its middle. Until then every request has a connection of its own: on
// one that was used before, a browser itself sends the request again, and its page would never know.
func (t *tap) breakNextUpload() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cutUpload = true
	t.Config.SetKeepAlivesEnabled(false)
}

// seen returns the exchanges so far that a filter takes.
func (t *tap) seen(take func(exchange) bool) []exchange {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(t.exchanges), func(e exchange) bool { return !take(e) })
}

// ServeHTTP implements [http.Handler].
func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e := exchange{method: r.Method, url: r.URL.String(), header: r.Header.Clone()}
	var err error
	if e.body, err = io.ReadAll(r.Body); err != nil {
		return // the visitor has gone away
	}
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", strings.TrimPrefix(t.target, "http://")
	out.Header.Del("Accept-Encoding")
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(e.body)), int64(len(e.body))
	if t.cuts(r) {
		t.keep(e)
		t.half(out, e.body[:len(e.body)/2])
		panic(http.ErrAbortHandler)
	}
	resp, err := t.transport.RoundTrip(out)
	if err != nil {
		t.keep(e)
		panic(http.ErrAbortHandler)
	}
	defer resp.Body.Close()
	if e.content, err = io.ReadAll(resp.Body); err != nil {
		t.keep(e)
		panic(http.ErrAbortHandler)
	}
	e.status, e.answer = resp.StatusCode, resp.Header
	t.keep(e)
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(e.content)
}

func (t *tap) keep(e exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.exchanges = append(t.exchanges, e)
}

// cuts tells whether this request is the upload that breaks off.
func (t *tap) cuts(r *http.Request) bool {
	if r.Method != http.MethodPatch || !strings.HasPrefix(r.URL.Path, "/uploads/") {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.offsets = append(t.offsets, r.Header.Get("Upload-Offset"))
	cut := t.cutUpload
	t.cutUpload = false
	t.Config.SetKeepAlivesEnabled(true)
	return cut
}

// half sends a request with only a part of its body, as a network does that breaks on the way, and waits until the
// instance has noticed.
func (t *tap) half(r *http.Request, part []byte) {
	conn, err := net.Dial("tcp", r.URL.Host)
	if err != nil {
		return
	}
	defer conn.Close()
	r.Body = io.NopCloser(bytes.NewReader(part))
	w := bufio.NewWriter(conn)
	_ = r.Write(w) // it complains that the body is too short, as it should be
	_ = w.Flush()
	_ = conn.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, conn)
}
