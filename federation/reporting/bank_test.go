package reporting_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"testing"

	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/pool"
	"antiphon/payments/raiden"
	"antiphon/payments/raidendev"
	"antiphon/payments/royalty"
)

// bank is a development network of Raiden: each node and each listener has a Raiden node of its own.
type bank struct {
	network *raidendev.Network
	clients map[string]*raiden.Client
}

func openBank(t testing.TB, clock *testkit.Clock, owners ...string) *bank {
	t.Helper()
	deposit, err := amount.ParseUnits("1000000000000000000000")
	must(t, err)
	b := &bank{clients: map[string]*raiden.Client{}}
	b.network, err = raidendev.Open(raidendev.Config{
		Dir: t.TempDir(), Nodes: owners, Deposit: deposit, Log: slog.New(slog.DiscardHandler), Now: clock.Now, Rand: rand.Reader,
	})
	must(t, err)
	served := make(chan error, 1)
	go func() { served <- b.network.Serve(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		for _, c := range b.clients {
			c.CloseIdle()
		}
		must(t, errors.Join(b.network.Close(), <-served))
	})
	for _, n := range b.network.Nodes() {
		b.clients[n.Name], err = raiden.New(raiden.Config{URL: n.URL})
		must(t, err)
	}
	return b
}

// pay pays an order from somebody's Raiden node.
func (b *bank) pay(t testing.TB, owner string, o payments.Order) {
	t.Helper()
	target, err := eip55.Parse(o.Target)
	must(t, err)
	identifier, err := strconv.ParseUint(o.Identifier, 10, 64)
	must(t, err)
	_, err = b.clients[owner].Pay(t.Context(), raiden.PayRequest{Token: b.network.Token(), Target: target, Amount: o.Units, Identifier: identifier})
	must(t, err)
}

// months is for how many months a node was paid, as its Raiden node says.
func (b *bank) months(t testing.TB, owner string) int64 {
	t.Helper()
	look, err := till{b, owner}.Received(t.Context(), "")
	must(t, err)
	fee, err := royalty.Fee.Tokens(decimals)
	must(t, err)
	var n int64
	for _, p := range look.Final {
		if p.Amount.Units.Big().Cmp(fee) != 0 {
			t.Errorf("%s was paid %s", owner, p.Amount.Units)
		}
		n++
	}
	return n
}

// till is a node's Raiden node as a payments.Provider.
type till struct {
	*bank
	owner string
}

var _ payments.Provider = till{}

func (till) Name() string { return "raiden" }

func (l till) Asset() (amount.Asset, int) { return l.network.Asset(), decimals }

func (l till) Target(ctx context.Context, _ string) (string, error) {
	a, err := l.clients[l.owner].Address(ctx)
	return a.String(), err
}

func (l till) Received(ctx context.Context, cursor string) (payments.Look, error) {
	page, err := l.clients[l.owner].Received(ctx, l.network.Token(), raiden.Cursor(cursor), 100)
	if err != nil {
		return payments.Look{}, err
	}
	look := payments.Look{Next: string(page.Next), More: page.More}
	for _, p := range page.Payments {
		look.Final = append(look.Final, payments.Payment{
			Ref: p.Key, Initiator: p.Initiator.String(), Target: p.Target.String(), Identifier: strconv.FormatUint(p.Identifier, 10),
			Amount: amount.Amount{Units: p.Amount, Asset: l.network.Asset()}, At: p.Time,
		})
	}
	return look, nil
}

// pays lets somebody become a member, if need be, and pay what the pool asks for; it returns when the payment has come.
func (n *node) pays(names ...string) {
	n.t.Helper()
	for _, name := range names {
		n.must(n.pool.Join(n.t.Context(), n.listener(name)))
		o, err := n.pool.Invoice(n.t.Context(), n.listener(name))
		n.must(err)
		n.bank.pay(n.t, name, o)
		n.orders.Look()
	}
	for _, name := range names {
		fedtest.Until(n.t, name+"'s payment has come", func() bool {
			is, err := n.pool.IsMember(n.t.Context(), n.listener(name))
			n.must(err)
			return is
		}, n.Instance)
	}
}

// posted waits until all payments that have come stand on the ledgers.
func posted(t testing.TB, nodes []*node) {
	t.Helper()
	each(t, nodes, "all payments are on the ledger", func(n *node) bool {
		return n.Count(t, "pool_payments", "state = ? AND posted_at IS NULL", pool.Counted) == 0
	})
}

// paysAgain pays somebody's last invoice once more; the pool keeps it for the next month.
func (n *node) paysAgain(name string) {
	n.t.Helper()
	paid, err := n.pool.Payments(n.t.Context(), n.listener(name), 1)
	n.must(err)
	o, err := payments.OrderByURI(n.t.Context(), n.DB.Read, paid[0].OrderURI)
	n.must(err)
	n.bank.pay(n.t, name, o)
	n.orders.Look()
	fedtest.Until(n.t, name+"'s payment is kept", func() bool {
		return n.Count(n.t, "pool_payments", "listener = ? AND state = ?", n.listener(name), pool.Credit) == 1
	}, n.Instance)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
