package raidendev

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"strconv"
	"strings"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// maxBody bounds a request's body in bytes.
const maxBody = 64 << 10

// failure is an answer that is not a success.
type failure struct {
	status  int
	message string
}

func (f failure) Error() string { return f.message }

func notFound(message string) error { return failure{http.StatusNotFound, message} }

func badRequest(message string) error { return failure{http.StatusBadRequest, message} }

// endpoint answers a request with a status and a value for JSON, or an error.
type endpoint func(r *http.Request) (int, any, error)

// handler is the node's REST API.
func (n *node) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, e := range map[string]endpoint{
		"GET /address":                             n.getAddress,
		"GET /version":                             n.getVersion,
		"GET /status":                              n.getStatus,
		"GET /contracts":                           n.getContracts,
		"GET /tokens":                              n.getTokens,
		"GET /tokens/{token}":                      n.getToken,
		"GET /tokens/{token}/partners":             n.getPartners,
		"GET /channels":                            n.getChannels,
		"GET /channels/{token}":                    n.getChannels,
		"GET /channels/{token}/{partner}":          n.getChannel,
		"PUT /channels":                            n.putChannel,
		"PATCH /channels/{token}/{partner}":        n.patchChannel,
		"POST /payments/{token}/{target}":          n.postPayment,
		"GET /payments":                            n.getPayments,
		"GET /payments/{token}":                    n.getPayments,
		"GET /payments/{token}/{partner}":          n.getPayments,
		"GET /pending_transfers":                   n.getPending,
		"GET /pending_transfers/{token}":           n.getPending,
		"GET /pending_transfers/{token}/{partner}": n.getPending,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.Handle(method+" /api/v1"+path, n.answer(e))
	}
	mux.Handle("/", n.answer(func(*http.Request) (int, any, error) {
		return 0, nil, notFound("no such route on the development network")
	}))
	return mux
}

func (n *node) answer(e endpoint) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, value, err := http.StatusOK, any(nil), guard(r)
		if err == nil {
			status, value, err = e(r)
		}
		if err != nil {
			f := n.failure(err)
			status, value = f.status, map[string]string{"message": f.message}
		}
		body, err := json.Marshal(value)
		if err != nil {
			n.network.cfg.Log.Error("development node cannot encode its answer", "node", n.name, "error", err)
			status, body = http.StatusInternalServerError, []byte(`{"message":"internal error"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		// Who has gone away does not want to know.
		_, _ = w.Write(append(body, '\n'))
	})
}

// guard keeps web pages from using a visitor's browser to reach the node: a page can neither make a request with a
// JSON body without asking first, which nobody answers, nor name the host as a loopback address.
func guard(r *http.Request) error {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return failure{http.StatusForbidden, "the development network answers on loopback only"}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return failure{http.StatusUnsupportedMediaType, "the body must be application/json"}
	}
	return nil
}

func (n *node) failure(err error) failure {
	var f failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, errPending):
		n.network.cfg.Log.Error("development payment is pending", "node", n.name, "error", err)
		return failure{http.StatusInternalServerError, errPending.Error()}
	case errors.Is(err, errFunds), errors.Is(err, errNoRoute), errors.Is(err, errSecretUsed), errors.Is(err, errRecord):
		return failure{http.StatusConflict, err.Error()}
	default:
		n.network.cfg.Log.Error("development node failed", "node", n.name, "error", err)
		return failure{http.StatusServiceUnavailable, "the development network has failed; see the log"}
	}
}

// read runs fn on the state, unless the journal has failed and the state is no longer to be believed.
func (n *Network) read(fn func() error) error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.journal.err != nil {
		return n.journal.err
	}
	return fn()
}

// write does so alone and returns after the journal has the changes for good.
func (n *Network) write(fn func() error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.journal.err != nil {
		return n.journal.err
	}
	if err := fn(); err != nil {
		return err
	}
	return n.journal.sync()
}

// pathAddress reads an address of the path, which must carry its checksum, as nodes demand.
func pathAddress(r *http.Request, name string) (eip55.Address, error) {
	text := r.PathValue(name)
	a, err := eip55.Parse(text)
	if err != nil || a.String() != text {
		return eip55.Address{}, notFound("addresses must be EIP-55 checksummed")
	}
	return a, nil
}

// pathToken reads the path's token, if the path has one: there is only one.
func (n *node) pathToken(r *http.Request) error {
	if r.PathValue("token") == "" {
		return nil
	}
	token, err := pathAddress(r, "token")
	if err != nil {
		return err
	}
	return n.checkToken(token)
}

func (n *node) checkToken(token eip55.Address) error {
	if token != n.network.token {
		return notFound("the development network has only the token " + n.network.token.String())
	}
	return nil
}

func readBody(r *http.Request, into any) error {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		return badRequest("unreadable body")
	}
	return nil
}

// decimal is a number that may come as a JSON number or as a string.
type decimal string

// UnmarshalJSON keeps the digits as they came.
func (d *decimal) UnmarshalJSON(data []byte) error {
	if len(data) >= 2 && data[0] == '"' {
		data = data[1 : len(data)-1]
	}
	if _, err := amount.ParseUnits(string(data)); err != nil {
		return err
	}
	*d = decimal(data)
	return nil
}

func (d decimal) units() (amount.Units, error) {
	u, err := amount.ParseUnits(string(d))
	if err != nil {
		return u, badRequest("the amount must be a decimal number")
	}
	return u, nil
}

func (d decimal) uint64() (uint64, error) {
	v, err := strconv.ParseUint(string(d), 10, 64)
	if err != nil {
		return 0, badRequest("the identifier must be an unsigned 64-bit number")
	}
	return v, nil
}

func queryInt(r *http.Request, name string, otherwise int) (int, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return otherwise, nil
	}
	v, err := strconv.Atoi(text)
	if err != nil || v < 0 {
		return 0, badRequest(fmt.Sprintf("%s must be a number from 0 on", name))
	}
	return v, nil
}
