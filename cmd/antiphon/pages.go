package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"

	"antiphon/api"
	"antiphon/api/auth"
	"antiphon/api/play"
	"antiphon/api/web"
	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fetch"
	"antiphon/federation/outbox"
	"antiphon/internal/httpx"
	"antiphon/media"
	"antiphon/payments/amount"
	"antiphon/templates"
	"antiphon/vocab"
)

// openPages joins what people and other servers see.
func (h *house) openPages(context.Context) error {
	var err error
	h.accounts, err = auth.New(auth.Config{
		BaseURL: h.config.Server.BaseURL, Open: h.config.Signup.Open, Approval: h.config.Signup.Approval, Quota: h.config.Media.Quota,
	}, auth.Parts{DB: h.db, Vault: h.vault, Actors: newcomers{h.actors}, Postman: guests{h}, Heirs: handOn, Log: h.log, Now: time.Now, Rand: rand.Reader})
	if err != nil {
		return err
	}
	renderer, err := templates.New()
	if err != nil {
		return err
	}
	remote := &remoteTracks{house: h}
	var listening web.Pool
	var lending play.Pool
	var lends func(ctx context.Context, listener, track string) (bool, error)
	var poolRecords http.Handler
	if h.pool != nil {
		listening, lending, lends, poolRecords = h.pool, lender{h}, lender{h}.Lends, h.trade.PoolRecords()
	}
	pages, err := web.New(web.Config{
		BaseURL: h.config.Server.BaseURL, Site: h.config.Server.Name, Assets: h.assets(), PriceWords: h.priceWords, DataDir: h.path(), UploadDir: h.path("uploads"),
		MaxUpload: h.config.Media.MaxUpload, DiskLow: h.config.Media.DiskLow, AllowList: h.config.Federation.AllowList, Version: version,
		Threshold: h.config.Grants.Threshold, Proxies: h.config.Grants.Number, TrustedProxies: h.config.Grants.Proxies, CanStand: h.node != nil, PoolHosts: h.config.Pool.Instances,
	}, web.Parts{
		DB: h.db, Auth: h.accounts, Renderer: renderer, Tracks: h.tracks, Store: h.store, Shop: h.access, Library: h.access, Grants: h.access, Listens: h.listens,
		Purchases: h.purchases, Sales: sales{h}, Codes: h.orders, Owed: h.owed, Tiers: h.access, Subscriptions: h.subscriptions, Sellers: sellers{h.fetch},
		Pool: listening, Lends: lends,
		Follower: follower{h.outbox}, Social: h.outbox, Finder: finder{h.actors, h.fetch}, Profiles: profiles{h}, Remote: remote, Hosts: h.outbox, HTTP: h.http,
		Treasury: h.treasury, Keyring: h.trade, Log: h.log, Now: time.Now,
		Moderation: h.moderation, Members: h.members, Reporting: h.reporting,
	})
	if err != nil {
		return err
	}
	player := play.New(play.Parts{
		BaseURL: h.config.Server.BaseURL, Access: h.access, Store: h.store, HTTP: h.http, Tracks: remote, Listens: members{h}, Log: h.log, Now: time.Now,
		Pool: lending,
		User: func(r *http.Request) string {
			visitor, ok := auth.FromContext(r.Context())
			if !ok {
				return ""
			}
			return visitor.Account.Actor
		},
	})
	directory := discover.New(discover.Config{
		BaseURL: h.config.Server.BaseURL, Name: h.config.Server.Name, Version: version, OpenSignup: h.config.Signup.Open,
	}, h.actors, h.db, h.log, time.Now)
	h.pages = pages
	objects := h.outbox.Documents()
	if h.config.Federation.SignedFetch {
		objects = h.outbox.Signed(objects)
	}
	books, err := h.openBooks()
	if err != nil {
		return err
	}
	var statements, evidence, waits http.Handler
	if h.reporting != nil {
		statements, evidence, waits = h.reporting.Statements(), h.reporting.Evidence(), h.reporting.Waits()
	}
	h.handler, err = api.New(api.Parts{
		BaseURL: h.config.Server.BaseURL, TrustProxy: h.config.Server.TrustProxy, Auth: h.accounts, Pages: pages, Log: h.log, Now: time.Now,
		Books: books.Handler(), Inbox: h.inbox, Objects: objects, WebFinger: directory, NodeInfo: directory, HostMeta: directory,
		Grant: http.HandlerFunc(player.Grant), Relay: http.HandlerFunc(player.Relay), Blocks: h.listens.Riding(http.HandlerFunc(player.Block)), Listens: http.HandlerFunc(h.listens.Serve),
		Reencrypt: http.HandlerFunc(player.Reencrypt), Revocations: h.trade.Revocations(), PoolRecords: poolRecords,
		Statements: statements, Evidence: evidence, Waits: waits,
	})
	return err
}

