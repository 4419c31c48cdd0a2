package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/federation/account"
	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/media/listen"
	"antiphon/payments"
	"antiphon/templates"
)

// Whole is GET /settings/account: moving, taking along, leaving.
func (p *Pages) Whole(w http.ResponseWriter, r *http.Request) error {
	return p.whole(w, r, http.StatusOK, "", "", "")
}

// whole draws the page; wrong names the form whose input typed is not right, and why.
func (p *Pages) whole(w http.ResponseWriter, r *http.Request, status int, wrong, typed, why string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx, me := r.Context(), v.Account.Actor
	who, err := p.Members.Actors.Local(ctx, me)
	if err != nil {
		return err
	}
	view := &templates.Whole{Layout: p.Layout(r), Wrong: wrong, Typed: typed, Error: why}
	view.Path, view.NoIndex = "/settings/account", true
	aliases := make([]string, len(who.AlsoKnownAs))
	for i, uri := range who.AlsoKnownAs {
		aliases[i] = p.nameOf(ctx, uri)
	}
	view.Aliases = strings.Join(aliases, "\n")
	if who.MovedTo != "" {
		view.MovedTo, view.MovedToURL = p.nameOf(ctx, who.MovedTo), webURL(who.MovedTo)
	}
	archives, err := p.Members.Archives(ctx, me)
	if err != nil {
		return err
	}
	for _, a := range archives {
		view.Archives = append(view.Archives, templates.Archive{
			State: a.State, URL: "/settings/account/archive/" + a.ID, Size: a.Size, Done: int(a.Done), Total: int(a.Total), Made: a.CreatedAt, Until: a.Expires(),
		})
	}
	imports, err := p.Members.Imports(ctx, me)
	if err != nil {
		return err
	}
	for _, i := range imports {
		one := templates.Import{When: i.CreatedAt, Total: int(i.Total), Followed: int(i.Followed), Missed: int(i.Missed), Waiting: int(i.Waiting())}
		for _, line := range i.Failed {
			one.Failed = append(one.Failed, templates.ImportLine{Address: line.Address, Why: line.Words})
		}
		view.Imports = append(view.Imports, one)
	}
	owned, err := p.owned(ctx)
	if err != nil {
		return err
	}
	view.Owned = len(owned)
	if view.Sold, err = p.sold(ctx, me); err != nil {
		return err
	}
	return p.Render(w, status, view)
}

// sold counts the products of an artist that somebody has bought.
func (p *Pages) sold(ctx context.Context, artist string) (int, error) {
	var n int64
	err := p.DB.Read.WithContext(ctx).Model(&payments.Order{}).
		Where("artist = ? AND state IN ?", artist, []payments.State{payments.Paid, payments.Granted, payments.Delivered}).
		Distinct("product").Count(&n).Error
	if err != nil {
		return 0, fmt.Errorf("count sold products: %w", err)
	}
	return int(n), nil
}

// SetAliases is POST /settings/account/aliases.
func (p *Pages) SetAliases(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	typed := r.PostFormValue("aliases")
	err = p.Members.SetAliases(r.Context(), v.Account.Actor, strings.FieldsFunc(typed, func(c rune) bool { return c == '\n' || c == '\r' || c == ',' }))
	switch {
	case errors.Is(err, account.ErrAliases):
		return p.whole(w, r, http.StatusUnprocessableEntity, "aliases", typed, "At most five accounts, please.")
	case errors.Is(err, actor.ErrNotFound):
		return p.whole(w, r, http.StatusUnprocessableEntity, "aliases", typed, "One of these accounts was not found. Check the spelling.")
	case err != nil:
		return err
	}
	return seeOther(w, r, "/settings/account?done=saved")
}

// MoveAway is POST /settings/account/move.
func (p *Pages) MoveAway(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	typed, why := strings.TrimSpace(r.PostFormValue("target")), ""
	_, err = p.Members.Move(r.Context(), v.Account.Actor, typed)
	switch {
	case err == nil:
		return seeOther(w, r, "/settings/account?done=moved")
	case errors.Is(err, actor.ErrNotFound):
		why = "This account was not found. Check the spelling."
	case errors.Is(err, account.ErrAlias):
		why = "That account does not name this one yet. Log in there and say that it is also " + p.handle(v.Account.Name, p.host) + "."
	case errors.Is(err, account.ErrTarget):
		why = "Nobody can move to that account: it is this one, or it has moved on itself."
	case errors.Is(err, moderation.ErrMove):
		why = "Accounts move once a week at most. Wait a few days."
	default:
		return err
	}
	return p.whole(w, r, http.StatusUnprocessableEntity, "move", typed, why)
}

// Stay is POST /settings/account/stay.
func (p *Pages) Stay(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := p.Members.Stay(r.Context(), v.Account.Actor); err != nil {
		return err
	}
	return seeOther(w, r, "/settings/account?done=saved")
}

// MakeArchive is POST /settings/account/archive.
func (p *Pages) MakeArchive(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	_, err = p.Members.MakeArchive(r.Context(), v.Account.Actor)
	if errors.Is(err, account.ErrTooSoon) {
		return &Fault{Status: http.StatusTooManyRequests, What: "The last file is still fresh", Do: "Go back and use it, or make a new one in an hour.", Err: err}
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/settings/account?done=archive")
}

// Archive is GET /settings/account/archive/{id}, for its owner alone.
func (p *Pages) Archive(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	f, err := p.Members.OpenArchive(r.Context(), v.Account.Actor, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/zip")
	w.Header().Set("Content-Disposition", `attachment; filename="`+v.Account.Name+`.zip"`)
	w.Header().Set("Cache-Control", "private, no-store")
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// BringFollows is POST /settings/account/follows.
func (p *Pages) BringFollows(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	raw, err := formFile(r, "file")
	if err != nil {
		return err
	}
	_, err = p.Members.BringFollows(r.Context(), v.Account.Actor, raw)
	if errors.Is(err, account.ErrList) {
		return p.whole(w, r, http.StatusUnprocessableEntity, "import", "", "This is not a list of accounts: each line begins with name@server, at most 5,000 lines.")
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/settings/account?done=bringing")
}

// DeleteAccount is POST /settings/account/delete. The passphrase is proven, as at log-in.
func (p *Pages) DeleteAccount(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	var in struct {
		Auth auth.Secret `json:"auth"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	err = p.Auth.Delete(r.Context(), v.Account.Actor, in.Auth, func(ctx context.Context, tx *gorm.DB) error {
		return p.Members.Leave(ctx, tx, v.Account.Actor)
	})
	if err != nil {
		return err
	}
	if p.Listens != nil {
		// A player that is still open reports to nobody.
		if err := p.Listens.Choose(r.Context(), v.Account.Actor, listen.Settings{Audience: listen.Nobody}); err != nil {
			return err
		}
	}
	p.Auth.ClearCookie(w)
	return writeJSON(w, next{"/?done=deleted"})
}
