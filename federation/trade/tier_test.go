package trade_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/trade"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/keytree"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// bank is the network of payments between the two instances: a payer on one side, a provider on the other.
type bank struct {
	mu   sync.Mutex
	made []payments.Payment
}

const tillAddress = "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"

func (*bank) Name() string                                   { return "raiden" }
func (*bank) Asset() (amount.Asset, int)                     { return asset, 6 }
func (*bank) Target(context.Context, string) (string, error) { return tillAddress, nil }
func (*bank) Pays(a amount.Asset) bool                       { return a == asset }

func (b *bank) Received(_ context.Context, cursor string) (payments.Look, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, _ := strconv.Atoi(cursor)
	return payments.Look{Final: b.made[from:], Next: strconv.Itoa(len(b.made))}, nil
}

func (b *bank) Pay(_ context.Context, i purchase.Invoice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.made {
		if p.Identifier == i.Identifier {
			return nil
		}
	}
	b.made = append(b.made, payments.Payment{
		Ref: strconv.Itoa(len(b.made)), Initiator: tillAddress, Target: i.Target, Identifier: i.Identifier, Amount: amount.Amount{Units: i.Units, Asset: i.Asset},
	})
	return nil
}

// Lacks implements purchase.Payer.
func (*bank) Lacks(context.Context, purchase.Invoice) string { return "" }

func (b *bank) sums() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var sums []string
	for _, p := range b.made {
		sums = append(sums, p.Amount.Units.String())
	}
	return sums
}

// RecordPayment and RecordRefund implement payments.Ledger.
func (*bank) RecordPayment(context.Context, payments.TX, payments.Order) error { return nil }
func (*bank) RecordRefund(context.Context, payments.TX, payments.Order) error  { return nil }

// counterGoods shows payments what is sold, as the program does.
type counterGoods struct{ *access.Service }

func (g counterGoods) OpenPeriod(ctx context.Context, product string, version int64) error {
	return g.Service.OpenPeriod(ctx, product, int(version))
}

func (g counterGoods) Product(ctx context.Context, uri, _ string) (payments.Product, error) {
	p, err := g.Service.Product(ctx, uri)
	if err != nil {
		return payments.Product{}, fmt.Errorf("%w: %w", payments.ErrUnknownProduct, err)
	}
	price, err := amount.Parse(p.Units, p.Asset)
	return payments.Product{
		URI: p.URI, Artist: p.Artist, Version: int64(p.Version), Price: price, Decimals: p.Decimals, Open: p.Open, Monthly: p.Kind == access.KindTier,
	}, err
}

func (g counterGoods) Prepare(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	prepared, err := g.Service.Prepare(ctx, access.Request{
		Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: int(r.Version), Agreement: r.Agreement, Receipt: r.Receipt,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey, Start: r.Start, End: r.End,
	})
	if errors.Is(err, access.ErrGranted) {
		err = fmt.Errorf("%w: %w", payments.ErrGranted, err)
	}
	return prepared, err
}

// shop is an instance with every room of commerce.
type shop struct {
	*fedtest.Instance
	room          *access.Service
	purchases     *purchase.Service
	subscriptions *subscription.Service
	trading       *trade.Service
	months        *subscription.Months
	orders        *payments.Service
	bank          *bank
}