// assets are what tracks can be sold for here, one for each way of being paid.
func (h *house) assets() []web.Asset {
	var all []web.Asset
	if h.node != nil {
		all = append(all, web.Asset{ID: h.node.asset, Symbol: h.node.symbol, Decimals: h.node.decimals, Provider: h.node.Name()})
	}
	if h.token != nil {
		id, decimals := h.token.Asset()
		all = append(all, web.Asset{ID: id, Symbol: cmp.Or(h.config.Payments.ERC20.Symbol, "tokens"), Decimals: decimals, Provider: h.token.Name()})
	}
	for _, p := range h.manual {
		id, decimals := p.Asset()
		_, code, _ := strings.Cut(string(id), ":")
		all = append(all, web.Asset{ID: id, Symbol: code, Decimals: decimals, Provider: p.Name()})
	}
	return all
}

// priceWords tells a price: "5 DAI", or "free".
func (h *house) priceWords(units, asset string, decimals int) string {
	price, err := amount.Parse(units, asset)
	if err != nil || price.IsZero() {
		return "free"
	}
	symbol := asset
	for _, known := range h.assets() {
		if string(known.ID) == asset {
			symbol = known.Symbol
		}
	}
	return price.Decimal(decimals) + " " + symbol
}

// newcomers makes the actor of a new account.
type newcomers struct{ actors *actor.Registry }

// Prepare implements [auth.Actors].
func (n newcomers) Prepare(_ context.Context, l auth.Local) (func(context.Context, *gorm.DB) (string, error), error) {
	keys, err := n.actors.NewKeys()
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, tx *gorm.DB) (string, error) {
		made, err := n.actors.CreateLocal(ctx, tx, actor.Local{
			Name: l.Name, Display: l.Display, Kind: l.Kind, ReceivingKey: l.ReceivingKey, RequestingKey: l.RequestingKey, Keys: keys,
		})
		if err == nil && l.Unlisted {
			err = n.actors.SetUnlisted(ctx, tx, made.URI, true)
		}
		if errors.Is(err, actor.ErrTaken) {
			err = fmt.Errorf("%w: %w", auth.ErrTaken, err)
		}
		return made.URI, err
	}, nil
}

// follower follows for the pages.
type follower struct{ outbox *outbox.Outbox }

// Follow implements [web.Follower].
func (f follower) Follow(ctx context.Context, me, target string) (string, error) {
	followed, err := f.outbox.Follow(ctx, me, target)
	if err != nil {
		return "", notFollowed(target, err)
	}
	return followed.URI, nil
}

// Unfollow implements [web.Follower].
func (f follower) Unfollow(ctx context.Context, me, target string) error {
	return f.outbox.Unfollow(ctx, me, target)
}

// finder finds people of other servers for the pages.
type finder struct {
	actors *actor.Registry
	fetch  *fetch.Fetcher
}

// Lookup implements [web.Finder].
func (f finder) Lookup(ctx context.Context, text string) (string, error) {
	found, err := f.actors.Lookup(ctx, text)
	return found.URI, err
}

// Intents implements [web.Finder].
func (f finder) Intents(ctx context.Context, handle string) (vocab.JRD, error) {
	return f.fetch.Intents(ctx, handle)
}

// notFollowed says in words why somebody could not be found.
func notFollowed(target string, err error) error {
	fault := &web.Fault{Status: http.StatusUnprocessableEntity, What: fmt.Sprintf("%.200q could not be found", target), Err: err}
	switch {
	case errors.Is(err, httpx.ErrForbiddenAddress) || errors.Is(err, httpx.ErrForbiddenURL):
		fault.Do = "This address is not on the public internet."
	case errors.Is(err, context.DeadlineExceeded):
		fault.Do = "The other server does not answer. Try again in a few minutes."
	default:
		fault.Do = "Check the spelling: it looks like @ada@music.example."
	}
	return fault
}

// profiles changes how a local actor looks to the world.
type profiles struct{ house *house }

