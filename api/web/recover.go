package web

import (
	"encoding/base64"
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/templates"
)

// RecoverPage is GET /recover/{token}; looking uses nothing up.
func (p *Pages) RecoverPage(w http.ResponseWriter, r *http.Request) error {
	token := mux.Vars(r)["token"]
	view := &templates.Recover{Layout: p.Layout(r), Token: token}
	view.NoIndex, view.Path = true, "/recover"
	account, err := p.Auth.Recoverable(r.Context(), token)
	if errors.Is(err, auth.ErrLink) {
		view.Gone = true
		return p.Render(w, http.StatusGone, view)
	}
	if err != nil {
		return err
	}
	view.Name, view.Actor, view.Custody, view.Version = account.Name, account.Actor, templates.Custody(account.Custody), int(account.Version)
	view.Recovery = base64.RawURLEncoding.EncodeToString(account.Recovery)
	return p.Render(w, http.StatusOK, view)
}

// Recover is POST /recover/{token}: it sets the new passphrase and logs in.
func (p *Pages) Recover(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Auth    auth.Secret `json:"auth"`
		Wrapped auth.Secret `json:"wrapped"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	account, err := p.Auth.Recover(r.Context(), mux.Vars(r)["token"], in.Auth, in.Wrapped)
	if err != nil {
		return err
	}
	if err := p.enter(w, r, account); err != nil {
		return err
	}
	return writeJSON(w, next{"/"})
}
