package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"antiphon/federation/actor"
	"antiphon/federation/fetch"
	"antiphon/federation/trade"
	"antiphon/internal/db"
	"antiphon/internal/httpx"
	"antiphon/media/access"
)

// peers are the other instances that grants have to do with: the buyer's, those that an artist chose or the admin
// trusts, and those that ask this one to be a proxy.
type peers struct {
	// actors and fetch are asked for when they are needed: both are joined after this.
	actors func() *actor.Registry
	fetch  func() *fetch.Fetcher
	http   *httpx.Client
	db     *db.DB
	// trusted are actors of instances; serve are hosts, or "*" or "known".
	trusted []string
	serve   []string
	log     *slog.Logger
}

// Proxies implements [access.Peers]. It asks nobody: payments are confirmed one after another, and a peer that hangs
// must not hold up those of others. Whom it names was met when the buyer offered.
func (p *peers) Proxies(ctx context.Context, chosen []string, buyer string) ([]access.Proxy, error) {
	uris := slices.Concat(chosen, p.trusted)
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
		proxies = append(proxies, proxyOf(instance))
	}
	return proxies, nil
}

func proxyOf(a actor.Actor) access.Proxy {
	return access.Proxy{Actor: a.URI, Reencrypt: a.Reencrypt, SealingKeyID: a.SealingKey.ID, SealingKey: a.SealingKey.PublicKey}
}

// homeOf is the actor of a buyer's own instance. Every Antiphon instance has it at the same place.
func homeOf(buyer string) string { return originOf(buyer) + "/actor" }

// Meet implements [access.Peers].
func (p *peers) Meet(ctx context.Context, chosen []string, buyer string) error {
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
	for _, uri := range slices.Concat(chosen, p.trusted) {
		// One that is away is left out of the grant, and no reason to sell nothing.
		if _, err := p.actors().Find(ctx, uri, false); err != nil {
			p.log.Warn("trusted proxy not met", "actor", uri, "error", err)
		}
	}
	return nil
}

// Trusts implements [access.Peers]. Hosts that the admin blocks do not come as far as this.
func (p *peers) Trusts(ctx context.Context, artist string) bool {
	host := actor.HostOf(artist)
	switch {
	case p.actors().Own(artist), slices.Contains(p.serve, "*"), slices.Contains(p.serve, host):
		return true
	case slices.Contains(p.serve, "known"):
		return p.knows(ctx, host)
	}
	return false
}

// knows reports whether somebody here follows an artist of a host, or has bought there.
func (p *peers) knows(ctx context.Context, host string) bool {
	var n int64
	err := p.db.Read.WithContext(ctx).Raw("SELECT (SELECT COUNT(*) FROM follows f JOIN actors a ON a.uri = f.followed JOIN actors me ON me.uri = f.follower"+
		" WHERE a.host = ? AND me.local AND f.state = 'accepted') + (SELECT COUNT(*) FROM grants_held g JOIN actors a ON a.uri = g.artist WHERE a.host = ?)",
		host, host).Scan(&n).Error
	if err != nil {
		p.log.Error("known hosts not read", "error", err)
	}
	return n > 0
}

// Find implements [access.Peers].
func (p *peers) Find(ctx context.Context, instance string) (access.Proxy, error) {
	uri := instance
	if !strings.Contains(uri, "://") {
		scheme, _, _ := strings.Cut(p.actors().Instance(), "://")
		uri = scheme + "://" + strings.Trim(uri, "/") + "/actor"
	}
	if u, err := url.Parse(uri); err == nil && (u.Path == "" || u.Path == "/") {
		uri = u.Scheme + "://" + u.Host + "/actor"
	}
	found, err := p.actors().Find(ctx, uri, false)
	if err != nil {
		p.log.Info("proxy not found", "actor", uri, "error", err)
		return access.Proxy{}, &access.Refusal{Code: "unknown", Words: "There is no Antiphon instance at this address, or it does not answer."}
	}
	if found.SealingKey == nil || found.Reencrypt == "" {
		return access.Proxy{}, &access.Refusal{Code: "no-proxy", Words: "This server does not keep keys for others."}
	}
	return proxyOf(found), nil
}

// Probe implements [access.Peers]: every proxy answers OPTIONS, and no key is needed for it.
func (p *peers) Probe(ctx context.Context, proxy access.Proxy) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodOptions, proxy.Reencrypt, nil)
	if err != nil {
		return err
	}
	resp, err := p.http.Do(ctx, req, 4<<10)
	if err != nil {
		return err
	}
	if resp.Status >= http.StatusInternalServerError || resp.Status == http.StatusNotFound {
		return fmt.Errorf("OPTIONS %s: status %d", proxy.Reencrypt, resp.Status)
	}
	return nil
}

// Revocations implements [access.Peers].
func (p *peers) Revocations(ctx context.Context, seller, after string) ([]access.Revocation, error) {
	body, err := p.fetch().JSON(ctx, seller+trade.RevocationsPath+"?"+url.Values{"after": {after}}.Encode())
	if err != nil {
		return nil, err
	}
	return access.ParseRevocations(seller, body)
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
