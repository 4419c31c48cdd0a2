// Package erc20test is an Ethereum chain for tests: go-ethereum's own, in this process, with a token and a till on it,
// behind a JSON-RPC server of ours that can misbehave as real ones do. It is not for anything but tests, and its coins
// are worth nothing. Begin with New.
//
// The tests of package erc20 against a chain are here too: this way its fuzz test is built without a whole node.
package erc20test

import (
	"crypto/ecdsa"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/eth/ethconfig"
	"github.com/ethereum/go-ethereum/ethclient/simulated"
	"github.com/ethereum/go-ethereum/node"
	"github.com/ethereum/go-ethereum/rpc"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/erc20"
)

// Decimals are the coin's.
const Decimals = 6

// Chain is a chain whose blocks are made when a test says so. Its methods end the test when they fail; they may be used
// from many goroutines.
type Chain struct {
	// Coin, Till and Owner are the token, the till, and who owns the till.
	Coin, Till, Owner eip55.Address
	// Node is the JSON-RPC server in front of it.
	Node *Node

	tb      testing.TB
	mu      sync.Mutex
	backend *simulated.Backend
	key     *ecdsa.PrivateKey
	nonce   uint64
}

// New makes a chain with a coin and a till, and ends it with the test.
func New(tb testing.TB) *Chain {
	tb.Helper()
	key, err := crypto.ToECDSA(common.LeftPadBytes([]byte{7}, 32))
	must(tb, err)
	ether := new(big.Int).Exp(big.NewInt(10), big.NewInt(24), nil)
	c := &Chain{tb: tb, key: key, Owner: eip55.Address{0x0a, 0xda}}
	// A socket's path is short.
	dir, err := os.MkdirTemp("", "erc20")
	must(tb, err)
	socket := filepath.Join(dir, "node")
	c.backend = simulated.NewBackend(types.GenesisAlloc{crypto.PubkeyToAddress(key.PublicKey): {Balance: ether}},
		func(n *node.Config, _ *ethconfig.Config) { n.IPCPath = socket })
	client, err := rpc.DialContext(tb.Context(), socket)
	must(tb, err)
	tb.Cleanup(func() {
		client.Close()
		_ = c.backend.Close()
		_ = os.RemoveAll(dir)
	})
	c.Node = newNode(tb, client)
	c.Coin = c.deploy(c.bytecode("Coin"))
	till, err := erc20.TillCode(c.Owner)
	must(tb, err)
	c.Till = c.deploy(till)
	return c
}

// Asset is the coin.
func (c *Chain) Asset() amount.Asset { return amount.Token("eip155", 1337, c.Coin) }

// Pay sends units of the coin; the payment is in the next block.
func (c *Chain) Pay(to string, units uint64) common.Hash {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	argument := make([]byte, 64)
	copy(argument[12:], common.HexToAddress(to).Bytes())
	new(big.Int).SetUint64(units).FillBytes(argument[32:])
	return c.send(&c.Coin, append(crypto.Keccak256([]byte("transfer(address,uint256)"))[:4], argument...), 0)
}

// Spread sends units to each of the addresses in one transaction.
func (c *Chain) Spread(units uint64, to ...string) common.Hash {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	data := append(crypto.Keccak256([]byte("spread(address[],uint256)"))[:4], word(64)...)
	data = append(append(data, word(units)...), word(uint64(len(to)))...)
	for _, a := range to {
		data = append(data, common.LeftPadBytes(common.HexToAddress(a).Bytes(), 32)...)
	}
	return c.send(&c.Coin, data, 0)
}

// Sweep has the till send an order's coins to its owner.
func (c *Chain) Sweep(identifier uint64) common.Hash {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	data := append(crypto.Keccak256([]byte("sweep(bytes32,address)"))[:4], word(identifier)...)
	return c.send(&c.Till, append(data, common.LeftPadBytes(c.Coin[:], 32)...), 0)
}

// Balance is how many units of the coin an address has.
func (c *Chain) Balance(of eip55.Address) uint64 {
	c.tb.Helper()
	var text string
	data := "0x" + hex.EncodeToString(append(crypto.Keccak256([]byte("balanceOf(address)"))[:4], common.LeftPadBytes(of[:], 32)...))
	must(c.tb, c.Node.chain.Call(&text, "eth_call", map[string]string{"to": c.Coin.String(), "data": data}, "latest"))
	return new(big.Int).SetBytes(common.FromHex(text)).Uint64()
}

