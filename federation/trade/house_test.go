package trade_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/trade"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/keytree"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/contract"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
)

// till is a way of being paid where tests pay.
type till struct {
	mu   sync.Mutex
	paid []payments.Payment
}

func (l *till) Received(_ context.Context, cursor string) (payments.Look, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var from int
	if cursor != "" {
		if _, err := fmt.Sscan(cursor, &from); err != nil {
			return payments.Look{}, err
		}
	}
	return payments.Look{Final: slices.Clone(l.paid[from:]), Next: fmt.Sprint(len(l.paid))}, nil
}

// house is a whole instance but for sound: what is posted is there already.
type house struct {
	*fedtest.Instance
	room      *access.Service
	orders    *payments.Service
	purchases *purchase.Service
	tracks    *media.Service
	till      *till
	ledger    *ledger.Ledger
	others    []*house
}

// The house's own part of its access room's network: the other houses of the test.
type street struct{ *house }

func (s street) Find(ctx context.Context, uri string) (access.Proxy, error) {
	for _, h := range s.others {
		if h.room.InstanceActor() == uri {
			key, _, err := h.room.SealingKey(ctx)
			return access.Proxy{Actor: uri, Reencrypt: h.room.ReencryptURL(), SealingKeyID: uri + "#sealing-1", SealingKey: key}, err
		}
	}
	return access.Proxy{}, errors.New("nobody is there")
}

