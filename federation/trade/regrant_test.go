package trade_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/moderation"
	"antiphon/federation/trade"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/keytree"
	"antiphon/media/seal"
	"antiphon/payments"
	"antiphon/payments/amount"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/multikey"
	"antiphon/vocab/proof"
)

// trader is an instance that buys and sells.
type trader struct {
	*fedtest.Instance
	room      *access.Service
	purchases *purchase.Service
	trading   *trade.Service
}

// Product and what follows make it the catalog and the granter of its own orders, as cmd does.
func (c *trader) Product(ctx context.Context, uri, _ string) (payments.Product, error) {
	p, err := c.room.Product(ctx, uri)
	if err != nil {
		return payments.Product{}, payments.ErrUnknownProduct
	}
	price, err := amount.Parse(p.Units, p.Asset)
	return payments.Product{URI: p.URI, Artist: p.Artist, Version: int64(p.Version), Price: price, Decimals: p.Decimals, Open: p.Open}, err
}

func (c *trader) Granted(ctx context.Context, buyer, product string) (string, error) {
	return c.room.Granted(ctx, buyer, product)
}

func (c *trader) Prepare(ctx context.Context, r payments.GrantRequest) (payments.PreparedGrant, error) {
	return c.room.Prepare(ctx, access.Request{
		Artist: r.Artist, Buyer: r.Buyer, Product: r.Product, Version: int(r.Version), Agreement: r.Agreement, Receipt: r.Receipt,
		ReceivingKey: r.ReceivingKey, RequestingKey: r.RequestingKey,
	})
}

func newTrader(t *testing.T, dsn string) *trader {
	t.Helper()
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: t.TempDir()})
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	c := &trader{}
	log := slog.New(slog.DiscardHandler)
	c.Instance = fedtest.New(t, fedtest.Options{Idle: true, DSN: dsn, Join: func(i *fedtest.Instance) {
		c.purchases = purchase.New(i.BaseURL, purchase.Parts{DB: i.DB, Jobs: i.Queue, Log: log, Now: i.Clock.Now, Rand: rand.Reader})
		c.room = access.New(access.Config{BaseURL: i.BaseURL}, access.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Store: store, Peers: &helpers{}, Fetch: nowhere{}, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		c.room.Register(i.Queue)
		orders := payments.New(payments.Config{BaseURL: i.BaseURL}, payments.Parts{
			DB: i.DB, Jobs: i.Queue, Catalog: c, Granter: c, Log: log, Now: i.Clock.Now, Rand: rand.Reader,
		})
		c.trading = trade.New(trade.Parts{
			BaseURL: i.BaseURL, DB: i.DB, Actors: i.Actors, Outbox: i.Outbox, Orders: orders, Purchases: c.purchases, Access: c.room, Jobs: i.Queue,
			Log: log, Now: i.Clock.Now,
		})
		c.trading.Register(i.Queue)
		c.trading.Receive(i.Inbox)
	}, Taken: func(ctx context.Context, activity string) error { return c.trading.Taken(ctx, activity) }})
	return c
}

// buyer is a listener with the seed that the browser keeps.
type buyer struct {
	t    *testing.T
	home *trader
	actor.Actor
	keys *keytree.ListenerKeys
}

func (c *trader) listener(t *testing.T, name string) *buyer {
	t.Helper()
	seed := make([]byte, 32)
	_, _ = rand.Read(seed)
	keys, err := keytree.Listener(seed)
	must(t, err)
	b := &buyer{t: t, home: c, keys: keys}
	receiving, requesting, _ := b.pair(1)
	made, err := c.Actors.NewKeys()
	must(t, err)
	must(t, c.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		b.Actor, err = c.Actors.CreateLocal(ctx, tx, actor.Local{Name: name, Kind: actor.Listener, Keys: made, ReceivingKey: receiving, RequestingKey: requesting})
		return err
	}))
	return b
}

// pair is the n-th pair of keys.
func (b *buyer) pair(n int) (receiving, requesting string, signing ed25519.PrivateKey) {
	b.t.Helper()
	secret, err := b.keys.Receiving(n)
	must(b.t, err)
	receiving, err = multikey.EncodeSecp256k1(secret.PublicKey().Bytes())
	must(b.t, err)
	signing, err = b.keys.Requesting(n)
	must(b.t, err)
	requesting, err = multikey.EncodeEd25519(signing.Public().(ed25519.PublicKey))
	must(b.t, err)
	return receiving, requesting, signing
}

