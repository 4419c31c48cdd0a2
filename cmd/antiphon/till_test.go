package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/erc20/erc20test"
	"antiphon/payments/providertest"
	"antiphon/payments/raiden"
	"antiphon/payments/raiden/raidentest"
	"antiphon/payments/raidendev"
)

// TestTokenPurchase sells a track for a token on a chain: a part of the price waits for the rest, a payment that the
// chain takes back was never one, and what has its confirmations is granted.
func TestTokenPurchase(t *testing.T) {
	t.Parallel()
	chain := erc20test.New(t)
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8),
		"ANTIPHON_PAYMENTS_ERC20_RPC="+chain.Node.URL, "ANTIPHON_PAYMENTS_ERC20_TOKEN="+string(chain.Asset()), "ANTIPHON_PAYMENTS_ERC20_SYMBOL=DEV",
		"ANTIPHON_PAYMENTS_ERC20_TILL="+chain.Till.String(), "ANTIPHON_PAYMENTS_ERC20_CONFIRMATIONS=3")
	s.sellFor(string(chain.Asset()))
	o := s.orderOf(s.lin)
	page := s.page(s.lin, s.order)
	for _, part := range []string{"ethereum:" + chain.Coin.String() + "@1337/transfer?address=" + o.Target, "<svg", o.PayURL()} {
		if !strings.Contains(page, part) {
			t.Errorf("the buyer's page has no %s", part)
		}
	}

	chain.Pay(o.Target, 2_000_000)
	chain.Mine(3)
	s.stands(s.lin, payments.Underpaid, "2 of 5 has arrived; the rest is still to be paid.")

	rest := chain.Pay(o.Target, 3_000_000)
	chain.Mine(1)
	seen := fmt.Sprintf("3 of 5 seen in block %d, 1 of 3 confirmations.", chain.Height())
	s.eventually("the rest is seen", func() (bool, error) { return s.orderOf(s.lin).Seen == seen, nil })
	s.eventually("the buyer is told", func() (bool, error) {
		return s.count(s.home, "purchases", "buyer = ? AND words = ?", s.lin.actor, seen) == 1, nil
	})
	if page := s.page(s.ada, strings.TrimPrefix(o.PayURL(), s.artists.base)); !strings.Contains(page, seen) {
		t.Errorf("the seller's page does not say %q", seen)
	}

	chain.Reorganize(1, rest)
	s.eventually("the payment is gone", func() (bool, error) { return s.orderOf(s.lin).Seen == "", nil })
	s.eventually("the buyer is told that it is gone", func() (bool, error) {
		return s.count(s.home, "purchases", "buyer = ? AND words LIKE 'The payment that was seen is not there any more%'", s.lin.actor) == 1, nil
	})
	chain.Mine(5)
	s.stands(s.lin, payments.Underpaid, "2 of 5")
	s.notGranted(s.lin)

	chain.Pay(o.Target, 3_000_000)
	chain.Mine(3)
	s.soldOnce(s.lin, s.home)
	s.booksAgree()
	chain.Pay(o.Target, 1)
	chain.Mine(3)
	s.judged(o.Identifier, "duplicate")
	if orders := s.page(s.ada, "/orders"); !strings.Contains(orders, "paid again") {
		t.Error("the artist is not told of what came too much")
	}
}

