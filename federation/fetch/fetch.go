package fetch

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"antiphon/federation/httpsig"
	"antiphon/internal/httpx"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

const accept = vocab.ActivityType + ", " + vocab.LinkedDataType

var (
	// ErrGone says that the server answered 410: there was such a thing, and it was deleted.
	ErrGone = errors.New("document is gone")
	// ErrNotFound says that the server answered 404, or 401 or 403, which are the same to us.
	ErrNotFound = errors.New("document is not found")
	// ErrNotActivity says that the answer is not an ActivityStreams document of its own id.
	ErrNotActivity = errors.New("not an ActivityStreams document")
	// ErrOwnHost says that the URI is this server's, which is not asked over the network.
	ErrOwnHost = errors.New("document is on this server")
	// ErrBlocked says that nothing is fetched from the host.
	ErrBlocked = errors.New("nothing is fetched from this host")
	// ErrURI says that the URI or handle is not one that can be fetched.
	ErrURI = errors.New("not a fetchable address")
	// ErrHandle says that a handle and an actor do not name each other.
	ErrHandle = errors.New("handle is not confirmed")
)

// StatusError is any other status that is not 200. It may be another one tomorrow.
type StatusError struct {
	Status int
	URI    string
}

// Error names the status.
func (e *StatusError) Error() string { return fmt.Sprintf("%.200s answered %d", e.URI, e.Status) }

// Config says how a Fetcher behaves.
type Config struct {
	// BaseURL is this server's own ("https://music.example"). Required.
	BaseURL string
	// Key returns the instance actor's key for signing and its id. Without it requests are not signed.
	Key func(ctx context.Context) (keyID string, key *rsa.PrivateKey, err error)
	// Scheme is that of WebFinger addresses. Default "https"; "http" is for tests on the loopback.
	Scheme string
	// Blocked reports whether nothing is fetched from a host; nil blocks none.
	Blocked func(ctx context.Context, host string) (bool, error)
	// Now is the clock. Default time.Now.
	Now func() time.Time
}

// Fetcher gets documents. It is safe for concurrent use.
type Fetcher struct {
	cfg  Config
	http *httpx.Client
	host string
}

// Document is what lies under a URI.
type Document struct {
	// URI is the document's id, which may differ from the URI that was asked for.
	URI string
	// Raw is the document as it came.
	Raw []byte
	// Map is Raw, parsed by vocab/jsonld.
	Map map[string]any
}

// New returns a Fetcher. The client stays the caller's to close.
func New(cfg Config, client *httpx.Client) (*Fetcher, error) {
	base, err := url.Parse(cfg.BaseURL)
	if err != nil || base.Host == "" {
		return nil, fmt.Errorf("new fetcher: base URL %q: %w", cfg.BaseURL, ErrURI)
	}
	if cfg.Scheme == "" {
		cfg.Scheme = "https"
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Fetcher{cfg: cfg, http: client, host: canonicalHost(base)}, nil
}

// Get returns the document under uri, whose fragment is not looked at. A document that gives itself another id is
// fetched again from there, once; in the end the id is always the URI that was asked last, on the host that answered.
// The errors are those of this package, of internal/httpx and of vocab/jsonld.
func (f *Fetcher) Get(ctx context.Context, uri string) (Document, error) {
	doc, served, err := f.get(ctx, uri)
	if err != nil {
		return Document{}, fmt.Errorf("fetch %.200s: %w", uri, err)
	}
	if !served {
		if doc, served, err = f.get(ctx, doc.URI); err != nil {
			return Document{}, fmt.Errorf("fetch %.200s, which names another id: %w", uri, err)
		}
	}
	if !served {
		return Document{}, fmt.Errorf("fetch %.200s: id is %.200q: %w", uri, doc.URI, ErrNotActivity)
	}
	return doc, nil
}

// get makes one request. served is whether the document was served from its id.
func (f *Fetcher) get(ctx context.Context, uri string) (doc Document, served bool, err error) {
	u, err := url.Parse(uri)
	if err != nil {
		return Document{}, false, fmt.Errorf("%w: %w", ErrURI, err)
	}
	u.Fragment, u.RawFragment = "", ""
	resp, err := f.do(ctx, u, accept)
	if err != nil {
		return Document{}, false, err
	}
	if types := resp.Header.Values("Content-Type"); len(types) != 1 || !vocab.IsActivityType(types[0]) {
		return Document{}, false, fmt.Errorf("content type %.100q: %w", types, ErrNotActivity)
	}
	m, err := jsonld.Parse(resp.Body)
	if err != nil {
		return Document{}, false, err
	}
	id, _ := m["id"].(string)
	if parsed, err := url.Parse(id); err != nil || parsed.Host == "" || parsed.Fragment != "" {
		return Document{}, false, fmt.Errorf("id is %.100q: %w", id, ErrNotActivity)
	}
	final := resp.URL.String()
	// A redirect may lead to another host; that host speaks for its own ids only, whoever pointed there.
	served = id == final || id == u.String() && vocab.SameOrigin(id, final)
	return Document{URI: id, Raw: resp.Body, Map: m}, served, nil
}

// do makes one signed GET and turns its status into an error.
func (f *Fetcher) do(ctx context.Context, u *url.URL, accept string) (*httpx.Response, error) {
	if u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("%.100q: %w", u.Redacted(), ErrURI)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURI, err)
	}
	req.Header.Set("Accept", accept)
	resp, err := f.http.Do(ctx, req, jsonld.MaxBytes, f.refuse, f.sign)
	if err != nil {
		return nil, err
	}
	switch resp.Status {
	case http.StatusOK:
		return resp, nil
	case http.StatusGone:
		return nil, ErrGone
	case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("status %d: %w", resp.Status, ErrNotFound)
	}
	return nil, &StatusError{Status: resp.Status, URI: u.String()}
}

// refuse sees each hop, so that no redirect leads back here, or to a host that is blocked.
func (f *Fetcher) refuse(req *http.Request) error {
	if canonicalHost(req.URL) == f.host {
		return ErrOwnHost
	}
	if f.cfg.Blocked == nil {
		return nil
	}
	blocked, err := f.cfg.Blocked(req.Context(), req.URL.Host)
	if err == nil && blocked {
		err = ErrBlocked
	}
	return err
}

func (f *Fetcher) sign(req *http.Request) error {
	if f.cfg.Key == nil {
		return nil
	}
	keyID, key, err := f.cfg.Key(req.Context())
	if err != nil {
		return fmt.Errorf("key of the instance: %w", err)
	}
	return httpsig.Sign(req, nil, keyID, key, f.cfg.Now())
}

// canonicalHost is the host in lower case with a port that is not the scheme's.
func canonicalHost(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	port := u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		return host
	}
	return host + ":" + port
}