func openShop(t testing.TB, dsn string, clock *testkit.Clock, b *bank, peers access.Peers) *shop {
	t.Helper()
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	need(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(t.TempDir(), "blocks")})
	need(t, err)
	t.Cleanup(func() { _ = store.Close() })
	log := slog.New(slog.DiscardHandler)
	s := &shop{bank: b}
	s.Instance = fedtest.New(t, fedtest.Options{DSN: dsn, Clock: clock, Join: func(i *fedtest.Instance) {
		s.purchases = purchase.New(i.BaseURL, purchase.Parts{DB: i.DB, Jobs: i.Queue, Payer: b, Log: log, Now: clock.Now, Rand: rand.Reader})
		s.purchases.Register(i.Queue)
		s.room = access.New(access.Config{BaseURL: i.BaseURL}, access.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Store: store, Peers: peers, Fetch: nowhere{}, Log: log, Now: clock.Now, Rand: rand.Reader,
		})
		s.room.Register(i.Queue)
		s.subscriptions = subscription.New(i.BaseURL, subscription.Parts{
			DB: i.DB, Jobs: i.Queue, Purchases: s.purchases, Log: log, Now: clock.Now,
			Keys: func(ctx context.Context, listener string) (string, string, error) {
				who, err := i.Actors.Local(ctx, listener)
				return who.ReceivingKey, who.RequestingKey, err
			},
		})
		s.months = s.subscriptions.Months(counterGoods{s.room})
		s.orders = payments.New(payments.Config{BaseURL: i.BaseURL, PollOpen: 10 * time.Millisecond, PollIdle: 20 * time.Millisecond}, payments.Parts{
			DB: i.DB, Jobs: i.Queue, Catalog: s.months, Granter: s.months, Ledger: b, Providers: []payments.Provider{b},
			Log: log, Now: clock.Now, Rand: rand.Reader,
		})
		s.trading = trade.New(trade.Parts{
			BaseURL: i.BaseURL, DB: i.DB, Actors: i.Actors, Outbox: i.Outbox, Orders: s.orders, Purchases: s.purchases, Access: s.room,
			Subscriptions: s.subscriptions, Jobs: i.Queue, Log: log, Now: clock.Now,
			Remind: func(ctx context.Context, tx *gorm.DB, h subscription.Held, days int, words string) error {
				return tx.Exec("INSERT INTO tidings (id, owner, kind, about, words, created_at) VALUES (?, ?, 'subscription', ?, ?, ?)",
					rand.Text(), h.Listener, h.Name, h.Reminder(days, words), clock.Now()).Error
			},
		})
		s.trading.Register(i.Queue)
		s.trading.Receive(i.Inbox)
	}})
	return s
}

func need(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// track writes a published track with its own product, as the pipeline would.
func (s *shop) track(t testing.TB, artist, id string) (string, seal.ContentKey) {
	t.Helper()
	key, err := seal.NewContentKey(rand.Reader)
	need(t, err)
	hash, now := seal.ContentKeyHash(key), s.Clock.Now()
	track := media.Track{
		ID: media.TrackID(id), URI: s.BaseURL + "/tracks/" + id, Artist: artist, Slug: id, State: media.Published, Title: strings.ToUpper(id),
		Filename: id + ".wav", Upload: id, Manifest: string(ipfs.CIDOf([]byte(id))), ContentKeyHash: hash[:], CreatedAt: now, UpdatedAt: now, PublishedAt: &now,
	}
	need(t, s.DB.Write.Create(&track).Error)
	write, err := s.room.Encapsulate(t.Context(), track, key)
	need(t, err)
	need(t, s.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return write(tx) }))
	return track.URI, key
}

// listener makes a local listener with keys of his own.
func (s *shop) listener(t testing.TB, name string) (actor.Actor, *umbral.SecretKey) {
	t.Helper()
	tree, err := keytree.Listener([]byte(strings.Repeat(name[:1], 32)))
	need(t, err)
	receiving, err := tree.Receiving(1)
	need(t, err)
	requesting, err := tree.Requesting(1)
	need(t, err)
	l := actor.Local{Name: name, Kind: actor.Listener, Display: name}
	l.ReceivingKey, err = multikey.EncodeSecp256k1(receiving.PublicKey().Bytes())
	need(t, err)
	l.RequestingKey, err = multikey.EncodeEd25519(requesting.Public().(ed25519.PublicKey))
	need(t, err)
	var made actor.Actor
	need(t, s.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		made, err = s.Actors.CreateLocal(ctx, tx, l)
		return err
	}))
	return made, receiving
}

// watch takes payments until the returned function is called.
func (s *shop) watch(t testing.TB) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var watching sync.WaitGroup
	watching.Go(func() { s.orders.Watch(ctx) })
	stop = sync.OnceFunc(func() { cancel(); watching.Wait() })
	t.Cleanup(stop)
	return stop
}

