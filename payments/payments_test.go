package payments_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments"
	"antiphon/payments/amount"
)

const (
	asset  = amount.Asset("antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	other  = amount.Asset("antiphon-dev:1/erc20:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
	target = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"
	artist = "https://s.example/users/ada"
	buyer  = "https://b.example/users/lin"
	track  = "https://s.example/products/9"
)

// till is a provider whose payments the test makes up; the real one is held to the same words by payments/raiden's own
// suite.
type till struct {
	mu   sync.Mutex
	paid []payments.Payment
	seen []payments.Tentative
	down error
}

func (t *till) Name() string                                   { return "raiden" }
func (t *till) Asset() (amount.Asset, int)                     { return asset, 6 }
func (t *till) Target(context.Context, string) (string, error) { return target, t.down }

func (t *till) Received(_ context.Context, cursor string) (payments.Look, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.down != nil {
		return payments.Look{}, t.down
	}
	at := 0
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &at); err != nil {
			return payments.Look{}, err
		}
	}
	return payments.Look{Final: t.paid[at:], Tentative: t.seen, Next: fmt.Sprint(len(t.paid))}, nil
}

func (t *till) pay(p payments.Payment) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Ref == "" {
		p.Ref = fmt.Sprint(len(t.paid))
	}
	if p.Target == "" {
		p.Target = target
	}
	p.Initiator = "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"
	t.paid = append(t.paid, p)
}

// world is everything that payments is joined with.
type world struct {
	*payments.Service
	db     *db.DB
	till   *till
	mu     sync.Mutex
	price  string
	closed bool
	owned  string
	broken error
	// sold is an order of something that is not there any more.
	sold     string
	failures int
	granted  []string
	posted   []payments.Order
	refunded []payments.Order
	clock    time.Time
	// meanwhile happens once, while an offer is looked at.
	meanwhile func()
}

func (w *world) Product(_ context.Context, uri, _ string) (payments.Product, error) {
	if happens := w.meanwhile; happens != nil {
		w.meanwhile = nil
		happens()
	}
	if uri != track {
		return payments.Product{}, payments.ErrUnknownProduct
	}
	price, err := amount.Parse(w.price, string(asset))
	return payments.Product{URI: uri, Artist: artist, Version: 1, Price: price, Decimals: 6, Open: !w.closed}, err
}

func (w *world) Granted(context.Context, string, string) (string, error) { return w.owned, nil }

func (w *world) Prepare(_ context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		w.failures++
		return nil, w.broken
	}
	if r.Agreement == w.sold {
		return nil, fmt.Errorf("%w: it holds no track", payments.ErrUnknownProduct)
	}
	return prepared{w, r}, nil
}

type prepared struct {
	w *world
	r payments.GrantRequest
}

func (p prepared) Issue(_ context.Context, _ *gorm.DB) (string, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	p.w.granted = append(p.w.granted, p.r.Agreement)
	return "https://s.example/grants/" + fmt.Sprint(len(p.w.granted)), nil
}

func (w *world) RecordPayment(_ context.Context, _ *gorm.DB, o payments.Order) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.posted = append(w.posted, o)
	return nil
}

func (w *world) RecordRefund(_ context.Context, _ *gorm.DB, o payments.Order) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refunded = append(w.refunded, o)
	return nil
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

// each runs a test on SQLite and on PostgreSQL.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) { test(t, open(t, fresh())) })
}

