// Package erc20 is a [payments.Provider] for an ERC-20 token on an Ethereum chain, through any node's JSON-RPC.
//
// A token's transfer carries no identifier, so each order is paid to an address of its own: a slot of the artist's till,
// a small contract (contract/Till.sol) that sends whatever comes to its owner, who was fixed when it was made.
//
//	slot address = keccak256(ff || till || identifier as bytes32 || keccak256(slot's creation code))[12:]   (CREATE2)
//
// No key to a slot exists anywhere, the server can compute addresses and nothing else, and anybody may sweep a slot to
// the owner at the price of the gas; a slot can be paid before its contract is there.
//
// A payment counts once its block has Config.Confirmations, and only after its receipt was asked for and agrees with
// it. Watching costs the node the same few questions for each new block however many orders wait: all of the token's
// transfers are read, and those to slots are picked out here. A reorganization shallower than Confirmations undoes
// nothing that was counted; a deeper one can, as on every chain.
//
// It is not a wallet: it pays nobody, and has nothing to pay with. Begin with [New]; [Client.Ready] says what is wrong
// with a node, a till or a token before anything is sold.
package erc20

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/rpc"

	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
)

var (
	// ErrNode means that the node did not answer, or not as a node does.
	ErrNode = errors.New("ethereum node")
	// ErrRefused means that the node understood and said no; it is also an ErrNode.
	ErrRefused = fmt.Errorf("%w refuses", ErrNode)
	// ErrChain means that the node is on another chain than the token.
	ErrChain = errors.New("the node is on another chain")
	// ErrBehind means that the node has fewer blocks than were seen before; nothing is concluded from what it says.
	ErrBehind = errors.New("the node is behind")
	// ErrContradiction means that the node's answers do not fit together; nothing is concluded from them.
	ErrContradiction = errors.New("the node contradicts itself")
	// ErrTill means that there is no till at the address, or one of other code.
	ErrTill = errors.New("no till")
)

// URL is a node's address, which often has a key in it. It never shows itself in logs or by fmt.
type URL string

// LogValue hides the address.
func (URL) LogValue() slog.Value { return slog.StringValue("[redacted]") }

// String hides the address.
func (URL) String() string { return "[redacted]" }

// GoString hides the address.
func (URL) GoString() string { return "[redacted]" }

// Config says what is sold for, and where the node is.
type Config struct {
	// RPC is the node's JSON-RPC over http or https.
	RPC URL
	// Asset is the token: eip155:<chain>/erc20:0x...; Decimals are those of its smallest unit.
	Asset    amount.Asset
	Decimals int
	// Till is the contract whose slots orders are paid to.
	Till eip55.Address
	// Confirmations are how many blocks a payment must have, its own included; 12 when 0.
	Confirmations int
	// Span is how many blocks are asked for at once; 500 when 0.
	Span int
	// Poll is the least time between two looks at the node; 2 s when 0.
	Poll time.Duration
	// Timeout bounds each question; 10 s when 0.
	Timeout time.Duration
	// Targets returns which of the addresses orders are paid to, as payments.Targets does.
	Targets func(ctx context.Context, addresses []string) (map[string]bool, error)
	Log     *slog.Logger
	Now     func() time.Time
}

// Client watches one token on one chain. It is safe for concurrent use.
type Client struct {
	Config
	chain *big.Int
	token eip55.Address
	rpc   *rpc.Client

	mu sync.Mutex
	// head, cursor and look are of the last look that was complete, and asked when it was.
	head   string
	cursor string
	look   payments.Look
	asked  time.Time
	// seen are the transfers that were not final in the last look, by their reference.
	seen map[string]transfer
}

var _ payments.Provider = (*Client)(nil)

