package raidentest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"antiphon/payments/amount"
	"antiphon/payments/eip55"
	"antiphon/payments/raiden"
)

// Pair is a network with a node that can pay and one that it can pay to, both without any history.
type Pair struct {
	Payer, Payee string // URLs
	Token        eip55.Address
	// TooMuch is more than the payer has; it has at least 1000 units.
	TooMuch amount.Units
}

// Run checks that a network behaves as package raiden needs it; open makes a fresh one for each check and lets it end
// with the test that it is given.
func Run(t *testing.T, open func(testing.TB) Pair) {
	for name, check := range map[string]func(*testing.T, bench){
		"node":            checkNode,
		"pay and receive": checkPay,
		"refusals":        checkRefusals,
		"once":            checkOnce,
		"at once":         checkAtOnce,
		"pages":           checkPages,
		"nothing":         checkNothing,
		"cursor":          checkCursor,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := open(t)
			b := bench{Pair: p, payer: client(t, p.Payer), payee: client(t, p.Payee)}
			b.payerAddress, b.payeeAddress = addressOf(t, b.payer), addressOf(t, b.payee)
			check(t, b)
		})
	}
}

// bench is a pair with its clients.
type bench struct {
	Pair
	payer, payee               *raiden.Client
	payerAddress, payeeAddress eip55.Address
}

