package web

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/media"
	"antiphon/templates"
)

// GuestPage is GET /guest?track=: where somebody without an account here says who they are elsewhere.
func (p *Pages) GuestPage(w http.ResponseWriter, r *http.Request) error {
	view, err := p.guestView(r, r.URL.Query().Get("track"))
	if err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// AskGuest is POST /guest: a link goes to the account that is named.
func (p *Pages) AskGuest(w http.ResponseWriter, r *http.Request) error {
	view, err := p.guestView(r, r.PostFormValue("track"))
	if err != nil {
		return err
	}
	view.Handle = strings.TrimSpace(r.PostFormValue("handle"))
	to, err := p.Auth.AskGuest(r.Context(), view.Handle, view.Track.URI, r.UserAgent(), r.RemoteAddr)
	if refusal := (*auth.Refusal)(nil); errors.As(err, &refusal) {
		view.Error = refusal.Words
		return p.Render(w, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	view.SentTo = "@" + to.Handle
	return p.Render(w, http.StatusOK, view)
}

// guestView is the page on which a guest begins, about a track that is for sale here.
func (p *Pages) guestView(r *http.Request, track string) (*templates.Guest, error) {
	t, artist, err := p.local(r.Context(), track)
	if err != nil {
		return nil, err
	}
	view := &templates.Guest{Layout: p.Layout(r), Host: p.host}
	view.NoIndex = true
	if view.Track, err = p.localTrack(r.Context(), t, artist, nil, listBars); err != nil {
		return nil, err
	}
	if view.Track.BuyURL == "" {
		return nil, errNotForSale
	}
	return view, nil
}

// GuestLinkPage is GET /guest/{token}. Looking uses nothing up, because servers and apps look at links as well.
func (p *Pages) GuestLinkPage(w http.ResponseWriter, r *http.Request) error {
	token := mux.Vars(r)["token"]
	view := &templates.GuestLink{Layout: p.Layout(r), Host: p.host, Action: "/guest/" + token}
	view.NoIndex, view.Path = true, "/guest"
	v, err := p.Auth.GuestLink(r.Context(), token)
	if errors.Is(err, auth.ErrLink) {
		view.Gone = true
		return p.Render(w, http.StatusGone, view)
	}
	if err != nil {
		return err
	}
	view.Handle = "@" + v.Handle
	if t, err := media.ByURI(r.Context(), p.DB.Read, v.Track); err == nil {
		view.Title = t.Title
	}
	return p.Render(w, http.StatusOK, view)
}

// EnterGuest is POST /guest/{token}: it uses the link up and lets the guest in.
func (p *Pages) EnterGuest(w http.ResponseWriter, r *http.Request) error {
	v, err := p.Auth.EnterGuest(r.Context(), mux.Vars(r)["token"])
	if err != nil {
		return err
	}
	if v.Account != "" {
		return seeOther(w, r, "/login?next="+url.QueryEscape(buyURL(v.Track)))
	}
	token, err := p.Auth.OpenSession(r.Context(), v.Actor, r.UserAgent())
	if err != nil {
		return err
	}
	p.Auth.SetCookie(w, token)
	return seeOther(w, r, "/guest/keys?track="+url.QueryEscape(v.Track))
}

// RefuseGuest is POST /guest/{token}/refuse: nothing is sent to that account any more.
func (p *Pages) RefuseGuest(w http.ResponseWriter, r *http.Request) error {
	if err := p.Auth.RefuseGuest(r.Context(), mux.Vars(r)["token"]); err != nil {
		return err
	}
	view := &templates.GuestLink{Layout: p.Layout(r), Host: p.host, Refused: true}
	view.NoIndex, view.Path = true, "/guest"
	return p.Render(w, http.StatusOK, view)
}

// asGuest is the guest who makes the request, or [ErrLogin].
func asGuest(r *http.Request) (auth.Visitor, error) {
	v, err := visitor(r)
	if err == nil && v.Account.Role != auth.Guest {
		return v, ErrNotFound
	}
	return v, err
}

// GuestKeysPage is GET /guest/keys?track=: the browser makes the guest's keys, or opens those that were made elsewhere.
func (p *Pages) GuestKeysPage(w http.ResponseWriter, r *http.Request) error {
	v, err := asGuest(r)
	if err != nil {
		return err
	}
	keys, err := p.Auth.KeysOfGuest(r.Context(), v.Account.Actor)
	if err != nil {
		return err
	}
	view := &templates.GuestKeys{
		Layout: p.Layout(r), Host: p.host, ReceivingKey: keys.ReceivingKey, Recovery: base64.RawURLEncoding.EncodeToString(keys.Recovery), Next: "/library",
	}
	view.NoIndex = true
	if track := r.URL.Query().Get("track"); strings.HasPrefix(track, p.BaseURL+"/") {
		view.Next = buyURL(track)
	}
	return p.Render(w, http.StatusOK, view)
}

// SetGuestKeys is POST /guest/keys.
func (p *Pages) SetGuestKeys(w http.ResponseWriter, r *http.Request) error {
	v, err := asGuest(r)
	if err != nil {
		return err
	}
	var keys auth.GuestKeys
	if err := readJSON(r, &keys); err != nil {
		return err
	}
	if err := p.Auth.SetGuestKeys(r.Context(), v.Account.Actor, keys); err != nil {
		return err
	}
	return writeJSON(w, next{"/library"})
}

// listenerKeys are the keys that the visitor buys with; those of a guest are published nowhere.
func (p *Pages) listenerKeys(r *http.Request, v auth.Visitor) (receiving, requesting string, err error) {
	if v.Account.Role == auth.Guest {
		keys, err := p.Auth.KeysOfGuest(r.Context(), v.Account.Actor)
		return keys.ReceivingKey, keys.RequestingKey, err
	}
	who, err := p.actor(r.Context(), v.Account.Actor)
	return who.ReceivingKey, who.RequestingKey, err
}

// guest reports whether who makes the request has no account here.
func guest(ctx context.Context) bool {
	v, ok := auth.FromContext(ctx)
	return ok && v.Account.Role == auth.Guest
}
