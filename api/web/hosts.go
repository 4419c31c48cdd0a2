package web

import (
	"context"
	"net/http"
	"net/url"

	"antiphon/federation/discover"
	"antiphon/federation/httpsig"
	"antiphon/federation/outbox"
	"antiphon/templates"
)

// Hosts is what is delivered to other servers; *outbox.Outbox is one.
type Hosts interface {
	// Peers returns the servers whose name contains a text, and how many there are.
	Peers(ctx context.Context, text string, offset, limit int) ([]outbox.Peer, int64, error)
	// RetryNow has what waits for a host tried at once.
	RetryNow(ctx context.Context, host string) error
	// Pause keeps what is for a host back, or lets it go again.
	Pause(ctx context.Context, host string, paused bool) error
}

// AdminHosts is GET /admin/hosts.
func (p *Pages) AdminHosts(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	view := &templates.AdminHosts{Layout: p.Layout(r), Query: r.URL.Query().Get("q")}
	view.NoIndex = true
	page := pageOf(r, listRows)
	peers, total, err := p.Hosts.Peers(r.Context(), view.Query, page.offset(), listRows)
	if err != nil {
		return err
	}
	view.Pager = page.pager("/admin/hosts", r.URL.Query(), int(total))
	for _, peer := range peers {
		h := templates.Host{
			Name: peer.Host.Host, Software: peer.Software, Music: peer.Music, State: peer.State, Paused: peer.Paused,
			Waiting: int(peer.Waiting), Dropped: int(peer.Dropped), Oldest: peer.Oldest(), Words: peer.Words(),
			Newer: peer.Dialect == httpsig.RFC9421, Retry: peer.State != discover.OK,
		}
		if peer.ProbeAt != nil && peer.State == discover.Down {
			h.Next = *peer.ProbeAt
		}
		view.Hosts = append(view.Hosts, h)
	}
	return p.Render(w, http.StatusOK, view)
}

// RetryHost is POST /admin/hosts/retry.
func (p *Pages) RetryHost(w http.ResponseWriter, r *http.Request) error {
	return p.changeHost(w, r, "retried", p.Hosts.RetryNow)
}

// PauseHost is POST /admin/hosts/pause.
func (p *Pages) PauseHost(w http.ResponseWriter, r *http.Request) error {
	return p.changeHost(w, r, "paused", func(ctx context.Context, host string) error { return p.Hosts.Pause(ctx, host, true) })
}

// ResumeHost is POST /admin/hosts/resume.
func (p *Pages) ResumeHost(w http.ResponseWriter, r *http.Request) error {
	return p.changeHost(w, r, "resumed", func(ctx context.Context, host string) error { return p.Hosts.Pause(ctx, host, false) })
}

func (p *Pages) changeHost(w http.ResponseWriter, r *http.Request, done string, change func(context.Context, string) error) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	host := r.PostFormValue("host")
	// Only a host that is on the page: the form is no way to write others into the table.
	known, _, err := p.Hosts.Peers(r.Context(), host, 0, listRows)
	if err != nil {
		return err
	}
	for _, peer := range known {
		if peer.Host.Host == host {
			if err := change(r.Context(), host); err != nil {
				return err
			}
			return seeOther(w, r, "/admin/hosts?"+url.Values{"q": {r.PostFormValue("q")}, "done": {done}}.Encode())
		}
	}
	return &Fault{Status: http.StatusNotFound, What: "Nothing is known of this host", Do: "Go back and choose one from the list."}
}
