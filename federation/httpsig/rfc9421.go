package httpsig

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/yaronf/httpsign"
)

// derived are the components of a request that may be signed beside its headers.
var derived = []string{"@method", "@target-uri", "@authority", "@scheme", "@path", "@query"}

// input is the one member of a Signature-Input header, found to be within our rules.
type input struct {
	label, keyID, alg, nonce string
	components               []string
	created                  int64
	expires                  *int64
}

func unix(n int64) time.Time { return time.Unix(n, 0) }

func parseInput(h http.Header) (input, error) {
	var in input
	inputs, signatures := h.Values("Signature-Input"), h.Values("Signature")
	if len(inputs) != 1 || len(signatures) != 1 {
		return in, fmt.Errorf("signature needs one Signature-Input and one Signature: %w", ErrSignature)
	}
	label, member, err := onlyMember(inputs[0])
	if err != nil {
		return in, fmt.Errorf("Signature-Input: %w", err)
	}
	sigLabel, sig, err := onlyMember(signatures[0])
	if err != nil || sigLabel != label {
		return in, fmt.Errorf("Signature has not the one label of Signature-Input: %w", ErrSignature)
	}
	if item, ok := sig.(httpsfv.Item); !ok || !isBytes(item.Value) {
		return in, fmt.Errorf("Signature is not a byte sequence: %w", ErrSignature)
	}
	in.label = label
	list, ok := member.(httpsfv.InnerList)
	if !ok || len(list.Items) > maxComponents {
		return in, fmt.Errorf("Signature-Input is not a short list: %w", ErrSignature)
	}
	for _, item := range list.Items {
		name, ok := item.Value.(string)
		if !ok || name != strings.ToLower(name) || slices.Contains(in.components, name) || len(item.Params.Names()) > 0 ||
			strings.HasPrefix(name, "@") && !slices.Contains(derived, name) {
			return in, fmt.Errorf("component %v is not accepted: %w", item.Value, ErrSignature)
		}
		in.components = append(in.components, name)
	}
	return in, in.readParams(list.Params)
}

// onlyMember parses a structured dictionary that has exactly one member. The parser of httpsfv 1.1.0 panics on some
// display strings and dates (the additions of RFC 9651), which nothing here uses: their first signs are refused outside
// of quotes before it looks.
func onlyMember(value string) (string, httpsfv.Member, error) {
	if len(value) > maxHeaderBytes {
		return "", nil, fmt.Errorf("%d bytes of dictionary: %w", len(value), ErrSignature)
	}
	quoted := false
	for i := 0; i < len(value); i++ {
		switch {
		case quoted && value[i] == '\\':
			i++
		case value[i] == '"':
			quoted = !quoted
		case !quoted && (value[i] == '%' || value[i] == '@'):
			return "", nil, fmt.Errorf("display string or date: %w", ErrSignature)
		}
	}
	dict, err := httpsfv.UnmarshalDictionary([]string{value})
	if err != nil {
		return "", nil, fmt.Errorf("dictionary: %w: %w", ErrSignature, err)
	}
	if names := dict.Names(); len(names) == 1 {
		member, _ := dict.Get(names[0])
		return names[0], member, nil
	}
	return "", nil, fmt.Errorf("dictionary has not one member: %w", ErrSignature)
}

func isBytes(v any) bool { b, ok := v.([]byte); return ok && len(b) > 0 }

func (in *input) readParams(params *httpsfv.Params) error {
	var ok bool
	if in.keyID, ok = param[string](params, "keyid"); !ok || in.keyID == "" || len(in.keyID) > maxKeyIDBytes {
		return fmt.Errorf("keyid is missing: %w", ErrSignature)
	}
	if in.created, ok = param[int64](params, "created"); !ok {
		return fmt.Errorf("created is missing: %w", ErrSignature)
	}
	in.nonce, _ = param[string](params, "nonce")
	if _, there := params.Get("alg"); there {
		if in.alg, ok = param[string](params, "alg"); !ok || in.alg == "" {
			return fmt.Errorf("alg is not a string: %w", ErrSignature)
		}
	}
	if _, there := params.Get("expires"); there {
		expires, ok := param[int64](params, "expires")
		if !ok {
			return fmt.Errorf("expires is not a whole number: %w", ErrSignature)
		}
		in.expires = &expires
	}
	return nil
}