func (b *buyer) method(n int) string { return vocab.RequestingKey(b.URI, n, "").ID }

// link is the statement about the pair n+1, signed with the pair n.
func (b *buyer) link(n int) []byte {
	b.t.Helper()
	receiving, requesting, _ := b.pair(n + 1)
	return b.signs(n, vocab.KeyLink{Actor: b.URI, From: b.method(n), Receiving: receiving, Requesting: requesting, Created: b.home.Clock.Now().UTC().Truncate(time.Second)}.Object())
}

// signs signs an object with the pair n.
func (b *buyer) signs(n int, object map[string]any) []byte {
	b.t.Helper()
	_, _, key := b.pair(n)
	_, raw, err := proof.Sign(object, key, b.method(n), b.home.Clock.Now())
	must(b.t, err)
	return raw
}

// rotates changes from the pair n to the next one.
func (b *buyer) rotates(n int) {
	b.t.Helper()
	must(b.t, b.home.trading.Rotate(b.t.Context(), b.URI, b.link(n)))
}

// asks is the agreement that asks for a purchase's grant anew, for the pair n of whoever is to have it.
func (b *buyer) asks(p purchase.Purchase, to *buyer, n int) vocab.Agreement {
	b.t.Helper()
	receiving, requesting, _ := to.pair(n)
	nonce := make([]byte, vocab.NonceSize)
	_, _ = rand.Read(nonce)
	return vocab.Agreement{
		AttributedTo: b.URI, Product: p.Product, Price: vocab.Price{Amount: "0"}, ReceivingKey: receiving, RequestingKey: requesting, Nonce: nonce, Receipt: p.Receipt,
	}
}

// buys buys what costs nothing, and waits for the state.
func (b *buyer) buys(product string, want purchase.State) purchase.Purchase {
	b.t.Helper()
	who, err := b.home.Actors.Local(b.t.Context(), b.URI)
	must(b.t, err)
	p, err := b.home.purchases.Begin(b.t.Context(), purchase.Request{
		Buyer: b.URI, Artist: seller(product), Product: product, Track: strings.Replace(product, "/products/", "/tracks/", 1), Title: "Rain",
		Amount: amount.New(0, asset), Decimals: 6, ReceivingKey: who.ReceivingKey, RequestingKey: who.RequestingKey,
	})
	must(b.t, err)
	return b.ends(p.ID, want)
}

func seller(product string) string {
	base, _, _ := strings.Cut(product, "/products/")
	return base + "/users/ada"
}

func (b *buyer) ends(id string, want purchase.State) purchase.Purchase {
	b.t.Helper()
	var p purchase.Purchase
	fedtest.Until(b.t, "the purchase is "+string(want), func() bool {
		var err error
		p, err = b.home.purchases.ByID(b.t.Context(), id)
		return err == nil && p.State == want && (want != purchase.Granted || p.Receipt != "")
	}, b.home.Instance)
	return p
}

// sells puts a track of ada's on offer for nothing.
func (c *trader) sells(t *testing.T, ada actor.Actor, id string) string {
	t.Helper()
	track := c.Track(t, ada.URI, id)
	var key seal.ContentKey
	_, _ = rand.Read(key[:])
	write, err := c.room.Encapsulate(t.Context(), track, key)
	must(t, err)
	must(t, c.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		if err := write(tx); err != nil {
			return err
		}
		if err := c.room.SetPrice(tx, track.URI, access.Price{Units: "0", Asset: asset, Decimals: 6}); err != nil {
			return err
		}
		return c.room.SetOpen(tx, track.URI, track.Title, true)
	}))
	return c.BaseURL + "/products/" + id
}

// standing are the grants of a buyer that a seller has neither revoked nor replaced.
func (c *trader) standing(t *testing.T, buyer string) int64 {
	t.Helper()
	return c.Count(t, "grants", "buyer = ? AND revoked_at IS NULL", buyer)
}

