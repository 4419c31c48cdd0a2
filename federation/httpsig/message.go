package httpsig

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	messageComponents = `("@method" "@target-uri" "content-type" "content-digest")`
	messageTag        = "antiphon-reencrypt"
	messageSkew       = 300 * time.Second
	nonceBytes        = 16
)

// Message is a request that is signed by a listener's requesting key: RFC 9421 in one exact form, made by browsers and
// servers and checked by proxies. The headers are
//
//	Content-Type: application/json
//	Content-Digest: sha-256=:<base64 of SHA-256(body)>:
//	Signature-Input: sig1=("@method" "@target-uri" "content-type" "content-digest");created=<seconds>;nonce="<nonce>";alg="ed25519";keyid="<Multikey>";tag="antiphon-reencrypt"
//	Signature: sig1=:<base64 of the 64 bytes>:
//
// where nonce is 16 random bytes in base64url without padding and keyid the signer's Ed25519 Multikey ("z6Mk...").
// What is signed is these five lines, joined by one line feed, with none at the end:
//
//	"@method": POST
//	"@target-uri": https://p.example/antiphon/v1/reencrypt
//	"content-type": application/json
//	"content-digest": sha-256=:<base64>:
//	"@signature-params": ("@method" "@target-uri" "content-type" "content-digest");created=<seconds>;nonce="<nonce>";alg="ed25519";keyid="<Multikey>";tag="antiphon-reencrypt"
//
// The parameters stand in this order and are never others. testdata/message.json holds a frozen example.
type Message struct {
	// Method is the request's method in upper case.
	Method string
	// TargetURI is the absolute URI that the signer asked, as the public knows it.
	TargetURI string
	// ContentType is the Content-Type header, byte for byte.
	ContentType string
	// Body is the whole body.
	Body []byte
}

// MessageParams are the parts of a message's signature that the receiver has to remember or compare.
type MessageParams struct {
	// Created is the signer's time, whole seconds.
	Created time.Time
	// Nonce is fresh for each message. VerifyMessage does not know which were seen: the caller keeps them for as
	// long as Created is accepted, 300 s each way.
	Nonce [nonceBytes]byte
}

// RequestMessage is the Message that arrived as req with the given body at the server known as origin
// ("https://p.example").
func RequestMessage(req *http.Request, origin string, body []byte) Message {
	return Message{Method: req.Method, TargetURI: strings.TrimSuffix(origin, "/") + target(req),
		ContentType: req.Header.Get("Content-Type"), Body: body}
}

// SignMessage returns the four headers that make m a signed request. keyID is the Multikey of the key's public half.
// p.Nonce must be 16 fresh random bytes.
func SignMessage(m Message, key ed25519.PrivateKey, keyID string, p MessageParams) (http.Header, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("sign message: key of %d bytes: %w", len(key), ErrWeakKey)
	}
	if err := m.check(keyID); err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	params := messageParams(keyID, p)
	signature := ed25519.Sign(key, m.base(params))
	return http.Header{
		"Content-Type":    {m.ContentType},
		"Content-Digest":  {contentDigest(m.Body)},
		"Signature-Input": {"sig1=" + params},
		"Signature":       {"sig1=:" + base64.StdEncoding.EncodeToString(signature) + ":"},
	}, nil
}

// VerifyMessage checks that h makes m a message signed by key, whose Multikey is keyID, within 300 s of now, and
// returns what the caller needs to refuse a replay. Only the one form is accepted. The error is ErrUnsigned,
// ErrSignature or ErrWeakKey.
func VerifyMessage(m Message, h http.Header, key ed25519.PublicKey, keyID string, now time.Time) (MessageParams, error) {
	if len(key) != ed25519.PublicKeySize {
		return MessageParams{}, fmt.Errorf("verify message: key of %d bytes: %w", len(key), ErrWeakKey)
	}
	if len(h.Values("Signature-Input")) == 0 || len(h.Values("Signature")) == 0 {
		return MessageParams{}, ErrUnsigned
	}
	for _, name := range []string{"Signature-Input", "Signature", "Content-Digest", "Content-Type"} {
		if len(h.Values(name)) != 1 {
			return MessageParams{}, fmt.Errorf("header %s must stand once: %w", name, ErrSignature)
		}
	}
	if err := m.check(keyID); err != nil {
		return MessageParams{}, err
	}
	p, err := readMessageParams(h)
	if err != nil {
		return p, err
	}
	params := messageParams(keyID, p)
	switch {
	case h.Get("Signature-Input") != "sig1="+params:
		return p, fmt.Errorf("signature parameters are not in the one form, or of another key: %w", ErrSignature)
	case h.Get("Content-Digest") != contentDigest(m.Body):
		return p, fmt.Errorf("content digest does not match the body: %w", ErrSignature)
	case h.Get("Content-Type") != m.ContentType:
		return p, fmt.Errorf("content type: %w", ErrSignature)
	}
	if d := now.Sub(p.Created); d > messageSkew || d < -messageSkew {
		return p, fmt.Errorf("message is %s off: %w", d.Round(time.Second), ErrSignature)
	}
	text, ok := strings.CutPrefix(h.Get("Signature"), "sig1=:")
	text, ok2 := strings.CutSuffix(text, ":")
	signature, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || !ok2 || err != nil || len(signature) != ed25519.SignatureSize {
		return p, fmt.Errorf("signature is not 64 bytes of sig1: %w", ErrSignature)
	}
	if !ed25519.Verify(key, m.base(params), signature) {
		return p, fmt.Errorf("Ed25519: %w", ErrSignature)
	}
	return p, nil
}

// readMessageParams takes the two values that vary out of the header; the rest is compared as a whole.
func readMessageParams(h http.Header) (MessageParams, error) {
	in, err := parseInput(h)
	if err != nil {
		return MessageParams{}, err
	}
	nonce, err := base64.RawURLEncoding.Strict().DecodeString(in.nonce)
	if err != nil || len(nonce) != nonceBytes {
		return MessageParams{}, fmt.Errorf("nonce is not %d bytes: %w", nonceBytes, ErrSignature)
	}
	return MessageParams{Created: unix(in.created).UTC(), Nonce: [nonceBytes]byte(nonce)}, nil
}

// check keeps line feeds and quotes out of the signature base.
func (m Message) check(keyID string) error {
	for _, s := range []string{m.Method, m.TargetURI, m.ContentType, keyID} {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
			return fmt.Errorf("%q cannot be signed: %w", s, ErrSignature)
		}
	}
	if strings.ContainsAny(keyID, `"\`) {
		return fmt.Errorf("key id %q: %w", keyID, ErrSignature)
	}
	return nil
}

func (m Message) base(params string) []byte {
	return []byte(`"@method": ` + m.Method +
		"\n" + `"@target-uri": ` + m.TargetURI +
		"\n" + `"content-type": ` + m.ContentType +
		"\n" + `"content-digest": ` + contentDigest(m.Body) +
		"\n" + `"@signature-params": ` + params)
}

func messageParams(keyID string, p MessageParams) string {
	return messageComponents + ";created=" + strconv.FormatInt(p.Created.Unix(), 10) +
		`;nonce="` + base64.RawURLEncoding.EncodeToString(p.Nonce[:]) + `";alg="ed25519";keyid="` + keyID + `";tag="` + messageTag + `"`
}

func contentDigest(body []byte) string {
	sum := sha256.Sum256(body)
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
}
