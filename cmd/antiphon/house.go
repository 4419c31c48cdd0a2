package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"
	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/api/web"
	"antiphon/federation/account"
	"antiphon/federation/actor"
	"antiphon/federation/catchup"
	"antiphon/federation/discover"
	"antiphon/federation/fetch"
	"antiphon/federation/inbox"
	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/federation/reporting"
	"antiphon/federation/trade"
	"antiphon/federation/witness"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/internal/jobs"
	"antiphon/internal/vault"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/media/ipfs"
	"antiphon/media/listen"
	"antiphon/media/transcode"
	"antiphon/payments"
	"antiphon/payments/erc20"
	"antiphon/payments/ledger"
	"antiphon/payments/ledger/fabric"
	"antiphon/payments/ledger/forward"
	"antiphon/payments/manual"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
	"antiphon/payments/treasury"
	"antiphon/vocab"
)

// house is one instance with every room joined to the others.
type house struct {
	config *config
	log    *slog.Logger

	db     *db.DB
	vault  *vault.Vault
	store  ipfs.Store
	engine transcode.Engine
	jobs   *jobs.Queue
	http   *httpx.Client
	node   *raidenNode
	token  *erc20.Client
	manual []*manual.Provider
	// treasury is nil without a node.
	treasury *treasury.Service

	accounts   *auth.Service
	pages      *web.Pages
	actors     *actor.Registry
	fetch      *fetch.Fetcher
	hosts      *discover.Hosts
	outbox     *outbox.Outbox
	inbox      *inbox.Inbox
	catchup    *catchup.Service
	trade      *trade.Service
	members    *account.Service
	moderation *moderation.Service
	access     *access.Service
	tracks     *media.Service
	listens    *listen.Service
	ledger     *ledger.Ledger
	witnesses  *witness.Service
	shared     *fabric.Backend
	forward    *forward.Forwarder
	orders     *payments.Service
	purchases  *purchase.Service
	// reporting is what is told of the pool; nil where there is none.
	reporting *reporting.Service

	subscriptions *subscription.Service
	pseudonyms    *pseudonym.Service
	// pool is nil where there is none.
	pool *pool.Service

	handler http.Handler

	closers []func() error
}

// openHouse opens what lies on disk, then joins the rooms from the bottom up. Nothing runs yet.
func openHouse(ctx context.Context, c *config, log *slog.Logger) (*house, error) {
	h := &house{config: c, log: log}
	for _, open := range []func(context.Context) error{
		h.openDisk, h.openMedia, h.openFederation, h.openPayments, h.openTrade, h.openPages,
	} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// Close closes what was opened, the last one first.
func (h *house) Close() error {
	var err error
	for i := len(h.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, h.closers[i]())
	}
	return err
}

func (h *house) closing(fn func() error) { h.closers = append(h.closers, fn) }

func (h *house) path(parts ...string) string {
	return filepath.Join(append([]string{h.config.Server.DataDir}, parts...)...)
}

func (h *house) openDisk(ctx context.Context) error {
	if err := makePrivate(h.path()); err != nil {
		return err
	}
	dsn := h.config.Database.URL
	if dsn == "" {
		dsn = h.path("antiphon.db")
	}
	var err error
	if h.db, err = db.Open(ctx, dsn, h.log); err != nil {
		return err
	}
	h.closing(h.db.Close)
	if h.vault, err = vault.Load(h.config.masterKey(), true, rand.Reader); err != nil {
		return err
	}
	h.jobs = jobs.New(h.db, h.log)
	h.http = httpx.New(httpx.Config{
		UserAgent: "Antiphon/" + version + " (+" + h.config.Server.BaseURL + ")", AllowLoopback: h.config.Server.Development,
		Own: actor.HostOf(h.config.Server.BaseURL),
	})
	h.closing(func() error { h.http.Close(); return nil })
	return nil
}

