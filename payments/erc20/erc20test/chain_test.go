package erc20test_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"antiphon/internal/testkit"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/erc20"
	"antiphon/payments/erc20/erc20test"
	"antiphon/payments/providertest"
)

// confirmations are what a payment needs in these tests.
const confirmations = 3

// desk is a client on a chain of its own, and the addresses that orders are paid to.
type desk struct {
	*erc20.Client
	chain *erc20test.Chain
	mu    sync.Mutex
	known map[string]bool
	clock *testkit.Clock
}

func open(t testing.TB, change ...func(*erc20.Config)) *desk {
	t.Helper()
	d := &desk{chain: erc20test.New(t), known: map[string]bool{}, clock: testkit.NewClock(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC))}
	c := erc20.Config{
		RPC: erc20.URL(d.chain.Node.URL), Asset: d.chain.Asset(), Decimals: erc20test.Decimals, Till: d.chain.Till, Confirmations: confirmations,
		Targets: d.targets, Log: slog.New(slog.DiscardHandler), Now: d.now,
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	d.Client, err = erc20.New(c)
	must(t, err)
	t.Cleanup(d.Close)
	return d
}

// now goes on by more than the pause between two looks with every question.
func (d *desk) now() time.Time {
	d.clock.Advance(time.Minute)
	return d.clock.Now()
}

func (d *desk) targets(_ context.Context, addresses []string) (map[string]bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	some := map[string]bool{}
	for _, a := range addresses {
		if d.known[a] {
			some[a] = true
		}
	}
	return some, nil
}