func open(t *testing.T, dsn string) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), dsn, log)
	must(t, err)
	queue := jobs.New(database, log)
	jobs.Handle(queue, jobs.Handler[payments.OrderPlaced]{Work: func(context.Context, payments.OrderPlaced, int) error { return nil }})
	jobs.Handle(queue, jobs.Handler[payments.OrderPaid]{Work: func(context.Context, payments.OrderPaid, int) error { return nil }})
	jobs.Handle(queue, jobs.Handler[payments.OrderNoted]{Work: func(context.Context, payments.OrderNoted, int) error { return nil }})
	must(t, queue.Open())
	w := &world{db: database, till: &till{}, price: "5000000", clock: time.Now()}
	w.Service = payments.New(payments.Config{BaseURL: "https://s.example", PollOpen: time.Millisecond, PollIdle: time.Millisecond}, payments.Parts{
		DB: database, Jobs: queue, Catalog: w, Granter: w, Ledger: w, Providers: []payments.Provider{w.till}, Log: log, Now: w.now, Rand: rand.Reader,
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
		_ = database.Close()
	})
	go func() {
		defer close(done)
		w.Watch(ctx)
	}()
	return w
}

func (w *world) request(offer string) payments.Request {
	return payments.Request{
		Offer: offer, Buyer: buyer, Artist: artist, Product: track, Amount: amount.New(5_000_000, asset), ReceivingKey: "zQ3s", RequestingKey: "z6Mk",
	}
}

func (w *world) place(t *testing.T, offer string) payments.Order {
	t.Helper()
	placed, err := w.Place(t.Context(), w.request(offer))
	must(t, err)
	return placed.Order
}

// until waits for an order's state, and for its words to be there when any are expected.
func (w *world) until(t *testing.T, uri string, state payments.State) payments.Order {
	t.Helper()
	var o payments.Order
	testkit.Until(t, "the order is "+string(state), func() bool {
		o = w.order(t, uri)
		return o.State == state
	})
	return o
}

// seen waits until a payment has been looked at, and returns what became of it.
func (w *world) seen(t *testing.T, n int) []string {
	t.Helper()
	var outcomes []string
	testkit.Until(t, fmt.Sprintf("%d payments are seen", n), func() bool {
		outcomes = nil
		must(t, w.db.Read.WithContext(t.Context()).Table("payments").Order("outcome").Pluck("outcome", &outcomes).Error)
		return len(outcomes) >= n
	})
	return outcomes
}

func TestPaidOnceIsGrantedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.place(t, "https://b.example/offers/1")
		if again := w.place(t, "https://b.example/offers/1"); again.URI != o.URI {
			t.Errorf("the same offer made two orders")
		}
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(5_000_000, asset)})
		paid := w.until(t, o.URI, payments.Granted)
		if paid.GrantURI == "" || paid.PaymentHash == "" || paid.PaidAt == nil || paid.Words != "" {
			t.Errorf("order %+v", paid)
		}
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(5_000_000, asset)})
		if got := w.seen(t, 2); got[0] != "credited" || got[1] != "duplicate" {
			t.Errorf("outcomes %v", got)
		}
		w.once(t)
	})
}

// once checks that exactly one grant was given and one entry posted.
func (w *world) once(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.granted) != 1 || len(w.posted) != 1 {
		t.Errorf("%d grants, %d ledger entries", len(w.granted), len(w.posted))
	}
}

func TestWhatIsNotPaidIsNotGranted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.place(t, "https://b.example/offers/1")
		w.till.pay(payments.Payment{Identifier: "12345", Amount: amount.New(5_000_000, asset)})
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(5_000_000, other)})
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(5_000_000, asset), Target: "0x8617E340B3D01FA5F11F306F4090FD50E238070D"})
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(4_999_999, asset)})
		if got := fmt.Sprint(w.seen(t, 4)); got != "[misplaced misplaced underpaid unknown]" {
			t.Errorf("outcomes %s", got)
		}
		short := w.until(t, o.URI, payments.Underpaid)
		if short.Words != "4.999999 of 5 has arrived; the rest is still to be paid." {
			t.Errorf("words %q", short.Words)
		}
		w.mu.Lock()
		if len(w.granted) != 0 {
			t.Error("granted without being paid")
		}
		w.mu.Unlock()
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(1, asset)})
		w.until(t, o.URI, payments.Granted)
		w.once(t)
	})
}