// TestMarkedPaid sells a track for money that no machine sees.
func TestMarkedPaid(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8), "ANTIPHON_PAYMENTS_CURRENCIES=EUR")
	s.sellFor("iso4217:EUR")
	ctx, o := s.within(soon), s.orderOf(s.lin)
	if _, err := s.ada.postForm(ctx, "/orders/instructions", url.Values{"instructions": {"In cash,\nafter a concert."}}); err != nil {
		t.Fatal(err)
	}
	if page := s.page(s.ada, strings.TrimPrefix(o.PayURL(), s.artists.base)); !strings.Contains(page, "after a concert.") || !strings.Contains(page, o.Identifier) {
		t.Errorf("how to pay is not said:\n%s", page)
	}
	if page := s.page(s.lin, s.order); !strings.Contains(page, o.PayURL()) {
		t.Error("the buyer's page does not lead to the seller's")
	}
	_, id, _ := strings.Cut(o.URI, "/agreements/")
	s.notGranted(s.lin)
	if _, err := s.lin.postForm(ctx, "/orders/"+id+"/paid", nil); !isStatus(err, http.StatusForbidden) && !isStatus(err, http.StatusNotFound) {
		t.Errorf("the buyer marks the order as paid: %v", err)
	}
	for range 2 {
		if _, err := s.ada.postForm(ctx, "/orders/"+id+"/paid", nil); err != nil && !isStatus(err, http.StatusConflict) {
			t.Fatal(err)
		}
	}
	s.soldOnce(s.lin, s.home)
	s.booksAgree()
	if _, err := s.ada.postForm(ctx, "/orders/"+id+"/fail", nil); !isStatus(err, http.StatusConflict) {
		t.Errorf("give up what is paid: %v", err)
	}
	if _, err := s.ada.postForm(ctx, "/orders/"+id+"/refund", nil); err != nil {
		t.Fatal(err)
	}
	s.stands(s.lin, payments.Refunded, "The artist says that the money was given back.")
	if n := s.ledgerSize(); n != 2 {
		t.Errorf("the ledger has %d records, want the payment and the refund", n)
	}
}

// sellFor plays the story up to an order of lin's for a track that costs 5.00 of an asset.
func (s *stage) sellFor(asset string) {
	s.tb.Helper()
	s.playThrough("start the payment network", "probed, transcoded")
	s.network.Asset = asset
	s.playThrough("the artist sets a price", "the listener offers to buy")
}

// page is a page as its visitor sees it, without what HTML escapes.
func (s *stage) page(u *user, path string) string {
	s.tb.Helper()
	raw, err := u.get(s.within(soon), path)
	if err != nil {
		s.tb.Fatal(err)
	}
	return strings.NewReplacer("&#43;", "+", "&amp;", "&").Replace(string(raw))
}

// TestRaidenProvider holds the Raiden node's adapter to what every provider is held to.
func TestRaidenProvider(t *testing.T) {
	t.Parallel()
	providertest.Run(t, func(t testing.TB) providertest.Subject {
		dev := playground(t)
		network := raidentest.Pair{Payee: dev.Nodes()[1].URL, Payer: dev.Nodes()[2].URL, Token: dev.Token()}
		c, err := defaultConfig()
		if err != nil {
			t.Fatal(err)
		}
		c.Server.Development = true
		c.Raiden.URL, c.Raiden.Asset = network.Payee, string(amount.Token(amount.DevNamespace, 1, network.Token))
		node, err := newRaidenNode(c)
		if err != nil {
			t.Fatal(err)
		}
		payer, err := raiden.New(raiden.Config{URL: network.Payer})
		if err != nil {
			t.Fatal(err)
		}
		return providertest.Subject{Provider: node, Pay: func(t testing.TB, identifier, target string, units uint64) {
			to, err := eip55.Parse(target)
			if err != nil {
				t.Fatal(err)
			}
			var id uint64
			if _, err := fmt.Sscan(identifier, &id); err != nil {
				t.Fatal(err)
			}
			if _, err := payer.Pay(t.Context(), raiden.PayRequest{Token: network.Token, Target: to, Amount: amount.NewUnits(units), Identifier: id}); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

// playground is a development network of an artist and a listener, which runs until the test ends.
func playground(t testing.TB) *raidendev.Network {
	t.Helper()
	dev, err := raidendev.Open(raidendev.Config{
		Dir: t.TempDir(), Nodes: []string{"artist", "listener"}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- dev.Serve(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		if err := errors.Join(dev.Close(), <-done); err != nil {
			t.Error(err)
		}
	})
	return dev
}
