package purchase_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
)

const (
	asset   = amount.Asset("antiphon-dev:1/erc20:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed")
	other   = amount.Asset("antiphon-dev:1/erc20:0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359")
	artist  = "https://s.example/users/ada"
	product = "https://s.example/products/9"
	deal    = "https://s.example/agreements/1"
	grant   = "https://s.example/grants/1"
)

// node is the instance's own payment node.
type node struct {
	paid []purchase.Invoice
	err  error
	// lacks is what keeps it from paying.
	lacks string
}

func (n *node) Pays(a amount.Asset) bool { return a == asset }

func (n *node) Lacks(context.Context, purchase.Invoice) string { return n.lacks }

func (n *node) Pay(_ context.Context, i purchase.Invoice) error {
	if n.err == nil {
		n.paid = append(n.paid, i)
	}
	return n.err
}

type world struct {
	*purchase.Service
	db   *db.DB
	jobs *jobs.Queue
	node *node
	now  time.Time
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) { test(t, open(t, fresh())) })
}

func open(t *testing.T, dsn string) *world {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), dsn, log)
	must(t, err)
	w := &world{db: database, jobs: jobs.New(database, log), node: &node{}, now: time.Now()}
	w.Service = purchase.New("https://b.example", purchase.Parts{
		DB: database, Jobs: w.jobs, Payer: w.node, Log: log, Now: func() time.Time { return w.now }, Rand: rand.Reader,
	})
	w.Register(w.jobs)
	jobs.Handle(w.jobs, jobs.Handler[purchase.OfferMade]{Work: func(context.Context, purchase.OfferMade, int) error { return nil }})
	must(t, w.jobs.Open())
	t.Cleanup(func() {
		_ = w.jobs.Stop(context.WithoutCancel(t.Context()))
		_ = database.Close()
	})
	return w
}

func (w *world) begin(t *testing.T) purchase.Purchase {
	t.Helper()
	p, err := w.Begin(t.Context(), purchase.Request{
		Buyer: "https://b.example/users/lin", Artist: artist, Product: product, Track: "https://s.example/tracks/1", Title: "One",
		Amount: amount.New(5_000_000, asset), Decimals: 6, ReceivingKey: "zQ3s1", RequestingKey: "z6Mk1",
	})
	must(t, err)
	return p
}

func (w *world) terms() purchase.Terms {
	return purchase.Terms{
		Agreement: deal, Product: product, Amount: amount.New(5_000_000, asset), ReceivingKey: "zQ3s1", RequestingKey: "z6Mk1",
		Invoice: &purchase.Invoice{
			Provider: "raiden", Asset: asset, Units: amount.NewUnits(5_000_000), Decimals: 6,
			Target: "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", Identifier: "7", Expires: w.now.Add(time.Hour),
		},
	}
}

// in runs fn in a transaction.
func (w *world) in(t *testing.T, fn func(tx *gorm.DB) error) error {
	t.Helper()
	return w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return fn(tx) })
}

func (w *world) read(t *testing.T, id string) purchase.Purchase {
	t.Helper()
	p, err := w.ByID(t.Context(), id)
	must(t, err)
	return p
}

func (w *world) accept(t *testing.T, p purchase.Purchase, terms purchase.Terms) purchase.Purchase {
	t.Helper()
	must(t, w.in(t, func(tx *gorm.DB) error { return w.Accepted(tx, artist, p.Offer, terms) }))
	return w.read(t, p.ID)
}

func (w *world) grantArrives(t *testing.T, change func(from, buyer, product, receiving *string)) error {
	t.Helper()
	from, buyer, what, receiving := artist, "https://b.example/users/lin", product, "zQ3s1"
	if change != nil {
		change(&from, &buyer, &what, &receiving)
	}
	return w.in(t, func(tx *gorm.DB) error { return w.GrantArrived(tx, from, deal, grant, buyer, what, receiving, "z6Mk1") })
}

func TestFromOfferToGrant(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.begin(t)
		if again := w.begin(t); again.ID != p.ID {
			t.Error("a second click made a second purchase")
		}
		p = w.accept(t, p, w.terms())
		invoice, ok := p.Invoiced()
		if p.State != purchase.Invoiced || !ok || invoice.Identifier != "7" || p.Agreement != deal {
			t.Fatalf("after the invoice: %+v", p)
		}
		for range 2 {
			must(t, w.in(t, func(tx *gorm.DB) error {
				return w.ReceiptArrived(tx, artist, deal, "https://s.example/receipts/1", []byte("{}"), []byte(`{"id":"`+artist+`"}`))
			}))
		}
		if p = w.read(t, p.ID); p.State != purchase.Receipt {
			t.Errorf("after the receipt: %s", p.State)
		}
		for range 2 {
			must(t, w.grantArrives(t, nil))
		}
		if p = w.read(t, p.ID); p.State != purchase.Granted || p.GrantURI != grant {
			t.Errorf("after the grant: %+v", p)
		}
	})
}