func param[T any](params *httpsfv.Params, name string) (T, bool) {
	v, _ := params.Get(name)
	t, ok := v.(T)
	return t, ok
}

func (v *Verifier) parseRFC9421(req *http.Request, origin *url.URL, hasBody bool) (claim, error) {
	in, err := parseInput(req.Header)
	if err != nil {
		return claim{}, err
	}
	signs := func(name string) bool { return slices.Contains(in.components, name) }
	switch {
	case !signs("@method"), !signs("@target-uri"):
		return claim{}, fmt.Errorf("signature covers too little (%s): %w", strings.Join(in.components, " "), ErrSignature)
	case needsDigest(req, hasBody) && !signs("content-digest"):
		return claim{}, fmt.Errorf("content digest is not signed: %w", ErrSignature)
	}
	if err := v.inTime("created", unix(in.created)); err != nil {
		return claim{}, err
	}
	if in.expires != nil {
		if err := v.notExpired(*in.expires); err != nil {
			return claim{}, err
		}
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
	public, err := publicRequest(req, origin)
	if err != nil {
		return claim{}, err
	}
	for _, name := range in.components {
		if !strings.HasPrefix(name, "@") && len(public.Header.Values(name)) != 1 {
			return claim{}, fmt.Errorf("signed header %q stands %d times: %w", name, len(public.Header.Values(name)), ErrSignature)
		}
	}
	return claim{keyID: in.keyID, check: func(key crypto.PublicKey) error { return checkRFC9421(public, in, key) }}, nil
}

// publicRequest is req as the sender saw it: with the absolute URL, which a server's request has not, and with Host
// among the headers, where some peers sign it.
func publicRequest(req *http.Request, origin *url.URL) (*http.Request, error) {
	u, err := url.Parse(origin.Scheme + "://" + req.Host + target(req))
	if err != nil {
		return nil, fmt.Errorf("request target: %w", ErrSignature)
	}
	header := req.Header.Clone()
	header.Set("Host", req.Host)
	return &http.Request{Method: req.Method, URL: u, Host: req.Host, Header: header, Body: http.NoBody}, nil
}

func checkRFC9421(req *http.Request, in input, key crypto.PublicKey) error {
	// Time is checked already, against the clock that we were given.
	cfg := httpsign.NewVerifyConfig().SetVerifyCreated(false).SetRejectExpired(false).SetKeyID(in.keyID)
	var verifier *httpsign.Verifier
	var err error
	switch k := key.(type) {
	case *rsa.PublicKey:
		if in.alg == "" || in.alg == "rsa-v1_5-sha256" {
			verifier, err = httpsign.NewRSAVerifier(*k, cfg, httpsign.Headers(in.components...))
		}
	case ed25519.PublicKey:
		if in.alg == "" || in.alg == "ed25519" {
			verifier, err = httpsign.NewEd25519Verifier(k, cfg, httpsign.Headers(in.components...))
		}
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	if verifier == nil {
		return fmt.Errorf("algorithm %q does not go with a %T: %w", in.alg, key, ErrSignature)
	}
	if err := httpsign.VerifyRequest(in.label, *verifier, req); err != nil {
		return fmt.Errorf("%w: %w", ErrSignature, err)
	}
	return nil
}

// parseContentDigest reads a Content-Digest that holds one SHA-256 and nothing else.
func parseContentDigest(value string) ([]byte, error) {
	name, member, err := onlyMember(value)
	if err != nil {
		return nil, fmt.Errorf("content digest: %w", err)
	}
	item, ok := member.(httpsfv.Item)
	if !ok || name != "sha-256" || !isBytes(item.Value) {
		return nil, fmt.Errorf("content digest is not SHA-256: %w", ErrSignature)
	}
	return item.Value.([]byte), nil
}