// TestRegrant: a listener takes new keys, and what was bought is granted anew for them, also when its seller is down at
// first; nobody else gets it, by whatever is changed in what was signed.
func TestRegrant(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		shop, home := newTrader(t, fresh()), newTrader(t, fresh())
		ada, lin, eve := shop.User(t, "ada", actor.Artist), home.listener(t, "lin"), home.listener(t, "eve")
		shop.Start(t)
		home.Start(t)
		rain, snow, hail := shop.sells(t, ada, "1"), shop.sells(t, ada, "2"), shop.sells(t, ada, "3")
		bought, hers := lin.buys(rain, purchase.Granted), eve.buys(rain, purchase.Granted)
		ctx := t.Context()

		refused := func(name string, err error) {
			t.Helper()
			var r *trade.Refusal
			if !errors.As(err, &r) || r.Words == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		// The statement about the new keys, and each thing in it changed.
		good := lin.link(1)
		for name, raw := range tampered(t, good) {
			refused("link with another "+name, home.trading.Rotate(ctx, lin.URI, raw))
		}
		later := vocab.KeyLink{Actor: lin.URI, From: lin.method(1), Created: home.Clock.Now().UTC().Add(-time.Hour).Truncate(time.Second)}
		later.Receiving, later.Requesting, _ = lin.pair(2)
		same := later
		same.Created = home.Clock.Now().UTC().Truncate(time.Second)
		same.Receiving, same.Requesting, _ = lin.pair(1)
		refused("an old link", home.trading.Rotate(ctx, lin.URI, lin.signs(1, later.Object())))
		refused("a link to the same keys", home.trading.Rotate(ctx, lin.URI, lin.signs(1, same.Object())))
		refused("a link signed with the new key", home.trading.Rotate(ctx, lin.URI, lin.signs(2, later.Object())))
		refused("somebody else's link", home.trading.Rotate(ctx, eve.URI, good))
		must(t, home.trading.Rotate(ctx, lin.URI, good))
		refused("the link again", home.trading.Rotate(ctx, lin.URI, good))
		now, err := home.Actors.Local(ctx, lin.URI)
		must(t, err)
		if now.KeyNumber != 2 || len(now.KeyLinks) != 1 {
			t.Fatalf("after the change: %+v", now)
		}

		// What is bought now goes to the new key, because the old one vouches for it.
		lin.buys(snow, purchase.Granted)

		// Home lets no agreement pass that is not exactly its user's.
		signed := lin.signs(1, lin.asks(bought, lin, 2).Object())
		for name, raw := range tampered(t, signed) {
			_, err := home.trading.AskAnew(ctx, lin.URI, []json.RawMessage{raw})
			refused("agreement with another "+name, err)
		}
		_, err = home.trading.AskAnew(ctx, lin.URI, []json.RawMessage{lin.signs(2, lin.asks(bought, lin, 2).Object())})
		refused("signed with the new key", err)

		// Sellers are not told by home, however: they look themselves.
		before := shop.standing(t, lin.URI)
		sends := func(b *buyer, p purchase.Purchase, raw []byte) string {
			t.Helper()
			who, err := home.Actors.Local(ctx, b.URI)
			must(t, err)
			var made purchase.Purchase
			must(t, home.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
				made, err = home.purchases.BeginAgain(ctx, tx, purchase.Again{
					Buyer: b.URI, Artist: ada.URI, Product: p.Product, Track: p.Track, ReceivingKey: who.ReceivingKey, RequestingKey: who.RequestingKey,
					Receipt: p.Receipt + "?" + strings.ToLower(rand.Text()), Signed: raw,
				})
				return err
			}))
			return b.ends(made.ID, purchase.Refused).Words
		}
		for name, raw := range tampered(t, signed) {
			if words := sends(lin, bought, raw); words == "" {
				t.Errorf("with another %s nothing is said", name)
			}
		}
		unknown, moneyed := lin.asks(bought, lin, 2), lin.asks(bought, lin, 2)
		unknown.Receipt += "x"
		moneyed.Amount, moneyed.Asset, moneyed.Decimals = "5", asset, 6
		for name, c := range map[string]struct {
			from  *buyer
			raw   []byte
			words string
		}{
			"the new key's word":            {lin, lin.signs(2, lin.asks(bought, lin, 2).Object()), "not signed with the key"},
			"somebody else's receipt":       {eve, eve.signs(1, eve.asks(bought, eve, 1).Object()), "not signed with the key"},
			"what somebody else has signed": {eve, signed, "somebody else's"},
			"keys of somebody else":         {lin, lin.signs(1, lin.asks(bought, eve, 1).Object()), "not the ones that you publish"},
			"keys of yesterday":             {lin, lin.signs(1, lin.asks(bought, lin, 1).Object()), "not the ones that you publish"},
			"no such receipt":               {lin, lin.signs(1, unknown.Object()), "no such receipt"},
			"money":                         {lin, lin.signs(1, moneyed.Object()), "no such receipt"},
			"another product's receipt":     {lin, lin.signs(1, lin.asks(purchase.Purchase{Product: snow, Receipt: bought.Receipt}, lin, 2).Object()), "no such receipt"},
		} {
			if words := sends(c.from, bought, c.raw); !strings.Contains(words, c.words) {
				t.Errorf("%s: %q", name, words)
			}
		}
		if n := shop.standing(t, lin.URI); n != before || shop.Count(t, "orders", "ground = 'regrant'") != 0 {
			t.Fatalf("%d grants stand, %d stood", n, before)
		}

		// The seller is down; what is asked waits.
		shop.Front(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
		n, err := home.trading.AskAnew(ctx, lin.URI, []json.RawMessage{signed})
		if err != nil || n != 1 {
			t.Fatalf("%d are asked for: %v", n, err)
		}
		asked, err := home.purchases.AskedAnew(ctx, lin.URI, now.ReceivingKey)
		must(t, err)
		asked = slices.DeleteFunc(asked, func(p purchase.Purchase) bool { return p.Regrants != bought.Receipt })
		fedtest.Until(t, "the seller is knocked at in vain", func() bool { return home.Count(t, "deliveries", "attempts > 0") > 0 }, home.Instance)
		if p, err := home.purchases.ByID(ctx, asked[0].ID); err != nil || p.State != purchase.Offered {
			t.Fatalf("while the seller is down: %+v, %v", p, err)
		}
		shop.Front(nil)
		must(t, home.Outbox.RetryNow(ctx, shop.Host))
		done := lin.ends(asked[0].ID, purchase.Granted)
		r, err := vocab.ReadReceipt(done.ReceiptRaw)
		if err != nil || r.Ground != vocab.GroundRegrant || r.ReceivingKey != now.ReceivingKey || !r.Free() {
			t.Errorf("the receipt is %+v, %v", r, err)
		}
		fedtest.Until(t, "the old grant is taken back", func() bool {
			return home.Count(t, "grants_held", "buyer = ? AND revoked_at IS NOT NULL AND uri = ?", lin.URI, bought.GrantURI) == 1
		}, home.Instance, shop.Instance)
		kept, err := home.room.GrantOf(ctx, lin.URI, bought.Track)
		must(t, err)
		g, err := vocab.ReadGrant(kept.Raw)
		if err != nil || g.ReceivingKey != now.ReceivingKey || g.Receipt != done.Receipt {
			t.Errorf("the grant is for %s, %v", g.ReceivingKey, err)
		}
		if gone, err := home.room.Withdrawals(ctx, lin.URI, 10); err != nil || len(gone) != 0 {
			t.Errorf("the library says that something was taken back: %+v, %v", gone, err)
		}
		if n := shop.standing(t, lin.URI); n != 2 {
			t.Errorf("%d grants stand; want 2", n)
		}
		// The same words again, in another offer, and for other keys: the earlier receipt is used up.
		if words := sends(lin, bought, signed); !strings.Contains(words, "granted anew already") {
			t.Errorf("a replay: %q", words)
		}
		if n := shop.Count(t, "orders", "ground = 'regrant'"); n != 1 || shop.standing(t, eve.URI) != 1 {
			t.Errorf("%d grants were made anew", n)
		}
		if left, err := home.purchases.Outdated(ctx, lin.URI, now.ReceivingKey); err != nil || len(left) != 0 {
			t.Errorf("still to be asked for: %+v, %v", left, err)
		}

		t.Run("held", func(t *testing.T) {
			// Keys that come from nowhere: home, or who took it over, may have made them.
			receiving, requesting, _ := eve.pair(7)
			must(t, home.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
				return home.Actors.SetListenerKeys(ctx, tx, eve.URI, receiving, requesting, nil)
			}))
			if p := eve.buys(hail, purchase.Refused); !strings.Contains(p.Words, "artist was told") {
				t.Errorf("words %q", p.Words)
			}
			eve.buys(hail, purchase.Refused)
			holds, err := trade.Holds(ctx, shop.DB.Read, ada.URI, 10)
			must(t, err)
			if len(holds) != 1 || holds[0].Buyer != eve.URI || holds[0].RequestingKey != requesting {
				t.Fatalf("held are %+v", holds)
			}
			told, err := moderation.Tidings(ctx, shop.DB.Read, ada.URI, false, 10)
			if err != nil || len(told) != 1 || told[0].Kind != moderation.TidingNewKeys {
				t.Errorf("ada is told %+v, %v", told, err)
			}
			if err := shop.trading.Confirm(ctx, eve.URI, eve.URI, requesting); !errors.Is(err, trade.ErrNoHold) {
				t.Errorf("somebody else confirms: %v", err)
			}
			// What shows an earlier key needs no yes of the artist's.
			if words := sends(eve, hers, eve.signs(1, eve.asks(hers, eve, 1).Object())); !strings.Contains(words, "not the ones that you publish") {
				t.Errorf("for old keys: %q", words)
			}
			must(t, shop.trading.Confirm(ctx, ada.URI, eve.URI, requesting))
			eve.buys(hail, purchase.Granted)
		})
	})
}

