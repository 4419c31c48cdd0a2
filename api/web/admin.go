package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"antiphon/api/auth"
	"antiphon/federation/discover"
	"antiphon/federation/moderation"
	"antiphon/media"
	"antiphon/templates"
)

// Admin is GET /admin.
func (p *Pages) Admin(w http.ResponseWriter, r *http.Request) error {
	return p.admin(w, r, func(*templates.Admin) error { return nil })
}

// MakeRecoveryLink is POST /admin/recover. The link is shown once, on the page that answers.
func (p *Pages) MakeRecoveryLink(w http.ResponseWriter, r *http.Request) error {
	return p.admin(w, r, func(view *templates.Admin) error {
		name := r.PostFormValue("name")
		link, until, err := p.Auth.RecoveryLink(r.Context(), name)
		if errors.Is(err, auth.ErrNotFound) {
			return &Fault{Status: http.StatusNotFound, What: "There is no account of this name", Do: "Go back and choose one from the list."}
		}
		view.RecoverLink, view.RecoverFor, view.RecoverUntil = link, name, until
		return err
	})
}

// MakeInvite is POST /admin/invites. The link is shown once, on the page that answers.
func (p *Pages) MakeInvite(w http.ResponseWriter, r *http.Request) error {
	return p.admin(w, r, func(view *templates.Admin) (err error) {
		view.NewInvite, _, err = p.Auth.Invite(r.Context())
		return err
	})
}

// EndInvite is POST /admin/invites/{id}/end.
func (p *Pages) EndInvite(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	if err := p.Auth.EndInvite(r.Context(), mux.Vars(r)["id"]); err != nil {
		return err
	}
	return seeOther(w, r, "/admin?done=invite")
}

// admin does what was asked for and draws the page.
func (p *Pages) admin(w http.ResponseWriter, r *http.Request, do func(*templates.Admin) error) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	view := &templates.Admin{Layout: p.Layout(r), Version: p.Version, Query: r.URL.Query().Get("q")}
	view.Path, view.NoIndex = "/admin", true
	if err := do(view); err != nil {
		return err
	}
	page := pageOf(r, listRows)
	accounts, total, err := p.Auth.List(r.Context(), view.Query, page.offset(), listRows)
	if err != nil {
		return err
	}
	view.Pager = page.pager("/admin", r.URL.Query(), int(total))
	if err := p.listAccounts(r.Context(), view, accounts); err != nil {
		return err
	}
	invites, err := p.Auth.Invites(r.Context())
	if err != nil {
		return err
	}
	for _, l := range invites {
		// The secret is not kept: the beginning of its hash tells one invitation from another.
		view.Invites = append(view.Invites, templates.Invite{ID: l.Hash, Link: l.Hash[:8], Max: 1, Expires: l.ExpiresAt})
	}
	if err := p.figures(r.Context(), view); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) listAccounts(ctx context.Context, view *templates.Admin, accounts []auth.Listed) error {
	uris := make([]string, len(accounts))
	for i, a := range accounts {
		uris[i] = a.Actor
	}
	actors, err := p.actors(ctx, uris)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		tracks, err := media.CountOf(ctx, p.DB.Read, a.Actor)
		if err != nil {
			return fmt.Errorf("count tracks: %w", err)
		}
		view.Accounts = append(view.Accounts, templates.Account{
			Name: a.Name, Display: actors[a.Actor].Display, URL: "/@" + a.Name, Created: a.CreatedAt, LastSeen: a.LastSeen,
			Custody: templates.Custody(a.Custody), Admin: a.Role == auth.Admin, Suspended: a.State == auth.Suspended, Tracks: int(tracks),
		})
	}
	return nil
}

// figures fills in what needs the admin, and what there is.
func (p *Pages) figures(ctx context.Context, view *templates.Admin) error {
	used, free, total, err := diskOf(p.DataDir)
	if err != nil {
		return fmt.Errorf("look at the disk: %w", err)
	}
	view.ReportsURL = "/admin/reports"
	view.Disk = templates.Disk{Used: used, Free: free, Total: total, Low: free < p.DiskLow}
	tx := p.DB.Read.WithContext(ctx)
	hosts, _, err := p.Hosts.Peers(ctx, "", 0, listRows)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.State == discover.OK {
			continue
		}
		peer := templates.Peer{Host: h.Host.Host, Words: h.LastError, Waiting: int(h.Waiting)}
		if h.CheckedAt != nil {
			peer.Since = *h.CheckedAt
		}
		view.Peers = append(view.Peers, peer)
	}
	for _, figure := range []struct {
		to    *int
		table string
		where string
		value any
	}{
		{&view.Tracks, "tracks", "state = ?", media.Published},
		{&view.Artists, "accounts", "role <> ?", auth.Listener},
		{&view.Listeners, "accounts", "role = ?", auth.Listener},
		{&view.HeldGrants, "key_holds", "state = ?", "held"},
		{&view.FailedJobs, "river_job", "state = ?", "discarded"},
		{&view.Reports, "reports", "state = ?", moderation.Open},
		{&view.Signups, "accounts", "state = ?", auth.Pending},
	} {
		var n int64
		if err := tx.Table(figure.table).Where(figure.where, figure.value).Count(&n).Error; err != nil {
			return fmt.Errorf("count %s: %w", figure.table, err)
		}
		*figure.to = int(n)
	}
	return nil
}
