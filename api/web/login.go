package web

import (
	"net/http"
	"strings"

	"antiphon/api/auth"
	"antiphon/templates"
)

// LoginPage is GET /login.
func (p *Pages) LoginPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	to := localPath(q.Get("next"))
	if me(r.Context()) != "" {
		return seeOther(w, r, to)
	}
	if to == "/" {
		to = ""
	}
	return p.Render(w, http.StatusOK, &templates.Login{Layout: p.Layout(r), Name: p.Auth.LocalName(q.Get("name")), Next: to})
}

// loggedIn is the answer to a log-in: with it the browser unwraps the seed. The seed of a delegated account is not
// wrapped.
type loggedIn struct {
	Next    string       `json:"next"`
	Actor   string       `json:"actor"`
	Custody auth.Custody `json:"custody"`
	Wrapped auth.Secret  `json:"wrapped"`
	Version int64        `json:"version"`
}

// LogIn is POST /login.
func (p *Pages) LogIn(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Name string      `json:"name"`
		Auth auth.Secret `json:"auth"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	account, err := p.Auth.LogIn(r.Context(), in.Name, in.Auth, r.RemoteAddr)
	if err != nil {
		return err
	}
	out := loggedIn{Next: "/", Actor: account.Actor, Custody: account.Custody, Wrapped: account.WrappedSeed, Version: account.Version}
	if account.Custody == auth.Delegated {
		if out.Wrapped, err = p.Auth.Seed(account); err != nil {
			return err
		}
	}
	if err := p.enter(w, r, account); err != nil {
		return err
	}
	return writeJSON(w, out)
}

// LogOut is POST /logout.
func (p *Pages) LogOut(w http.ResponseWriter, r *http.Request) error {
	if v, ok := auth.FromContext(r.Context()); ok {
		if err := p.Auth.EndSession(r.Context(), v.Account.Actor, v.Session.ID); err != nil {
			return err
		}
	}
	p.Auth.ClearCookie(w)
	return seeOther(w, r, "/")
}

// localPath is a path of this site, or "/" for anything that leads elsewhere.
func localPath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") || len(path) > 2000 {
		return "/"
	}
	return path
}