// tampered are a signed object with each of its members changed, and with the proof's.
func tampered(t *testing.T, raw []byte) map[string][]byte {
	t.Helper()
	var object map[string]any
	must(t, json.Unmarshal(raw, &object))
	out := map[string][]byte{}
	add := func(name string, m map[string]any) {
		b, err := json.Marshal(m)
		must(t, err)
		out[name] = b
	}
	for name, value := range object {
		if name == "@context" || name == "type" {
			continue
		}
		m := maps.Clone(object)
		if inner, ok := value.(map[string]any); ok {
			for key, v := range inner {
				if text, ok := v.(string); ok {
					changed := maps.Clone(inner)
					changed[key] = other(text)
					m[name] = changed
					add(name+"."+key, m)
				}
			}
		}
		if text, ok := value.(string); ok {
			m = maps.Clone(object)
			m[name] = other(text)
			add(name, m)
		}
	}
	return out
}

// other is a text of the same kind, and another one.
func other(text string) string {
	switch {
	case strings.HasPrefix(text, "zQ3s"):
		return fedtest.Point
	case strings.HasPrefix(text, "z6Mk"):
		return "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
	case strings.HasSuffix(text, "Z") && strings.Contains(text, "T"):
		return "2020" + text[4:]
	case text == "0":
		return "1"
	case len(text) == 22: // a nonce
		return "AAAAAAAAAAAAAAAAAAAAAA"
	default:
		return text + "9"
	}
}