func addressOf(t *testing.T, c *raiden.Client) eip55.Address {
	t.Helper()
	a, err := c.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (b bench) request(units, identifier uint64) raiden.PayRequest {
	return raiden.PayRequest{Token: b.Token, Target: b.payeeAddress, Amount: amount.NewUnits(units), Identifier: identifier}
}

func (b bench) pay(t *testing.T, units, identifier uint64) raiden.Payment {
	t.Helper()
	p, err := b.payer.Pay(t.Context(), b.request(units, identifier))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b bench) received(t *testing.T, after raiden.Cursor, limit int) raiden.ReceivedPage {
	t.Helper()
	page, err := b.payee.Received(t.Context(), b.Token, after, limit)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func checkNode(t *testing.T, b bench) {
	ctx := t.Context()
	if b.payerAddress.IsZero() || b.payerAddress == b.payeeAddress {
		t.Errorf("addresses %s and %s", b.payerAddress, b.payeeAddress)
	}
	if v, err := b.payer.Version(ctx); err != nil || v == "" {
		t.Errorf("version %q, %v", v, err)
	}
	if s, err := b.payer.Status(ctx); err != nil || s.State != raiden.Ready {
		t.Errorf("status %+v, %v", s, err)
	}
	if d, err := b.payer.Dialect(ctx); err != nil || (d != raiden.DialectLight && d != raiden.DialectPython) {
		t.Errorf("dialect %q, %v", d, err)
	}
	if tokens, err := b.payer.Tokens(ctx); err != nil || len(tokens) != 1 || tokens[0] != b.Token {
		t.Errorf("tokens %v, %v", tokens, err)
	}
	if pending, err := b.payer.PendingTransfers(ctx, b.Token); err != nil || len(pending) != 0 {
		t.Errorf("pending %v, %v", pending, err)
	}
	all, err := b.payer.Channels(ctx, eip55.Address{})
	if err != nil || len(all) == 0 {
		t.Fatalf("channels %v, %v", all, err)
	}
	some, err := b.payer.Channels(ctx, b.Token)
	if err != nil || len(some) != len(all) {
		t.Errorf("channels of the token %v, %v", some, err)
	}
	one, err := b.payer.Channel(ctx, b.Token, all[0].Partner)
	if err != nil || one != all[0] || one.State != "opened" || one.Balance.Cmp(amount.NewUnits(1000)) < 0 {
		t.Errorf("channel %+v, %v", one, err)
	}
	if _, err := b.payer.OpenChannel(ctx, raiden.OpenRequest{Token: b.Token, Partner: all[0].Partner}); !errors.Is(err, raiden.ErrConflict) {
		t.Errorf("open a channel again: %v", err)
	}
}

func checkPay(t *testing.T, b bench) {
	const largest = 1<<64 - 1 // no float and no signed integer holds it
	paid := b.pay(t, 7, largest)
	if paid.Initiator != b.payerAddress || paid.Target != b.payeeAddress || paid.Amount != amount.NewUnits(7) || paid.Identifier != largest {
		t.Errorf("paid %+v", paid)
	}
	page := b.received(t, "", 10)
	if len(page.Payments) != 1 || page.Unreadable != 0 || page.More {
		t.Fatalf("received %+v", page)
	}
	got := page.Payments[0]
	if got.Initiator != b.payerAddress || got.Target != b.payeeAddress || got.Token != b.Token || got.Amount != amount.NewUnits(7) ||
		got.Identifier != largest || got.Time.IsZero() || got.Key == "" {
		t.Errorf("received %+v", got)
	}
	if again := b.received(t, page.Next, 10); len(again.Payments) != 0 || again.Next != page.Next {
		t.Errorf("after the cursor %+v", again)
	}
	// What the payer has sent is nothing that it received.
	back, err := b.payer.Received(t.Context(), b.Token, "", 10)
	if err != nil || len(back.Payments) != 0 {
		t.Errorf("the payer has received %+v, %v", back.Payments, err)
	}
	sent, err := b.payer.Payments(t.Context(), b.Token, 0, 10)
	if err != nil || len(sent.Events) != 1 || sent.Events[0].Kind != raiden.EventSent || sent.Events[0].Target != b.payeeAddress {
		t.Errorf("the payer's history %+v, %v", sent, err)
	}
}

func checkRefusals(t *testing.T, b bench) {
	stranger := eip55.Address{0x12, 0x34, 19: 0x56}
	for name, c := range map[string]struct {
		change func(*raiden.PayRequest)
		want   error
	}{
		"stranger":      {func(r *raiden.PayRequest) { r.Target = stranger }, raiden.ErrNoRoute},
		"too much":      {func(r *raiden.PayRequest) { r.Amount = b.TooMuch }, raiden.ErrInsufficientFunds},
		"nothing":       {func(r *raiden.PayRequest) { r.Amount = amount.Units{} }, raiden.ErrBadRequest},
		"no identifier": {func(r *raiden.PayRequest) { r.Identifier = 0 }, raiden.ErrBadRequest},
	} {
		req := b.request(1, 5)
		c.change(&req)
		if _, err := b.payer.Pay(t.Context(), req); !errors.Is(err, c.want) || errors.Is(err, raiden.ErrUnknownOutcome) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := b.payer.Payments(t.Context(), stranger, 0, 10); err == nil {
		t.Error("history of an unknown token")
	}
	if page := b.received(t, "", 10); len(page.Payments) != 0 {
		t.Errorf("received %+v", page.Payments)
	}
}

func checkOnce(t *testing.T, b bench) {
	// A node takes the same identifier as often as it is told to.
	b.pay(t, 3, 42)
	b.pay(t, 3, 42)
	payer := raiden.NewPayer(b.payer)
	if _, err := payer.PayOnce(t.Context(), b.request(3, 42)); err != nil {
		t.Error(err)
	}
	if _, err := payer.PayOnce(t.Context(), b.request(4, 42)); !errors.Is(err, raiden.ErrIdentifierUsed) {
		t.Errorf("another amount: %v", err)
	}
	for range 3 {
		if _, err := payer.PayOnce(t.Context(), b.request(5, 43)); err != nil {
			t.Error(err)
		}
	}
	page := b.received(t, "", 10)
	if len(page.Payments) != 3 {
		t.Fatalf("received %+v", page.Payments)
	}
	if page.Payments[0].Key == page.Payments[1].Key {
		t.Error("two payments have one key")
	}
}

func checkAtOnce(t *testing.T, b bench) {
	payer := raiden.NewPayer(b.payer)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			// Each payment is asked for by three at once.
			if _, err := payer.PayOnce(t.Context(), b.request(1, uint64(100+i/3))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	seen := map[uint64]int{}
	for _, p := range b.received(t, "", 100).Payments {
		seen[p.Identifier]++
	}
	if fmt.Sprint(seen) != "map[100:1 101:1 102:1 103:1]" {
		t.Errorf("received %v", seen)
	}
}

func checkPages(t *testing.T, b bench) {
	const count = 7
	for i := range uint64(count) {
		b.pay(t, i+1, i+1)
	}
	keys := map[string]bool{}
	var cursor raiden.Cursor
	for calls := 0; ; calls++ {
		page := b.received(t, cursor, 3)
		for _, p := range page.Payments {
			if want := uint64(len(keys) + 1); p.Identifier != want || keys[p.Key] {
				t.Errorf("payment %d came as %+v", want, p)
			}
			keys[p.Key] = true
		}
		cursor = page.Next
		if !page.More {
			break
		}
		if calls > count {
			t.Fatal("there is always more")
		}
	}
	if len(keys) != count {
		t.Errorf("%d payments", len(keys))
	}
}

// checkNothing: a node lets a payment of zero pass; nobody is credited for it.
func checkNothing(t *testing.T, b bench) {
	url := b.Payer + "/api/v1/payments/" + b.Token.String() + "/" + b.payeeAddress.String()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader([]byte(`{"amount":"0","identifier":"9"}`)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	hc := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("status %d", res.StatusCode)
	}
	b.pay(t, 1, 10)
	page := b.received(t, "", 10)
	if len(page.Payments) != 1 || page.Payments[0].Identifier != 10 {
		t.Errorf("received %+v", page.Payments)
	}
}

func checkCursor(t *testing.T, b bench) {
	b.pay(t, 1, 1)
	for _, bad := range []raiden.Cursor{"x", "1", "0:ab", "-1:ab", "1:", "1:0000000000000000", "9:ab"} {
		if _, err := b.payee.Received(t.Context(), b.Token, bad, 10); !errors.Is(err, raiden.ErrCursor) {
			t.Errorf("cursor %q: %v", bad, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.payee.Received(ctx, b.Token, "", 10); !errors.Is(err, raiden.ErrUnavailable) {
		t.Errorf("canceled: %v", err)
	}
}