func TestLateAndTooMuchAreHonored(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.place(t, "https://b.example/offers/1")
		w.later(time.Hour)
		w.until(t, o.URI, payments.Expired)
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(6_000_000, asset)})
		late := w.until(t, o.URI, payments.Granted)
		if late.Words == "" {
			t.Error("nothing is said of the late payment")
		}
		w.once(t)
	})
}

// TestTwoOrdersOfOneThing are both paid: one is granted, the other is the artist's to give back, and the watcher goes on.
func TestTwoOrdersOfOneThing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		first, second := w.place(t, "https://b.example/offers/1"), w.place(t, "https://b.example/offers/2")
		w.till.pay(payments.Payment{Identifier: first.Identifier, Amount: amount.New(5_000_000, asset)})
		w.until(t, first.URI, payments.Granted)
		w.mu.Lock()
		w.broken = fmt.Errorf("the store says: %w", payments.ErrGranted)
		w.mu.Unlock()
		w.till.pay(payments.Payment{Identifier: second.Identifier, Amount: amount.New(5_000_000, asset)})
		o := w.until(t, second.URI, payments.Failed)
		if o.Remark != payments.Duplicate || !strings.Contains(o.Words, "paid already by another order") || o.GrantURI != "" {
			t.Errorf("the second order: %+v", o)
		}
		must(t, w.Refund(t.Context(), artist, second.URI))
		w.mu.Lock()
		w.broken = nil
		w.mu.Unlock()
		third := w.place(t, "https://b.example/offers/3")
		w.till.pay(payments.Payment{Identifier: third.Identifier, Amount: amount.New(5_000_000, asset)})
		w.until(t, third.URI, payments.Granted)
	})
}

// One offer that is worked twice at once, as after a slow moment, is one order, for both.
func TestOneOfferTwiceAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		codes := func() string {
			_, made, err := w.MakeCodes(t.Context(), artist, track, "", 1, nil)
			must(t, err)
			return made[0]
		}
		for name, change := range map[string]func(*payments.Request){
			"paid": func(*payments.Request) {},
			"free": func(r *payments.Request) { w.price, r.Amount = "0", amount.New(0, asset) },
			"code": func(r *payments.Request) { r.Code, r.Amount = codes(), amount.New(0, asset) },
		} {
			w.price = "5000000"
			r := w.request("https://b.example/offers/" + name)
			change(&r)
			var twin payments.Placed
			w.meanwhile = func() {
				var err error
				twin, err = w.Place(t.Context(), r)
				must(t, err)
			}
			placed, err := w.Place(t.Context(), r)
			if err != nil || placed.Order.URI != twin.Order.URI || placed.Order.URI == "" {
				t.Errorf("%s: %v, order %q and %q", name, err, placed.Order.URI, twin.Order.URI)
			}
		}
	})
}

// Dues that come after the pool was closed are on record, and hold up nobody's purchase.
func TestDuesThatNobodyCollects(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		dues, err := w.Demand(t.Context(), payments.Demand{
			Offer: "https://b.example/dues/1", Payee: "https://b.example/actor", Payer: "https://b.example/users/lin", Product: "https://b.example/pool",
			Amount: amount.New(10_000_000, asset),
		})
		must(t, err)
		sale := w.place(t, "https://b.example/offers/1")
		w.till.pay(payments.Payment{Identifier: dues.Identifier, Amount: amount.New(10_000_000, asset)})
		w.till.pay(payments.Payment{Identifier: sale.Identifier, Amount: amount.New(5_000_000, asset)})
		w.until(t, sale.URI, payments.Granted)
		if o := w.order(t, dues.URI); o.State != payments.Awaiting {
			t.Errorf("dues that nobody collects are %s", o.State)
		}
	})
}