// New checks the configuration; it asks the node nothing.
func New(c Config) (*Client, error) {
	chain, ok := chainOf(c.Asset)
	if !ok {
		return nil, fmt.Errorf("asset %s is not a token on an Ethereum chain: want eip155:<chain>/erc20:0x...", c.Asset)
	}
	token, ok := c.Asset.Contract()
	if !ok {
		return nil, fmt.Errorf("asset %s names no contract", c.Asset)
	}
	if c.Till.IsZero() {
		return nil, fmt.Errorf("%w: the address of the till is missing", ErrTill)
	}
	if c.Confirmations == 0 {
		c.Confirmations = 12
	}
	if c.Span == 0 {
		c.Span = 500
	}
	if c.Confirmations < 1 || c.Span < c.Confirmations {
		return nil, fmt.Errorf("%d confirmations: want at least 1, and at most %d", c.Confirmations, c.Span)
	}
	if c.Poll == 0 {
		c.Poll = 2 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	dialed, err := dial(c.RPC)
	if err != nil {
		return nil, err
	}
	return &Client{Config: c, chain: chain, token: token, rpc: dialed}, nil
}

// Close ends the connections to the node.
func (c *Client) Close() { c.rpc.Close() }

func chainOf(asset amount.Asset) (*big.Int, bool) {
	id, _, _ := strings.Cut(string(asset), "/")
	text, ok := strings.CutPrefix(id, "eip155:")
	if !ok {
		return nil, false
	}
	return new(big.Int).SetString(text, 10)
}

// Name is the provider's word on the wire.
func (c *Client) Name() string { return "erc20" }

// Asset implements [payments.Provider].
func (c *Client) Asset() (amount.Asset, int) { return c.Config.Asset, c.Decimals }

// Target is the slot of an order, after the till itself has said that it is: nobody is ever told to pay to an address
// that the till cannot empty.
func (c *Client) Target(ctx context.Context, identifier string) (string, error) {
	order, err := salt(identifier)
	if err != nil {
		return "", err
	}
	if err := c.checkChain(ctx); err != nil {
		return "", err
	}
	slot := slotAddress(c.Till, order)
	said, err := c.callAddress(ctx, c.Till, selectorAddressOf, order[:])
	if err != nil {
		return "", err
	}
	if said != slot {
		return "", fmt.Errorf("%w: the contract at %s gives another address than ours", ErrTill, c.Till)
	}
	return slot.String(), nil
}

// Ready asks the node for everything that selling needs, and returns who owns the till.
func (c *Client) Ready(ctx context.Context) (owner eip55.Address, err error) {
	if _, err := c.Target(ctx, "1"); err != nil {
		return owner, err
	}
	if owner, err = c.callAddress(ctx, c.Till, selectorOwner, nil); err != nil {
		return owner, err
	}
	answer, err := c.call(ctx, c.token, selectorDecimals, nil)
	if err != nil {
		return owner, err
	}
	if n := new(big.Int).SetBytes(answer); len(answer) != 32 || n.Cmp(big.NewInt(int64(c.Decimals))) != 0 {
		return owner, fmt.Errorf("the token at %s has %s decimals, and the configuration says %d", c.token, n, c.Decimals)
	}
	_, err = c.block(ctx, "latest")
	return owner, err
}

// PaymentLink is the request for a payment that wallets read (EIP-681).
func PaymentLink(asset amount.Asset, target string, units amount.Units) (string, bool) {
	chain, ok := chainOf(asset)
	token, isToken := asset.Contract()
	if !ok || !isToken {
		return "", false
	}
	return "ethereum:" + token.String() + "@" + chain.String() + "/transfer?address=" + target + "&uint256=" + units.String(), true
}

// cursor text is "number:hash" of the last final block that was examined.
func formatCursor(number uint64, hash string) string {
	return strconv.FormatUint(number, 10) + ":" + hash
}

func parseCursor(text string) (number uint64, hash string, err error) {
	n, hash, ok := strings.Cut(text, ":")
	number, err = strconv.ParseUint(n, 10, 64)
	if !ok || err != nil || hash == "" {
		return 0, "", fmt.Errorf("cursor %.80q is not one of ours", text)
	}
	return number, hash, nil
}
