package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// release puts both tracks on a release that has a price of its own.
func (d *demo) release(ctx context.Context, made map[string]any) error {
	resp, err := d.ada.postForm(ctx, "/releases/new", url.Values{
		"title": {"Call and Response"}, "kind": {"ep"}, "price": {"6.00"}, "asset": {d.network.Asset}, "action": {"publish"},
		"at-" + filepath.Base(d.track): {"1"}, "at-" + filepath.Base(d.second): {"2"},
	})
	if err != nil {
		return err
	}
	d.album = d.artists.base + resp.Request.URL.Path
	made["release"], made["price"], made["tracks"] = d.album, "6.00", 2
	return nil
}

// buyRelease buys it with the instance's own node, and opens the track that was not bought before.
func (d *demo) buyRelease(ctx context.Context, made map[string]any) error {
	if _, err := d.lin.get(ctx, "/release?uri="+url.QueryEscape(d.album)); err != nil {
		return err
	}
	resp, err := d.lin.postForm(ctx, "/buy?release="+url.QueryEscape(d.album), nil)
	if err != nil {
		return err
	}
	order := resp.Request.URL.Path
	if err := d.lin.until(ctx, order, "waiting", "paid", "granted", "yours"); err != nil {
		return err
	}
	if _, err := d.lin.postForm(ctx, order+"/pay", nil); err != nil {
		return err
	}
	if err := d.lin.until(ctx, order, "yours"); err != nil {
		return err
	}
	g, err := d.lin.grant(ctx, d.second)
	if err != nil {
		return err
	}
	grant, key, err := d.lin.open(ctx, g, d.second)
	if err != nil {
		return err
	}
	if grant.EndTime != nil || len(grant.Items) != 2 || key != d.lentKey {
		return fmt.Errorf("a release of 2 tracks is granted as %d items, until %v", len(grant.Items), grant.EndTime)
	}
	made["tracks"], made["threshold"] = len(grant.Items), threshold(grant)
	return nil
}

var (
	inviteValue = regexp.MustCompile(`signup\?invite=([A-Za-z0-9_-]+)`)
	tierValue   = regexp.MustCompile(`/subscribe\?tier=([^"&]+)`)
	seenValue   = regexp.MustCompile(`name="seen" value="([0-9]+)"`)
)

// find is the first match of a pattern on a user's page.
func (u *user) find(ctx context.Context, page string, pattern *regexp.Regexp) (string, error) {
	text, err := u.get(ctx, page)
	if err != nil {
		return "", err
	}
	found := pattern.FindSubmatch(text)
	if found == nil {
		return "", fmt.Errorf("%s does not show what is looked for there", page)
	}
	return string(found[1]), nil
}

// invite makes an invitation to the listener's instance, whose admin the first listener is. It is shown once.
func (d *demo) invite(ctx context.Context) (string, error) {
	resp, err := d.lin.postForm(ctx, "/admin/invites", nil)
	if err != nil {
		return "", err
	}
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	found := inviteValue.FindSubmatch(page)
	if found == nil {
		return "", errors.New("the admin's page shows no invitation")
	}
	return string(found[1]), nil
}

// subscribe lets a second listener, who has an invitation and a wallet, subscribe to all that the artist makes, by the
// month; the first track opens without having been bought.
func (d *demo) subscribe(ctx context.Context, made map[string]any) error {
	if _, err := d.ada.postForm(ctx, "/studio/tiers", url.Values{
		"name": {"Engine Room"}, "price": {"5.00"}, "asset": {d.network.Asset}, "whole": {"1"}, "open": {"1"},
	}); err != nil {
		return err
	}
	invite, err := d.invite(ctx)
	if err != nil {
		return err
	}
	if d.max, err = newUser(d.home.base, "max"); err != nil {
		return err
	}
	if err := d.max.signUp(ctx, "Max", invite); err != nil {
		return err
	}
	tier, err := d.max.find(ctx, "/tiers?artist="+url.QueryEscape(d.ada.actor), tierValue)
	if err != nil {
		return err
	}
	page := "/subscribe?tier=" + tier
	seen, err := d.max.find(ctx, page, seenValue)
	if err != nil {
		return err
	}
	resp, err := d.max.postForm(ctx, page, url.Values{"seen": {seen}})
	if err != nil {
		return err
	}
	order := resp.Request.URL.Path
	if !strings.HasPrefix(order, "/purchases/") {
		return fmt.Errorf("subscribing leads to %s", order)
	}
	if err := d.max.until(ctx, order, "waiting"); err != nil {
		return err
	}
	// What is left of the month is paid for.
	paid, err := d.payByWallet(ctx, d.max, order)
	if err != nil {
		return err
	}
	if err := d.max.until(ctx, order, "yours"); err != nil {
		return err
	}
	g, err := d.max.grant(ctx, d.track)
	if err != nil {
		return err
	}
	grant, key, err := d.max.open(ctx, g, d.track)
	if err != nil {
		return err
	}
	if grant.EndTime == nil || key != d.key {
		return errors.New("a month does not end, or opens to another key")
	}
	made["paid"], made["price"], made["until"] = paid.Decimal(6), "5.00", grant.EndTime.Format(time.DateOnly)
	return nil
}