// SetProfile implements [web.Profiles].
func (p profiles) SetProfile(ctx context.Context, uri string, profile web.Profile) error {
	h := p.house
	err := h.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return h.actors.SetProfile(ctx, tx, uri, profile.Display, profile.Summary, profile.Icon)
	})
	if err != nil {
		return err
	}
	document, err := h.actors.Document(ctx, uri)
	if err != nil {
		return err
	}
	return h.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		return h.outbox.Tell(ctx, tx, vocab.Activity{
			ID: h.outbox.NewID("activities"), Type: vocab.VerbUpdate, Actor: uri, Object: vocab.Ref{ID: uri, Raw: document},
			To: []string{vocab.Public}, Cc: []string{outbox.Followers(uri)}, Published: time.Now().UTC().Truncate(time.Second),
		})
	})
}

// remoteTracks knows tracks of other instances by the documents that they sent or that are fetched.
type remoteTracks struct{ house *house }

// Track implements [web.Remote].
func (t *remoteTracks) Track(ctx context.Context, uri string, fetch bool) (vocab.Track, error) {
	if fetch {
		return t.house.inbox.Track(ctx, uri)
	}
	o, err := outbox.ObjectByURI(ctx, t.house.db.Read, uri)
	if err != nil {
		return vocab.Track{}, err
	}
	return vocab.ReadTrack(o.Raw)
}

// Release implements [web.Remote].
func (t *remoteTracks) Release(ctx context.Context, uri string, kept bool) (vocab.Release, error) {
	return t.house.inbox.Release(ctx, uri, kept)
}

// Proposal implements [web.Remote].
func (t *remoteTracks) Proposal(ctx context.Context, uri string) (vocab.Proposal, error) {
	return t.house.inbox.Proposal(ctx, uri)
}

// files are the CIDs of the downloads of a track elsewhere.
func (t *remoteTracks) files(ctx context.Context, uri string) ([]string, error) {
	track, err := t.Track(ctx, uri, true)
	if err != nil {
		return nil, err
	}
	var cids []string
	for _, d := range track.Downloads {
		cids = append(cids, d.CID)
	}
	return cids, nil
}

// sealedFile is a download as a player is told of it: the own instance has it, or fetches it.
func sealedFile(format, cid string, size int64) play.Download {
	return play.Download{Format: format, CID: cid, URL: "/ipfs/" + cid, Size: size}
}

// Describe implements [play.Describer].
func (t *remoteTracks) Describe(ctx context.Context, uri string) (play.Track, error) {
	if t.house.actors.Own(uri) {
		return t.describeLocal(ctx, uri)
	}
	track, err := t.Track(ctx, uri, false)
	if err != nil {
		return play.Track{}, err
	}
	described := play.Track{
		URI: uri, Title: track.Name, Artist: track.AttributedTo, ArtistURL: "/artist?uri=" + url.QueryEscape(track.AttributedTo),
		URL: "/music?uri=" + url.QueryEscape(uri), Duration: track.Duration.Seconds(),
	}
	for _, d := range track.Downloads {
		described.Downloads = append(described.Downloads, sealedFile(d.Format, d.CID, d.Size))
	}
	if track.Cover.URL != "" {
		described.Cover = "/remote/cover?uri=" + url.QueryEscape(uri)
	}
	if artist, err := t.house.actors.Known(ctx, track.AttributedTo); err == nil {
		described.Artist = artist.Display
	}
	return described, nil
}

func (t *remoteTracks) describeLocal(ctx context.Context, uri string) (play.Track, error) {
	track, err := media.ByURI(ctx, t.house.db.Read, uri)
	if err != nil {
		return play.Track{}, err
	}
	artist, err := t.house.actors.Known(ctx, track.Artist)
	if err != nil {
		return play.Track{}, err
	}
	described := play.Track{
		URI: uri, Title: track.Title, Artist: artist.Display, ArtistURL: "/@" + artist.Name, URL: "/@" + artist.Name + "/" + track.Slug,
		Duration: track.Duration().Seconds(), Peaks: make([]int, len(track.Peaks)),
	}
	for i, peak := range track.Peaks {
		described.Peaks[i] = int(peak)
	}
	files, err := media.DownloadsOf(ctx, t.house.db.Read, track.ID)
	if err != nil {
		return play.Track{}, err
	}
	for _, f := range files {
		described.Downloads = append(described.Downloads, sealedFile(f.Format, f.CID, f.Size))
	}
	if track.Cover != "" {
		described.Cover = "/media/" + track.Cover
	}
	return described, nil
}