// order is the address of a new order.
func (d *desk) order(t testing.TB, identifier string) string {
	t.Helper()
	target, err := d.Target(t.Context(), identifier)
	must(t, err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[target] = true
	return target
}

// sees is what a look shows: the sums of what is final and of what is not, and the cursor.
func (d *desk) sees(t testing.TB, cursor string) (final, tentative []string, next string) {
	t.Helper()
	look, err := d.Received(t.Context(), cursor)
	must(t, err)
	for _, p := range look.Final {
		final = append(final, p.Amount.Units.String())
	}
	for _, p := range look.Tentative {
		tentative = append(tentative, fmt.Sprintf("%s %d/%d", p.Amount.Units, p.Confirmations, p.Needed))
	}
	return final, tentative, look.Next
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func TestPaidAfterConfirmations(t *testing.T) {
	t.Parallel()
	d := open(t)
	owner, err := d.Ready(t.Context())
	must(t, err)
	want(t, "owner", owner, d.chain.Owner)
	target := d.order(t, "18446744073709551615")
	d.chain.Pay(target, 5)
	d.chain.Pay("0x00000000000000000000000000000000000000aa", 7) // somebody else's
	d.chain.Pay(target, 0)
	d.chain.Mine(1)
	cursor := ""
	for k := 1; k < confirmations; k++ {
		var final, tentative []string
		final, tentative, cursor = d.sees(t, cursor)
		want(t, "final", final, []string(nil))
		want(t, "tentative", tentative, []string{fmt.Sprintf("5 %d/%d", k, confirmations)})
		d.chain.Mine(1)
	}
	look, err := d.Received(t.Context(), cursor)
	must(t, err)
	if len(look.Final) != 1 || len(look.Tentative) != 0 {
		t.Fatalf("%+v", look)
	}
	p := look.Final[0]
	want(t, "payment", []any{p.Target, p.Amount, p.Identifier, p.At.IsZero()}, []any{target, amount.New(5, d.chain.Asset()), "", false})
	final, tentative, _ := d.sees(t, look.Next)
	want(t, "after the cursor", []any{final, tentative}, []any{[]string(nil), []string(nil)})
	again, err := d.Received(t.Context(), cursor)
	must(t, err)
	if len(again.Final) != 1 || again.Final[0].Ref != p.Ref {
		t.Errorf("the same cursor again: %+v", again)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	d := open(t)
	target := d.order(t, "42")
	for range 2 {
		// Twice: what comes after the slot is there is swept as well.
		d.chain.Pay(target, 5)
		d.chain.Mine(1)
		d.chain.Sweep(42)
		d.chain.Mine(1)
	}
	want(t, "owner has", d.chain.Balance(d.chain.Owner), 10)
	slot, err := eip55.Parse(target)
	must(t, err)
	want(t, "slot has", d.chain.Balance(slot), 0)
	final, _, _ := d.sees(t, "")
	want(t, "final", final, []string{"5"})
}

func TestSeveralInOneTransaction(t *testing.T) {
	t.Parallel()
	d := open(t)
	one, two := d.order(t, "1"), d.order(t, "2")
	d.chain.Spread(5, one, two, one, "0x00000000000000000000000000000000000000aa")
	d.chain.Mine(confirmations)
	look, err := d.Received(t.Context(), "")
	must(t, err)
	refs := map[string]bool{}
	for _, p := range look.Final {
		refs[p.Ref] = true
	}
	if len(look.Final) != 3 || len(refs) != 3 {
		t.Errorf("%+v", look.Final)
	}
}

func TestReorganized(t *testing.T) {
	t.Parallel()
	d := open(t)
	target := d.order(t, "1")
	tx := d.chain.Pay(target, 5)
	d.chain.Mine(2)
	_, tentative, cursor := d.sees(t, "")
	want(t, "seen", tentative, []string{"5 2/3"})

	d.chain.Reorganize(2, tx)
	final, tentative, cursor := d.sees(t, cursor)
	want(t, "dropped", []any{final, tentative}, []any{[]string(nil), []string(nil)})
	d.chain.Mine(5)
	final, _, cursor = d.sees(t, cursor)
	want(t, "never paid", final, []string(nil))

	// Put into another block, a payment is still the same one.
	d.chain.Pay(target, 7)
	d.chain.Mine(confirmations)
	look, err := d.Received(t.Context(), cursor)
	must(t, err)
	if len(look.Final) != 1 {
		t.Fatalf("%+v", look)
	}
	d.chain.Reorganize(confirmations + 2)
	d.chain.Mine(confirmations)
	again, err := d.Received(t.Context(), look.Next)
	must(t, err)
	if len(again.Final) != 1 || again.Final[0].Ref != look.Final[0].Ref {
		t.Errorf("below what was final: %+v, want %s again", again, look.Final[0].Ref)
	}
}

// TestBadNodes has the node answer in every bad way while a payment comes: nothing is concluded then, and once it
// answers well the payment is there.
func TestBadNodes(t *testing.T) {
	t.Parallel()
	d := open(t, func(c *erc20.Config) { c.Timeout = 300 * time.Millisecond })
	target := d.order(t, "1")
	_, _, cursor := d.sees(t, "")
	d.chain.Pay(target, 5)
	d.chain.Mine(1)
	if _, tentative, _ := d.sees(t, cursor); len(tentative) != 1 {
		t.Fatalf("tentative %v", tentative)
	}
	d.chain.Mine(confirmations)
	only := func(method string, f erc20test.Fault) erc20test.Fault {
		return func(w http.ResponseWriter, q *erc20test.Question) bool { return q.Method == method && f(w, q) }
	}
	calls := 0
	for _, c := range []struct {
		name  string
		fault erc20test.Fault
		err   error
	}{
		{"500 in HTML", func(w http.ResponseWriter, _ *erc20test.Question) bool {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte("<html><h1>Internal error</h1></html>"))
			return true
		}, erc20.ErrNode},
		{"200 in HTML", func(w http.ResponseWriter, _ *erc20test.Question) bool {
			_, _ = w.Write([]byte("<html>"))
			return true
		}, erc20.ErrNode},
		{"it hangs", func(_ http.ResponseWriter, q *erc20test.Question) bool { <-q.Done; return true }, erc20.ErrNode},
		{"another chain", only("eth_chainId", func(w http.ResponseWriter, q *erc20test.Question) bool { q.Answer(w, "0x1"); return true }), erc20.ErrChain},
		{"no history", only("eth_getLogs", func(w http.ResponseWriter, q *erc20test.Question) bool {
			q.Refuse(w, 4444, "pruned history unavailable")
			return true
		}), erc20.ErrRefused},
		{"history forgotten in silence", only("eth_getLogs", func(w http.ResponseWriter, q *erc20test.Question) bool { q.Answer(w, []any{}); return true }), erc20.ErrContradiction},
		{"blocks forgotten", only("eth_getBlockByNumber", func(w http.ResponseWriter, q *erc20test.Question) bool {
			if q.Params[0] == "latest" {
				return false
			}
			q.Answer(w, nil)
			return true
		}), erc20.ErrNode},
		{"receipts forgotten", only("eth_getTransactionReceipt", func(w http.ResponseWriter, q *erc20test.Question) bool { q.Answer(w, nil); return true }), erc20.ErrContradiction},
		{"back in time", only("eth_getBlockByNumber", func(_ http.ResponseWriter, q *erc20test.Question) bool {
			if q.Params[0] == "latest" {
				q.Params[0] = "0x1"
			}
			return false
		}), nil},
		{"the chain moves while it is read", only("eth_getBlockByNumber", func(w http.ResponseWriter, q *erc20test.Question) bool {
			calls++
			if q.Params[0] == "latest" {
				return false
			}
			q.Answer(w, map[string]string{"number": fmt.Sprint(q.Params[0]), "timestamp": "0x1", "hash": fmt.Sprintf("0x%064d", calls)})
			return true
		}), erc20.ErrContradiction},
		{"a log of another token", only("eth_getLogs", func(w http.ResponseWriter, q *erc20test.Question) bool {
			q.Answer(w, []any{map[string]any{"address": target, "topics": []string{}, "blockNumber": "0x1"}})
			return true
		}), erc20.ErrContradiction},
		{"a failed transaction", only("eth_getTransactionReceipt", func(w http.ResponseWriter, q *erc20test.Question) bool {
			q.Answer(w, map[string]any{"status": "0x0", "blockNumber": "0x1", "blockHash": "0x"})
			return true
		}), erc20.ErrContradiction},
	} {
		d.chain.Node.Misbehave(c.fault)
		look, err := d.Received(t.Context(), cursor)
		if len(look.Final) > 0 || look.Next > cursor || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %+v, %v", c.name, look, err)
		}
		if err != nil && (strings.Contains(err.Error(), d.chain.Node.URL) || strings.Contains(err.Error(), "<h1>")) {
			t.Errorf("%s: the error tells too much: %v", c.name, err)
		}
	}
	d.chain.Node.Misbehave(nil)
	final, _, _ := d.sees(t, cursor)
	want(t, "in the end", final, []string{"5"})
}

// TestBehind is a node that was put back behind what was final.
func TestBehind(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.chain.Mine(20)
	_, _, cursor := d.sees(t, "")
	d.chain.Node.Misbehave(func(_ http.ResponseWriter, q *erc20test.Question) bool {
		if q.Method == "eth_getBlockByNumber" && q.Params[0] == "latest" {
			q.Params[0] = "0x5"
		}
		return false
	})
	if _, err := d.Received(t.Context(), cursor); !errors.Is(err, erc20.ErrBehind) {
		t.Errorf("behind: %v", err)
	}
}

// TestCatchUp reads many blocks in several looks, also from a node that answers for few at once.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]uint64{"as asked": 1 << 40, "few at once": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t, func(c *erc20.Config) { c.Span = 10 })
			target := d.order(t, "1")
			for range 30 {
				d.chain.Pay(target, 1)
				d.chain.Mine(1)
			}
			d.chain.Node.Misbehave(func(w http.ResponseWriter, q *erc20test.Question) bool {
				if q.Method != "eth_getLogs" {
					return false
				}
				var from, to uint64
				filter := q.Params[0].(map[string]any)
				_, _ = fmt.Sscanf(filter["fromBlock"].(string)+" "+filter["toBlock"].(string), "0x%x 0x%x", &from, &to)
				if to-from < limit {
					return false
				}
				q.Refuse(w, -32005, "query returned more than 10000 results")
				return true
			})
			refs, cursor := map[string]bool{}, ""
			for {
				look, err := d.Received(t.Context(), cursor)
				must(t, err)
				for _, p := range look.Final {
					refs[p.Ref] = true
				}
				cursor = look.Next
				if !look.More {
					want(t, "tentative", len(look.Tentative), confirmations-1)
					break
				}
			}
			want(t, "final", len(refs), 30-confirmations+1)
		})
	}
}

