package raiden

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

// Dialect is which node program answers.
type Dialect string

// The dialects. A node whose dialect is not known yet is asked once.
const (
	DialectUnknown Dialect = ""
	DialectPython  Dialect = "python"
	DialectLight   Dialect = "light"
)

// State is whether a node can pay and be paid.
type State string

// The states that nodes name.
const (
	Ready       State = "ready"
	Syncing     State = "syncing"
	Unavailable State = "unavailable"
)

// Status is a node's word about itself.
type Status struct {
	State        State
	BlocksToSync uint64
	// Notice is set by the development network only, to be shown wherever its money is shown.
	Notice string
}

// Address asks for the node's own address, and learns the dialect by the way.
func (c *Client) Address(ctx context.Context) (eip55.Address, error) {
	var out struct {
		Address *eip55.Address  `json:"our_address"`
		Network json.RawMessage `json:"network"`
		Block   json.RawMessage `json:"block_number"`
	}
	r := call{method: http.MethodGet, path: "/address", out: &out}
	if err := c.do(ctx, r); err != nil {
		return eip55.Address{}, err
	}
	if out.Address == nil || out.Address.IsZero() {
		return eip55.Address{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "no our_address", kind: ErrProtocol}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dialect == DialectUnknown {
		c.dialect = DialectPython
		if out.Network != nil || out.Block != nil {
			c.dialect = DialectLight
		}
	}
	return *out.Address, nil
}

// Dialect is the configured dialect, or the one that the node's answer to Address shows.
func (c *Client) Dialect(ctx context.Context) (Dialect, error) {
	c.mu.Lock()
	known := c.dialect
	c.mu.Unlock()
	if known != DialectUnknown {
		return known, nil
	}
	if _, err := c.Address(ctx); err != nil {
		return DialectUnknown, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.dialect, nil
}

// Version asks for the node program's version, such as "3.1.1".
func (c *Client) Version(ctx context.Context) (string, error) {
	var out struct {
		Version string `json:"version"`
	}
	err := c.do(ctx, call{method: http.MethodGet, path: "/version", out: &out})
	return out.Version, err
}

// Status asks whether the node is ready. A node that does not answer is Unavailable, with an error that wraps
// ErrUnavailable.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var out struct {
		Status State   `json:"status"`
		Blocks *number `json:"blocks_to_sync"`
		Notice string  `json:"notice"`
	}
	r := call{method: http.MethodGet, path: "/status", out: &out}
	if err := c.do(ctx, r); err != nil {
		return Status{State: Unavailable}, err
	}
	s := Status{State: out.Status, Notice: out.Notice}
	if out.Blocks != nil {
		// A number of blocks that is out of range is of no use to anyone: it stays 0.
		s.BlocksToSync, _ = out.Blocks.uint64()
	}
	switch s.State {
	case Ready, Syncing, Unavailable:
		return s, nil
	default:
		return Status{State: Unavailable}, &Error{Op: r.op(), Status: http.StatusOK, Message: "unknown status", kind: ErrProtocol}
	}
}

// Tokens lists the tokens that the node knows.
func (c *Client) Tokens(ctx context.Context) ([]eip55.Address, error) {
	var out []eip55.Address
	err := c.do(ctx, call{method: http.MethodGet, path: "/tokens", out: &out})
	return out, err
}

// UserDeposit is what the node has paid in for services of the network (path finding and watching), in smallest units of
// the service token. ErrNotFound means that the node does not tell.
func (c *Client) UserDeposit(ctx context.Context) (amount.Units, error) {
	r := call{method: http.MethodGet, path: "/user_deposit/"}
	var raw json.RawMessage
	r.out = &raw
	if err := c.do(ctx, r); err != nil {
		var e *Error
		// Nodes that know only the other verbs of this path say so in their own ways.
		if errors.As(err, &e) && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed || e.Status == http.StatusNotImplemented || e.Status == http.StatusInternalServerError) {
			e.kind = ErrNotFound
		}
		return amount.Units{}, err
	}
	deposit, ok := readUserDeposit(raw)
	if !ok {
		return amount.Units{}, &Error{Op: r.op(), Status: http.StatusOK, Message: "no amount", kind: ErrNotFound}
	}
	return deposit, nil
}

// readUserDeposit finds the amount in what a node answers: it stands alone, or under one of several names.
func readUserDeposit(raw []byte) (amount.Units, bool) {
	var plain number
	if json.Unmarshal(raw, &plain) == nil && plain != "" {
		units, err := plain.units()
		return units, err == nil
	}
	var told map[string]json.RawMessage
	if json.Unmarshal(raw, &told) == nil {
		for _, name := range []string{"effective_balance", "balance", "amount", "total_deposit"} {
			if text, ok := told[name]; ok && json.Unmarshal(text, &plain) == nil {
				units, err := plain.units()
				return units, err == nil
			}
		}
	}
	return amount.Units{}, false
}