func TestTheSellersWordsAreShownWhileThePaymentIsAwaited(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.accept(t, w.begin(t), w.terms())
		note := func(from, words string) error {
			return w.in(t, func(tx *gorm.DB) error { return w.Noted(tx, from, deal, words, false) })
		}
		must(t, note(artist, "4 of 5 has arrived."))
		if p = w.read(t, p.ID); p.Words != "4 of 5 has arrived." || p.State != purchase.Invoiced {
			t.Errorf("%s, words %q", p.State, p.Words)
		}
		if err := note("https://evil.example/users/eve", "Pay me instead."); !errors.Is(err, purchase.ErrNotFound) {
			t.Errorf("a stranger's words: %v", err)
		}
		must(t, note(artist, strings.Repeat("long ", 200)))
		must(t, w.grantArrives(t, nil))
		must(t, note(artist, "too late"))
		if p = w.read(t, p.ID); p.Words != "" || p.State != purchase.Granted {
			t.Errorf("%s, words %q", p.State, p.Words)
		}
		must(t, w.in(t, func(tx *gorm.DB) error { return w.Noted(tx, artist, deal, "The money was given back.", true) }))
		if p = w.read(t, p.ID); p.Words != "The money was given back." || p.State != purchase.Granted {
			t.Errorf("%s, settled words %q", p.State, p.Words)
		}
	})
}

func TestTheGrantMayComeBeforeTheReceipt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.accept(t, w.begin(t), w.terms())
		must(t, w.grantArrives(t, nil))
		must(t, w.in(t, func(tx *gorm.DB) error {
			return w.ReceiptArrived(tx, artist, deal, "https://s.example/receipts/1", []byte("{}"), []byte(`{"id":"`+artist+`"}`))
		}))
		if p = w.read(t, p.ID); p.State != purchase.Granted || p.Receipt == "" {
			t.Errorf("%+v", p)
		}
	})
}

func TestTermsThatDifferEndThePurchase(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, change := range map[string]func(x *purchase.Terms){
			"another product":   func(x *purchase.Terms) { x.Product += "x" },
			"receiving key":     func(x *purchase.Terms) { x.ReceivingKey += "x" },
			"requesting key":    func(x *purchase.Terms) { x.RequestingKey += "x" },
			"another asset":     func(x *purchase.Terms) { x.Amount = amount.New(5_000_000, other) },
			"a higher price":    func(x *purchase.Terms) { x.Amount = amount.New(5_000_001, asset) },
			"no invoice":        func(x *purchase.Terms) { x.Invoice = nil },
			"a higher invoice":  func(x *purchase.Terms) { x.Invoice.Units = amount.NewUnits(9_000_000) },
			"an invoice abroad": func(x *purchase.Terms) { x.Invoice.Asset = other },
		} {
			p, terms := w.begin(t), w.terms()
			change(&terms)
			p = w.accept(t, p, terms)
			if p.State != purchase.Refused || p.Words == "" || p.Invoice != "" {
				t.Errorf("%s: state %s, words %q", name, p.State, p.Words)
			}
		}
	})
}

func TestStrangersAnswersChangeNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.begin(t)
		eve := "https://evil.example/users/eve"
		if err := w.in(t, func(tx *gorm.DB) error { return w.Accepted(tx, eve, p.Offer, w.terms()) }); !errors.Is(err, purchase.ErrNotFound) {
			t.Errorf("a stranger's invoice: %v", err)
		}
		if err := w.in(t, func(tx *gorm.DB) error { return w.Rejected(tx, eve, p.Offer, "no") }); !errors.Is(err, purchase.ErrNotFound) {
			t.Errorf("a stranger's refusal: %v", err)
		}
		w.accept(t, p, w.terms())
		var refused *purchase.Refusal
		for name, change := range map[string]func(from, buyer, product, receiving *string){
			"from a stranger": func(from, _, _, _ *string) { *from = eve },
			"for another":     func(_, buyer, _, _ *string) { *buyer += "x" },
			"another product": func(_, _, product, _ *string) { *product += "x" },
			"another key":     func(_, _, _, receiving *string) { *receiving += "x" },
		} {
			if err := w.grantArrives(t, change); !errors.Is(err, purchase.ErrNotFound) && !errors.As(err, &refused) {
				t.Errorf("grant %s: %v", name, err)
			}
		}
		if p = w.read(t, p.ID); p.State != purchase.Invoiced {
			t.Errorf("state %s", p.State)
		}
	})
}