func TestAnErrorLosesNoPayment(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.place(t, "https://b.example/offers/1")
		w.mu.Lock()
		w.broken = errors.New("no keys at the moment")
		w.mu.Unlock()
		w.till.pay(payments.Payment{Identifier: o.Identifier, Amount: amount.New(5_000_000, asset)})
		for tried := 0; tried == 0; {
			w.mu.Lock()
			tried = w.failures
			w.mu.Unlock()
		}
		if o, err := payments.OrderByURI(t.Context(), w.db.Read, o.URI); err != nil || o.State != payments.Quoted {
			t.Errorf("state %s, %v while no grant can be made", o.State, err)
		}
		w.mu.Lock()
		w.broken = nil
		w.mu.Unlock()
		w.until(t, o.URI, payments.Granted)
		w.once(t)
	})
}

func TestPlaceRefuses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			change func(r *payments.Request)
			world  func()
			code   string
		}{
			"too little":    {func(r *payments.Request) { r.Amount = amount.New(4_999_999, asset) }, nil, "price"},
			"another asset": {func(r *payments.Request) { r.Amount = amount.New(5_000_000, other) }, nil, "asset"},
			"no product":    {func(r *payments.Request) { r.Product += "x" }, nil, "unknown-product"},
			"not hers":      {func(r *payments.Request) { r.Artist += "x" }, nil, "unknown-product"},
			"not for sale":  {nil, func() { w.closed = true }, "not-for-sale"},
			"node is down":  {nil, func() { w.till.mu.Lock(); w.till.down = errors.New("down"); w.till.mu.Unlock() }, "no-payee"},
		} {
			if c.world != nil {
				c.world()
			}
			r := w.request("https://b.example/offers/" + name)
			if c.change != nil {
				c.change(&r)
			}
			_, err := w.Place(t.Context(), r)
			var refused *payments.Refusal
			if !errors.As(err, &refused) || refused.Code != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
			w.closed = false
			w.till.mu.Lock()
			w.till.down = nil
			w.till.mu.Unlock()
		}
		w.owned = "https://s.example/grants/1"
		placed, err := w.Place(t.Context(), w.request("https://b.example/offers/again"))
		if err != nil || placed.Granted != w.owned {
			t.Errorf("owned already: %+v, %v", placed, err)
		}
	})
}

func TestFreeIsGrantedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.price = "0"
		r := w.request("https://b.example/offers/1")
		r.Amount = amount.New(0, asset)
		placed, err := w.Place(t.Context(), r)
		must(t, err)
		if placed.Order.State != payments.Granted || placed.Order.Ground != payments.GroundFree {
			t.Errorf("order %+v", placed.Order)
		}
		if len(w.posted) != 0 {
			t.Error("nothing was paid, and the ledger has an entry")
		}
	})
}

// TestNothingLeftToGrant: a payment for what can never be granted any more waits for the artist, and holds up no other.
func TestNothingLeftToGrant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		gone, good := w.place(t, "https://b.example/offers/1"), w.place(t, "https://b.example/offers/2")
		w.mu.Lock()
		w.sold = gone.URI
		w.mu.Unlock()
		for i, o := range []payments.Order{gone, good} {
			w.till.pay(payments.Payment{Ref: fmt.Sprint(i), Initiator: "0x1", Target: target, Identifier: o.Identifier, Amount: amount.New(5_000_000, asset)})
		}
		w.until(t, good.URI, payments.Granted)
		if o := w.until(t, gone.URI, payments.Failed); !strings.Contains(o.Words, "has to settle it") || o.Remark != payments.Gone {
			t.Errorf("%q, %s", o.Words, o.Remark)
		}
		if len(w.posted) != 1 {
			t.Errorf("%d payments are on the ledger", len(w.posted))
		}
	})
}

