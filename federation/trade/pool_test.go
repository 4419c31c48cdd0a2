package trade_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/trade"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/pre/umbral"
	"antiphon/media/seal"
	"antiphon/payments"
	"antiphon/payments/ledger"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
	"antiphon/payments/purchase"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// pooled is an instance with a listening pool.
type pooled struct {
	*shop
	pool *pool.Service
	book *ledger.Ledger
	// peers are the hosts that share the pool, set before anything happens.
	peers []string
}

func openPooled(t testing.TB, dsn string, clock *testkit.Clock, b *bank) *pooled {
	t.Helper()
	secrets, err := vault.New(make([]byte, 32), rand.Reader)
	need(t, err)
	store, err := ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: filepath.Join(t.TempDir(), "blocks")})
	need(t, err)
	t.Cleanup(func() { _ = store.Close() })
	log := slog.New(slog.DiscardHandler)
	p := &pooled{shop: &shop{bank: b}, peers: make([]string, 1)}
	p.Instance = fedtest.New(t, fedtest.Options{DSN: dsn, Clock: clock, Join: func(i *fedtest.Instance) {
		p.purchases = purchase.New(i.BaseURL, purchase.Parts{DB: i.DB, Jobs: i.Queue, Payer: b, Log: log, Now: clock.Now, Rand: rand.Reader})
		p.room = access.New(access.Config{BaseURL: i.BaseURL}, access.Parts{
			DB: i.DB, Jobs: i.Queue, Vault: secrets, Store: store, Peers: &helpers{}, Fetch: nowhere{}, Log: log, Now: clock.Now, Rand: rand.Reader,
		})
		p.room.Register(i.Queue)
		p.orders = payments.New(payments.Config{BaseURL: i.BaseURL, PollOpen: 10 * time.Millisecond, PollIdle: 20 * time.Millisecond}, payments.Parts{
			DB: i.DB, Jobs: i.Queue, Ledger: b, Providers: []payments.Provider{b}, Log: log, Now: clock.Now, Rand: rand.Reader,
		})
		key := ed25519.NewKeyFromSeed([]byte(strings.Repeat("k", 32)))
		p.book, err = ledger.New(ledger.Config{Origin: i.Host + "/ledger", Key: key, Now: clock.Now})
		need(t, err)
		verifier, err := note.NewEd25519VerifierKey(i.Host+"/ledger", key.Public().(ed25519.PublicKey))
		need(t, err)
		names := pseudonym.New(pseudonym.Parts{DB: i.DB, Jobs: i.Queue, Vault: secrets, Now: clock.Now, Rand: rand.Reader})
		names.Register(i.Queue)
		p.pool, err = pool.New(pool.Config{
			BaseURL: i.BaseURL, Host: i.Host, Caller: i.Host + "/ledger", Asset: asset, Peers: p.peers, Gather: 10 * time.Millisecond,
		}, pool.Parts{
			DB: i.DB, Jobs: i.Queue, Orders: p.orders, Ledger: ledger.Embedded{Ledger: p.book, DB: i.DB}, Pseudonyms: names,
			Tell:    func(context.Context, *gorm.DB, string, string) error { return nil },
			Records: trade.PoolLedgers(i.BaseURL, i.Fetch.JSON), Log: log, Now: clock.Now,
		})
		need(t, err)
		p.orders.Collect(p.pool)
		p.pool.Register(i.Queue)
		p.trading = trade.New(trade.Parts{
			BaseURL: i.BaseURL, DB: i.DB, Actors: i.Actors, Outbox: i.Outbox, Orders: p.orders, Purchases: p.purchases, Access: p.room,
			Pool: &trade.PoolParts{Pool: p.pool, Tracks: p.pooledTracks, Ledger: p.book, LedgerKey: verifier},
			Jobs: i.Queue, Log: log, Now: clock.Now,
		})
		p.trading.Register(i.Queue)
		p.trading.Receive(i.Inbox)
		i.Routes = map[string]http.Handler{trade.PoolPath: p.trading.PoolRecords()}
	}})
	return p
}

func (p *pooled) pooledTracks(ctx context.Context, artist string) ([]string, error) {
	var tracks []string
	err := p.DB.Read.WithContext(ctx).Model(&media.Track{}).Where("artist = ? AND pooled", artist).Order("published_at DESC, uri").Pluck("uri", &tracks).Error
	return tracks, err
}

// inPool writes a published track that is in the pool.
func (p *pooled) inPool(t testing.TB, artist, id string) (string, seal.ContentKey) {
	t.Helper()
	uri, key := p.track(t, artist, id)
	need(t, p.DB.Write.Model(&media.Track{}).Where("uri = ?", uri).Update("pooled", true).Error)
	return uri, key
}

