package main

import (
	"context"
	"errors"
	"fmt"
	"html"

	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/federation/actor"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/payments/purchase"
	"antiphon/payments/subscription"
)

// guests writes to people of other servers who want to buy here.
type guests struct{ house *house }

// Find implements [auth.Postman].
func (g guests) Find(ctx context.Context, address string) (auth.Stranger, error) {
	found, err := g.house.actors.Lookup(ctx, address)
	if errors.Is(err, actor.ErrNotFound) {
		return auth.Stranger{}, fmt.Errorf("%w: %w", auth.ErrStranger, err)
	}
	if err != nil {
		return auth.Stranger{}, err
	}
	verdict, err := g.house.hosts.JudgeActor(ctx, found.URI)
	if err == nil && verdict.Blocked {
		err = fmt.Errorf("%w: %s is suspended here", auth.ErrStranger, found.URI)
	}
	return auth.Stranger{Actor: found.URI, Handle: found.Handle(), Host: found.Host}, err
}

// Invite implements [auth.Postman]: the instance itself writes.
func (g guests) Invite(ctx context.Context, tx *gorm.DB, to auth.Stranger, i auth.Invitation) error {
	h := g.house
	track, err := media.ByURI(ctx, tx, i.Track)
	if err != nil {
		return err
	}
	artist, err := h.actors.Local(ctx, track.Artist)
	if err != nil {
		return err
	}
	known, err := h.actors.Known(ctx, to.Actor)
	if err != nil {
		return err
	}
	return h.outbox.Message(ctx, tx, h.actors.Instance(), known, invitation(h.config.Server.Name, known, track.Title, artist.Display, i))
}

// invitation is what a guest reads, as HTML: who asked, for what, and what to do if it was somebody else.
func invitation(site string, to actor.Actor, title, artist string, i auth.Invitation) string {
	e := html.EscapeString
	return fmt.Sprintf(`<p><span class="h-card"><a href="%s" class="u-url mention">@<span>%s</span></a></span> `+
		`Somebody who uses %s says to be you, and wants to buy “%s” by %s at %s.</p>`+
		`<p>If that is you, open this before %s: <a href="%s">%s</a></p>`+
		`<p>If it is not, nothing happens unless you open it; the same page lets you refuse all such messages for good. `+
		`We never ask for your password.</p>`,
		e(to.URL), e(to.Name), e(i.Agent), e(title), e(artist), e(site), i.Until.UTC().Format("15:04 MST"), e(i.Link), e(i.Link))
}

// handOn gives what a guest bought to the account that the guest becomes; it is an [auth.Heirs].
func handOn(ctx context.Context, tx *gorm.DB, guest, account string) error {
	return errors.Join(access.Inherit(ctx, tx, guest, account), purchase.Inherit(ctx, tx, guest, account), subscription.Inherit(ctx, tx, guest, account))
}
