package httpsig

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Dialect is one of the two ways in which a request between servers is signed.
type Dialect string

// The dialects. The empty string is none that is known.
const (
	Cavage  Dialect = "cavage"
	RFC9421 Dialect = "rfc9421"
)

// DialectOf is the dialect as which Verify reads the signature of req. Before Verify has accepted req it proves nothing.
func DialectOf(req *http.Request) Dialect {
	if len(req.Header.Values("Signature-Input")) > 0 {
		return RFC9421
	}
	return Cavage
}

// ContentDigest returns the value of the Content-Digest header for body. A sender to many inboxes computes it once and
// sets it on each request before SignRFC9421.
func ContentDigest(body []byte) string { return contentDigest(body) }

// SignRFC9421 adds Date, Content-Digest (when there is a body or the method is POST), Signature-Input and Signature to
// req, after RFC 9421 with RSA PKCS #1 v1.5 and SHA-256 over "@method", "@target-uri" and, where there is one,
// "content-digest", with created, keyid and alg: what Mastodon asks for and nothing more. A Content-Digest header that is
// already set is taken as that of body. The key must have at least 2048 bits. req.URL is absolute; where a proxy between
// changes the host, req.Host is the public one. body is not read from req.
func SignRFC9421(req *http.Request, body []byte, keyID string, key *rsa.PrivateKey, now time.Time) error {
	if err := checkKey(&key.PublicKey); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	target := targetURI(req)
	for _, s := range []string{req.Method, target, keyID} {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			return fmt.Errorf("sign: %q cannot stand in a signature", s)
		}
	}
	lines := []string{`"@method": ` + req.Method, `"@target-uri": ` + target}
	components := `"@method" "@target-uri"`
	if len(body) > 0 || req.Method == http.MethodPost {
		if req.Header.Get("Content-Digest") == "" {
			req.Header.Set("Content-Digest", contentDigest(body))
		}
		lines = append(lines, `"content-digest": `+req.Header.Get("Content-Digest"))
		components += ` "content-digest"`
	}
	params := "(" + components + ");created=" + strconv.FormatInt(now.Unix(), 10) + `;keyid="` + keyID + `";alg="rsa-v1_5-sha256"`
	lines = append(lines, `"@signature-params": `+params)
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	req.Header.Set("Date", now.UTC().Format(http.TimeFormat))
	req.Header.Set("Signature-Input", "sig1="+params)
	req.Header.Set("Signature", "sig1=:"+base64.StdEncoding.EncodeToString(signature)+":")
	return nil
}

// targetURI is the URI that the receiver of req will rebuild.
func targetURI(req *http.Request) string {
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	return req.URL.Scheme + "://" + host + req.URL.RequestURI()
}
