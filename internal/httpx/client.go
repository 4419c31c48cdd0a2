package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

var (
	// ErrTooLarge says that the decoded body was longer than the caller's limit.
	ErrTooLarge = errors.New("answer is too large")
	// ErrTooManyRedirects says that a chain of redirects was longer than Config.MaxRedirects.
	ErrTooManyRedirects = errors.New("too many redirects")
	// ErrForbiddenURL says that a URL, of the request or of a redirect, is not one that we fetch: not https, a
	// downgrade, without a host, with a user name in it, or on this server itself.
	ErrForbiddenURL = errors.New("url is not allowed")
	// ErrEncoding says that the answer used a content coding that was not asked for.
	ErrEncoding = errors.New("content encoding is not supported")
)

// Config says how a Client behaves. The zero value of each field is the default that its comment names.
type Config struct {
	// UserAgent is sent with every request that has none. Default "Antiphon".
	UserAgent string
	// Own is this server's own host, with its port where it has one: no request, and no redirect, may lead back here.
	// Default none.
	Own string
	// AllowLoopback permits 127.0.0.0/8 and ::1, and plain http. It is for tests and for two servers on one
	// machine; every other private range stays closed. Default false.
	AllowLoopback bool
	// Timeout bounds one Do from first to last byte, redirects included. Default 10 s.
	Timeout time.Duration
	// MaxRedirects is how many redirects of one GET or HEAD are followed; below zero none. Default 3.
	MaxRedirects int
	// MaxHeaderBytes bounds the header of one answer. Default 64 KiB.
	MaxHeaderBytes int64
	// Resolver looks up names. Default net.DefaultResolver.
	Resolver *net.Resolver
}

// Client makes guarded requests. It is safe for concurrent use. Close it when done.
type Client struct {
	cfg       Config
	transport *http.Transport
}

// Response is a whole answer: the final status, header and URL after redirects, and the decoded body, never longer
// than the limit that was asked for.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	URL    *url.URL
}

// Hook sees each request just before it is sent, once for the first URL and once for each redirect. It may set
// headers (sign the request, say), and an error from it ends the call, so it is also the place to refuse a host.
type Hook func(*http.Request) error

// New returns a Client with the defaults filled in.
func New(cfg Config) *Client {
	if cfg.UserAgent == "" {
		cfg.UserAgent = "Antiphon"
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.MaxRedirects == 0 {
		cfg.MaxRedirects = 3
	}
	if cfg.MaxHeaderBytes <= 0 {
		cfg.MaxHeaderBytes = 64 << 10
	}
	dialer := &net.Dialer{Timeout: cfg.Timeout, Resolver: cfg.Resolver, Control: guard(cfg.AllowLoopback)}
	return &Client{cfg: cfg, transport: &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    2,
		IdleConnTimeout:        30 * time.Second,
		TLSHandshakeTimeout:    cfg.Timeout,
		MaxResponseHeaderBytes: cfg.MaxHeaderBytes,
	}}
}

// Close drops idle connections. Calling it twice is harmless.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Do sends req and reads the answer, of which at most limit decoded bytes are taken. GET and HEAD follow redirects;
// for any other method a redirect is returned as the answer that it is. Before each hop the credentials of the
// hop before (Authorization, Cookie, Signature, Signature-Input) are removed and the hooks run in order.
//
// A status of 400 and above is not an error here. The errors to branch on are ErrForbiddenAddress, ErrForbiddenURL,
// ErrTooLarge, ErrTooManyRedirects, ErrEncoding, context.DeadlineExceeded, and whatever a hook returned.
func (c *Client) Do(ctx context.Context, req *http.Request, limit int64, hooks ...Hook) (*Response, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()

	req = req.Clone(ctx)
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", c.cfg.UserAgent)
	}
	for hop := 0; ; hop++ {
		if err := c.checkURL(req.URL); err != nil {
			return nil, err
		}
		for _, hook := range hooks {
			if err := hook(req); err != nil {
				return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Redacted(), err)
			}
		}
		resp, err := c.transport.RoundTrip(req)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Redacted(), timedOut(ctx, err))
		}
		next, err := c.redirect(req, resp)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		if next == nil {
			return take(ctx, req, resp, limit)
		}
		resp.Body.Close()
		if hop >= c.cfg.MaxRedirects {
			return nil, fmt.Errorf("%s %s: %w", req.Method, req.URL.Redacted(), ErrTooManyRedirects)
		}
		req = next
	}
}

func (c *Client) checkURL(u *url.URL) error {
	switch {
	case u == nil, u.Host == "", u.Hostname() == "", u.Opaque != "":
		return fmt.Errorf("no host: %w", ErrForbiddenURL)
	case u.User != nil:
		return fmt.Errorf("user name in url: %w", ErrForbiddenURL)
	case c.cfg.Own != "" && hostPort(u.Scheme, u.Host) == hostPort(u.Scheme, c.cfg.Own):
		return fmt.Errorf("this server's own address: %w", ErrForbiddenURL)
	case u.Scheme == "https", u.Scheme == "http" && c.cfg.AllowLoopback:
		return nil
	}
	return fmt.Errorf("scheme %q: %w", u.Scheme, ErrForbiddenURL)
}

// hostPort is a host in the one form in which hosts are compared: lower case, without the dot at the end and the port
// that the scheme has anyway.
func hostPort(scheme, host string) string {
	u := url.URL{Host: strings.ToLower(host)}
	name, port := strings.TrimSuffix(u.Hostname(), "."), u.Port()
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return name
	}
	return name + ":" + port
}

// redirect returns the request of the next hop, or nil when resp is the answer.
func (c *Client) redirect(req *http.Request, resp *http.Response) (*http.Request, error) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		return nil, nil
	}
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	location, err := resp.Location()
	if err != nil {
		return nil, fmt.Errorf("redirect of %s: %w", req.URL.Redacted(), ErrForbiddenURL)
	}
	if req.URL.Scheme == "https" && location.Scheme != "https" {
		return nil, fmt.Errorf("downgrade of %s to %q: %w", req.URL.Redacted(), location.Scheme, ErrForbiddenURL)
	}
	next := req.Clone(req.Context())
	next.URL, next.Host = location, ""
	for _, name := range []string{"Authorization", "Cookie", "Signature", "Signature-Input"} {
		next.Header.Del(name)
	}
	return next, nil
}

func take(ctx context.Context, req *http.Request, resp *http.Response, limit int64) (*Response, error) {
	defer resp.Body.Close()
	coding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding")))
	if coding != "" && coding != "identity" {
		return nil, fmt.Errorf("%s: coding %q: %w", req.URL.Redacted(), coding, ErrEncoding)
	}
	if resp.ContentLength > limit && req.Method != http.MethodHead {
		return nil, fmt.Errorf("%s: %d bytes announced, %d allowed: %w", req.URL.Redacted(), resp.ContentLength, limit, ErrTooLarge)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", req.URL.Redacted(), timedOut(ctx, err))
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s: more than %d bytes: %w", req.URL.Redacted(), limit, ErrTooLarge)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: body, URL: req.URL}, nil
}

// timedOut makes a timeout recognizable whatever layer noticed it first.
func timedOut(ctx context.Context, err error) error {
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", cause, err)
	}
	return err
}