func (h *house) openMedia(ctx context.Context) error {
	var err error
	if api := h.config.IPFS.Kubo; api != "" {
		h.store, err = ipfs.OpenKubo(ctx, ipfs.KuboConfig{API: api})
	} else {
		h.store, err = ipfs.OpenEmbedded(ipfs.EmbeddedConfig{Dir: h.path("blocks")})
	}
	if err != nil {
		return fmt.Errorf("open block store: %w", err)
	}
	h.closing(h.store.Close)
	h.engine, err = transcode.Open(ctx, transcode.Config{Mode: transcode.Mode(h.config.Media.Engine), CacheDir: h.config.cacheDir()})
	if err != nil {
		return err
	}
	h.closing(h.engine.Close)
	if h.engine.Name() == "native" {
		transcode.DropEmbedded()
	}
	grants := h.config.Grants
	others := &peers{
		trusted: grants.Proxies, serve: grants.Serve, log: h.log, http: h.http, db: h.db,
		actors: func() *actor.Registry { return h.actors }, fetch: func() *fetch.Fetcher { return h.fetch },
	}
	h.access = access.New(access.Config{
		BaseURL: h.config.Server.BaseURL, Threshold: grants.Threshold, Proxies: grants.Number, PerArtist: grants.PerArtist, PerHost: grants.PerHost,
	}, access.Parts{
		DB: h.db, Jobs: h.jobs, Vault: h.vault, Store: h.store, Peers: others, Fetch: fetcher{h.http},
		Downloads: (&remoteTracks{house: h}).files, Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	h.access.Register(h.jobs)
	h.tracks = media.New(media.Config{
		BaseURL: h.config.Server.BaseURL, DataDir: h.path(), UploadDir: h.path("uploads"), MaxLength: h.config.Media.MaxLength,
	}, media.Parts{
		DB: h.db, Jobs: h.jobs, Vault: h.vault, Store: h.store, Engine: h.engine, Shop: h.access, Bundler: h.access, Credit: h.credit, Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	h.tracks.Register(h.jobs)
	h.listens, err = listen.New(listen.Config{}, listen.Parts{
		DB: h.db, Jobs: h.jobs, Vault: h.vault, Judge: reporting.NewJudge(h.policyFor), Pooled: h.pooled, Credits: h.credits, Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	h.listens.Register(h.jobs)
	return nil
}

func (h *house) openFederation(ctx context.Context) error {
	scheme := "https"
	if h.config.Server.Development {
		scheme = "http"
	}
	var err error
	h.fetch, err = fetch.New(fetch.Config{BaseURL: h.config.Server.BaseURL, Key: h.instanceKey, Scheme: scheme, Blocked: func(ctx context.Context, host string) (bool, error) {
		return h.hosts.IsBlocked(ctx, host)
	}}, h.http)
	if err != nil {
		return err
	}
	h.actors = actor.New(actor.Config{BaseURL: h.config.Server.BaseURL, Name: h.config.Server.Name, FileURL: h.fileURL}, actor.Parts{
		DB: h.db, Vault: h.vault, Fetch: h.fetch, Secrets: h.access, Offers: h.offers, Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	if _, err := h.actors.EnsureInstance(ctx); err != nil {
		return err
	}
	h.hosts = discover.NewHosts(discover.HostsConfig{
		Scheme: scheme, Own: h.config.host(), AllowList: h.config.Federation.AllowList,
	}, h.db, h.http, h.log, time.Now)
	h.outbox = outbox.New(outbox.Config{BaseURL: h.config.Server.BaseURL, FileURL: h.fileURL, Words: h.priceWords}, outbox.Parts{
		DB: h.db, Jobs: h.jobs, Actors: h.actors, Hosts: h.hosts, HTTP: h.http, Goods: h.access, Shares: h.shares, Listens: h.listens, Log: h.log, Now: time.Now,
		Taken: func(ctx context.Context, activity string) error { return h.trade.Taken(ctx, activity) },
		Receive: func(ctx context.Context, tx *gorm.DB, from string, raw []byte) error {
			return h.inbox.Receive(ctx, tx, from, raw)
		},
	})
	h.outbox.Register(h.jobs)
	perSecond := h.config.Federation.InboxRate
	h.inbox = inbox.New(inbox.Config{
		BaseURL: h.config.Server.BaseURL, Rate: rate.Limit(perSecond), Burst: 30 * perSecond,
	}, inbox.Parts{
		DB: h.db, Jobs: h.jobs, Actors: h.actors, Hosts: h.hosts, Outbox: h.outbox, Fetch: h.fetch, Changed: h.access.Refetch, Log: h.log, Now: time.Now,
	})
	h.inbox.Register(h.jobs)
	h.catchup = catchup.New(catchup.Config{}, catchup.Parts{
		DB: h.db, Jobs: h.jobs, Actors: h.actors, Hosts: h.hosts, Inbox: h.inbox, Fetch: h.fetch, Log: h.log, Now: time.Now,
	})
	h.catchup.Register(h.jobs)
	h.moderation = moderation.New(moderation.Parts{
		BaseURL: h.config.Server.BaseURL, DB: h.db, Jobs: h.jobs, Actors: h.actors, Hosts: h.hosts, Outbox: h.outbox, Tracks: h.tracks,
		Log: h.log, Now: time.Now,
	})
	h.moderation.Register(h.jobs)
	return nil
}

// openLedger needs the disk alone.
func (h *house) openLedger() error {
	seed, err := h.vault.Key("ledger")
	if err != nil {
		return err
	}
	h.ledger, err = ledger.New(ledger.Config{
		Origin: h.config.host() + "/ledger", Key: ed25519.NewKeyFromSeed(seed[:]), Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	return nil
}

func (h *house) openPayments(context.Context) error {
	err := h.openLedger()
	if err != nil {
		return err
	}
	if err := h.openShared(); err != nil {
		return err
	}
	h.witnesses, err = witness.New(witness.Config{Witnesses: h.config.Ledger.Witnesses}, witness.Parts{
		DB: h.db, Ledger: h.ledger, HTTP: h.http, Log: h.log, Now: time.Now,
	})
	if err != nil {
		return fmt.Errorf("ledger.witnesses: %w", err)
	}
	if h.node, err = newRaidenNode(h.config); err != nil {
		return err
	}
	var providers []payments.Provider
	var payer purchase.Payer
	if h.node != nil {
		providers, payer = []payments.Provider{h.node}, h.node
		h.treasury = treasury.New(treasury.Parts{
			DB: h.db, Jobs: h.jobs, Client: h.node.client, Payer: h.node.payer, Token: h.node.token, Money: h.node.money(), Log: h.log, Now: time.Now,
			Record: func(ctx context.Context, tx *gorm.DB, who, act, subject, why string) error {
				return moderation.Record(ctx, tx, who, act, subject, why, time.Now())
			},
		})
		h.treasury.Register(h.jobs)
	}
	if h.token, err = newERC20(h.config, h.db, h.log); err != nil {
		return err
	}
	if h.token != nil {
		h.closing(func() error { h.token.Close(); return nil })
		providers = append(providers, h.token)
	}
	for _, code := range h.config.Payments.Currencies {
		p, err := manual.New(h.db, code)
		if err != nil {
			return fmt.Errorf("payments.currencies: %w", err)
		}
		h.manual, providers = append(h.manual, p), append(providers, p)
	}
	gifts, err := h.vault.Key("gifts")
	if err != nil {
		return err
	}
	h.purchases = purchase.New(h.config.Server.BaseURL, purchase.Parts{
		DB: h.db, Jobs: h.jobs, Payer: payer, GiftKey: gifts[:], Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	h.purchases.Register(h.jobs)
	h.subscriptions = subscription.New(h.config.Server.BaseURL, subscription.Parts{
		DB: h.db, Jobs: h.jobs, Purchases: h.purchases, Keys: h.listenerKeys, Log: h.log, Now: time.Now,
	})
	months := h.subscriptions.Months(shop{h.access})
	h.orders = payments.New(payments.Config{BaseURL: h.config.Server.BaseURL, InvoiceLife: h.config.Payments.InvoiceLife}, payments.Parts{
		DB: h.db, Jobs: h.jobs, Catalog: months, Granter: months, Ledger: books{h.ledger}, Providers: providers,
		Log: h.log, Now: time.Now, Rand: rand.Reader,
	})
	return h.openPool()
}

func (h *house) openTrade(ctx context.Context) error {
	lending, err := h.poolTrade()
	if err != nil {
		return err
	}
	h.trade = trade.New(trade.Parts{
		BaseURL: h.config.Server.BaseURL, DB: h.db, Actors: h.actors, Outbox: h.outbox, Orders: h.orders, Purchases: h.purchases,
		Access: h.access, Subscriptions: h.subscriptions, Pool: lending, Remind: remind, RemindWords: h.remindWords, Jobs: h.jobs, Log: h.log, Now: time.Now,
	})
	h.trade.Register(h.jobs)
	h.trade.Receive(h.inbox)
	h.members = account.New(account.Parts{
		Dir: h.path("archives"), DB: h.db, Jobs: h.jobs, Actors: h.actors, Hosts: h.hosts, Outbox: h.outbox, Tracks: h.tracks, Files: h.store,
		Library: h.access, Purchases: h.purchases, Log: h.log, Now: time.Now,
	})
	h.members.Register(h.jobs)
	if err := h.openReports(); err != nil {
		return err
	}
	// Every kind of job has its worker by now.
	if err := h.jobs.Open(); err != nil {
		return err
	}
	return h.foundReports(ctx)
}

// maxOffers is how many of an artist's tracks and releases the actor's document offers for sale, after the tiers.
const maxOffers = 5

// offers are the links by which other servers' apps lead to what an artist sells.
func (h *house) offers(ctx context.Context, artist string) ([]vocab.PaymentLink, error) {
	links, err := h.tierLinks(ctx, artist)
	if err != nil {
		return nil, err
	}
	products, err := h.access.OnSale(ctx, artist, maxOffers)
	if err != nil {
		return nil, err
	}
	for _, p := range products {
		links = append(links, vocab.PaymentLink{
			Name: "Buy “" + p.Name + "” for " + h.priceWords(p.Units, p.Asset, p.Decimals), Proposal: outbox.ProposalURI(p.URI),
		})
	}
	return links, nil
}

// credit is what a download says of who made it, and the address of its page.
func (h *house) credit(ctx context.Context, t media.Track) (artist, url string, err error) {
	who, err := h.actors.Known(ctx, t.Artist)
	if err != nil {
		return "", "", err
	}
	return cmp.Or(who.Display, who.Name), h.config.Server.BaseURL + "/@" + who.Name + "/" + t.Slug, nil
}

// fileURL is the address of a public file by its CID.
func (h *house) fileURL(cid, _ string) string {
	return h.config.Server.BaseURL + "/media/" + cid
}
