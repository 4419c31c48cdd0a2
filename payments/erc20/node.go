package erc20

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/rpc"

	"antiphon/payments/eip55"
)

// maxBody bounds an answer in bytes: the transfers of a busy token in Span blocks are some megabytes.
const maxBody = 64 << 20

// dial makes a client of a node; it connects to nothing yet.
func dial(node URL) (*rpc.Client, error) {
	u, err := url.Parse(string(node))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%w: the address is not http(s)://host[:port]", ErrNode)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	c, err := rpc.DialOptions(context.Background(), string(node), rpc.WithHTTPClient(&http.Client{
		Transport:     bounded{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}))
	if err != nil {
		return nil, fmt.Errorf("%w: the address cannot be used", ErrNode)
	}
	return c, nil
}

// bounded cuts answers that are too long.
type bounded struct{ *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxBody), resp.Body}
	}
	return resp, err
}

// ask puts one question. Errors wrap ErrNode and tell neither the node's address nor pages of HTML.
func (c *Client) ask(ctx context.Context, answer any, method string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	err := c.rpc.CallContext(ctx, answer, method, args...)
	if err == nil {
		return nil
	}
	var status rpc.HTTPError
	var address *url.Error
	var said rpc.Error
	switch {
	case errors.As(err, &status):
		return fmt.Errorf("%w: %s: status %d", ErrNode, method, status.StatusCode)
	case errors.As(err, &address):
		return fmt.Errorf("%w: %s: %w", ErrNode, method, address.Err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: %w", ErrNode, method, ctx.Err())
	case errors.As(err, &said):
		return fmt.Errorf("%w: %s: %.200s", ErrRefused, method, said.Error())
	default:
		return fmt.Errorf("%w: %s: %.200s", ErrNode, method, err.Error())
	}
}

// block is what is needed of a block. Its hash is the node's word, not computed: chains have fields of their own.
type block struct {
	Number quantity `json:"number"`
	Hash   string   `json:"hash"`
	Time   quantity `json:"timestamp"`
}

// block asks for a block by its number, or "latest"; one that the node does not have is ErrNode.
func (c *Client) block(ctx context.Context, number string) (block, error) {
	var b *block
	if err := c.ask(ctx, &b, "eth_getBlockByNumber", number, false); err != nil {
		return block{}, err
	}
	if b == nil || len(b.Hash) != 66 {
		return block{}, fmt.Errorf("%w: block %s is not there", ErrNode, number)
	}
	return *b, nil
}

func (c *Client) blockAt(ctx context.Context, number uint64) (block, error) {
	b, err := c.block(ctx, quantity(number).String())
	if err == nil && uint64(b.Number) != number {
		return b, fmt.Errorf("%w: asked for block %d, it gave %d", ErrContradiction, number, b.Number)
	}
	return b, err
}

func (c *Client) checkChain(ctx context.Context) error {
	var text string
	if err := c.ask(ctx, &text, "eth_chainId"); err != nil {
		return err
	}
	id, ok := new(big.Int).SetString(strings.TrimPrefix(text, "0x"), 16)
	if !ok || id.Cmp(c.chain) != 0 {
		return fmt.Errorf("%w: it says %.20q, the token is on %s", ErrChain, text, c.chain)
	}
	return nil
}

// call asks a contract; what it answers is bytes.
func (c *Client) call(ctx context.Context, to eip55.Address, selector string, argument []byte) ([]byte, error) {
	var text string
	data := "0x" + hex.EncodeToString(append([]byte(selector), argument...))
	if err := c.ask(ctx, &text, "eth_call", map[string]string{"to": to.String(), "data": data}, "latest"); err != nil {
		return nil, err
	}
	answer, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
	if err != nil {
		return nil, fmt.Errorf("%w: eth_call: not hexadecimal", ErrNode)
	}
	return answer, nil
}

func (c *Client) callAddress(ctx context.Context, to eip55.Address, selector string, argument []byte) (eip55.Address, error) {
	answer, err := c.call(ctx, to, selector, argument)
	if err != nil {
		return eip55.Address{}, err
	}
	if len(answer) != 32 {
		return eip55.Address{}, fmt.Errorf("%w: there is no such contract at %s", ErrTill, to)
	}
	return eip55.Address(answer[12:]), nil
}

// quantity is a number as JSON-RPC has it: "0x1b4".
type quantity uint64

// String is the number's form on the wire.
func (q quantity) String() string { return "0x" + strconv.FormatUint(uint64(q), 16) }

// UnmarshalText reads a number.
func (q *quantity) UnmarshalText(text []byte) error {
	digits, ok := strings.CutPrefix(string(text), "0x")
	n, err := strconv.ParseUint(digits, 16, 64)
	if !ok || err != nil {
		return fmt.Errorf("%.30q is not a quantity", text)
	}
	*q = quantity(n)
	return nil
}
