package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/raiden"
	"antiphon/payments/raidendev"
)

const (
	purchases  = 20
	manyOrders = 10_000
	artist     = "https://artist.example/users/ada"
)

// payment measures how long the seller's watcher takes to see a payment after the buyer's node has answered for it, on
// the development network. The payments are spread over the watcher's pause, as those of real buyers are.
func (b *bench) payment(ctx context.Context) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	network, err := raidendev.Open(raidendev.Config{
		Dir: filepath.Join(b.dir, "raiden"), Nodes: []string{"ada", "lin"}, Log: log, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	served := make(chan error, 1)
	go func() { served <- network.Serve(ctx) }()
	defer func() { cancel(); err = errors.Join(err, <-served) }()
	nodes, asked := map[string]*raiden.Client{}, &counter{}
	for _, info := range network.Nodes() {
		front, err := asked.before(info.URL)
		if err != nil {
			return err
		}
		defer front.Close()
		if nodes[info.Name], err = raiden.New(raiden.Config{URL: front.URL}); err != nil {
			return err
		}
		defer nodes[info.Name].CloseIdle()
	}

	seller := &seller{node: nodes["ada"], network: network, seen: make(chan time.Time, 1)}
	orders, closing, err := b.orders(ctx, seller, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closing()) }()
	watched := make(chan struct{})
	go func() { defer close(watched); orders.Watch(ctx) }()
	defer func() { cancel(); <-watched }()

	target, err := nodes["ada"].Address(ctx)
	if err != nil {
		return err
	}
	var waits []float64
	for i := range purchases {
		placed, err := orders.Place(ctx, payments.Request{
			Offer: fmt.Sprintf("https://buyer.example/offers/%d", i), Buyer: fmt.Sprintf("https://buyer.example/users/lin%d", i),
			Artist: artist, Product: artist + "/product", Amount: seller.price(),
		})
		if err != nil {
			return err
		}
		identifier, err := strconv.ParseUint(placed.Order.Identifier, 10, 64)
		if err != nil {
			return err
		}
		select {
		case <-time.After(150 * time.Millisecond * time.Duration(i) / purchases):
		case <-ctx.Done():
			return ctx.Err()
		}
		_, err = nodes["lin"].Pay(ctx, raiden.PayRequest{
			Token: network.Token(), Target: target, Amount: seller.price().Units, Identifier: identifier,
		})
		if err != nil {
			return err
		}
		answered := time.Now()
		select {
		case seen := <-seller.seen:
			waits = append(waits, max(seen.Sub(answered), 0).Seconds()*1000)
		case <-time.After(time.Minute):
			return errors.New("a payment was not seen for a minute")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := b.report("payment/seen-p50", median(waits), "ms", noFloor); err != nil {
		return err
	}
	return b.manyOrders(ctx, orders, seller, asked)
}

// manyOrders counts what the watcher asks of the payment node while one order is open, and while 10,000 are.
func (b *bench) manyOrders(ctx context.Context, orders *payments.Service, s *seller, asked *counter) error {
	place := func(first, n int) error {
		for i := range n {
			_, err := orders.Place(ctx, payments.Request{
				Offer: fmt.Sprintf("https://buyer.example/waiting/%d", first+i), Buyer: fmt.Sprintf("https://buyer.example/users/many%d", first+i),
				Artist: artist, Product: artist + "/product", Amount: s.price(),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	if err := place(0, 1); err != nil {
		return err
	}
	one, err := asked.during(ctx, b.length)
	if err != nil {
		return err
	}
	if err := place(1, manyOrders-1); err != nil {
		return err
	}
	many, err := asked.during(ctx, b.length)
	if err != nil {
		return err
	}
	if one == 0 {
		return errors.New("the payment node was not asked while an order was open")
	}
	return b.report("payment/requests-10000-over-1", float64(many)/float64(one), "x", atMost(1.1))
}

// counter counts the requests to a server that stands behind it.
type counter struct{ requests atomic.Int64 }

// before puts the counter in front of the server at address.
func (c *counter) before(address string) (*httptest.Server, error) {
	to, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		proxy.ServeHTTP(w, r)
	})), nil
}

// during is how many requests came within the time.
func (c *counter) during(ctx context.Context, length time.Duration) (int64, error) {
	before := c.requests.Load()
	select {
	case <-time.After(length):
		return c.requests.Load() - before, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// orders opens the seller's side over a database of its own.
func (b *bench) orders(ctx context.Context, s *seller, log *slog.Logger) (*payments.Service, func() error, error) {
	database, err := db.Open(ctx, filepath.Join(b.dir, "payments.db"), log)
	if err != nil {
		return nil, nil, err
	}
	queue := jobs.New(database, log)
	jobs.Handle(queue, jobs.Handler[payments.OrderPlaced]{Work: func(context.Context, payments.OrderPlaced, int) error { return nil }})
	jobs.Handle(queue, jobs.Handler[payments.OrderPaid]{Work: func(context.Context, payments.OrderPaid, int) error { return nil }})
	if err := queue.Open(); err != nil {
		return nil, nil, errors.Join(err, database.Close())
	}
	return payments.New(payments.Config{BaseURL: "https://artist.example"}, payments.Parts{
		DB: database, Jobs: queue, Catalog: s, Granter: s, Ledger: s, Providers: []payments.Provider{s}, Log: log, Now: time.Now,
		Rand: rand.Reader,
	}), database.Close, nil
}

// seller is everything around the watcher, kept as small as it goes: one product at one price, paid on a node of the
// development network. It tells when a payment that completes an order was seen.
type seller struct {
	node    *raiden.Client
	network *raidendev.Network
	seen    chan time.Time
}

func (s *seller) price() amount.Amount {
	return amount.Amount{Units: amount.NewUnits(1_000_000), Asset: s.network.Asset()}
}

// Product implements [payments.Catalog].
func (s *seller) Product(_ context.Context, uri, _ string) (payments.Product, error) {
	return payments.Product{URI: uri, Artist: artist, Version: 1, Price: s.price(), Decimals: raidendev.Decimals, Open: true}, nil
}

// Granted implements [payments.Catalog].
func (*seller) Granted(context.Context, string, string) (string, error) { return "", nil }

// Prepare implements [payments.Granter].
func (s *seller) Prepare(context.Context, payments.GrantRequest) (payments.PreparedGrant, error) {
	s.seen <- time.Now()
	return s, nil
}

// Issue implements [payments.PreparedGrant].
func (*seller) Issue(context.Context, payments.TX) (string, error) {
	return "https://artist.example/grants/" + rand.Text(), nil
}

// RecordPayment implements [payments.Ledger].
func (*seller) RecordPayment(context.Context, payments.TX, payments.Order) error { return nil }

// RecordRefund implements [payments.Ledger].
func (*seller) RecordRefund(context.Context, payments.TX, payments.Order) error { return nil }

// Name implements [payments.Provider].
func (*seller) Name() string { return "raiden" }

// Asset implements [payments.Provider].
func (s *seller) Asset() (amount.Asset, int) { return s.network.Asset(), raidendev.Decimals }

// Target implements [payments.Provider].
func (s *seller) Target(ctx context.Context, _ string) (string, error) {
	address, err := s.node.Address(ctx)
	return address.String(), err
}

// Received implements [payments.Provider].
func (s *seller) Received(ctx context.Context, cursor string) (payments.Look, error) {
	page, err := s.node.Received(ctx, s.network.Token(), raiden.Cursor(cursor), 200)
	if err != nil {
		return payments.Look{}, err
	}
	var all []payments.Payment
	for _, p := range page.Payments {
		all = append(all, payments.Payment{
			Ref: p.Key, Initiator: p.Initiator.String(), Target: p.Target.String(), Identifier: strconv.FormatUint(p.Identifier, 10),
			Amount: amount.Amount{Units: p.Amount, Asset: s.network.Asset()}, At: p.Time,
		})
	}
	return payments.Look{Final: all, Next: string(page.Next)}, nil
}