// TestQuestionsPerBlock counts what the node is asked for a block while 10,000 orders wait, and while one does.
func TestQuestionsPerBlock(t *testing.T) {
	t.Parallel()
	d := open(t)
	ask := func(orders int) int {
		for len(d.known) < orders {
			d.known[fmt.Sprintf("0x%040d", len(d.known))] = true
		}
		d.chain.Mine(confirmations)
		_, _, cursor := d.sees(t, "")
		d.chain.Node.Asked()
		const blocks = 5
		for range blocks {
			d.chain.Mine(1)
			_, _, cursor = d.sees(t, cursor)
		}
		asked := d.chain.Node.Asked()
		for range 5 {
			_, _, cursor = d.sees(t, cursor)
		}
		if idle := d.chain.Node.Asked(); idle > 2*5 {
			t.Errorf("%d questions in 5 looks at the same block", idle)
		}
		return asked / blocks
	}
	one, many := ask(1), ask(10_000)
	if one != many || many > 7 {
		t.Errorf("%d questions a block for one order, %d for 10,000", one, many)
	}
	t.Logf("%d questions a block", many)
}

func TestNotReady(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*erc20.Config)
		err    error
	}{
		"no contract at the till":   {func(c *erc20.Config) { c.Till = eip55.Address{1} }, erc20.ErrTill},
		"another contract there":    {func(c *erc20.Config) { c.Till, _ = c.Asset.Contract() }, nil},
		"other decimals":            {func(c *erc20.Config) { c.Decimals = 18 }, nil},
		"token is on another chain": {func(c *erc20.Config) { c.Asset = amount.Token("eip155", 1, eip55.Address{1}) }, erc20.ErrChain},
		"nobody listens":            {func(c *erc20.Config) { c.RPC = "http://127.0.0.1:1" }, erc20.ErrNode},
	} {
		d := open(t, c.change)
		if _, err := d.Ready(t.Context()); err == nil || c.err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]erc20.Config{
		"a development token": {RPC: "http://127.0.0.1", Asset: amount.Token(amount.DevNamespace, 1, eip55.Address{1}), Till: eip55.Address{1}},
		"a currency":          {RPC: "http://127.0.0.1", Asset: "iso4217:EUR", Till: eip55.Address{1}},
		"no till":             {RPC: "http://127.0.0.1", Asset: amount.Token("eip155", 1, eip55.Address{1})},
		"not a URL":           {RPC: "127.0.0.1", Asset: amount.Token("eip155", 1, eip55.Address{1}), Till: eip55.Address{1}},
	} {
		if _, err := erc20.New(c); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// TestContracts compiles the contracts anew and compares: the committed code is what the sources say.
func TestContracts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		t.Fatal("install nodejs and npm (.ci/setup does)")
	}
	if _, err := os.Stat(filepath.Join("..", "contract", "node_modules", "solc")); err != nil {
		t.Fatal("run .ci/setup: the compiler is not installed")
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "node", filepath.Join("..", "contract", "compile.mjs"), dir).CombinedOutput(); err != nil {
		t.Fatalf("compile: %v\n%s", err, out)
	}
	for _, name := range []string{"Till.json", "Slot.json", "Coin.json"} {
		committed, err := os.ReadFile(filepath.Join("..", "contract", name))
		must(t, err)
		compiled, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if string(committed) != string(compiled) {
			t.Errorf("contract/%s is not what its source compiles to: run npm run build in payments/erc20/contract", name)
		}
	}
}

func TestPaymentLink(t *testing.T) {
	t.Parallel()
	link, ok := erc20.PaymentLink("eip155:42161/erc20:0xaf88d065e77c8cC2239327C5EDb3A432268e5831", "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", amount.NewUnits(5_000_000))
	want(t, "link", []any{link, ok}, []any{
		"ethereum:0xaf88d065e77c8cC2239327C5EDb3A432268e5831@42161/transfer?address=0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB&uint256=5000000", true})
	if _, ok := erc20.PaymentLink("iso4217:EUR", "x", amount.NewUnits(1)); ok {
		t.Error("euros are no token")
	}
}

var _ payments.Provider = (*erc20.Client)(nil)

func TestProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t testing.TB) providertest.Subject {
		d := open(t)
		return providertest.Subject{
			Provider: d,
			Order:    func(t testing.TB, identifier, _ string) { d.order(t, identifier) },
			Pay: func(_ testing.TB, _, target string, units uint64) {
				d.chain.Pay(target, units)
				d.chain.Mine(confirmations)
			},
		}
	})
}
