package web

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/templates"
)

// Settings is GET /settings.
func (p *Pages) Settings(w http.ResponseWriter, r *http.Request) error {
	view, err := p.settings(r)
	if err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) settings(r *http.Request) (*templates.Settings, error) {
	v, err := visitor(r)
	if err != nil {
		return nil, err
	}
	who, err := p.actor(r.Context(), v.Account.Actor)
	if err != nil {
		return nil, err
	}
	sessions, err := p.Auth.Sessions(r.Context(), v.Account.Actor)
	if err != nil {
		return nil, err
	}
	view := &templates.Settings{
		Layout: p.Layout(r), ReceivingKey: who.ReceivingKey, RequestingKey: who.RequestingKey, Version: int(v.Account.Version),
		Bio: who.Summary, HasRecovery: len(v.Account.Recovery) > 0,
	}
	for _, s := range sessions {
		view.Sessions = append(view.Sessions, templates.Session{
			ID: s.ID, Agent: s.Agent, Since: s.CreatedAt, Last: s.SeenAt, Current: s.ID == v.Session.ID,
		})
	}
	if v.Account.Role != auth.Listener {
		if view.Proxies, err = p.proxies(r.Context(), v.Account.Actor); err != nil {
			return nil, err
		}
	}
	return view, nil
}

// SetProfile is POST /settings/profile.
func (p *Pages) SetProfile(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	profile := Profile{Display: strings.TrimSpace(r.PostFormValue("display")), Summary: strings.TrimSpace(r.PostFormValue("bio"))}
	if profile.Display == "" {
		profile.Display = v.Account.Name
	}
	if !auth.ValidDisplay(profile.Display) {
		return &auth.Refusal{Field: "display", Words: "The name that people read can have up to 80 characters, on one line."}
	}
	if n := utf8.RuneCountInString(profile.Summary); n > 2000 || !utf8.ValidString(profile.Summary) {
		return &auth.Refusal{Field: "bio", Words: "The words about you can have up to 2,000 characters."}
	}
	image, err := formFile(r, "avatar")
	if err != nil {
		return err
	}
	if len(image) > 0 {
		if profile.Icon, err = p.keepPicture(r, image); err != nil {
			return err
		}
	}
	if err := p.Profiles.SetProfile(r.Context(), v.Account.Actor, profile); err != nil {
		return fmt.Errorf("set profile: %w", err)
	}
	return seeOther(w, r, "/settings?done=saved")
}

// SetPassphrase is POST /settings/passphrase.
func (p *Pages) SetPassphrase(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	var c auth.PassphraseChange
	if err := readJSON(r, &c); err != nil {
		return err
	}
	if err := p.Auth.ChangePassphrase(r.Context(), v.Account.Actor, c, v.Session.ID); err != nil {
		return err
	}
	return writeJSON(w, next{"/settings?done=passphrase"})
}

// SetCustody is POST /settings/custody.
func (p *Pages) SetCustody(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	var c auth.CustodyChange
	if err := readJSON(r, &c); err != nil {
		return err
	}
	if err := p.Auth.SetCustody(r.Context(), v.Account.Actor, c); err != nil {
		return err
	}
	return writeJSON(w, next{"/settings?done=custody"})
}

// EndSession is POST /settings/sessions/{id}/end.
func (p *Pages) EndSession(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := p.Auth.EndSession(r.Context(), v.Account.Actor, mux.Vars(r)["id"]); err != nil {
		return err
	}
	return seeOther(w, r, "/settings?done=ended")
}

// EndSessions is POST /settings/sessions/end: it logs out everywhere, here as well.
func (p *Pages) EndSessions(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := p.Auth.EndSessions(r.Context(), v.Account.Actor, ""); err != nil {
		return err
	}
	p.Auth.ClearCookie(w)
	return seeOther(w, r, "/login")
}