// TestMoveWithLibrary: who moves to another instance is granted there what was bought here, once both accounts say so.
func TestMoveWithLibrary(t *testing.T) {
	t.Parallel()
	shop, old, next := newTrader(t, ""), newTrader(t, ""), newTrader(t, "")
	ada, lin, moved := shop.User(t, "ada", actor.Artist), old.listener(t, "lin"), next.listener(t, "linda")
	for _, i := range []*trader{shop, old, next} {
		i.Start(t)
	}
	ctx := t.Context()
	rain := shop.sells(t, ada, "1")
	bought := lin.buys(rain, purchase.Granted)
	pack := func(to string, change func(*trade.Luggage)) []byte {
		l := trade.Luggage{Type: trade.LuggageType, From: lin.URI, To: to, Items: []trade.Carried{{
			Artist: ada.URI, Track: bought.Track, Title: "Rain", Agreement: lin.signs(1, lin.asks(bought, moved, 1).Object()),
		}}}
		if change != nil {
			change(&l)
		}
		raw, err := json.Marshal(l)
		must(t, err)
		return raw
	}
	brings := func(raw []byte) error {
		n, err := next.trading.BringLibrary(ctx, moved.URI, raw)
		if err == nil && n != 1 {
			t.Errorf("%d are brought", n)
		}
		return err
	}
	var refused *trade.Refusal
	if err := brings(pack(moved.URI, nil)); !errors.As(err, &refused) || !strings.Contains(refused.Words, "other accounts") {
		t.Errorf("before the new account names the old one: %v", err)
	}
	must(t, next.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return next.Actors.SetAliases(ctx, tx, moved.URI, []string{lin.URI})
	}))
	for name, raw := range map[string][]byte{
		"nothing": []byte("{}"), "another account's": pack(lin.URI, nil),
		"of another artist's server": pack(moved.URI, func(l *trade.Luggage) { l.Items[0].Artist = lin.URI }),
		"of somebody else":           pack(moved.URI, func(l *trade.Luggage) { l.From = lin.URI + "a" }),
		"of other keys":              pack(moved.URI, func(l *trade.Luggage) { l.Items[0].Agreement = lin.signs(1, lin.asks(bought, lin, 1).Object()) }),
	} {
		if err := brings(raw); !errors.As(err, &refused) {
			t.Errorf("a library that is %s: %v", name, err)
		}
	}
	asked := func() purchase.Purchase {
		all, err := next.purchases.AskedAnew(ctx, moved.URI, moved.ReceivingKey)
		must(t, err)
		return all[len(all)-1]
	}
	must(t, brings(pack(moved.URI, nil)))
	if p := moved.ends(asked().ID, purchase.Refused); !strings.Contains(p.Words, "somebody else's") {
		t.Errorf("before the old account says where it went: %q", p.Words)
	}
	must(t, old.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return old.Actors.SetMoved(ctx, tx, lin.URI, moved.URI) }))
	must(t, next.purchases.AskAgain(ctx, moved.URI, asked().ID))
	moved.ends(asked().ID, purchase.Granted)
	kept, err := next.room.GrantOf(ctx, moved.URI, bought.Track)
	must(t, err)
	if g, err := vocab.ReadGrant(kept.Raw); err != nil || g.To != moved.URI || g.ReceivingKey != moved.ReceivingKey {
		t.Errorf("the grant is %+v, %v", g, err)
	}
	fedtest.Until(t, "the old account's grant is taken back", func() bool {
		return old.Count(t, "grants_held", "revoked_at IS NOT NULL AND reason LIKE '%moved to%'") == 1
	}, old.Instance, shop.Instance)
}