// join makes a listener a member who has paid for this month.
func (p *pooled) join(t testing.TB, listener string) {
	t.Helper()
	need(t, p.pool.Join(t.Context(), listener))
	o, err := p.pool.Invoice(t.Context(), listener)
	need(t, err)
	need(t, p.bank.Pay(t.Context(), purchase.Invoice{Target: o.Target, Identifier: o.Identifier, Units: o.Units, Asset: o.Asset}))
	fedtest.Until(t, "the payment is on the ledger", func() bool {
		posted, err := p.pool.Posted(t.Context(), listener, p.pool.Month())
		return err == nil && posted
	}, p.Instance)
}

// asks has a member ask for an artist's grant, and returns what came of it.
func (p *pooled) asks(t testing.TB, who actor.Actor, artist string, others ...*fedtest.Instance) pool.Question {
	t.Helper()
	q, err := p.pool.Ask(t.Context(), who.URI, artist, who.ReceivingKey, who.RequestingKey)
	need(t, err)
	fedtest.Until(t, "the question is answered", func() bool {
		q, err = p.pool.QuestionOf(t.Context(), who.URI, artist, p.pool.Month())
		return err == nil && q.State != pool.AskWaiting
	}, append(others, p.Instance)...)
	return q
}

func (p *pooled) lent(ctx context.Context, listener, track string) (vocab.Grant, error) {
	kept, err := p.room.GrantOf(ctx, listener, track)
	if err != nil {
		return vocab.Grant{}, err
	}
	return vocab.ReadGrant(kept.Raw)
}

func opens(ctx context.Context, seller *pooled, g vocab.Grant, track string, receiving *umbral.SecretKey) (seal.ContentKey, error) {
	for _, item := range g.Items {
		if item.Track == track {
			return access.Open(ctx, g, item, receiving, seller.ask)
		}
	}
	return seal.ContentKey{}, errors.New("not in the grant")
}

