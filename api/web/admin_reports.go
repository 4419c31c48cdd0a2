package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"

	"antiphon/federation/moderation"
	"antiphon/media"
	"antiphon/templates"
)

// Reports is GET /admin/reports.
func (p *Pages) Reports(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	state := r.URL.Query().Get("state")
	if state != moderation.Resolved && state != moderation.Dismissed {
		state = moderation.Open
	}
	n := pageOf(r, listRows)
	rows, total, err := moderation.Reports(r.Context(), p.DB.Read, state, n.offset(), listRows)
	if err != nil {
		return err
	}
	view := &templates.Reports{Layout: p.Layout(r), State: state, Pager: n.pager("/admin/reports", r.URL.Query(), int(total))}
	view.NoIndex = true
	for _, tab := range []templates.Choice{
		{Value: moderation.Open, Label: "Open"}, {Value: moderation.Resolved, Label: "Resolved"}, {Value: moderation.Dismissed, Label: "Dismissed"},
	} {
		tab.Selected = tab.Value == state
		view.Tabs = append(view.Tabs, tab)
	}
	for _, row := range rows {
		view.Rows = append(view.Rows, p.reportRow(r.Context(), row))
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) reportRow(ctx context.Context, row moderation.Report) templates.ReportRow {
	return templates.ReportRow{
		URL: "/admin/reports/" + row.ID, Target: p.nameOf(ctx, row.Target), Reporter: p.nameOf(ctx, row.Reporter), Words: row.Words,
		Outcome: row.Outcome, When: row.CreatedAt, Objects: len(row.About()),
	}
}

// nameOf is an actor's handle, or its URI when nothing is known of it.
func (p *Pages) nameOf(ctx context.Context, uri string) string {
	if uri == "" {
		return "nobody here"
	}
	if who, err := p.actor(ctx, uri); err == nil {
		return p.handle(who.Name, who.Host)
	}
	return uri
}

// Report is GET /admin/reports/{id}.
func (p *Pages) Report(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	ctx := r.Context()
	row, notes, err := moderation.ReportByID(ctx, p.DB.Read, mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	view := &templates.Report{
		Layout: p.Layout(r), ID: row.ID, State: row.State, Row: p.reportRow(ctx, row), TargetURI: row.Target, Forwarded: row.Forwarded,
	}
	view.NoIndex = true
	if who, err := p.actor(ctx, row.Target); err == nil {
		view.TargetURL, view.Local = who.page(), who.Local
		if who.Local {
			view.AccountURL = "/admin/decide/suspend?subject=" + url.QueryEscape(who.Name)
		} else {
			view.PolicyURL = "/admin/policies?subject=" + url.QueryEscape(who.URI)
		}
	}
	for _, uri := range row.About() {
		view.Objects = append(view.Objects, p.reported(ctx, uri))
	}
	for _, n := range notes {
		view.Notes = append(view.Notes, templates.ReportNote{Author: n.Author, Words: n.Words, When: n.CreatedAt})
	}
	return p.Render(w, http.StatusOK, view)
}

// reported is a thing that was reported: a local track, or its announcement, can be taken down.
func (p *Pages) reported(ctx context.Context, uri string) templates.Reported {
	out := templates.Reported{URL: webURL(uri), Title: uri}
	if !strings.HasPrefix(uri, p.BaseURL+"/") {
		return out
	}
	t, err := media.ByURI(ctx, p.DB.Read, uri)
	if err != nil {
		var post postRow
		if e := p.DB.Read.WithContext(ctx).Where("uri = ?", uri).Take(&post).Error; e != nil || post.Track == "" {
			return out
		}
		if t, err = media.ByURI(ctx, p.DB.Read, post.Track); err != nil {
			return out
		}
	}
	out.Title = t.Title
	if t.State != media.Removed {
		out.TakeDownURL = "/admin/decide/takedown?subject=" + url.QueryEscape(string(t.ID))
	}
	return out
}

// NoteReport is POST /admin/reports/{id}/notes.
func (p *Pages) NoteReport(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	if err := p.Moderation.AddNote(r.Context(), v.Account.Name, id, r.PostFormValue("words")); err != nil {
		return inWords(err)
	}
	return seeOther(w, r, "/admin/reports/"+id+"?done=saved")
}

// CloseReport is POST /admin/reports/{id}/close.
func (p *Pages) CloseReport(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	id := mux.Vars(r)["id"]
	state := r.PostFormValue("state")
	if state != moderation.Open && state != moderation.Resolved && state != moderation.Dismissed {
		return malformed(fmt.Errorf("state %.20q", state))
	}
	if err := p.Moderation.Close(r.Context(), v.Account.Name, id, state, r.PostFormValue("outcome")); err != nil {
		return inWords(err)
	}
	return seeOther(w, r, "/admin/reports?done=saved")
}

// inWords makes a fault of what a person can mend.
func inWords(err error) error {
	what := ""
	switch {
	case errors.Is(err, moderation.ErrReason):
		what = "Please say why, in up to 2,000 characters."
	case errors.Is(err, moderation.ErrTooMany):
		return &Fault{Status: http.StatusTooManyRequests, What: "You have reported a lot today", Do: "The administrators look at what is there first. Try again tomorrow.", Err: err}
	case errors.Is(err, moderation.ErrSelf):
		what = "That is yourself, or this server."
	default:
		return err
	}
	return &Fault{Status: http.StatusUnprocessableEntity, What: what, Do: "Go back, mend it, and try again.", Err: err}
}
