// Package raiden is a client of a Raiden node's REST API, for both node programs: the Python node and the Light
// Client's command line node. It reads what either sends, sends what both take, and turns their many ways of failing
// into a few errors that a caller can act on.
//
// It is not for deciding what a payment buys (that is package payments), it keeps no state, and it does not guard
// against private addresses: a node's API has no authentication of its own and belongs on loopback, where the operator
// points the client on purpose.
//
// Begin with New. To pay, wrap the client in a Payer and call PayOnce: a Raiden node does not deduplicate payments.
// To be paid, call Received, which returns only what may be credited.
package raiden

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const apiPrefix = "/api/v1"

// Credential is a secret for the proxy in front of a node. It never shows itself in logs or by fmt.
type Credential string

// LogValue hides the credential.
func (Credential) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the credential.
func (Credential) String() string { return "[redacted]" }

// GoString hides the credential.
func (Credential) GoString() string { return "[redacted]" }

// Config says where the node is and how to speak to it.
type Config struct {
	// URL of the node, such as "http://127.0.0.1:5001"; a trailing "/api/v1" is allowed. No user info or query.
	URL string
	// Bearer is sent as a bearer token when set. At most one of Bearer and BasicUser may be set.
	Bearer Credential
	// BasicUser and BasicPassword are sent as basic authentication when BasicUser is set.
	BasicUser     string
	BasicPassword Credential
	// HTTP does the requests; nil means a client of its own, without a proxy. Redirects are never followed.
	HTTP *http.Client
	// Dialect is detected when it is DialectUnknown.
	Dialect Dialect
	// Timeout bounds a question to the node; 0 means 10 seconds.
	Timeout time.Duration
	// PayTimeout bounds calls that block until other parties or a chain have acted: payments and channel changes;
	// 0 means 2 minutes.
	PayTimeout time.Duration
	// MaxBody bounds an answer in bytes; 0 means 8 MiB.
	MaxBody int64
}

// Client speaks to one node. It is safe for concurrent use, but see Payer for payments.
type Client struct {
	base    string
	cfg     Config
	http    *http.Client
	mu      sync.Mutex
	dialect Dialect
}

// New checks the configuration and makes a client; it sends nothing.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, errors.New("raiden url: not a URL")
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("raiden url: want http(s)://host[:port] without user, query or fragment")
	}
	if cfg.Bearer != "" && cfg.BasicUser != "" {
		return nil, errors.New("raiden credentials: both bearer and basic are set")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.PayTimeout <= 0 {
		cfg.PayTimeout = 2 * time.Minute
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 8 << 20
	}
	hc := http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}}
	if cfg.HTTP != nil {
		hc = *cfg.HTTP
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	base := strings.TrimSuffix(strings.TrimSuffix(u.String(), "/"), apiPrefix) + apiPrefix
	return &Client{base: base, cfg: cfg, http: &hc, dialect: cfg.Dialect}, nil
}

// CloseIdle closes the connections that are kept open between requests.
func (c *Client) CloseIdle() { c.http.CloseIdleConnections() }

// call is one request: what to send, and where the answer goes.
type call struct {
	method string
	path   string
	query  url.Values
	body   any
	out    any
	blocks bool // waits for other parties: PayTimeout, not Timeout
}

// do sends one request. A failure is an *Error that wraps one of the sentinels of this package.
func (c *Client) do(ctx context.Context, r call) error {
	timeout := c.cfg.Timeout
	if r.blocks {
		timeout = c.cfg.PayTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		data, err := json.Marshal(r.body)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	switch {
	case c.cfg.Bearer != "":
		req.Header.Set("Authorization", "Bearer "+string(c.cfg.Bearer))
	case c.cfg.BasicUser != "":
		req.SetBasicAuth(c.cfg.BasicUser, string(c.cfg.BasicPassword))
	}

	res, err := c.http.Do(req)
	if err != nil {
		return transportError(r, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, c.cfg.MaxBody+1))
	if err != nil {
		return transportError(r, err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return statusError(r, res.StatusCode, res.Header.Get("Content-Type"), data)
	}
	if int64(len(data)) > c.cfg.MaxBody {
		return &Error{Op: r.op(), Status: res.StatusCode, Message: "answer is too large", kind: ErrProtocol}
	}
	if r.out == nil {
		return nil
	}
	if err := json.Unmarshal(data, r.out); err != nil {
		return &Error{Op: r.op(), Status: res.StatusCode, Message: "unreadable answer", kind: ErrProtocol, cause: err}
	}
	return nil
}

func (r call) op() string { return r.method + " " + r.path }