// TestAPoolOverTwoServers: lin of one server joins its pool, pays, and plays what ada of another one has put into it.
func TestAPoolOverTwoServers(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		ctx := t.Context()
		clock, b := testkit.NewClock(time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)), &bank{}
		seller, home := openPooled(t, fresh(), clock, b), openPooled(t, fresh(), clock, b)
		seller.peers[0], home.peers[0] = home.Host, seller.Host
		home.watch(t)
		ada := seller.User(t, "ada", actor.Artist)
		lin, receiving := home.listener(t, "lin")
		max, _ := home.listener(t, "max")
		one, key := seller.inPool(t, ada.URI, "one")
		sold, _ := seller.track(t, ada.URI, "sold")

		// Who has not paid is asked to.
		var refused *pool.Refusal
		if _, err := home.pool.Ask(ctx, lin.URI, ada.URI, lin.ReceivingKey, lin.RequestingKey); !errors.As(err, &refused) || refused.Code != "no-member" {
			t.Fatalf("before joining: %v", err)
		}
		home.join(t, lin.URI)

		// The first play.
		if q := home.asks(t, lin, ada.URI, seller.Instance); q.State != pool.AskGranted || q.Receipt == "" {
			t.Fatalf("the answer: %+v", q)
		}
		november, err := home.lent(ctx, lin.URI, one)
		must(t, err)
		if got, err := opens(ctx, seller, november, one, receiving); err != nil || got != key {
			t.Errorf("it does not open: %v", err)
		}
		if len(november.Items) != 1 || november.Threshold != 1 || len(november.Proxies) != 1 || november.Version != 202611 || november.Agreement != "" ||
			!november.EndTime.Equal(time.Date(2026, 12, 4, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("the grant: %+v", november)
		}
		if _, err := home.lent(ctx, lin.URI, sold); !errors.Is(err, access.ErrUnknownGrant) {
			t.Errorf("what is not in the pool: %v", err)
		}
		fedtest.Until(t, "the receipt is kept", func() bool { return home.Count(t, "objects", "uri = ? AND kind = 'Receipt'", november.Receipt) == 1 }, home.Instance)
		if owned, err := home.room.Library(ctx, lin.URI, 0, 10); err != nil || len(owned) != 0 {
			t.Errorf("what is lent is owned: %v, %v", owned, err)
		}
		if n := home.Count(t, "river_job", "kind = 'fetch_track'"); n != 0 {
			t.Errorf("%d tracks are fetched before they are played", n)
		}
		if q := home.asks(t, lin, ada.URI); q.GrantURI != november.ID || seller.Count(t, "grants", "") != 1 {
			t.Error("asked twice, it is granted twice")
		}

		// More listeners than payments: max has none, whatever home says of him.
		err = seller.pool.Admit(ctx, pool.Claim{Host: home.Host, Listener: max.URI, Month: "2026-11"})
		if !errors.As(err, &refused) || refused.Code != "too-many-listeners" {
			t.Errorf("a second listener of one payment: %v", err)
		}
		if err := seller.pool.Admit(ctx, pool.Claim{Host: home.Host, Listener: lin.URI, Month: "2026-11"}); err != nil {
			t.Errorf("the first one again: %v", err)
		}

		// A new track reaches who was granted the month; nobody else takes part.
		clock.Advance(time.Hour)
		two, second := seller.inPool(t, ada.URI, "two")
		must(t, seller.trading.RestockPool(ctx))
		fedtest.Until(t, "the new track is in the grant", func() bool { _, err := home.lent(ctx, lin.URI, two); return err == nil }, seller.Instance, home.Instance)
		grown, err := home.lent(ctx, lin.URI, two)
		must(t, err)
		if got, err := opens(ctx, seller, grown, two, receiving); err != nil || got != second || grown.ID != november.ID || len(grown.Proxies) != 1 {
			t.Errorf("the new track: %v, proxies %v", err, grown.Proxies)
		}

		// December: not paid, so nothing new; what was opened plays on for the grace, and no longer.
		clock.Set(time.Date(2026, 12, 2, 0, 0, 0, 0, time.UTC))
		must(t, home.pool.Round(ctx))
		if _, err := home.pool.Ask(ctx, lin.URI, ada.URI, lin.ReceivingKey, lin.RequestingKey); !errors.As(err, &refused) {
			t.Errorf("a question without a payment: %v", err)
		}
		if _, err := opens(ctx, seller, grown, one, receiving); err != nil {
			t.Errorf("in the grace: %v", err)
		}
		clock.Set(time.Date(2026, 12, 4, 0, 6, 0, 0, time.UTC))
		must(t, home.pool.Round(ctx))
		var proxy *access.Refusal
		if _, err := opens(ctx, seller, grown, one, receiving); !errors.As(err, &proxy) || proxy.Code != "expired" {
			t.Errorf("after the grace: %v", err)
		}

		// Back, and two more members; each month has a key of its own.
		home.join(t, lin.URI)
		home.join(t, max.URI)
		if q := home.asks(t, max, ada.URI, seller.Instance); q.State != pool.AskGranted {
			t.Errorf("max: %+v", q)
		}
		if q := home.asks(t, lin, ada.URI, seller.Instance); q.State != pool.AskGranted {
			t.Errorf("lin: %+v", q)
		}
		december, err := home.lent(ctx, lin.URI, one)
		must(t, err)
		if got, err := opens(ctx, seller, december, one, receiving); err != nil || got != key || december.DelegatingKey == november.DelegatingKey || december.Version != 202612 {
			t.Errorf("December: %v", err)
		}

		// The same way on one instance, where nothing travels.
		eve := home.User(t, "eve", actor.Artist)
		near, nearKey := home.inPool(t, eve.URI, "near")
		if q := home.asks(t, lin, eve.URI); q.State != pool.AskGranted {
			t.Fatalf("an artist of the own instance: %+v", q)
		}
		own, err := home.lent(ctx, lin.URI, near)
		must(t, err)
		if got, err := opens(ctx, home, own, near, receiving); err != nil || got != nearKey {
			t.Errorf("an artist of the own instance: %v", err)
		}
		// An artist who has nothing in the pool.
		none := seller.User(t, "none", actor.Artist)
		if q := home.asks(t, lin, none.URI, seller.Instance); q.State != pool.AskRefused || q.Code != "not-in-pool" || q.Words == "" {
			t.Errorf("an artist without the pool: %+v", q)
		}
	})
}

