package httpsig

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	maxSkew        = time.Hour
	maxHeaderBytes = 8 << 10
	maxKeyIDBytes  = 2 << 10
	maxComponents  = 32
)

var (
	// ErrUnsigned says that the request carries no signature at all.
	ErrUnsigned = errors.New("request is not signed")
	// ErrSignature says that the signature is malformed, too weak in what it covers, out of time, or wrong.
	ErrSignature = errors.New("signature is not valid")
	// ErrTime says that the signature was made too long ago or is of a time to come, by our clock. It is also an
	// ErrSignature.
	ErrTime error = outOfTime{}
	// ErrKey says that the key could not be had, or is not acceptable.
	ErrKey = errors.New("signing key is not available")
)

type outOfTime struct{}

func (outOfTime) Error() string        { return "out of time" }
func (outOfTime) Is(target error) bool { return target == ErrSignature }

// Verifier checks incoming requests. Its fields are set once, before use; it is safe for concurrent use.
type Verifier struct {
	// Origin is the scheme and host under which peers know this server, such as "https://music.example". A
	// request for another host is refused, whatever the proxy in front of us calls itself.
	Origin string
	// Keys finds the signer's key.
	Keys Keys
	// Now is the clock.
	Now func() time.Time
}

// claim is a signature whose form was found good and which still has to be checked against a key.
type claim struct {
	keyID string
	check func(crypto.PublicKey) error
}

// Verify checks the signature of req over its method, target, host, time and, for a POST or any request with a body,
// its digest, and returns the key that made it. body is the whole body, already read and bounded by the caller;
// req.Body is not touched. Everything that needs no key is checked before a key is asked for; a key that does not fit
// is fetched afresh at most once. Time must be within one hour of ours.
//
// The error is ErrUnsigned, ErrSignature or ErrKey; each is a 401. The caller still has to compare Key.Owner with the
// actor of the body.
func (v *Verifier) Verify(ctx context.Context, req *http.Request, body []byte) (Key, error) {
	c, err := v.parse(req, body)
	if err != nil {
		return Key{}, err
	}
	key, err := v.key(ctx, c.keyID, false)
	if err == nil {
		if err = c.check(key.Public); err == nil {
			return key, nil
		}
	} else if !errors.Is(err, ErrWeakKey) {
		return Key{}, err
	}
	fresh, freshErr := v.key(ctx, c.keyID, true)
	if freshErr != nil {
		return Key{}, freshErr
	}
	if key.Public != nil && sameKey(key.Public, fresh.Public) {
		return Key{}, err
	}
	if err := c.check(fresh.Public); err != nil {
		return Key{}, err
	}
	return fresh, nil
}

func (v *Verifier) key(ctx context.Context, keyID string, fresh bool) (Key, error) {
	key, err := v.Keys.Key(ctx, keyID, fresh)
	if err != nil {
		return Key{}, fmt.Errorf("key %q: %w: %w", keyID, ErrKey, err)
	}
	if key.ID != keyID {
		return Key{}, fmt.Errorf("key %q answers as %q: %w", keyID, key.ID, ErrKey)
	}
	if err := checkKey(key.Public); err != nil {
		return Key{}, fmt.Errorf("key %q: %w: %w", keyID, ErrKey, err)
	}
	return key, nil
}

// KeyID returns the key id that the signature of req names, without checking anything but the form of the header.
// It is for rate limits and host blocks that come before the work of verification.
func KeyID(req *http.Request) (string, error) {
	if len(req.Header.Values("Signature-Input")) > 0 {
		in, err := parseInput(req.Header)
		return in.keyID, err
	}
	p, err := parseCavage(req.Header)
	return p.keyID, err
}

func (v *Verifier) parse(req *http.Request, body []byte) (claim, error) {
	origin, err := url.Parse(v.Origin)
	if err != nil || origin.Host == "" {
		return claim{}, fmt.Errorf("origin %q is not a URL", v.Origin)
	}
	if !sameHost(req.Host, origin) {
		return claim{}, fmt.Errorf("host %q is not ours: %w", req.Host, ErrSignature)
	}
	for _, name := range []string{"Date", "Digest", "Content-Digest", "Content-Type", "Signature", "Signature-Input"} {
		if len(req.Header.Values(name)) > 1 {
			return claim{}, fmt.Errorf("header %s stands twice: %w", name, ErrSignature)
		}
	}
	if err := checkDigests(req.Header, body); err != nil {
		return claim{}, err
	}
	if len(req.Header.Values("Signature-Input")) > 0 {
		return v.parseRFC9421(req, origin, len(body) > 0)
	}
	return v.parseCavage(req, len(body) > 0)
}

func (v *Verifier) inTime(what string, t time.Time) error {
	if d := v.Now().Sub(t); d > maxSkew || d < -maxSkew {
		return fmt.Errorf("%s is %s off: %w", what, d.Round(time.Second), ErrTime)
	}
	return nil
}

func (v *Verifier) notExpired(expires int64) error {
	if v.Now().Sub(time.Unix(expires, 0)) > 5*time.Minute {
		return fmt.Errorf("signature has expired: %w", ErrSignature)
	}
	return nil
}

// needsDigest says whether the body of a request has to be covered by its signature.
func needsDigest(req *http.Request, hasBody bool) bool {
	return hasBody || req.Method != http.MethodGet && req.Method != http.MethodHead
}

// checkDigests compares each digest that the header announces with body. Whether one had to be there and is signed
// is for the caller to see.
func checkDigests(h http.Header, body []byte) error {
	sum := sha256.Sum256(body)
	if len(h.Values("Digest")) > 0 {
		value := h.Get("Digest") // an empty one would bind no body
		name, text, _ := strings.Cut(value, "=")
		if !strings.EqualFold(name, "SHA-256") {
			return fmt.Errorf("digest %q is not one SHA-256: %w", name, ErrSignature)
		}
		got, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || subtle.ConstantTimeCompare(got, sum[:]) != 1 {
			return fmt.Errorf("digest does not match the body: %w", ErrSignature)
		}
	}
	if len(h.Values("Content-Digest")) > 0 {
		value := h.Get("Content-Digest")
		got, err := parseContentDigest(value)
		if err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(got, sum[:]) != 1 {
			return fmt.Errorf("content digest does not match the body: %w", ErrSignature)
		}
	}
	return nil
}

func sameHost(host string, origin *url.URL) bool {
	port := map[string]string{"https": ":443", "http": ":80"}[origin.Scheme]
	return strings.EqualFold(strings.TrimSuffix(host, port), strings.TrimSuffix(origin.Host, port))
}

// target is the request target as it came over the wire, in origin form.
func target(req *http.Request) string {
	if strings.HasPrefix(req.RequestURI, "/") {
		return req.RequestURI
	}
	return req.URL.RequestURI()
}

func verifyRSA(key *rsa.PublicKey, signed, signature []byte) error {
	sum := sha256.Sum256(signed)
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
		return fmt.Errorf("RSA: %w", ErrSignature)
	}
	return nil
}
