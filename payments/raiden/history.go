package raiden

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// EventKind is what a node says about a line of its history. It is a label, not a proof: the light dialect calls
// pending and expired transfers a success as well.
type EventKind string

// The kinds of events that are known; others are passed on as they are.
const (
	EventReceived   EventKind = "EventPaymentReceivedSuccess"
	EventSent       EventKind = "EventPaymentSentSuccess"
	EventSentFailed EventKind = "EventPaymentSentFailed" // python only
)

// Event is one line of a node's history. Initiator and Target are zero where the dialect leaves them out.
type Event struct {
	Position   int // in the unfiltered history of the token, from 0
	Kind       EventKind
	Initiator  eip55.Address
	Target     eip55.Address
	Token      eip55.Address
	Amount     amount.Units
	Identifier uint64
	Secret     Secret // zero when not told
	SecretHash Hash   // zero when not told
	Time       time.Time
	Reason     string // of a failure
}

// proven reports whether the node shows the secret that opens the lock.
func (e Event) proven() bool { return e.SecretHash != Hash{} && e.Secret.Hash() == e.SecretHash }

// Page is a stretch of history.
type Page struct {
	Events []Event
	// Next is the position after the stretch; it equals the offset asked for when there is nothing more.
	Next int
	// Unreadable are the positions of lines that could not be read. They are not in Events.
	Unreadable []int
}

// MaxPage is the largest number of history lines that is asked for at once.
const MaxPage = 500

// Payments lists a token's history, oldest first: at most limit (1 to MaxPage) lines from the offset on.
func (c *Client) Payments(ctx context.Context, token eip55.Address, offset, limit int) (Page, error) {
	limit = min(max(limit, 1), MaxPage)
	q := url.Values{"limit": {strconv.Itoa(limit)}, "offset": {strconv.Itoa(max(offset, 0))}}
	var in []json.RawMessage
	r := call{method: http.MethodGet, path: "/payments/" + token.String(), query: q, out: &in}
	if err := c.do(ctx, r); err != nil {
		return Page{}, err
	}
	if len(in) > limit {
		return Page{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "more lines than asked for", kind: ErrProtocol}
	}
	page := Page{Next: offset + len(in)}
	for i, raw := range in {
		e, err := readEvent(raw)
		if err != nil || (e.Token != token && !e.Token.IsZero()) {
			page.Unreadable = append(page.Unreadable, offset+i)
			continue
		}
		e.Position, e.Token = offset+i, token
		page.Events = append(page.Events, e)
	}
	return page, nil
}

func readEvent(raw []byte) (Event, error) {
	var w struct {
		wirePayment
		Event   string `json:"event"`
		LogTime string `json:"log_time"`
		Reason  string `json:"reason"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	if w.Event == "" {
		return Event{}, errors.New("read event: no kind")
	}
	if w.Event == string(EventSentFailed) && w.Amount == "" {
		w.Amount = "0" // a failure tells no amount
	}
	p, err := w.payment()
	if err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	e := Event{
		Kind: EventKind(w.Event), Initiator: p.Initiator, Target: p.Target, Token: p.Token, Amount: p.Amount,
		Identifier: p.Identifier, Secret: p.Secret, SecretHash: p.SecretHash, Reason: w.Reason,
	}
	if w.LogTime != "" {
		if e.Time, err = logTime(w.LogTime); err != nil {
			return Event{}, fmt.Errorf("read event: %w", err)
		}
	}
	return e, nil
}

// Role is the part that a node plays in a pending transfer.
type Role string

// The roles; light writes "target,".
const (
	RoleInitiator Role = "initiator"
	RoleMediator  Role = "mediator"
	RoleTarget    Role = "target"
)

// PendingTransfer is a transfer whose lock is not resolved yet.
type PendingTransfer struct {
	Channel     string
	Token       eip55.Address
	Initiator   eip55.Address
	Target      eip55.Address
	Identifier  uint64
	Locked      amount.Units
	Transferred amount.Units
	Role        Role
}

// PendingTransfers lists the token's transfers that are under way.
func (c *Client) PendingTransfers(ctx context.Context, token eip55.Address) ([]PendingTransfer, error) {
	var in []*wirePending
	r := call{method: http.MethodGet, path: "/pending_transfers/" + token.String(), out: &in}
	if err := c.do(ctx, r); err != nil {
		return nil, err
	}
	var out []PendingTransfer
	for _, w := range in {
		if w == nil {
			continue
		}
		p, err := w.pending()
		if err != nil {
			return nil, &Error{Op: r.op(), Status: http.StatusOK, Message: "unreadable transfer", kind: ErrProtocol, cause: err}
		}
		out = append(out, p)
	}
	return out, nil
}

type wirePending struct {
	Channel     number  `json:"channel_identifier"`
	Token       address `json:"token_address"`
	Initiator   address `json:"initiator"`
	Target      address `json:"target"`
	Identifier  number  `json:"payment_identifier"`
	Locked      number  `json:"locked_amount"`
	Transferred number  `json:"transferred_amount"`
	Role        string  `json:"role"`
}

func (w *wirePending) pending() (PendingTransfer, error) {
	id, err := w.Identifier.uint64()
	if err != nil {
		return PendingTransfer{}, fmt.Errorf("identifier: %w", err)
	}
	locked, err := w.Locked.units()
	if err != nil {
		return PendingTransfer{}, fmt.Errorf("locked amount: %w", err)
	}
	p := PendingTransfer{
		Channel: string(w.Channel), Token: w.Token.Address, Initiator: w.Initiator.Address, Target: w.Target.Address, Identifier: id,
		Locked: locked, Role: Role(strings.TrimRight(w.Role, ", ")),
	}
	if w.Transferred != "" {
		if p.Transferred, err = w.Transferred.units(); err != nil {
			return PendingTransfer{}, fmt.Errorf("transferred amount: %w", err)
		}
	}
	return p, nil
}

// Last returns the last lines of a token's history, oldest first: at most n (1 to MaxPage). Nodes give the oldest lines
// first and do not say how many there are, so the end is searched for, beginning at the position near, which Page.Next of
// an earlier call is good for.
func (c *Client) Last(ctx context.Context, token eip55.Address, near, n int) (Page, error) {
	n = min(max(n, 1), MaxPage)
	has := func(position int) (bool, error) {
		page, err := c.Payments(ctx, token, position, 1)
		return page.Next > position, err
	}
	// Positions below low are there, high is not.
	low, high := 0, max(near, 0)
	for {
		there, err := has(high)
		if err != nil {
			return Page{}, err
		}
		if !there {
			break
		}
		if low, high = high+1, max(2*high, 64); high > maxHistory {
			return Page{}, fmt.Errorf("history is longer than %d lines: %w", maxHistory, ErrProtocol)
		}
	}
	for low < high {
		middle := (low + high) / 2
		there, err := has(middle)
		if err != nil {
			return Page{}, err
		}
		if there {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return c.Payments(ctx, token, max(low-n, 0), n)
}
