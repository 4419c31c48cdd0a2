package raidendev

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"math/big"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		child(os.Args[1])
	}
	goleak.VerifyTestMain(m)
}

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// bundle is a served network of the hub, ada (who sells) and lin (who buys).
type bundle struct {
	*Network
	clock *testkit.Clock
	dir   string
}

func config(dir string, clock *testkit.Clock) Config {
	return Config{
		Dir: dir, Nodes: []string{"ada", "lin"}, Deposit: amount.NewUnits(1000), Log: slog.New(slog.DiscardHandler), Now: clock.Now,
		Rand: rand.Reader,
	}
}

func openAt(t testing.TB, dir string, clock *testkit.Clock) *Network {
	t.Helper()
	n, err := Open(config(dir, clock))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// serve answers until the test ends.
func serve(t testing.TB, n *Network) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func setup(t testing.TB) bundle {
	t.Helper()
	b := bundle{clock: testkit.NewClock(start), dir: t.TempDir()}
	b.Network = openAt(t, b.dir, b.clock)
	serve(t, b.Network)
	return b
}

func (b bundle) client(t testing.TB, name string) *raiden.Client {
	t.Helper()
	for _, info := range b.Nodes() {
		if info.Name == name {
			c, err := raiden.New(raiden.Config{URL: info.URL})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(c.CloseIdle)
			return c
		}
	}
	t.Fatalf("no node %s", name)
	return nil
}

func (n *Network) address(name string) eip55.Address { return n.state.names[name] }

func units(n uint64) amount.Units { return amount.NewUnits(n) }

func TestMediatedPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ada, lin, hub := b.client(t, "ada"), b.client(t, "lin"), b.client(t, Hub)
	req := raiden.PayRequest{Token: b.Token(), Target: b.address("ada"), Amount: units(7), Identifier: 1<<64 - 1}
	paid, err := lin.Pay(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if paid.Secret.Hash() != paid.SecretHash || paid.Initiator != b.address("lin") {
		t.Errorf("payment %+v", paid)
	}
	page, err := ada.Received(t.Context(), b.Token(), "", 10)
	if err != nil || len(page.Payments) != 1 || page.Payments[0].Identifier != 1<<64-1 || page.Payments[0].Amount != units(7) {
		t.Errorf("received %+v, %v", page, err)
	}
	// The hub's history shows both of its legs, and none of them is the hub's to credit.
	seen, err := hub.Payments(t.Context(), b.Token(), 0, 10)
	if err != nil || len(seen.Events) != 2 || seen.Events[0].Kind != raiden.EventReceived || seen.Events[1].Kind != raiden.EventSent {
		t.Errorf("hub's history %+v, %v", seen, err)
	}
	if page, err := hub.Received(t.Context(), b.Token(), "", 10); err != nil || len(page.Payments) != 0 {
		t.Errorf("the hub would credit %+v, %v", page.Payments, err)
	}
	channels, err := lin.Channels(t.Context(), b.Token())
	if err != nil || len(channels) != 1 || channels[0].Balance != units(993) {
		t.Errorf("channels %+v, %v", channels, err)
	}
	status, err := lin.Status(t.Context())
	if err != nil || status.State != raiden.Ready || status.Notice != Notice {
		t.Errorf("status %+v, %v", status, err)
	}
	checkConserved(t, b.Network)
}

func TestRefusedPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lin := b.client(t, "lin")
	for name, c := range map[string]struct {
		target eip55.Address
		amount uint64
		want   error
	}{
		"stranger":     {eip55.Address{1}, 1, raiden.ErrNoRoute},
		"too much":     {b.address("ada"), 1001, raiden.ErrInsufficientFunds},
		"to itself":    {b.address("lin"), 1, raiden.ErrNoRoute},
		"just too far": {b.address(Hub), 1001, raiden.ErrInsufficientFunds},
	} {
		req := raiden.PayRequest{Token: b.Token(), Target: c.target, Amount: units(c.amount), Identifier: 1}
		if _, err := lin.Pay(t.Context(), req); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := len(b.state.transfers); got != 0 {
		t.Errorf("%d transfers began", got)
	}
}

// TestCloseWhileServing: Close ends Serve, and closing twice is safe.
func TestCloseWhileServing(t *testing.T) {
	t.Parallel()
	n := openAt(t, t.TempDir(), testkit.NewClock(start))
	done := make(chan error, 1)
	go func() { done <- n.Serve(context.Background()) }()
	c, err := raiden.New(raiden.Config{URL: n.Nodes()[0].URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	if a, err := c.Address(t.Context()); err != nil || a != n.Nodes()[0].Address {
		t.Errorf("address %s, %v", a, err)
	}
	for range 2 {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := n.pay(order{initiator: n.address("lin"), target: n.address("ada")}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("pay after the end: %v", err)
	}
}

// checkConserved: in every channel, what both ends can send and what is locked is what was paid in and not taken out.
func checkConserved(t testing.TB, n *Network) {
	t.Helper()
	for _, c := range n.state.channels {
		in, have := new(big.Int), new(big.Int)
		for side := range c.ends {
			e := &c.ends[side]
			in.Add(in, e.deposit.Big()).Sub(in, e.withdrawn.Big())
			if c.balance(side).Sign() < 0 {
				t.Errorf("channel %d: balance of %s is %s", c.id, e.address, c.balance(side))
			}
			have.Add(have, c.balance(side)).Add(have, e.locked())
		}
		if in.Cmp(have) != 0 {
			t.Errorf("channel %d: %s paid in, %s there", c.id, in, have)
		}
	}
	if err := n.checkProofs(); err != nil {
		t.Error(err)
	}
}
