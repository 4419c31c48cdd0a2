package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"antiphon/media/access"
)

// relayed are the headers that carry a request's signature; nothing else of the browser's goes to a proxy.
var relayed = []string{"Content-Type", "Content-Digest", "Signature", "Signature-Input"}

const (
	relayTimeout = 10 * time.Second
	maxAnswer    = 256 << 10
)

// Relay passes a browser's signed request on to a proxy of one of the user's grants, bytes unchanged: so the proxy does
// not learn the listener's address, and this instance not the key that signs.
func (s *Service) Relay(w http.ResponseWriter, r *http.Request) {
	user := s.User(r)
	if user == "" {
		problem(w, http.StatusUnauthorized, "log-in", "Log in to play what you bought.")
		return
	}
	var in struct {
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 2*access.MaxReencryptBody)).Decode(&in); err != nil {
		problem(w, http.StatusBadRequest, "malformed", "The request to relay is malformed.")
		return
	}
	request, _, err := access.ParseReencrypt([]byte(in.Body))
	if err != nil {
		problem(w, http.StatusBadRequest, "malformed", "The request to relay is malformed.")
		return
	}
	allowed, err := s.Access.MayRelay(r.Context(), user, request.Grant, in.URL)
	if errors.Is(err, access.ErrRevoked) {
		problem(w, http.StatusGone, "revoked", "The artist has withdrawn access to this track.")
		return
	}
	if err != nil {
		s.fail(w, "relay", err)
		return
	}
	if !allowed {
		problem(w, http.StatusForbidden, "not-granted", "Only proxies of your own grants are asked.")
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), relayTimeout)
	defer cancel()
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, in.URL, bytes.NewReader([]byte(in.Body)))
	if err != nil {
		problem(w, http.StatusBadRequest, "malformed", "The proxy's address is malformed.")
		return
	}
	for _, name := range relayed {
		for given, value := range in.Headers {
			if strings.EqualFold(given, name) {
				out.Header.Set(name, value)
			}
		}
	}
	if in.URL == s.Access.ReencryptURL() {
		// The network may not lead back to this instance.
		s.Reencrypt(w, out)
		return
	}
	resp, err := s.HTTP.Do(ctx, out, maxAnswer)
	if err != nil {
		s.Log.Warn("proxy does not answer", "proxy", in.URL, "error", err)
		problem(w, http.StatusBadGateway, "unreachable", "The proxy does not answer.")
		return
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(resp.Status)
	_, _ = w.Write(resp.Body)
}
