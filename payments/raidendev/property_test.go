package raidendev

import (
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// TestConservation: whatever is paid, lost, deposited, withdrawn, closed, expired or restarted, no unit is made or
// lost, every balance proof verifies, and a transfer is paid on all of its legs or on none.
func TestConservation(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "raidendev")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		clock := testkit.NewClock(start)
		chance := rand.NewChaCha8([32]byte{1})
		open := func() *Network {
			n, err := Open(Config{
				Dir: dir, Nodes: []string{"ada", "lin", "eve"}, Deposit: units(100), Log: slog.New(slog.DiscardHandler), Now: clock.Now, Rand: chance,
			})
			if err != nil {
				rt.Fatal(err)
			}
			return n
		}
		n := open()
		defer func() { _ = n.Close() }()
		party := rapid.SampledFrom([]string{Hub, "ada", "lin", "eve"})
		actions := map[string]func(){
			"pay": func() {
				o := order{
					initiator: n.address(party.Draw(rt, "from")), target: n.address(party.Draw(rt, "to")),
					amount: units(rapid.Uint64Range(0, 150).Draw(rt, "amount")), identifier: rapid.Uint64().Draw(rt, "identifier"),
				}
				if o.initiator == o.target {
					return
				}
				n.lose = nil
				if lost := rapid.IntRange(0, 40).Draw(rt, "lost message"); lost < 14 {
					n.lose = func(message) bool { lost--; return lost == 0 }
				}
				_, err := n.pay(o)
				n.lose = nil
				if err != nil && !errors.Is(err, errPending) && !errors.Is(err, errFunds) && !errors.Is(err, errNoRoute) {
					rt.Fatal(err)
				}
			},
			"change channel": func() {
				node, partner := n.nodes[n.address(party.Draw(rt, "party"))], n.address(party.Draw(rt, "partner"))
				c := n.state.open[pairOf(node.address, partner)]
				if c == nil {
					if node.address == partner {
						return
					}
					id := uint64(len(n.state.channels)) + 1
					must(rt, n.commit(record{Open: &opened{Channel: id, Parties: [2]eip55.Address{node.address, partner}}}))
					return
				}
				side, err := c.side(node.address)
				must(rt, err)
				total := rapid.Uint64Range(0, 300).Draw(rt, "total")
				var change error
				switch rapid.IntRange(0, 2).Draw(rt, "change") {
				case 0:
					change = node.deposit(c, decimal(fmt.Sprint(total)))
				case 1:
					change = node.withdraw(c, side, decimal(fmt.Sprint(total)))
				default:
					change = n.commit(record{Close: &closing{Channel: c.id}})
				}
				if change != nil && !errors.Is(change, errRecord) && !errors.Is(change, errFunds) {
					rt.Fatal(change)
				}
			},
			"wait": func() {
				clock.Advance(time.Duration(rapid.IntRange(0, 40).Draw(rt, "seconds")) * time.Second)
				must(rt, n.settle())
			},
			"restart": func() {
				must(rt, n.Close())
				n = open()
			},
		}
		next := rapid.SampledFrom([]string{"pay", "pay", "pay", "change channel", "wait", "restart"})
		for range rapid.IntRange(1, 15).Draw(rt, "actions") {
			actions[next.Draw(rt, "action")]()
			checkModel(rt, n)
		}
		clock.Advance(time.Hour)
		must(rt, n.settle())
		if len(n.state.pending) > 0 {
			rt.Fatalf("%d transfers never end", len(n.state.pending))
		}
		checkModel(rt, n)
		must(rt, n.checkProofs())
	})
}

