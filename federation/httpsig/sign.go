package httpsig

import (
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	cavage "github.com/go-fed/httpsig"
)

// Digest returns the value of the Digest header for body. A sender to many inboxes computes it once and sets it on
// each request before Sign.
func Digest(body []byte) string {
	sum := sha256.Sum256(body)
	return "SHA-256=" + base64.StdEncoding.EncodeToString(sum[:])
}

// Sign adds Date, Host, Digest (when there is a body or the method is POST) and Signature to req, after draft-cavage
// with RSA and SHA-256 over "(request-target) host date" and, where there is one, "digest". A Digest header that is
// already set is taken as the digest of body. The key must have at least 2048 bits. body is not read from req.
func Sign(req *http.Request, body []byte, keyID string, key *rsa.PrivateKey, now time.Time) error {
	if err := checkKey(&key.PublicKey); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if keyID == "" || strings.ContainsAny(keyID, "\"\\\r\n") {
		return fmt.Errorf("sign: key id %q cannot stand in a header", keyID)
	}
	host := req.Host
	if host == "" {
		host = req.URL.Host
	}
	headers := []string{cavage.RequestTarget, "host", "date"}
	req.Header.Set("Date", now.UTC().Format(http.TimeFormat))
	if len(body) > 0 || req.Method == http.MethodPost {
		if req.Header.Get("Digest") == "" {
			req.Header.Set("Digest", Digest(body))
		}
		headers = append(headers, "digest")
	}

	// The library signs the decoded path and looks for Host among the headers: hand it a request in which the path
	// is the one that goes over the wire.
	path := req.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	wire := &http.Request{Method: req.Method, URL: &url.URL{Path: path, RawQuery: req.URL.RawQuery}, Header: http.Header{
		"Host": {host}, "Date": req.Header["Date"], "Digest": req.Header["Digest"]}}
	signer, _, err := cavage.NewSigner([]cavage.Algorithm{cavage.RSA_SHA256}, cavage.DigestSha256, headers, cavage.Signature, 0)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	if err := signer.SignRequest(key, keyID, wire, nil); err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	// The parameter is not part of what is signed. Some older servers know only the old name.
	req.Header.Set("Signature", strings.Replace(wire.Header.Get("Signature"), `algorithm="hs2019"`, `algorithm="rsa-sha256"`, 1))
	return nil
}
