package raidentest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

const htmlError = "<!DOCTYPE html>\n<html><head><title>Error</title></head><body><pre>Internal Server Error</pre></body></html>\n"

func (n *Node) light() bool { return n.network.Dialect == raiden.DialectLight }

func (n *Node) route(w http.ResponseWriter, r *http.Request) {
	path, ok := strings.CutPrefix(r.URL.Path, "/api/v1")
	if !ok {
		n.fail(w, http.StatusNotFound, "unknown path")
		return
	}
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case r.Method == http.MethodGet && path == "/address":
		out := map[string]any{"our_address": n.Address}
		if n.light() {
			out["eth_balance"], out["block_number"], out["network"] = "1.5", 1234, "arbitrum"
		}
		send(w, http.StatusOK, encode(out))
	case r.Method == http.MethodGet && path == "/version":
		send(w, http.StatusOK, map[bool]string{true: `{"version":"3.1.1"}`, false: `{"version":"3.0.1"}`}[n.light()])
	case r.Method == http.MethodGet && path == "/status":
		send(w, http.StatusOK, map[bool]string{
			true: `{"status":"ready","blocks_to_sync":0}`, false: `{"status":"ready"}`,
		}[n.light()])
	case r.Method == http.MethodGet && path == "/tokens":
		send(w, http.StatusOK, encode([]eip55.Address{n.network.Token}))
	case parts[0] == "channels":
		n.channels(w, r, parts)
	case r.Method == http.MethodPost && parts[0] == "payments" && len(parts) == 3:
		n.postPayment(w, r, parts[1], parts[2])
	case r.Method == http.MethodGet && parts[0] == "payments" && len(parts) == 2:
		n.payments(w, r, parts[1])
	case r.Method == http.MethodGet && parts[0] == "pending_transfers" && len(parts) == 2:
		n.pendingTransfers(w, parts[1])
	default:
		n.fail(w, http.StatusNotFound, "unknown path")
	}
}

func send(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client has gone
}

// fail answers as each dialect does: python has a status and "errors" in JSON for everything; light knows a few.
func (n *Node) fail(w http.ResponseWriter, status int, message string) {
	if !n.light() {
		send(w, status, encode(map[string]any{"errors": message}))
		return
	}
	switch {
	case status == http.StatusPaymentRequired:
		send(w, http.StatusConflict, encode(map[string]any{"message": message}))
	case status == http.StatusConflict:
		send(w, status, encode(map[string]any{"message": message}))
	case status == http.StatusBadRequest && message != "bad json" && message != "missing amount":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, message)
	case status == http.StatusNotFound && message == "address is not checksummed":
		w.WriteHeader(status)
	default:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = io.WriteString(w, htmlError)
	}
}

// addresses checks a path's addresses: the token must be the one, and all of them checksummed.
func (n *Node) addresses(w http.ResponseWriter, token string, more ...string) bool {
	for _, text := range append([]string{token}, more...) {
		if a, err := eip55.Parse(text); err != nil || a.String() != text {
			n.fail(w, http.StatusNotFound, "address is not checksummed")
			return false
		}
	}
	if token != n.network.Token.String() {
		n.fail(w, http.StatusNotFound, "unknown token")
		return false
	}
	return true
}

func (n *Node) channels(w http.ResponseWriter, r *http.Request, parts []string) {
	if len(parts) > 1 && !n.addresses(w, parts[1], parts[2:]...) {
		return
	}
	channel := map[string]any{
		"channel_identifier": "1", "token_network_address": eip55.Address{0xEE, 19: 9}, "partner_address": n.partner.Address,
		"token_address": n.network.Token, "balance": n.balance.String(), "total_deposit": startBalance, "total_withdraw": "0",
		"state": "opened", "settle_timeout": "500", "reveal_timeout": "50",
	}
	if !n.light() {
		channel["network_state"] = "reachable"
	}
	switch {
	case r.Method == http.MethodGet && len(parts) < 3:
		send(w, http.StatusOK, encode([]any{channel}))
	case r.Method == http.MethodGet && parts[2] == n.partner.Address.String():
		send(w, http.StatusOK, encode(channel))
	case r.Method == http.MethodPut && len(parts) == 1:
		n.fail(w, http.StatusConflict, "channel exists")
	default:
		n.fail(w, http.StatusNotFound, "no such channel")
	}
}

// number reads a JSON number or string.
func number(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

func (n *Node) postPayment(w http.ResponseWriter, r *http.Request, token, target string) {
	if !n.addresses(w, token, target) {
		return
	}
	var in struct{ Amount, Identifier json.RawMessage }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		n.fail(w, http.StatusBadRequest, "bad json")
		return
	}
	if in.Amount == nil {
		n.fail(w, http.StatusBadRequest, "missing amount")
		return
	}
	units, err := amount.ParseUnits(number(in.Amount))
	if err != nil {
		n.fail(w, http.StatusBadRequest, "invalid amount")
		return
	}
	identifier, err := strconv.ParseUint(number(in.Identifier), 10, 64)
	if err != nil {
		n.fail(w, http.StatusBadRequest, "invalid identifier")
		return
	}
	if target != n.partner.Address.String() {
		n.fail(w, http.StatusConflict, "no route to the target")
		return
	}
	if n.balance.Cmp(units.Big()) < 0 {
		n.fail(w, http.StatusPaymentRequired, "insufficient funds")
		return
	}
	line := n.pay(units.Big(), identifier)
	if n.light() {
		send(w, http.StatusOK, n.encode(line))
		return
	}
	send(w, http.StatusOK, encode(map[string]any{
		"initiator_address": line.Initiator, "target_address": line.Target, "token_address": n.network.Token,
		"registry_address": eip55.Address{0xEE, 19: 8}, "amount": line.Amount, "identifier": fmt.Sprint(line.Identifier),
		"secret": line.Secret, "secret_hash": line.SecretHash,
	}))
}

func (n *Node) payments(w http.ResponseWriter, r *http.Request, token string) {
	if !n.addresses(w, token) {
		return
	}
	offset := queryInt(r, "offset", 0)
	lines := n.history[min(offset, len(n.history)):]
	lines = lines[:min(queryInt(r, "limit", len(lines)), len(lines))]
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = n.encode(l)
	}
	send(w, http.StatusOK, "["+strings.Join(out, ",")+"]")
}

func queryInt(r *http.Request, name string, otherwise int) int {
	if v, err := strconv.Atoi(r.URL.Query().Get(name)); err == nil && v >= 0 {
		return v
	}
	return otherwise
}

func (n *Node) pendingTransfers(w http.ResponseWriter, token string) {
	if !n.addresses(w, token) {
		return
	}
	list := n.pending
	if n.light() {
		list = append([]string{"null"}, list...) // seen
	}
	send(w, http.StatusOK, "["+strings.Join(list, ",")+"]")
}