// TestRegrantAtHome: buyer and seller live on one instance, and the buyer was a guest of it before.
func TestRegrantAtHome(t *testing.T) {
	t.Parallel()
	house := newTrader(t, "")
	ada, lin := house.User(t, "ada", actor.Artist), house.listener(t, "lin")
	house.Start(t)
	ctx := t.Context()
	bought := lin.buys(house.sells(t, ada, "1"), purchase.Granted)
	const guest = "https://m.example/users/lin"
	must(t, house.DB.Write.Exec("UPDATE grants SET buyer = ?", guest).Error)
	must(t, house.DB.Write.Exec("UPDATE orders SET buyer = ?", guest).Error)
	lin.rotates(1)
	n, err := house.trading.AskAnew(ctx, lin.URI, []json.RawMessage{lin.signs(1, lin.asks(bought, lin, 2).Object())})
	if err != nil || n != 1 {
		t.Fatalf("%d are asked for: %v", n, err)
	}
	fedtest.Until(t, "it is granted anew, and the old grant taken back", func() bool {
		return house.Count(t, "purchases", "regrants <> '' AND state = 'granted'") == 1 &&
			house.Count(t, "grants", "buyer = ? AND revoked_at IS NOT NULL AND replaced_by <> ''", guest) == 1
	}, house.Instance)
	if n := house.standing(t, lin.URI); n != 1 {
		t.Errorf("%d grants stand", n)
	}
}

// TestBrowserSigns reads what the browser's code signs: the same file is made by its own test.
func TestBrowserSigns(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("..", "..", "templates", "assets", "test", "testdata", "signed.json"))
	must(t, err)
	var made struct{ Link, Agreement json.RawMessage }
	must(t, json.Unmarshal(raw, &made))
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	keys, err := keytree.Listener(seed)
	must(t, err)
	b := &buyer{t: t, keys: keys, Actor: actor.Actor{URI: "https://b.example/users/lin"}}
	_, _, key := b.pair(1)
	receiving, requesting, _ := b.pair(2)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	check := func(raw []byte) {
		t.Helper()
		_, err := proof.Verify(raw, func(c proof.Claim) (ed25519.PublicKey, error) {
			if c.Signer != b.URI || c.VerificationMethod != b.method(1) {
				return nil, errors.New("somebody else")
			}
			return key.Public().(ed25519.PublicKey), nil
		}, now)
		must(t, err)
	}
	check(made.Link)
	check(made.Agreement)
	link, err := vocab.ReadKeyLink(made.Link)
	must(t, err)
	if want := (vocab.KeyLink{Actor: b.URI, From: b.method(1), Receiving: receiving, Requesting: requesting, Created: now}); link != want {
		t.Errorf("link %+v, want %+v", link, want)
	}
	a, err := vocab.ReadOfferedAgreement(made.Agreement)
	must(t, err)
	if a.AttributedTo != b.URI || a.ReceivingKey != receiving || a.RequestingKey != requesting || a.Receipt != "https://s.example/receipts/1" || !a.Free() {
		t.Errorf("agreement %+v", a)
	}
}