// TestSeenIsToldAndTakenBack: what is seen of a payment and not final is told, and grants nothing; when it is undone,
// that is told too.
func TestSeenIsToldAndTakenBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := w.place(t, "https://b.example/offers/1")
		must(t, w.Invoiced(t.Context(), o.URI))
		p := payments.Payment{Ref: "tx/0", Target: target, Identifier: o.Identifier, Amount: amount.New(5_000_000, asset)}
		for k, words := range []string{"5 of 5 seen in block 7, 1 of 3 confirmations.", "5 of 5 seen in block 7, 2 of 3 confirmations.", ""} {
			w.till.mu.Lock()
			w.till.seen = nil
			if words != "" {
				w.till.seen = []payments.Tentative{{Payment: p, Confirmations: k + 1, Needed: 3, Block: 7}}
			}
			w.till.mu.Unlock()
			testkit.Until(t, "seen", func() bool { return w.order(t, o.URI).Seen == words })
		}
		if o := w.order(t, o.URI); o.State != payments.Awaiting {
			t.Errorf("state %s after the payment was undone", o.State)
		}
		if len(w.granted) != 0 {
			t.Error("granted what was not final")
		}
		w.till.pay(p)
		if paid := w.until(t, o.URI, payments.Granted); paid.Seen != "" {
			t.Errorf("paid, and still seen: %q", paid.Seen)
		}
		w.once(t)
	})
}

func TestGivenUpAndRefunded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		paid, never := w.place(t, "https://b.example/offers/1"), w.place(t, "https://b.example/offers/2")
		w.till.pay(payments.Payment{Identifier: paid.Identifier, Amount: amount.New(5_000_000, asset)})
		w.until(t, paid.URI, payments.Granted)
		if err := w.GiveUp(t.Context(), artist, paid.URI); !errors.Is(err, payments.ErrSettled) {
			t.Errorf("give up what is paid: %v", err)
		}
		if err := w.Refund(t.Context(), artist, never.URI); !errors.Is(err, payments.ErrSettled) {
			t.Errorf("refund what was not paid: %v", err)
		}
		if err := w.Refund(t.Context(), buyer, paid.URI); !errors.Is(err, payments.ErrNotFound) {
			t.Errorf("somebody else refunds: %v", err)
		}
		for range 2 {
			must(t, w.Refund(t.Context(), artist, paid.URI))
			must(t, w.GiveUp(t.Context(), artist, never.URI))
		}
		w.till.pay(payments.Payment{Identifier: never.Identifier, Amount: amount.New(5_000_000, asset)})
		testkit.Until(t, "remark", func() bool { return w.order(t, never.URI).Remark == payments.Duplicate })
		if o := w.order(t, never.URI); o.State != payments.Failed || o.Words == "" {
			t.Errorf("given up, then paid: %s, %q", o.State, o.Words)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.refunded) != 1 || w.refunded[0].URI != paid.URI || len(w.granted) != 1 {
			t.Errorf("refunded %v, granted %v", w.refunded, w.granted)
		}
	})
}

func (w *world) order(t *testing.T, uri string) payments.Order {
	t.Helper()
	o, err := payments.OrderByURI(t.Context(), w.db.Read, uri)
	must(t, err)
	return o
}

func TestStatesMoveOnlyForward(t *testing.T) {
	t.Parallel()
	all := []payments.State{
		payments.Quoted, payments.Awaiting, payments.Underpaid, payments.Expired, payments.Paid, payments.Granted, payments.Delivered,
		payments.Failed, payments.Refunded, "", "lost",
	}
	legal := map[string]bool{
		"quoted awaiting": true, "quoted underpaid": true, "quoted expired": true, "quoted paid": true, "quoted failed": true,
		"awaiting underpaid": true, "awaiting expired": true, "awaiting paid": true, "awaiting failed": true,
		"underpaid expired": true, "underpaid paid": true, "underpaid failed": true, "underpaid refunded": true,
		"expired paid": true, "expired failed": true, "expired refunded": true,
		"paid granted": true, "granted delivered": true, "granted refunded": true, "delivered refunded": true, "failed refunded": true,
	}
	for _, from := range all {
		for _, to := range all {
			if got := from.To(to) == nil; got != legal[string(from)+" "+string(to)] {
				t.Errorf("%s to %s: %v", from, to, got)
			}
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