func must(t rapid.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkModel adds up the transfers anew and compares with the channels.
func checkModel(t rapid.TB, n *Network) {
	t.Helper()
	moved := map[*channel][2]*big.Int{}
	for _, c := range n.state.channels {
		moved[c] = [2]*big.Int{new(big.Int), new(big.Int)}
	}
	for _, tr := range n.state.transfers {
		for _, l := range tr.legs {
			if l.done && tr.secret != nil {
				moved[l.channel][l.side].Add(moved[l.channel][l.side], tr.amount.Big())
			}
		}
		if !tr.pending() && tr.paid != (tr.secret != nil) {
			t.Fatalf("transfer %d is paid in part", tr.identifier)
		}
	}
	for _, c := range n.state.channels {
		in, have := new(big.Int), new(big.Int)
		for side := range c.ends {
			e := &c.ends[side]
			if e.transferred.Big().Cmp(moved[c][side]) != 0 {
				t.Fatalf("channel %d: %s has sent %s, its transfers say %s", c.id, e.address, e.transferred, moved[c][side])
			}
			if c.balance(side).Sign() < 0 {
				t.Fatalf("channel %d: balance %s", c.id, c.balance(side))
			}
			in.Add(in, e.deposit.Big()).Sub(in, e.withdrawn.Big())
			have.Add(have, c.balance(side)).Add(have, e.locked())
		}
		if in.Cmp(have) != 0 {
			t.Fatalf("channel %d: %s paid in, %s there", c.id, in, have)
		}
	}
}

// TestLostMessages: whichever message of a payment is lost, the payment ends as a whole.
func TestLostMessages(t *testing.T) {
	t.Parallel()
	for lost := 1; ; lost++ {
		clock := testkit.NewClock(start)
		n := openAt(t, t.TempDir(), clock)
		count := 0
		n.lose = func(message) bool { count++; return count == lost }
		_, err := n.pay(order{initiator: n.address("lin"), target: n.address("ada"), amount: units(10), identifier: 1})
		n.lose = nil
		if count < lost {
			if lost != 17 { // 8 messages and as many answers
				t.Errorf("a mediated payment takes %d messages", lost-1)
			}
			if err != nil {
				t.Error(err)
			}
			return
		}
		if err != nil && !errors.Is(err, errPending) {
			t.Errorf("message %d: %v", lost, err)
		}
		clock.Advance(time.Minute)
		if err := n.settle(); err != nil {
			t.Errorf("message %d: %v", lost, err)
		}
		checkSettled(t, n, fmt.Sprintf("message %d", lost))
	}
}

// TestForgedMessages: no node takes what the sender has not signed as it is.
func TestForgedMessages(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]func(n *Network, m *message){
		"amount":      func(_ *Network, m *message) { m.Lock.Amount = units(11) },
		"identifier":  func(_ *Network, m *message) { m.Identifier++ },
		"target":      func(n *Network, m *message) { m.Target = n.address(Hub) },
		"sender":      func(n *Network, m *message) { m.From = n.address("ada") },
		"nonce":       func(_ *Network, m *message) { m.Proof.Nonce++ },
		"transferred": func(_ *Network, m *message) { m.Proof.Transferred = units(10) },
		"locked":      func(_ *Network, m *message) { m.Proof.Locked = units(9) },
		"channel":     func(_ *Network, m *message) { m.Proof.Channel = 1 },
		"no proof":    func(_ *Network, m *message) { m.Proof = nil },
		"other key": func(n *Network, m *message) {
			m.sign(n.nodes[n.address("ada")].key, n.tokenNetwork)
		},
		"signed, but wrong": func(n *Network, m *message) {
			m.Proof.Nonce++
			m.sign(n.nodes[m.From].key, n.tokenNetwork)
		},
		"signed, more than there is": func(n *Network, m *message) {
			m.Lock.Amount, m.Proof.Locked = units(5000), units(5000)
			m.Proof.Locksroot = locksroot([]lock{m.Lock})
			m.sign(n.nodes[m.From].key, n.tokenNetwork)
		},
		"expired early": func(n *Network, m *message) {
			m.Kind = lockExpired
			m.sign(n.nodes[m.From].key, n.tokenNetwork)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := openAt(t, t.TempDir(), testkit.NewClock(start))
			lin := n.nodes[n.address("lin")]
			m, err := lin.sayProof(message{
				Initiator: lin.address, Target: n.address("ada"), Identifier: 1, Lock: lock{Expiration: n.block() + 30, Amount: units(10), Hash: hash{1}},
			}, lockedTransfer, n.state.open[pairOf(lin.address, n.address(Hub))])
			if err != nil {
				t.Fatal(err)
			}
			forge(n, &m)
			if err := n.run(m); err == nil {
				t.Error("it was taken")
			}
			if len(n.state.transfers) != 0 {
				t.Error("a transfer began")
			}
			checkConserved(t, n)
		})
	}
}

// TestAtOnce: payments in all directions at the same time.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	names := []string{Hub, "ada", "lin"}
	// The hub pays from what the faucet gives it only when it mediates: give it something to pay with.
	for _, name := range names[1:] {
		if _, err := b.client(t, name).Pay(t.Context(), raiden.PayRequest{Token: b.Token(), Target: b.address(Hub), Amount: units(100), Identifier: 1}); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	for i, from := range names {
		for j, to := range names {
			if i == j {
				continue
			}
			c := b.client(t, from)
			wg.Go(func() {
				for id := range uint64(10) {
					req := raiden.PayRequest{Token: b.Token(), Target: b.address(to), Amount: units(1), Identifier: id + 2}
					if _, err := c.Pay(t.Context(), req); err != nil {
						t.Errorf("%s to %s: %v", from, to, err)
					}
				}
			})
		}
	}
	wg.Wait()
	b.mu.Lock()
	defer b.mu.Unlock()
	checkConserved(t, b.Network)
	// 2 to begin with, 6 directions of 10 each.
	if got := len(b.state.transfers); got != 62 {
		t.Errorf("%d transfers", got)
	}
}

// TestLargest: amounts up to 2^256-1 pass, and a channel refuses what it could no longer count.
func TestLargest(t *testing.T) {
	t.Parallel()
	largest, err := amount.UnitsFromBig(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1)))
	if err != nil {
		t.Fatal(err)
	}
	cfg := config(t.TempDir(), testkit.NewClock(start))
	cfg.Deposit = largest
	n, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ada, lin := n.address("ada"), n.address("lin")
	if _, err := n.pay(order{initiator: lin, target: n.address(Hub), amount: largest}); err != nil {
		t.Errorf("all to the hub: %v", err)
	}
	if _, err := n.pay(order{initiator: lin, target: ada, amount: units(1)}); !errors.Is(err, errFunds) {
		t.Errorf("from an empty channel: %v", err)
	}
	if _, err := n.pay(order{initiator: ada, target: lin, amount: largest}); err != nil {
		t.Errorf("ada to lin: %v", err)
	}
	if _, err := n.pay(order{initiator: n.address(Hub), target: ada, amount: largest}); err != nil {
		t.Errorf("back to ada: %v", err)
	}
	if _, err := n.pay(order{initiator: ada, target: n.address(Hub), amount: units(1)}); !errors.Is(err, errFunds) {
		t.Errorf("from a channel that is used up: %v", err)
	}
	if _, err := n.pay(order{initiator: ada, target: lin, amount: units(1)}); !errors.Is(err, errNoRoute) {
		t.Errorf("through a channel that the faucet cannot fill: %v", err)
	}
	checkConserved(t, n)
}
