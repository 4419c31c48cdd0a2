package raiden

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"unicode/utf8"
)

var (
	// ErrNoRoute means that the payment was refused: no path to the target, or the target is offline. Nothing was sent.
	ErrNoRoute = errors.New("no route to the target")
	// ErrInsufficientFunds means that the node has not enough balance in its channels. Nothing was sent.
	ErrInsufficientFunds = errors.New("insufficient funds")
	// ErrUnavailable means that the node could not be asked, or is not ready; nothing was sent, ask again later.
	ErrUnavailable = errors.New("raiden node unavailable")
	// ErrUnknownOutcome means that a payment, or a change of a channel, may or may not have been made. Look into the
	// history (Payer.PayOnce does) or at the channel; never send a payment again blindly, because a node takes the same
	// identifier twice.
	ErrUnknownOutcome = errors.New("outcome is unknown")
	// ErrBusy means that another outgoing payment of this node is not finished; nothing was sent.
	ErrBusy = errors.New("another payment of this node is under way")
	// ErrIdentifierUsed means that the identifier was already spent on another amount to the same target.
	ErrIdentifierUsed = errors.New("identifier was used for another amount")
	// ErrBadRequest means that the node found the request wrong; sending it again is of no use.
	ErrBadRequest = errors.New("refused by the raiden node")
	// ErrNotFound means that there is no such channel, token or route of the API.
	ErrNotFound = errors.New("not found at the raiden node")
	// ErrConflict means that the state of the channel forbids the change.
	ErrConflict = errors.New("conflict at the raiden node")
	// ErrUnauthorized means that the proxy in front of the node refused the credentials.
	ErrUnauthorized = errors.New("raiden node refused the credentials")
	// ErrProtocol means an answer that this client does not understand.
	ErrProtocol = errors.New("unexpected answer of the raiden node")
	// ErrCursor means that the history no longer is the one the cursor was made for: begin again without a cursor.
	ErrCursor = errors.New("history does not match the cursor")
)

// Error is a failed call. errors.Is finds the sentinel; Message is the node's own text, for the log only.
type Error struct {
	Op      string // method and path
	Status  int    // 0 when there was no answer
	Message string
	kind    error
	cause   error
}

// Error says what was asked and what came back.
func (e *Error) Error() string {
	s := e.Op + ": " + e.kind.Error()
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the sentinel and the cause.
func (e *Error) Unwrap() []error {
	if e.cause == nil {
		return []error{e.kind}
	}
	return []error{e.kind, e.cause}
}

func (r call) isPayment() bool {
	return r.method == http.MethodPost && strings.HasPrefix(r.path, "/payments/")
}

// moves reports whether the call moves money, on the chain or off it: what it does when its answer is lost is not known.
func (r call) moves() bool { return r.blocks }

// transportError: only a connection that was never made is certain to have sent nothing.
func transportError(r call, err error) error {
	kind := ErrUnavailable
	var dial *net.OpError
	if r.moves() && (!errors.As(err, &dial) || dial.Op != "dial") {
		kind = ErrUnknownOutcome
	}
	return &Error{Op: r.op(), kind: kind, cause: err}
}

func statusError(r call, status int, contentType string, body []byte) error {
	e := &Error{Op: r.op(), Status: status, Message: errorText(contentType, body)}
	fromNode := strings.Contains(contentType, "json")
	switch {
	case status == http.StatusBadRequest, status == http.StatusNotImplemented, status == http.StatusMethodNotAllowed:
		e.kind = ErrBadRequest
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusProxyAuthRequired:
		e.kind = ErrUnauthorized
	case status == http.StatusPaymentRequired:
		e.kind = ErrInsufficientFunds
	case status == http.StatusNotFound && strings.Count(r.path, "/") == 1:
		e.kind = ErrUnavailable // the light node serves no route before it is synced
	case status == http.StatusNotFound:
		e.kind = ErrNotFound
	case status == http.StatusConflict:
		e.kind = conflictKind(r, e.Message)
	case status == http.StatusServiceUnavailable && fromNode, status >= 300 && status < 400, status == http.StatusTooManyRequests:
		e.kind = ErrUnavailable
	case r.moves() && (r.isPayment() || status >= 500 || status == http.StatusRequestTimeout):
		// 500 may come before or after the transfer has left, 502, 503 and 504 from a proxy as well.
		e.kind = ErrUnknownOutcome
	case status >= 500 || status == http.StatusRequestTimeout:
		e.kind = ErrUnavailable
	default:
		e.kind = ErrBadRequest
	}
	return e
}

// conflictKind: the light dialect answers 409 for lack of funds too, where python answers 402.
func conflictKind(r call, message string) error {
	m := strings.ToLower(message)
	switch {
	case strings.Contains(m, "insufficient") || strings.Contains(m, "not enough"):
		return ErrInsufficientFunds
	case r.isPayment():
		return ErrNoRoute
	default:
		return ErrConflict
	}
}

// errorText takes the words out of {"errors": "..."} or {"errors": ["..."]} or {"message": "..."} or plain text, and
// nothing out of HTML. The text is bounded and one line.
func errorText(contentType string, body []byte) string {
	text := ""
	switch {
	case strings.Contains(contentType, "json"):
		var in struct {
			Errors  json.RawMessage `json:"errors"`
			Message string          `json:"message"`
		}
		if json.Unmarshal(body, &in) != nil {
			return ""
		}
		var list []string
		switch {
		case in.Message != "":
			text = in.Message
		case json.Unmarshal(in.Errors, &text) == nil:
		case json.Unmarshal(in.Errors, &list) == nil:
			text = strings.Join(list, "; ")
		default:
			text = string(in.Errors)
		}
	case strings.Contains(contentType, "html"):
		return ""
	default:
		text = string(body)
	}
	if !utf8.ValidString(text) {
		return ""
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "..."
	}
	return text
}
