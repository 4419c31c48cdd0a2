package httpsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// cavageParams is a Signature header of draft-cavage.
type cavageParams struct {
	keyID, algorithm string
	headers          []string
	signature        []byte
	created, expires *int64
}

// parseCavage reads the header strictly: one value, each parameter once, quotes closed and without escapes.
func parseCavage(h http.Header) (cavageParams, error) {
	var p cavageParams
	values := h.Values("Signature")
	switch {
	case len(values) == 0:
		return p, ErrUnsigned
	case len(values) > 1:
		return p, fmt.Errorf("two signatures: %w", ErrSignature)
	case len(values[0]) > maxHeaderBytes:
		return p, fmt.Errorf("signature header of %d bytes: %w", len(values[0]), ErrSignature)
	}
	params, err := splitParams(values[0])
	if err != nil {
		return p, err
	}
	p.keyID, p.algorithm = params["keyId"], strings.ToLower(params["algorithm"])
	if p.keyID == "" || len(p.keyID) > maxKeyIDBytes {
		return p, fmt.Errorf("no key id: %w", ErrSignature)
	}
	p.headers = strings.Split(params["headers"], " ")
	if len(p.headers) > maxComponents {
		return p, fmt.Errorf("%d signed headers: %w", len(p.headers), ErrSignature)
	}
	for i, name := range p.headers {
		if name == "" || name != strings.ToLower(name) || slices.Contains(p.headers[:i], name) {
			return p, fmt.Errorf("list of signed headers: %w", ErrSignature)
		}
	}
	if p.signature, err = base64.StdEncoding.Strict().DecodeString(params["signature"]); err != nil || len(p.signature) == 0 {
		return p, fmt.Errorf("signature is not base64: %w", ErrSignature)
	}
	if p.created, err = seconds(params, "created"); err != nil {
		return p, err
	}
	p.expires, err = seconds(params, "expires")
	return p, err
}

func splitParams(s string) (map[string]string, error) {
	malformed := fmt.Errorf("signature header is malformed: %w", ErrSignature)
	params := map[string]string{}
	for {
		s = strings.TrimLeft(s, " \t")
		name, rest, ok := strings.Cut(s, "=")
		if !ok || name == "" || strings.ContainsAny(name, " \t\",") {
			return nil, malformed
		}
		var value string
		if after, quoted := strings.CutPrefix(rest, `"`); quoted {
			if value, rest, ok = strings.Cut(after, `"`); !ok || strings.ContainsAny(value, "\\\r\n") {
				return nil, malformed
			}
		} else {
			end := strings.IndexAny(rest, ", \t")
			if end < 0 {
				end = len(rest)
			}
			value, rest = rest[:end], rest[end:]
			if value == "" || strings.Contains(value, `"`) {
				return nil, malformed
			}
		}
		if _, twice := params[name]; twice {
			return nil, malformed
		}
		params[name] = value
		rest = strings.TrimLeft(rest, " \t")
		if rest == "" {
			return params, nil
		}
		if s, ok = strings.CutPrefix(rest, ","); !ok {
			return nil, malformed
		}
	}
}

func seconds(params map[string]string, name string) (*int64, error) {
	text, ok := params[name]
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != text {
		return nil, fmt.Errorf("%s is not a whole number: %w", name, ErrSignature)
	}
	return &n, nil
}

func (v *Verifier) parseCavage(req *http.Request, hasBody bool) (claim, error) {
	p, err := parseCavage(req.Header)
	if err != nil {
		return claim{}, err
	}
	signs := func(name string) bool { return slices.Contains(p.headers, name) }
	switch {
	case !signs("(request-target)"), !signs("host"), !signs("date") && !signs("(created)"):
		return claim{}, fmt.Errorf("signature covers too little (%s): %w", strings.Join(p.headers, " "), ErrSignature)
	case needsDigest(req, hasBody) && !signs("digest"):
		return claim{}, fmt.Errorf("digest is not signed: %w", ErrSignature)
	case (signs("(created)") || signs("(expires)")) && strings.HasPrefix(p.algorithm, "rsa"):
		return claim{}, fmt.Errorf("(created) does not go with %s: %w", p.algorithm, ErrSignature)
	}
	if signs("date") {
		date, err := http.ParseTime(req.Header.Get("Date"))
		if err != nil {
			return claim{}, fmt.Errorf("date: %w", ErrSignature)
		}
		if err := v.inTime("date", date); err != nil {
			return claim{}, err
		}
	}
	if p.created != nil {
		if err := v.inTime("created", unix(*p.created)); err != nil {
			return claim{}, err
		}
	}
	if p.expires != nil {
		if err := v.notExpired(*p.expires); err != nil {
			return claim{}, err
		}
	}
	full := target(req)
	signed, err := cavageString(req, p, full)
	if err != nil {
		return claim{}, err
	}
	candidates := [][]byte{signed}
	// Some servers leave the query out of what they sign.
	if bare, _, found := strings.Cut(full, "?"); found {
		without, err := cavageString(req, p, bare)
		if err != nil {
			return claim{}, err
		}
		candidates = append(candidates, without)
	}
	return claim{keyID: p.keyID, check: func(key crypto.PublicKey) error {
		for _, signed := range candidates {
			if err = checkCavage(key, p, signed); err == nil {
				return nil
			}
		}
		return err
	}}, nil
}

func checkCavage(key crypto.PublicKey, p cavageParams, signed []byte) error {
	// The algorithm follows from the key; the parameter may only agree with it.
	switch k := key.(type) {
	case *rsa.PublicKey:
		if p.algorithm == "" || p.algorithm == "rsa-sha256" || p.algorithm == "hs2019" {
			return verifyRSA(k, signed, p.signature)
		}
	case ed25519.PublicKey:
		if p.algorithm == "" || p.algorithm == "ed25519" || p.algorithm == "hs2019" {
			if ed25519.Verify(k, signed, p.signature) {
				return nil
			}
			return fmt.Errorf("Ed25519: %w", ErrSignature)
		}
	}
	return fmt.Errorf("algorithm %q does not go with a %T: %w", p.algorithm, key, ErrSignature)
}

func cavageString(req *http.Request, p cavageParams, target string) ([]byte, error) {
	lines := make([]string, len(p.headers))
	for i, name := range p.headers {
		var value string
		switch name {
		case "(request-target)":
			value = strings.ToLower(req.Method) + " " + target
		case "(created)", "(expires)":
			t := p.created
			if name == "(expires)" {
				t = p.expires
			}
			if t == nil {
				return nil, fmt.Errorf("%s is signed but absent: %w", name, ErrSignature)
			}
			value = strconv.FormatInt(*t, 10)
		case "host":
			value = req.Host
		default:
			values := req.Header.Values(name)
			if len(values) != 1 {
				return nil, fmt.Errorf("signed header %q stands %d times: %w", name, len(values), ErrSignature)
			}
			value = strings.TrimSpace(values[0])
		}
		lines[i] = name + ": " + value
	}
	return []byte(strings.Join(lines, "\n")), nil
}
