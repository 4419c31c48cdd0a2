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

func (*till) Name() string               { return "till" }
func (*till) Asset() (amount.Asset, int) { return asset, 6 }
func (*till) Target(context.Context, string) (string, error) {
	return "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", nil
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

func (street) Meet(context.Context, []string, string) error { return nil }
func (street) Trusts(context.Context, string) bool          { return true }
func (street) Probe(context.Context, access.Proxy) error    { return nil }
func (street) Revocations(context.Context, string, string) ([]access.Revocation, error) {
	return nil, nil
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
	return h.room.Prepare(ctx, access.Request{
		Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: int(r.Version), Agreement: r.Agreement, Receipt: r.Receipt,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
	})
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
	must(t, l.home.DB.Read.Table("grants_held").Where("buyer = ? AND product = ?", l.URI, product).Select("raw").Row().Scan(&raw))
	g, err := vocab.ReadGrant(raw)
	must(t, err)
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

// TestReleaseAtOnce reads a release from elsewhere before any job of its instance has run.
func TestReleaseAtOnce(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		seller, home := build(t, fresh()), build(t, fresh())
		ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
		track, _ := seller.publish(t, ada.URI, "t1")
		edit := media.ReleaseEdit{Kind: media.Album, Title: "Boiler Songs", Tracks: []media.TrackID{track.ID}, Price: func(tx *gorm.DB, r media.Release) error {
			return seller.room.SetProductPrice(tx, seller.room.ProductURI(string(r.ID)), access.Price{Units: "5000000", Asset: asset, Decimals: 6})
		}}
		release, err := seller.tracks.SaveRelease(ctx, ada.URI, "", edit)
		must(t, err)
		unread := func(when string) {
			t.Helper()
			if _, err := home.Fetch.Get(ctx, release.URI); err == nil {
				t.Errorf("a release is read %s", when)
			}
		}
		unread("before it is out")
		// Out, taken back, and out again.
		for range 2 {
			release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID)
			must(t, err)
			document, err := home.Fetch.Get(ctx, release.URI)
			must(t, err)
			album, err := vocab.ReadRelease(document.Raw)
			must(t, err)
			if album.Name != "Boiler Songs" || !slices.Equal(album.Tracks, []string{track.URI}) || len(album.Proposals) != 1 {
				t.Errorf("the release reads as %+v", album)
			}
			offer, err := home.Inbox.Proposal(ctx, album.Proposals[0].ID)
			must(t, err)
			if offer.Amount != "5000000" {
				t.Errorf("its price reads as %+v", offer)
			}
			must(t, seller.tracks.WithdrawRelease(ctx, ada.URI, release.ID))
			unread("after it was taken back")
			seller.Clock.Advance(time.Hour)
		}
	})
}

// TestProducts sells a release, an amount that buyers name, gifts and codes from one instance to people of another.
func TestProducts(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) { products(t, fresh) })
}

