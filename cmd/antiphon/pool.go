package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/federation/trade"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/payments/pool"
	"antiphon/payments/pseudonym"
)

// openPool joins the listening pool, if there is one. Pseudonyms are made without it too: what was reported stays so.
func (h *house) openPool() error {
	h.pseudonyms = pseudonym.New(pseudonym.Parts{DB: h.db, Jobs: h.jobs, Vault: h.vault, Now: time.Now, Rand: rand.Reader})
	h.pseudonyms.Register(h.jobs)
	if !h.config.Pool.Enabled {
		return nil
	}
	asset, err := amount.ParseAsset(h.config.Pool.Asset)
	if err != nil {
		return fmt.Errorf("pool.asset: %w", err)
	}
	h.pool, err = pool.New(pool.Config{
		BaseURL: h.config.Server.BaseURL, Host: h.config.host(), Caller: h.config.host() + "/ledger", Asset: asset, Peers: h.config.Pool.Instances,
	}, pool.Parts{
		DB: h.db, Jobs: h.jobs, Orders: h.orders, Ledger: h.forward.Book(), Pseudonyms: h.pseudonyms,
		Tell: tellMember, Records: trade.PoolLedgers(h.config.Server.BaseURL, h.fetch.JSON), Log: h.log, Now: time.Now,
	})
	if err != nil {
		return err
	}
	h.orders.Collect(h.pool)
	h.pool.Register(h.jobs)
	return nil
}

// tellMember tells a member of the pool something, inside tx.
func tellMember(ctx context.Context, tx *gorm.DB, listener, words string) error {
	return moderation.Tell(ctx, tx, listener, moderation.TidingPool, "", words, time.Now())
}

// poolTrade is the pool's part of trade; nil where there is no pool.
func (h *house) poolTrade() (*trade.PoolParts, error) {
	if h.pool == nil {
		return nil, nil
	}
	key, err := h.ledgerKey()
	return &trade.PoolParts{Pool: h.pool, Tracks: h.pooledBy, Ledger: h.ledger, LedgerKey: key}, err
}

// pooledBy are the published tracks that a local artist has put into the pool, the latest first.
func (h *house) pooledBy(ctx context.Context, artist string) ([]string, error) {
	var tracks []string
	err := h.db.Read.WithContext(ctx).Model(&media.Track{}).Where("artist = ? AND state = ? AND pooled", artist, media.Published).
		Where("EXISTS (SELECT 1 FROM products p WHERE p.track = tracks.uri)").Order("published_at DESC, uri").Limit(poolTracks).Pluck("uri", &tracks).Error
	if err != nil {
		return nil, fmt.Errorf("read pool of %s: %w", artist, err)
	}
	return tracks, nil
}

// poolTracks bounds what one artist has in the pool at a time.
const poolTracks = 500

// tendPool does what the pool asks for until ctx ends.
func (h *house) tendPool(ctx context.Context) {
	if h.pool != nil {
		h.pool.Tend(ctx)
	}
}

// lender opens tracks of the pool for those who have paid for this month.
type lender struct{ house *house }

// How long a player waits for the grant of an artist whom its user has not heard this month, and how often it looks.
const (
	lendWait = 10 * time.Second
	lendLook = 100 * time.Millisecond
)

// Lends reports whether a member could play a track as one of the pool.
func (l lender) Lends(ctx context.Context, listener, track string) (bool, error) {
	h := l.house
	if listener == "" || !h.actors.Own(listener) || !h.pool.Shares(actor.HostOf(track)) {
		return false, nil
	}
	in, err := h.pooled(ctx, track)
	if err != nil || !in {
		return false, err
	}
	return h.pool.IsMember(ctx, listener)
}

// Lend implements [play.Pool].
func (l lender) Lend(ctx context.Context, listener, track string) error {
	h := l.house
	in, err := h.pooled(ctx, track)
	if err != nil {
		return err
	}
	if !in || !h.actors.Own(listener) || !h.pool.Shares(actor.HostOf(track)) {
		return fmt.Errorf("%w: of %s", access.ErrUnknownGrant, track)
	}
	artist, err := h.artistOf(ctx, track)
	if err != nil {
		return err
	}
	receiving, requesting, err := h.listenerKeys(ctx, listener)
	if err != nil {
		return err
	}
	q, err := h.pool.Ask(ctx, listener, artist, receiving, requesting)
	if refused := (*pool.Refusal)(nil); errors.As(err, &refused) {
		return &access.Refusal{Code: refused.Code, Words: refused.Words}
	}
	if err != nil {
		return err
	}
	wait, done := context.WithTimeout(ctx, lendWait)
	defer done()
	tick := time.NewTicker(lendLook)
	defer tick.Stop()
	for q.State == pool.AskWaiting {
		select {
		case <-wait.Done():
			return &access.Refusal{Code: "asking", Words: "The artist's server is being asked for this track. Try again in a moment."}
		case <-tick.C:
		}
		if q, err = h.pool.QuestionOf(ctx, listener, artist, q.Month); err != nil {
			return err
		}
	}
	if q.State == pool.AskRefused {
		return &access.Refusal{Code: q.Code, Words: q.Words}
	}
	return nil
}

// artistOf is whose track it is.
func (h *house) artistOf(ctx context.Context, track string) (string, error) {
	if h.actors.Own(track) {
		t, err := media.ByURI(ctx, h.db.Read, track)
		return t.Artist, err
	}
	t, err := (&remoteTracks{house: h}).Track(ctx, track, false)
	return t.AttributedTo, err
}
