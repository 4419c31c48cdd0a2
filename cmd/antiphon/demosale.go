package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func (d *demo) startNetwork(ctx context.Context, made map[string]any) error {
	d.network = newNetwork(d.dir)
	d.network.binary = d.binary
	err := d.network.open(ctx)
	made["asset"], made["nodes"] = d.network.Asset, len(d.network.Nodes)
	return err
}

func (d *demo) startInstances(ctx context.Context, made map[string]any) error {
	var err error
	if d.proxy, err = d.newInstance("proxy"); err != nil {
		return err
	}
	asset := "ANTIPHON_RAIDEN_ASSET=" + d.network.Asset
	engine, cache := "ANTIPHON_MEDIA_ENGINE="+d.engine, "ANTIPHON_MEDIA_CACHE_DIR="+d.cache
	d.artists, err = d.newInstance("artists", asset, engine, cache, "ANTIPHON_RAIDEN_URL="+d.network.Nodes["artist"],
		"ANTIPHON_GRANTS_PROXIES="+d.proxy.base+"/actor")
	if err != nil {
		return err
	}
	if d.home, err = d.newInstance("home", asset, engine, cache, "ANTIPHON_RAIDEN_URL="+d.network.Nodes["listener"]); err != nil {
		return err
	}
	if d.pool {
		d.artists.shares(d.network.Asset, d.home)
		d.home.shares(d.network.Asset, d.artists)
	}
	for _, i := range []*instance{d.artists, d.home, d.proxy} {
		if err := i.open(ctx); err != nil {
			return err
		}
		if err := i.firstInvite(ctx); err != nil {
			return err
		}
		made[i.name] = i.base
	}
	return nil
}

// shares joins an instance that has not started to a listening pool with another one.
func (i *instance) shares(asset string, with *instance) {
	i.env = append(i.env, "ANTIPHON_POOL_ENABLED=true", "ANTIPHON_POOL_ASSET="+asset, "ANTIPHON_POOL_INSTANCES="+host(with.base))
}

func (d *demo) newInstance(name string, settings ...string) (*instance, error) {
	i, err := newInstance(d.dir, name, append(settings, d.settings...)...)
	if err != nil {
		return nil, err
	}
	i.binary = d.binary
	if d.front != nil {
		d.front(i)
	}
	return i, nil
}

func (d *demo) signUp(ctx context.Context, made map[string]any) error {
	for _, person := range []struct {
		user          **user
		at            *instance
		name, display string
	}{{&d.ada, d.artists, "ada", "Ada"}, {&d.lin, d.home, "lin", "Lin"}} {
		if err := signUp(ctx, person.user, person.at, person.name, person.display); err != nil {
			return err
		}
	}
	made["artist"], made["listener"] = d.ada.actor, d.lin.actor
	return nil
}

// signUp makes an account with an instance's invitation, unless an earlier try, whose answer was lost, has made it.
func signUp(ctx context.Context, u **user, at *instance, name, display string) error {
	var err error
	if *u == nil {
		if *u, err = newUser(at.base, name); err != nil {
			return err
		}
	} else if err = (*u).logIn(ctx); !isStatus(err, http.StatusUnauthorized) {
		return err
	}
	if at.invite == "" {
		if err := at.firstInvite(ctx); err != nil {
			return err
		}
	}
	return (*u).signUp(ctx, display, at.invite)
}

func (d *demo) follow(ctx context.Context, _ map[string]any) error {
	if _, err := d.lin.postForm(ctx, "/follow", url.Values{"address": {"@ada@" + host(d.artists.base)}}); err != nil {
		return err
	}
	return every(ctx, 50*time.Millisecond, func() (bool, error) {
		var followers struct {
			TotalItems int `json:"totalItems"`
		}
		err := getActivity(ctx, d.ada.actor+"/followers", &followers)
		return followers.TotalItems > 0, err
	})
}

func (d *demo) upload(ctx context.Context, made map[string]any) error {
	info, err := os.Stat(d.audio)
	if err != nil {
		return err
	}
	made["bytes"] = info.Size()
	d.draft, err = d.ada.upload(ctx, d.audio)
	return err
}

func (d *demo) waitReady(ctx context.Context, _ map[string]any) error {
	return d.ada.ready(ctx, d.draft)
}

func (d *demo) publish(ctx context.Context, made map[string]any) error {
	d.track = d.artists.base + "/tracks/" + filepath.Base(d.draft)
	made["track"] = d.track
	_, err := d.ada.postForm(ctx, d.draft, url.Values{
		"title": {"Antiphon"}, "price": {"5.00"}, "asset": {d.network.Asset}, "action": {"publish"},
	})
	return err
}

func (d *demo) waitAnnounced(ctx context.Context, _ map[string]any) error {
	return every(ctx, 50*time.Millisecond, func() (bool, error) {
		page, err := d.lin.get(ctx, "/")
		return strings.Contains(string(page), d.track) || strings.Contains(string(page), url.QueryEscape(d.track)), err
	})
}

func (d *demo) offer(ctx context.Context, made map[string]any) error {
	resp, err := d.lin.postForm(ctx, "/buy", url.Values{"track": {d.track}})
	if err != nil {
		return err
	}
	d.order = strings.TrimSuffix(resp.Request.URL.Path, "/")
	made["order"] = d.order
	return d.lin.until(ctx, d.order, "waiting", "paid", "granted", "yours")
}

func (d *demo) pay(ctx context.Context, _ map[string]any) error {
	_, err := d.lin.postForm(ctx, d.order+"/pay", nil)
	return err
}

func (d *demo) waitGranted(ctx context.Context, made map[string]any) error {
	if err := d.lin.until(ctx, d.order, "yours"); err != nil {
		return err
	}
	g, err := d.lin.grant(ctx, d.track)
	if err != nil {
		return err
	}
	d.master = g.Master
	var grant struct{ ID, Receipt string }
	err = json.Unmarshal(g.Grant, &grant)
	made["manifest"], made["grant"], made["receipt"] = filepath.Base(g.Master), grant.ID, grant.Receipt
	return err
}

// until waits for one of the states that a page which moves by itself asks for.
func (u *user) until(ctx context.Context, page string, states ...string) error {
	return every(ctx, 25*time.Millisecond, func() (bool, error) {
		var p struct{ State, Words, Next string }
		if err := u.getJSON(ctx, page+"/state", &p); err != nil {
			return false, err
		}
		if p.State == "rejected" {
			return false, errors.New(p.Words)
		}
		return slices.Contains(states, p.State), nil
	})
}

func host(base string) string {
	_, h, _ := strings.Cut(base, "://")
	return h
}