// TestASubscriptionOverTwoServers is a year's turn of one: lin of one server subscribes to ada of another.
func TestASubscriptionOverTwoServers(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		ctx := t.Context()
		clock, b := testkit.NewClock(time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)), &bank{}
		seller, home := openShop(t, fresh(), clock, b, &helpers{}), openShop(t, fresh(), clock, b, &helpers{})
		ada := seller.User(t, "ada", actor.Artist)
		lin, receiving := home.listener(t, "lin")
		one, key := seller.track(t, ada.URI, "one")
		terms := access.TierTerms{Name: "Engine Room", Words: "All I make.", Price: access.Price{Units: "5000000", Asset: asset, Decimals: 6}, Whole: true, Open: true}
		tier, err := seller.room.MakeTier(ctx, ada.URI, terms, 202611)
		must(t, err)
		stop := seller.watch(t)
		until := func(what string, done func() bool) {
			t.Helper()
			fedtest.Until(t, what, done, seller.Instance, home.Instance)
		}
		price := func() amount.Amount {
			units, err := amount.ParseUnits(terms.Price.Units)
			must(t, err)
			return amount.Amount{Units: units, Asset: asset}
		}
		join := func() purchase.Purchase {
			t.Helper()
			_, bought, err := home.subscriptions.Join(ctx, subscription.Joining{
				Listener: lin.URI, Artist: ada.URI, Tier: tier.URI, Name: terms.Name, Price: price(), Decimals: 6, Shown: true,
			})
			must(t, err)
			return bought
		}
		payByHand := func(bought purchase.Purchase) {
			t.Helper()
			until("the invoice comes", func() bool {
				p, err := home.purchases.ByID(ctx, bought.ID)
				return err == nil && p.State == purchase.Invoiced
			})
			must(t, home.purchases.Pay(ctx, bought.ID))
		}
		held := func() subscription.Held {
			h, err := home.subscriptions.HeldOf(ctx, lin.URI, tier.URI)
			must(t, err)
			return h
		}
		sold := func() subscription.State {
			rows, err := seller.subscriptions.Of(ctx, ada.URI, 0, 10)
			must(t, err)
			if len(rows) != 1 {
				return ""
			}
			return rows[0].State
		}
		standing := func(period subscription.Period) func() bool {
			return func() bool { h := held(); return h.State == subscription.Active && h.Period == period }
		}
		granted := func(track string) (vocab.Grant, error) {
			kept, err := home.room.GrantOf(ctx, lin.URI, track)
			if err != nil {
				return vocab.Grant{}, err
			}
			return vocab.ReadGrant(kept.Raw)
		}
		open := func(g vocab.Grant, track string) (seal.ContentKey, error) {
			for _, item := range g.Items {
				if item.Track == track {
					return access.Open(ctx, g, item, receiving, seller.ask)
				}
			}
			return seal.ContentKey{}, errors.New("not in the grant")
		}

		// November: a third of the month is left, and costs a third.
		payByHand(join())
		until("November stands", standing(202611))
		until("November's grant is here", func() bool { _, err := granted(one); return err == nil })
		november, err := granted(one)
		must(t, err)
		if got, err := open(november, one); err != nil || got != key {
			t.Errorf("November does not open: %v", err)
		}
		if !november.EndTime.Equal(time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)) || november.Version != 202611 || b.sums()[0] != "1666667" {
			t.Errorf("November ends at %s, version %d, paid %s", november.EndTime, november.Version, b.sums())
		}
		if h := held(); h.URI == "" || sold() != subscription.Active {
			t.Errorf("after joining: %+v, %s", h, sold())
		}

		// A new track reaches who subscribes at once.
		clock.Advance(time.Hour)
		two, second := seller.track(t, ada.URI, "two")
		must(t, seller.room.Restock(ctx, 202611))
		until("the new track is in the grant", func() bool { _, err := granted(two); return err == nil })
		grown, err := granted(two)
		must(t, err)
		if got, err := open(grown, two); err != nil || got != second || grown.ID != november.ID {
			t.Errorf("the new track does not open: %v", err)
		}

		// December is paid by the standing order, while the seller's process is away; it is renewed when that is back.
		must(t, home.subscriptions.SetStanding(ctx, lin.URI, held().ID, amount.NewUnits(6_000_000), time.Date(2027, 11, 1, 0, 0, 0, 0, time.UTC)))
		stop()
		clock.Set(time.Date(2026, 12, 1, 0, 0, 10, 0, time.UTC))
		must(t, seller.subscriptions.Round(ctx))
		until("December is paid", func() bool { _ = home.subscriptions.Round(ctx); return len(b.sums()) == 2 })
		if h := held(); h.State != subscription.Late || sold() != subscription.Late {
			t.Errorf("before the seller looks: %s, %s", h.State, sold())
		}
		stop = seller.watch(t)
		until("December stands", standing(202612))
		until("December's grant is here", func() bool { g, err := granted(two); return err == nil && g.Version == 202612 })
		decembers, err := granted(two)
		must(t, err)
		if got, err := open(decembers, two); err != nil || got != second || decembers.DelegatingKey == november.DelegatingKey {
			t.Errorf("December does not open with a key of its own: %v", err)
		}
		for range 3 {
			must(t, home.subscriptions.Round(ctx))
		}
		if sums := b.sums(); len(sums) != 2 || sums[1] != "5000000" {
			t.Errorf("paid: %s", sums)
		}
		if n := seller.Count(t, "grants", "product = ? AND version = 202612", tier.URI); n != 1 {
			t.Errorf("%d grants of December", n)
		}

		// January costs more than was agreed to, and than the order allows: a reminder, and no payment; then it lapses.
		terms.Price.Units = "7000000"
		_, err = seller.room.ChangeTier(ctx, ada.URI, tier.ID, terms, 202612)
		must(t, err)
		clock.Set(time.Date(2027, 1, 1, 0, 0, 10, 0, time.UTC))
		until("lin is told of the price", func() bool {
			_ = home.subscriptions.Round(ctx)
			return home.Count(t, "tidings", "owner = ? AND words LIKE '%The price is 7.%'", lin.URI) == 1
		})
		clock.Set(time.Date(2027, 1, 4, 0, 6, 0, 0, time.UTC))
		must(t, seller.subscriptions.Round(ctx))
		must(t, home.subscriptions.Round(ctx))
		if h := held(); h.State != subscription.Lapsed || sold() != subscription.Lapsed || len(b.sums()) != 2 {
			t.Errorf("after the grace: %s, %s, paid %s", h.State, sold(), b.sums())
		}
		if _, err := granted(two); !errors.Is(err, access.ErrUnknownGrant) {
			t.Errorf("it still plays: %v", err)
		}
		var refused *access.Refusal
		if _, err := open(decembers, two); !errors.As(err, &refused) || refused.Code != "expired" {
			t.Errorf("the proxy says %v", err)
		}

		// lin agrees to the new price, then cancels: it runs to the end of the month, and the seller knows.
		clock.Advance(time.Hour)
		payByHand(join())
		until("January stands", standing(202701))
		must(t, home.subscriptions.Cancel(ctx, lin.URI, held().ID))
		until("the seller knows", func() bool { return sold() == subscription.Ending })
		clock.Set(time.Date(2027, 2, 1, 0, 0, 10, 0, time.UTC))
		must(t, seller.subscriptions.Round(ctx))
		must(t, home.subscriptions.Round(ctx))
		if h := held(); h.State != subscription.Ended || sold() != subscription.Ended {
			t.Errorf("canceled, and over: %s, %s", h.State, sold())
		}
	})
}

// ask is the network between a listener and the proxy.
func (s *shop) ask(ctx context.Context, _ vocab.Proxy, body []byte) ([]byte, error) {
	request, capsules, err := access.ParseReencrypt(body)
	if err != nil {
		return nil, err
	}
	answer, err := s.room.Reencrypt(ctx, request, capsules, func(string) (string, error) { return rand.Text(), nil })
	if err != nil {
		return nil, err
	}
	return json.Marshal(answer)
}
