package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/internal/httpx"
	"antiphon/media/access"
)

// peers are the instances that may hold a fragment of a grant: the buyer's, and those that the admin trusts.
type peers struct {
	// actors is asked for when it is needed: the registry is joined after this.
	actors  func() *actor.Registry
	trusted []string
	serve   []string
	log     *slog.Logger
}

// Proxies implements [access.Peers]. It asks nobody: payments are confirmed one after another, and a peer that hangs
// must not hold up those of others. Whom it names was met when the buyer offered.
func (p *peers) Proxies(ctx context.Context, _, buyer string) ([]access.Proxy, error) {
	uris := p.trusted
	if who, err := p.actors().Known(ctx, buyer); err == nil && who.Music {
		uris = append([]string{homeOf(buyer)}, uris...)
	}
	var proxies []access.Proxy
	for i, uri := range uris {
		if slices.Contains(uris[:i], uri) || uri == p.actors().Instance() {
			continue
		}
		instance, err := p.actors().Known(ctx, uri)
		if err != nil || instance.SealingKey == nil || instance.Reencrypt == "" {
			p.log.Warn("not a proxy", "actor", uri, "error", err)
			continue
		}
		proxies = append(proxies, access.Proxy{
			Actor: uri, Reencrypt: instance.Reencrypt, SealingKeyID: instance.SealingKey.ID, SealingKey: instance.SealingKey.PublicKey,
		})
	}
	return proxies, nil
}

// homeOf is the actor of a buyer's own instance. Every Antiphon instance has it at the same place.
func homeOf(buyer string) string { return originOf(buyer) + "/actor" }

// Meet implements [access.Peers].
func (p *peers) Meet(ctx context.Context, buyer string) error {
	who, err := p.actors().Find(ctx, buyer, false)
	if err != nil {
		return err
	}
	if who.Music && !p.actors().Own(buyer) {
		_, err := p.actors().Find(ctx, homeOf(buyer), false)
		// Other software that only reads our terms has no such actor, and is no proxy.
		none := errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrNotActivity) || errors.Is(err, fetch.ErrGone)
		if err != nil && !none {
			return err
		}
	}
	for _, uri := range p.trusted {
		// One that is away is left out of the grant, and no reason to sell nothing.
		if _, err := p.actors().Find(ctx, uri, false); err != nil {
			p.log.Warn("trusted proxy not met", "actor", uri, "error", err)
		}
	}
	return nil
}

// Trusts implements [access.Peers].
func (p *peers) Trusts(_ context.Context, artist string) bool {
	return p.actors().Own(artist) || slices.Contains(p.serve, "*") || slices.Contains(p.serve, actor.HostOf(artist))
}

func originOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// fetcher gets sealed blocks from where they were published.
type fetcher struct{ http *httpx.Client }

// Block implements [access.Fetcher].
func (f fetcher) Block(ctx context.Context, address string, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.http.Do(ctx, req, limit)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", address, resp.Status)
	}
	return resp.Body, nil
}