// Mine makes blocks.
func (c *Chain) Mine(blocks int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for range blocks {
		c.backend.Commit()
	}
}

// Height is the number of the newest block.
func (c *Chain) Height() uint64 {
	c.tb.Helper()
	n, err := c.backend.Client().BlockNumber(c.tb.Context())
	must(c.tb, err)
	return n
}

// Reorganize takes the newest blocks back and makes one more in their place. What the old blocks held waits for a block
// again, except the transactions that are dropped: their sender has sent others with the same numbers.
func (c *Chain) Reorganize(depth int, drop ...common.Hash) {
	c.tb.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	ctx, client := c.tb.Context(), c.backend.Client()
	height, err := client.BlockNumber(ctx)
	must(c.tb, err)
	var numbers []uint64
	for _, hash := range drop {
		tx, _, err := client.TransactionByHash(ctx, hash)
		must(c.tb, err)
		numbers = append(numbers, tx.Nonce())
	}
	parent, err := client.HeaderByNumber(ctx, new(big.Int).SetUint64(height-uint64(depth)))
	must(c.tb, err)
	must(c.tb, c.backend.Fork(parent.Hash()))
	for _, n := range numbers {
		c.replace(n)
	}
	if len(numbers) == 0 {
		// One transaction more makes other blocks.
		c.send(&eip55.Address{1}, nil, 0)
	}
	for range depth + 1 {
		c.backend.Commit()
	}
}

// replace sends nothing to nobody, under the number of a transaction that waits again.
func (c *Chain) replace(number uint64) {
	c.tb.Helper()
	after := c.nonce
	c.nonce = number
	c.send(&eip55.Address{1}, nil, 10)
	c.nonce = after
}

// patience is how long the chain may take to notice that its blocks were taken back.
const patience = 10 * time.Second

func (c *Chain) send(to *eip55.Address, data []byte, tip int64) common.Hash {
	c.tb.Helper()
	ctx, client := c.tb.Context(), c.backend.Client()
	var recipient *common.Address
	if to != nil {
		a := common.Address(*to)
		recipient = &a
	}
	tx, err := types.SignNewTx(c.key, types.LatestSignerForChainID(big.NewInt(1337)), &types.DynamicFeeTx{
		ChainID: big.NewInt(1337), Nonce: c.nonce, To: recipient, Data: data, Gas: 3_000_000,
		GasTipCap: big.NewInt((1 + tip) * 1_000_000_000), GasFeeCap: big.NewInt((10 + 10*tip) * 1_000_000_000),
	})
	must(c.tb, err)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); ; {
		if err = client.SendTransaction(ctx, tx); err == nil || time.Now().After(end) {
			break
		}
		<-tick.C
	}
	must(c.tb, err)
	c.nonce++
	return tx.Hash()
}

func (c *Chain) deploy(code []byte) eip55.Address {
	c.tb.Helper()
	at := crypto.CreateAddress(crypto.PubkeyToAddress(c.key.PublicKey), c.nonce)
	c.send(nil, code, 0)
	c.backend.Commit()
	deployed, err := c.backend.Client().CodeAt(c.tb.Context(), at, nil)
	must(c.tb, err)
	if len(deployed) == 0 {
		c.tb.Fatal("the contract was not made")
	}
	return eip55.Address(at)
}

// bytecode is the creation code of a contract of package erc20.
func (c *Chain) bytecode(name string) []byte {
	c.tb.Helper()
	_, here, _, _ := runtime.Caller(0)
	raw, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "contract", name+".json"))
	must(c.tb, err)
	var compiled struct {
		Bytecode string `json:"bytecode"`
	}
	must(c.tb, json.Unmarshal(raw, &compiled))
	b, err := hex.DecodeString(strings.TrimPrefix(compiled.Bytecode, "0x"))
	must(c.tb, err)
	return b
}

func word(n uint64) []byte { return common.LeftPadBytes(new(big.Int).SetUint64(n).Bytes(), 32) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
