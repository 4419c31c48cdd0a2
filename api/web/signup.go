package web

import (
	"net/http"

	"antiphon/api/auth"
	"antiphon/templates"
)

// SignupPage is GET /signup.
func (p *Pages) SignupPage(w http.ResponseWriter, r *http.Request) error {
	if me(r.Context()) != "" && !guest(r.Context()) {
		return seeOther(w, r, "/")
	}
	invite := r.URL.Query().Get("invite")
	view := &templates.Signup{
		Layout: p.Layout(r), Host: p.host, Invite: invite, InviteNeeded: !p.Auth.Open(), Closed: !p.Auth.Open() && invite == "", Rules: p.Rules,
		Approval: p.Auth.Approval() && invite == "", Waiting: r.URL.Query().Has("waiting"),
	}
	if guest(r.Context()) {
		// Who has bought here may stay.
		view.Guest, view.InviteNeeded, view.Closed, view.Approval = view.User.Display, false, false, false
	}
	return p.Render(w, http.StatusOK, view)
}

// SignUp is POST /signup: it makes the account and logs it in.
func (p *Pages) SignUp(w http.ResponseWriter, r *http.Request) error {
	var a auth.Application
	if err := readJSON(r, &a); err != nil {
		return err
	}
	if guest(r.Context()) {
		a.Guest = me(r.Context())
	}
	account, err := p.Auth.SignUp(r.Context(), a, r.RemoteAddr)
	if err != nil {
		return err
	}
	if account.State == auth.Pending {
		return writeJSON(w, next{"/signup?waiting"})
	}
	if err := p.enter(w, r, account); err != nil {
		return err
	}
	return writeJSON(w, next{"/"})
}

// enter opens a session for the account and gives its cookie to the browser.
func (p *Pages) enter(w http.ResponseWriter, r *http.Request, account auth.Account) error {
	token, err := p.Auth.OpenSession(r.Context(), account.Actor, r.UserAgent())
	if err != nil {
		return err
	}
	p.Auth.SetCookie(w, token)
	return nil
}