func products(t *testing.T, fresh func() string) {
	seller, home := build(t, fresh()), build(t, fresh())
	seller.others, home.others = []*house{home}, []*house{seller}
	ctx, ada := t.Context(), seller.User(t, "ada", actor.Artist)
	moe := seller.User(t, "moe", actor.Artist)
	lin, eve, pat := home.listener(t, "lin"), home.listener(t, "eve"), home.listener(t, "pat")
	seller.open(t)
	home.open(t)

	keys := map[string]seal.ContentKey{}
	var ids []media.TrackID
	var uris []string
	for _, id := range []string{"t1", "t2", "t3", "t4"} {
		track, key := seller.publish(t, ada.URI, id)
		keys[track.URI], ids, uris = key, append(ids, track.ID), append(uris, track.URI)
	}
	edit := media.ReleaseEdit{Kind: media.Album, Title: "Boiler Songs", ReleasedOn: "2026-11-20", Tracks: []media.TrackID{ids[1], ids[0], ids[2]}}
	product := func(r media.Release) string { return seller.room.ProductURI(string(r.ID)) }
	edit.Price = func(tx *gorm.DB, r media.Release) error {
		return errors.Join(
			seller.room.SetProductPrice(tx, product(r), access.Price{Units: "5000001", Asset: asset, Decimals: 6}),
			payments.SetSplits(ctx, tx, product(r), payments.Splits{
				{Payee: ada.URI, Name: "Ada", BasisPoints: 6666}, {Payee: moe.URI, Name: "Moe", Role: "drums", BasisPoints: 3334},
			}))
	}
	release, err := seller.tracks.SaveRelease(ctx, ada.URI, "", edit)
	must(t, err)
	release, err = seller.tracks.PublishRelease(ctx, ada.URI, release.ID)
	must(t, err)

	// The other instance reads what it is, what it costs and who gets that.
	var album vocab.Release
	fedtest.Until(t, "the release can be read", func() bool {
		album, err = home.Inbox.Release(ctx, release.URI, false)
		return err == nil && len(album.Proposals) == 1
	}, seller.Instance)
	if !slices.Equal(album.Tracks, []string{uris[1], uris[0], uris[2]}) || album.Name != "Boiler Songs" || album.Type != "album" || album.Released != "2026-11-20" {
		t.Errorf("the release reads as %+v", album)
	}
	offer, err := home.Inbox.Proposal(ctx, album.Proposals[0].ID)
	must(t, err)
	if offer.Amount != "5000001" || offer.Suggested != "" || len(offer.Shares) != 2 || offer.Shares[1] != (vocab.Share{Payee: moe.URI, Name: "Moe", Role: "drums", BasisPoints: 3334}) {
		t.Errorf("the proposal is %+v", offer)
	}
	if uri := album.Proposals[0].Product; uri != product(release) || offer.Product != uri {
		t.Errorf("it sells %s", uri)
	}
	fedtest.Until(t, "a track says what it is on", func() bool {
		document, err := home.Fetch.Get(ctx, uris[0])
		if err != nil {
			return false // its document is made by a job
		}
		track, err := vocab.ReadTrack(document.Raw)
		must(t, err)
		return track.Album == (vocab.Album{ID: release.URI, Name: "Boiler Songs"}) && track.Position == 2 && len(track.Capsules) == 2
	}, seller.Instance)

	buy := purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Boiler Songs", Amount: amount.New(5_000_001, asset)}
	// One of its tracks was bought before, and stays.
	single := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t1"), Track: uris[0], Title: "Track t1", Amount: amount.New(1_000_000, asset)}
	p := lin.asks(t, single, purchase.Invoiced)
	seller.pays(t, p)
	lin.awaits(t, p, purchase.Granted)
	cheap := buy
	cheap.Amount = amount.New(5_000_000, asset)
	if p := lin.asks(t, cheap, purchase.Refused); !strings.Contains(p.Words, "5.000001") {
		t.Errorf("less than the price: %q", p.Words)
	}
	more := buy
	more.Amount = amount.New(9_000_000, asset)
	p = eve.asks(t, more, purchase.Invoiced)
	if i, _ := p.Invoiced(); i.Units.String() != "5000001" {
		t.Errorf("who offers more than a fixed price is asked for %s", i.Units)
	}
	p = lin.asks(t, buy, purchase.Invoiced)
	seller.pays(t, p)
	lin.awaits(t, p, purchase.Granted)
	if got := lin.opens(t, product(release), keys); !slices.Equal(got, []string{uris[1], uris[0], uris[2]}) {
		t.Errorf("the release opens %v", got)
	}
	if got := lin.opens(t, single.Product, keys); !slices.Equal(got, uris[:1]) {
		t.Errorf("the single opens %v", got)
	}
	// 5,000,001 x 6666 / 10,000 = 3,333,000.6666: the larger remainder gets the unit that is left.
	if a, m := seller.owed(t, ada.URI), seller.owed(t, moe.URI); a != "4333001" || m != "1667000" {
		t.Errorf("owed are %s and %s", a, m)
	}

	// A track is added: who has the release gets it.
	edit.Tracks = append(edit.Tracks, ids[3])
	edit.Price = nil
	_, err = seller.tracks.SaveRelease(ctx, ada.URI, release.ID, edit)
	must(t, err)
	fedtest.Until(t, "the buyer has the track that was added", func() bool {
		return home.Count(t, "grant_items", "track = ?", uris[3]) == 1
	}, seller.Instance, home.Instance)
	if got := lin.opens(t, product(release), keys); len(got) != 4 || got[3] != uris[3] {
		t.Errorf("the grown release opens %v", got)
	}

	// Buyers name the price from nothing upward.
	must(t, seller.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return errors.Join(
			seller.room.SetProductPrice(tx, seller.room.ProductURI("t2"), access.Price{Units: "0", Asset: asset, Decimals: 6, Flexible: true, Suggested: "3000000"}),
			seller.room.SetProductPrice(tx, seller.room.ProductURI("t3"), access.Price{Units: "2000000", Asset: asset, Decimals: 6, Flexible: true, Suggested: "3000000"}))
	}))
	free := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t2"), Track: uris[1], Title: "Track t2", Amount: amount.New(0, asset)}
	eve.asks(t, free, purchase.Granted)
	free.Amount = amount.New(2_500_000, asset)
	p = pat.asks(t, free, purchase.Invoiced)
	if i, _ := p.Invoiced(); i.Units.String() != "2500000" {
		t.Errorf("the invoice is for %s", i.Units)
	}
	seller.pays(t, p)
	pat.awaits(t, p, purchase.Granted)
	least := purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t3"), Track: uris[2], Title: "Track t3", Amount: amount.New(1_999_999, asset)}
	if p := eve.asks(t, least, purchase.Refused); !strings.Contains(p.Words, "least that is taken is 2") {
		t.Errorf("below the least: %q", p.Words)
	}
	least.Amount = amount.New(2_000_000, asset)
	p = eve.asks(t, least, purchase.Invoiced)
	seller.pays(t, p)
	eve.awaits(t, p, purchase.Granted)
	if offer, err = home.Inbox.Proposal(ctx, least.Product+"/proposal"); err != nil || offer.Suggested != "3000000" || offer.Amount != "2000000" {
		t.Errorf("the proposal is %+v, %v", offer, err)
	}

	// A gift is paid by one and redeemed by another.
	before := seller.owed(t, ada.URI)
	gift := buy
	gift.Gift = true
	p = lin.asks(t, gift, purchase.Invoiced)
	if p := pat.asks(t, purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Gift", Amount: amount.New(0, asset), Code: home.purchases.GiftCode(p)}, purchase.Refused); !strings.Contains(p.Words, "not known") {
		t.Errorf("a gift that is not paid: %q", p.Words)
	}
	seller.pays(t, p)
	p = lin.awaits(t, p, purchase.Granted)
	if p.GrantURI != "" || p.Receipt == "" {
		t.Errorf("the buyer of a gift has grant %q and receipt %q", p.GrantURI, p.Receipt)
	}
	if seller.owed(t, ada.URI) == before {
		t.Error("a gift is owed to nobody")
	}
	redeem := purchase.Request{Artist: ada.URI, Product: product(release), Track: release.URI, Title: "Gift", Amount: amount.New(0, asset), Code: strings.ToLower(home.purchases.GiftCode(p))}
	got := pat.asks(t, redeem, purchase.Granted)
	if opened := pat.opens(t, product(release), keys); len(opened) != 4 {
		t.Errorf("the gift opens %v", opened)
	}
	var ground string
	must(t, seller.DB.Read.Table("orders").Where("offer = ?", got.Offer).Select("ground").Row().Scan(&ground))
	if ground != "gift" || got.Code != "" {
		t.Errorf("the ground of a gift is %q, and the buyer keeps the code %q", ground, got.Code)
	}
	payments0 := seller.Count(t, "ledger_entries", "1 = 1")

	// Codes: used once, also by two at once; revoked and expired ones are refused.
	batch, codes, err := seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("t4"), "Flyers", 3, nil)
	must(t, err)
	redeem = purchase.Request{Artist: ada.URI, Product: seller.room.ProductURI("t4"), Track: uris[3], Title: "Flyer", Code: codes[0]}
	race := map[*listener]purchase.Purchase{}
	for _, l := range []*listener{lin, eve} {
		r := redeem
		r.Buyer, r.ReceivingKey, r.RequestingKey = l.URI, l.ReceivingKey, l.RequestingKey
		race[l], err = home.purchases.Begin(ctx, r)
		must(t, err)
	}
	fedtest.Until(t, "one of two has redeemed the code", func() bool {
		return home.Count(t, "purchases", "track = ? AND state = 'granted'", uris[3]) == 1 && home.Count(t, "purchases", "track = ? AND state = 'refused'", uris[3]) == 1
	}, seller.Instance, home.Instance)
	if n := seller.Count(t, "grants", "product = ?", redeem.Product); n != 1 {
		t.Errorf("%d grants for one code", n)
	}
	loser := lin
	for l, p := range race {
		if p, err = home.purchases.ByID(ctx, p.ID); err != nil || p.State == purchase.Refused {
			loser = l
			if !strings.Contains(p.Words, "redeemed already") {
				t.Errorf("the second is told %q, %v", p.Words, err)
			}
		}
	}
	redeem.Code = codes[1]
	must(t, seller.orders.RevokeCode(ctx, ada.URI, codes[1]))
	if p := loser.asks(t, redeem, purchase.Refused); !strings.Contains(p.Words, "taken this code back") {
		t.Errorf("a revoked code: %q", p.Words)
	}
	wrong := redeem
	wrong.Code, wrong.Product, wrong.Track = codes[2], seller.room.ProductURI("t3"), uris[2]
	if p := pat.asks(t, wrong, purchase.Refused); !strings.Contains(p.Words, "something else") {
		t.Errorf("a code for something else: %q", p.Words)
	}
	// What was refused has not used it up; an offer that comes again is the same order.
	redeem.Code = codes[2]
	p = loser.asks(t, redeem, purchase.Granted)
	again, err := seller.orders.Place(ctx, payments.Request{
		Offer: p.Offer, Buyer: loser.URI, Artist: ada.URI, Product: redeem.Product, Amount: amount.New(0, asset),
		ReceivingKey: loser.ReceivingKey, RequestingKey: loser.RequestingKey, Code: codes[2],
	})
	if err != nil || again.Order.URI != p.Agreement {
		t.Errorf("the same offer again: %+v, %v", again, err)
	}
	if all, err := seller.orders.CodeBatches(ctx, ada.URI, 10); err != nil || len(all) != 1 || all[0].ID != batch.ID || all[0].Used != 2 {
		t.Errorf("the artist's codes are %+v, %v", all, err)
	}
	soon := seller.Clock.Now().Add(time.Hour)
	_, codes, err = seller.orders.MakeCodes(ctx, ada.URI, seller.room.ProductURI("t4"), "", 1, &soon)
	must(t, err)
	if _, err := seller.orders.CodeFor(ctx, "somebody", codes[0]); err != nil {
		t.Errorf("a code that is good: %v", err)
	}
	seller.Clock.Advance(2 * time.Hour)
	var refused *payments.Refusal
	if _, err := seller.orders.CodeFor(ctx, "somebody", codes[0]); !errors.As(err, &refused) || refused.Code != "code-expired" {
		t.Errorf("an expired code: %v", err)
	}
	for range 10 {
		_, err = seller.orders.CodeFor(ctx, "guesser", "AAAA-AAAA-AAAA-AAAA-AAAA")
	}
	if !errors.As(err, &refused) || refused.Code != "code" {
		t.Errorf("the tenth guess: %v", err)
	}
	if _, err := seller.orders.CodeFor(ctx, "guesser", codes[0]); !errors.As(err, &refused) || refused.Code != "busy" {
		t.Errorf("the eleventh guess: %v", err)
	}
	if n := seller.Count(t, "ledger_entries", "1 = 1"); n != payments0 {
		t.Errorf("codes made %d ledger entries", n-payments0)
	}
	if n, err := seller.ledger.VerifyAll(ctx, seller.DB.Read); err != nil || n == 0 {
		t.Errorf("the ledger: %d, %v", n, err)
	}
}
