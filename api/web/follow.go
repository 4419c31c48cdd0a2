package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"gorm.io/gorm"
)

// followAccepted is the state of a follow that the followed has agreed to.
const followAccepted = "accepted"

// FollowPage is GET /follow?uri=: where WebFinger's subscribe template leads a visitor who comes from another server.
// The follow box is filled, and nothing is followed before it is sent.
func (p *Pages) FollowPage(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	address := r.URL.Query().Get("uri")
	if len(address) > 500 {
		address = ""
	}
	return p.timeline(w, r, http.StatusOK, address, "")
}

// Follow is POST /follow: an address, or the link to an artist or to a track.
func (p *Pages) Follow(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	address := strings.TrimSpace(r.PostFormValue("address"))
	if address == "" || len(address) > 500 {
		return p.timeline(w, r, http.StatusUnprocessableEntity, address, "Write an address such as @ada@music.example, or a link.")
	}
	if page, ok := p.opens(r.Context(), address); ok {
		return seeOther(w, r, page)
	}
	actor, err := p.Follower.Follow(r.Context(), v.Account.Actor, strings.TrimPrefix(address, "@"))
	if fault := (*Fault)(nil); errors.As(err, &fault) {
		return p.timeline(w, r, fault.Status, address, fault.What+" "+fault.Do)
	}
	if err != nil {
		return fmt.Errorf("follow: %w", err)
	}
	who, err := p.actor(r.Context(), actor)
	if err != nil {
		return err
	}
	return seeOther(w, r, with(who.page(), "done", "following"))
}

// opens is the page of a track whose link was typed into the follow box.
func (p *Pages) opens(ctx context.Context, address string) (string, bool) {
	if !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://") {
		return "", false
	}
	if path, ok := strings.CutPrefix(address, p.BaseURL); ok && strings.HasPrefix(path, "/") && strings.Count(path, "/") > 1 && !strings.HasPrefix(path, "/users/") {
		return localPath(path), true
	}
	if p.Remote == nil {
		return "", false
	}
	if t, err := p.Remote.Track(ctx, address, true); err == nil {
		return remoteURL(t.ID), true
	}
	return "", false
}

// Unfollow is POST /unfollow.
func (p *Pages) Unfollow(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	who, err := p.actor(r.Context(), r.PostFormValue("address"))
	if err != nil {
		return err
	}
	if err := p.Follower.Unfollow(r.Context(), v.Account.Actor, who.URI); err != nil {
		return fmt.Errorf("unfollow: %w", err)
	}
	return seeOther(w, r, with(who.page(), "done", "unfollowed"))
}

type followRow struct {
	Follower string `gorm:"primaryKey"`
	Followed string `gorm:"primaryKey"`
	State    string
}

func (followRow) TableName() string { return "follows" }

// following tells whether the visitor follows the actor, or has asked to.
func (p *Pages) following(ctx context.Context, actor string) (yes, waiting bool, err error) {
	var f followRow
	err = p.DB.Read.WithContext(ctx).Where("follower = ? AND followed = ?", me(ctx), actor).Take(&f).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("read follow: %w", err)
	}
	return f.State == followAccepted, f.State == "pending", nil
}

// followers counts who follows the actor, as far as it is known here.
func (p *Pages) followers(ctx context.Context, actor string) (int, error) {
	var n int64
	err := p.DB.Read.WithContext(ctx).Model(&followRow{}).Where("followed = ? AND state = ?", actor, followAccepted).Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count followers: %w", err)
	}
	return int(n), nil
}

// with adds a value to the query of a path.
func with(path, name, value string) string {
	joint := "?"
	if strings.Contains(path, "?") {
		joint = "&"
	}
	return path + joint + name + "=" + url.QueryEscape(value)
}