// TestForgedMemberships: what is not exactly a membership of the sender's own listener for this instance and this month
// changes nothing.
func TestForgedMemberships(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	clock, b := testkit.NewClock(time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC)), &bank{}
	seller, home := openPooled(t, "", clock, b), openPooled(t, "", clock, b)
	stranger := openPooled(t, "", clock, b)
	seller.peers[0], home.peers[0], stranger.peers[0] = home.Host, seller.Host, seller.Host
	home.watch(t)
	ada := seller.User(t, "ada", actor.Artist)
	seller.inPool(t, ada.URI, "one")
	lin, _ := home.listener(t, "lin")
	sly, _ := stranger.listener(t, "sly")
	home.join(t, lin.URI)

	offer := func(from *pooled, signer string, m vocab.Membership, spoil func(raw []byte) []byte) string {
		t.Helper()
		method, key, err := from.Actors.ProofKey(ctx, signer)
		must(t, err)
		_, raw, err := proof.Sign(m.Object(), key, method, clock.Now().UTC().Truncate(time.Second))
		must(t, err)
		if spoil != nil {
			raw = spoil(raw)
		}
		a := vocab.Activity{
			ID: from.Outbox.NewID("offers"), Type: vocab.VerbOffer, Actor: signer, Object: vocab.Ref{Raw: json.RawMessage(raw)}, Target: vocab.Ref{ID: ada.URI},
			To: []string{seller.BaseURL + "/actor"},
		}
		must(t, from.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return from.Outbox.Tell(ctx, tx, a) }))
		var state string
		fedtest.Until(t, "the membership is judged", func() bool {
			seller.DB.Read.Table("activities").Where("id = ?", a.ID).Pluck("state", &state)
			return state != "" && state != "received"
		}, seller.Instance, from.Instance)
		return state
	}
	good := func() vocab.Membership {
		return vocab.Membership{
			AttributedTo: home.BaseURL + "/actor", Subject: lin.URI, Audience: seller.BaseURL + "/actor", Month: "2026-11",
			ReceivingKey: lin.ReceivingKey, RequestingKey: lin.RequestingKey, EndTime: clock.Now().UTC().Truncate(time.Second).Add(time.Hour),
		}
	}
	change := func(fn func(m *vocab.Membership)) vocab.Membership { m := good(); fn(&m); return m }
	testkit.BadInput(t, "B25", func(t *testing.T) {
		for name, try := range map[string]func() string{
			"tampered": func() string {
				return offer(home, home.BaseURL+"/actor", good(), func(raw []byte) []byte { return []byte(strings.Replace(string(raw), "2026-11", "2026-12", 1)) })
			},
			"signed by the listener": func() string {
				return offer(home, lin.URI, change(func(m *vocab.Membership) { m.AttributedTo = lin.URI }), nil)
			},
			"for another audience": func() string {
				return offer(home, home.BaseURL+"/actor", change(func(m *vocab.Membership) { m.Audience = stranger.BaseURL + "/actor" }), nil)
			},
			"of another month": func() string {
				return offer(home, home.BaseURL+"/actor", change(func(m *vocab.Membership) { m.Month = "2026-12" }), nil)
			},
			"expired": func() string {
				return offer(home, home.BaseURL+"/actor", change(func(m *vocab.Membership) { m.EndTime = m.EndTime.Add(-2 * time.Hour) }), nil)
			},
			"for two days": func() string {
				return offer(home, home.BaseURL+"/actor", change(func(m *vocab.Membership) { m.EndTime = m.EndTime.Add(48 * time.Hour) }), nil)
			},
			"with keys of somebody else": func() string {
				return offer(home, home.BaseURL+"/actor", change(func(m *vocab.Membership) { m.ReceivingKey = sly.ReceivingKey }), nil)
			},
			"from no instance of the pool": func() string {
				return offer(stranger, stranger.BaseURL+"/actor", vocab.Membership{
					AttributedTo: stranger.BaseURL + "/actor", Subject: sly.URI, Audience: seller.BaseURL + "/actor", Month: "2026-11",
					ReceivingKey: sly.ReceivingKey, RequestingKey: sly.RequestingKey, EndTime: good().EndTime,
				}, nil)
			},
		} {
			state := try()
			if n := seller.Count(t, "grants", "") + seller.Count(t, "pool_admitted", ""); n != 0 {
				t.Fatalf("%s (%s): something was granted", name, state)
			}
		}
	}, func(t *testing.T) {
		if state := offer(home, home.BaseURL+"/actor", good(), nil); state != "done" || seller.Count(t, "grants", "") != 1 {
			t.Errorf("a good one: %s", state)
		}
		// Shown once more it changes nothing, and when its month is over it is refused.
		if state := offer(home, home.BaseURL+"/actor", good(), nil); state != "done" || seller.Count(t, "grants", "") != 1 {
			t.Errorf("replayed: %s", state)
		}
		clock.Advance(2 * time.Hour)
		late := good()
		if state := offer(home, home.BaseURL+"/actor", late, nil); seller.Count(t, "grants", "") != 1 {
			t.Errorf("in the next month: %s", state)
		}
	})
}