func (s street) Proxies(ctx context.Context, _ []string, _ string) ([]access.Proxy, error) {
	var all []access.Proxy
	for _, h := range s.others {
		p, err := s.Find(ctx, h.room.InstanceActor())
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func (h *house) Product(ctx context.Context, uri, _ string) (payments.Product, error) {
	p, err := h.room.Product(ctx, uri)
	if errors.Is(err, access.ErrUnknownProduct) {
		return payments.Product{}, fmt.Errorf("%w: %w", payments.ErrUnknownProduct, err)
	}
	if err != nil {
		return payments.Product{}, err
	}
	price, err := amount.Parse(p.Units, p.Asset)
	return payments.Product{
		URI: p.URI, Artist: p.Artist, Version: int64(p.Version), Price: price, Decimals: p.Decimals, Flexible: p.Flexible, Open: p.Open,
	}, err
}

func (h *house) Granted(ctx context.Context, buyer, product string) (string, error) {
	return h.room.Granted(ctx, buyer, product)
}

func (h *house) Prepare(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	prepared, err := h.room.Prepare(ctx, access.Request{
		Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: int(r.Version), Agreement: r.Agreement, Receipt: r.Receipt,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
	})
	if errors.Is(err, access.ErrEmpty) {
		err = fmt.Errorf("%w: %w", payments.ErrUnknownProduct, err)
	}
	return prepared, err
}

func (h *house) RecordPayment(ctx context.Context, tx *gorm.DB, o payments.Order) error {
	var splits []contract.Split
	for _, part := range o.Splits {
		splits = append(splits, contract.Split{Payee: part.Payee, BasisPoints: part.BasisPoints})
	}
	_, err := h.ledger.Post(ctx, tx, ledger.Payment{
		Order: o.URI, Payee: o.Artist, Amount: o.Amount(), Provider: o.Provider, PaymentHash: o.PaymentHash, Splits: splits,
	})
	return err
}

func (h *house) RecordRefund(ctx context.Context, tx *gorm.DB, o payments.Order) error {
	_, err := h.ledger.Post(ctx, tx, ledger.Refund{
		Order: o.URI, Payee: o.Artist, Amount: o.Amount(), Provider: o.Provider, PaymentHash: o.PaymentHash,
	})
	return err
}

func build(t *testing.T, dsn string) *house {
	t.Helper()
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	log := slog.New(slog.DiscardHandler)
	h := &house{till: &till{}}
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	h.Instance = fedtest.New(t, fedtest.Options{Idle: true, DSN: dsn, Join: func(i *fedtest.Instance) {
		h.ledger, err = ledger.New(ledger.Config{
			Origin: i.Host + "/ledger", Key: ed25519.NewKeyFromSeed(make([]byte, 32)), Now: i.Clock.Now,
		})
		must(t, err)
		h.room = access.New(access.Config{BaseURL: i.BaseURL}, access.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Store: store, Peers: street{h}, Fetch: nowhere{}, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		h.room.Register(i.Queue)
		i.Goods.Shop = h.room
		i.Goods.Shares = func(ctx context.Context, product string) ([]vocab.Share, error) {
			splits, err := payments.SplitsOf(ctx, i.DB.Read, product)
			var all []vocab.Share
			for _, s := range splits {
				all = append(all, vocab.Share{Payee: s.Payee, Name: s.Name, Role: s.Role, BasisPoints: s.BasisPoints})
			}
			return all, err
		}
		h.tracks = media.New(media.Config{BaseURL: i.BaseURL}, media.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Shop: h.room, Bundler: h.room, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		h.tracks.Register(i.Queue)
		h.purchases = purchase.New(i.BaseURL, purchase.Parts{
			DB: i.DB, Jobs: i.Queue, GiftKey: []byte("key of " + i.BaseURL), Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		h.orders = payments.New(payments.Config{BaseURL: i.BaseURL, PollOpen: 5 * time.Millisecond, PollIdle: 20 * time.Millisecond}, payments.Parts{
			DB: i.DB, Jobs: i.Queue, Catalog: h, Granter: h, Ledger: h, Providers: []payments.Provider{h.till}, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		trading := trade.New(trade.Parts{
			BaseURL: i.BaseURL, DB: i.DB, Actors: i.Actors, Outbox: i.Outbox, Orders: h.orders, Purchases: h.purchases, Access: h.room, Jobs: i.Queue, Log: log, Now: i.Clock.Now,
		})
		trading.Register(i.Queue)
		trading.Receive(i.Inbox)
	}})
	return h
}

func (h *house) open(t *testing.T) {
	t.Helper()
	h.Start(t)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var watching sync.WaitGroup
	watching.Go(func() { h.orders.Watch(ctx) })
	t.Cleanup(func() { stop(); watching.Wait() })
}

// publish posts a track, as the pipeline would.
func (h *house) publish(t *testing.T, artist, id string) (media.Track, seal.ContentKey) {
	t.Helper()
	key, err := seal.NewContentKey(rand.Reader)
	must(t, err)
	hash, now := seal.ContentKeyHash(key), h.Clock.Now().UTC().Truncate(time.Second)
	track := media.Track{
		ID: media.TrackID(id), URI: h.BaseURL + "/tracks/" + id, Artist: artist, Slug: id, State: media.Published, Title: "Track " + id, Filename: "a.wav",
		Upload: id, DurationMS: 60_000, Manifest: string(ipfs.CIDOf([]byte(id))), SealedBytes: 1000, ContentKeyHash: hash[:], CreatedAt: now, UpdatedAt: now, PublishedAt: &now,
	}
	write, err := h.room.Encapsulate(t.Context(), track, key)
	must(t, err)
	must(t, h.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		block := media.Block{CID: track.Manifest, Owner: track.URI, Kind: media.KindManifest, Size: 100, Held: true, CreatedAt: now}
		return errors.Join(media.Register(tx, block), tx.Create(&track).Error, write(tx),
			h.room.SetProductPrice(tx, h.room.ProductURI(id), access.Price{Units: "1000000", Asset: asset, Decimals: 6}),
			h.room.SetOpen(tx, track.URI, track.Title, true), h.Queue.Insert(ctx, tx, media.TrackPublished{Track: track.ID}))
	}))
	return track, key
}

// listener is somebody with keys.
type listener struct {
	actor.Actor
	home      *house
	receiving *umbral.SecretKey
}

func (h *house) listener(t *testing.T, name string) *listener {
	t.Helper()
	seed := bytes.Repeat([]byte(name[:1]), 32)
	tree, err := keytree.Listener(seed)
	must(t, err)
	l := &listener{home: h}
	l.receiving, err = tree.Receiving(1)
	must(t, err)
	secret, err := tree.Requesting(1)
	must(t, err)
	requesting, err := multikey.EncodeEd25519(secret.Public().(ed25519.PublicKey))
	must(t, err)
	must(t, h.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		l.Actor, err = h.Actors.CreateLocal(ctx, tx, actor.Local{
			Name: name, Kind: actor.Listener, Display: name, ReceivingKey: encode(t, l.receiving), RequestingKey: requesting,
		})
		return err
	}))
	return l
}

// asks begins a purchase and waits until it comes to a state.
func (l *listener) asks(t *testing.T, r purchase.Request, want purchase.State) purchase.Purchase {
	t.Helper()
	r.Buyer, r.ReceivingKey, r.RequestingKey, r.Decimals = l.URI, l.ReceivingKey, l.RequestingKey, 6
	p, err := l.home.purchases.Begin(t.Context(), r)
	must(t, err)
	return l.awaits(t, p, want)
}

func (l *listener) awaits(t *testing.T, p purchase.Purchase, want purchase.State) purchase.Purchase {
	t.Helper()
	fedtest.Until(t, "a purchase of "+l.Name+" is "+string(want), func() bool {
		var err error
		p, err = l.home.purchases.ByID(t.Context(), p.ID)
		must(t, err)
		if p.State == purchase.Refused && want != purchase.Refused {
			t.Fatalf("%s is refused: %s", l.Name, p.Words)
		}
		return p.State == want
	}, append(l.home.all(), l.home.Instance)...)
	return p
}

func (h *house) all() []*fedtest.Instance {
	var all []*fedtest.Instance
	for _, other := range h.others {
		all = append(all, other.Instance)
	}
	return all
}

// pays gives the seller what an invoice asks for.
func (h *house) pays(t *testing.T, p purchase.Purchase) {
	t.Helper()
	i, ok := p.Invoiced()
	if !ok {
		t.Fatalf("no invoice for %s", p.Product)
	}
	h.till.mu.Lock()
	defer h.till.mu.Unlock()
	h.till.paid = append(h.till.paid, payments.Payment{
		Ref: i.Identifier, Initiator: "0x1", Target: i.Target, Identifier: i.Identifier, Amount: amount.Amount{Units: i.Units, Asset: i.Asset}, At: h.Clock.Now(),
	})
}

// opens opens all keys of the listener's grant of a product.
func (l *listener) opens(t *testing.T, product string, keys map[string]seal.ContentKey) []string {
	t.Helper()
	var raw []byte
	var changed time.Time
	must(t, l.home.DB.Read.Table("grants_held").Where("buyer = ? AND product = ?", l.URI, product).Select("raw, updated_at").Row().Scan(&raw, &changed))
	g, err := vocab.ReadGrant(raw)
	must(t, err)
	// By the artist's clock, or a change that the artist makes in the same second would be older than what is here.
	if !changed.Equal(g.Updated) {
		t.Errorf("a grant of %s is kept as one of %s", g.Updated, changed)
	}
	var opened []string
	for _, item := range g.Items {
		var key seal.ContentKey
		fedtest.Until(t, item.Track+" opens", func() bool {
			key, err = access.Open(t.Context(), g, item, l.receiving, l.ask)
			return err == nil
		}, append(l.home.all(), l.home.Instance)...)
		if key != keys[item.Track] {
			t.Errorf("%s opens with another key", item.Track)
		}
		opened = append(opened, item.Track)
	}
	return opened
}

func (l *listener) ask(ctx context.Context, proxy vocab.Proxy, body []byte) ([]byte, error) {
	for _, h := range append(l.home.others, l.home) {
		if h.room.ReencryptURL() != proxy.Reencrypt {
			continue
		}
		request, capsules, err := access.ParseReencrypt(body)
		if err != nil {
			return nil, err
		}
		answer, err := h.room.Reencrypt(ctx, request, capsules, func(string) (string, error) { return rand.Text(), nil })
		if err != nil {
			return nil, err
		}
		return json.Marshal(answer)
	}
	return nil, errors.New("no such proxy")
}

func (h *house) owed(t *testing.T, payee string) string {
	t.Helper()
	sum, err := ledger.Owed(t.Context(), h.DB.Read, payee, asset)
	must(t, err)
	return sum.Units.String()
}