func TestOwnNodePays(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.accept(t, w.begin(t), w.terms())
		w.node.err = &purchase.Refusal{Words: "There is no route."}
		must(t, w.jobs.Start(t.Context()))
		must(t, w.Pay(t.Context(), p.ID))
		if p = w.until(t, p.ID, purchase.Invoiced); p.Words != "There is no route." {
			t.Errorf("words %q", p.Words)
		}
		w.now = w.now.Add(2 * time.Hour)
		var refused *purchase.Refusal
		if err := w.Pay(t.Context(), p.ID); !errors.As(err, &refused) {
			t.Errorf("an expired invoice: %v", err)
		}
		if fresh := w.begin(t); fresh.ID == p.ID {
			t.Error("a purchase whose invoice has expired is not begun anew")
		}
	})
}

// until waits for a state with words.
func (w *world) until(t *testing.T, id string, state purchase.State) purchase.Purchase {
	t.Helper()
	var p purchase.Purchase
	testkit.Until(t, "the purchase is "+string(state), func() bool {
		p = w.read(t, id)
		return p.State == state && p.Words != ""
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLacks: what keeps the node from paying is asked of it only for what it could pay.
func TestLacks(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.node.lacks = "Nothing is left in the channels."
		p := w.begin(t)
		if words := w.Lacks(t.Context(), p); words != "" {
			t.Errorf("before the invoice: %q", words)
		}
		p = w.accept(t, p, w.terms())
		if words := w.Lacks(t.Context(), p); words != w.node.lacks {
			t.Errorf("with the invoice: %q", words)
		}
		w.now = w.now.Add(2 * time.Hour)
		if words := w.Lacks(t.Context(), p); words != "" {
			t.Errorf("after it has expired: %q", words)
		}
	})
}

// TestOvertaken: a grant that comes before its Accept loses neither the agreement nor the receipt that names it.
func TestOvertaken(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.begin(t)
		must(t, w.grantArrives(t, nil))
		if awaits, err := w.Awaits(t.Context(), artist); err != nil || !awaits {
			t.Errorf("after the grant nothing more is awaited: %v", err)
		}
		p = w.accept(t, p, w.terms())
		if p.State != purchase.Granted || p.Agreement != deal {
			t.Fatalf("after the Accept: %+v", p)
		}
		must(t, w.in(t, func(tx *gorm.DB) error {
			return w.ReceiptArrived(tx, artist, deal, "https://s.example/receipts/1", []byte("{}"), []byte("{}"))
		}))
		if p = w.read(t, p.ID); p.Receipt == "" || p.State != purchase.Granted {
			t.Errorf("after the receipt: %+v", p)
		}
		if awaits, err := w.Awaits(t.Context(), artist); err != nil || awaits {
			t.Errorf("with everything there, something is awaited: %v", err)
		}
	})
}

// TestAgain: what was bought for an earlier key is asked for anew once, again when the seller is silent, and let go.
func TestAgain(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const buyer, receipt = "https://b.example/users/lin", "https://s.example/receipts/1"
		p := w.accept(t, w.begin(t), w.terms())
		must(t, w.grantArrives(t, nil))
		must(t, w.in(t, func(tx *gorm.DB) error {
			return w.ReceiptArrived(tx, artist, deal, receipt, []byte("{}"), []byte("{}"))
		}))
		outdated := func(key string, want int) {
			t.Helper()
			rows, err := w.Outdated(t.Context(), buyer, key)
			if err != nil || len(rows) != want {
				t.Errorf("for %s %d are outdated, %v", key, len(rows), err)
			}
		}
		outdated("zQ3s1", 0)
		outdated("zQ3s2", 1)
		begin := func() (again purchase.Purchase) {
			t.Helper()
			must(t, w.in(t, func(tx *gorm.DB) (err error) {
				again, err = w.BeginAgain(t.Context(), tx, purchase.Again{
					Buyer: buyer, Artist: artist, Product: p.Product, Track: p.Track, Title: p.Title, ReceivingKey: "zQ3s2", RequestingKey: "z6Mk2", Receipt: receipt, Signed: []byte("{}"),
				})
				return err
			}))
			return again
		}
		again := begin()
		if second := begin(); second.ID != again.ID {
			t.Error("asked for twice")
		}
		outdated("zQ3s2", 0)
		offer := again.Offer
		must(t, w.AskAgain(t.Context(), buyer, again.ID))
		if again = w.read(t, again.ID); again.Offer == offer || again.State != purchase.Offered {
			t.Errorf("asked again: %+v", again)
		}
		if err := w.AskAgain(t.Context(), artist, again.ID); !errors.Is(err, purchase.ErrNotFound) {
			t.Errorf("somebody else asks again: %v", err)
		}
		if err := w.LetGo(t.Context(), buyer, p.ID); !errors.Is(err, purchase.ErrNotFound) {
			t.Errorf("a purchase is let go: %v", err)
		}
		must(t, w.LetGo(t.Context(), buyer, again.ID))
		if again = w.read(t, again.ID); again.State != purchase.Refused || again.Words != purchase.LetGoWords {
			t.Errorf("let go: %+v", again)
		}
		outdated("zQ3s2", 0)
		outdated("zQ3s3", 1)
	})
}
