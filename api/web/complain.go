package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"antiphon/federation/actor"
	"antiphon/federation/moderation"
	"antiphon/templates"
)

// ComplaintPage is GET /report?uri=: the form with which a member reports an account, a post or a track.
func (p *Pages) ComplaintPage(w http.ResponseWriter, r *http.Request) error {
	return p.complaint(w, r, http.StatusOK, r.URL.Query().Get("uri"), "")
}

func (p *Pages) complaint(w http.ResponseWriter, r *http.Request, status int, uri, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	view := &templates.Complaint{Layout: p.Layout(r), Error: wrong}
	view.NoIndex = true
	who, err := p.actor(ctx, uri)
	if errors.Is(err, ErrNotFound) {
		// What is known here has an owner; what is not cannot be reported.
		var owner, title string
		if owner, title, err = p.ownerOf(r, uri); err != nil {
			return err
		}
		view.Object, view.Title = uri, title
		who, err = p.actor(ctx, owner)
	}
	if err != nil {
		return err
	}
	if who.URI == v.Account.Actor {
		return inWords(moderation.ErrSelf)
	}
	view.Target, view.TargetURI = p.handle(who.Name, who.Host), who.URI
	if !who.Local {
		view.Host = who.Host
	}
	return p.Render(w, status, view)
}

// ownerOf is whose a document is that is known here, and what it is called.
func (p *Pages) ownerOf(r *http.Request, uri string) (owner, title string, err error) {
	var rows []struct{ Owner string }
	if err := p.DB.Read.WithContext(r.Context()).Table("objects").Select("owner").Where("uri = ?", uri).Limit(1).Scan(&rows).Error; err != nil {
		return "", "", fmt.Errorf("look up object: %w", err)
	}
	if len(rows) == 0 {
		return "", "", fmt.Errorf("%w: object %.200q", ErrNotFound, uri)
	}
	var post postRow
	if p.DB.Read.WithContext(r.Context()).Where("uri = ? OR track = ?", uri, uri).Take(&post).Error == nil {
		title = post.Title
	}
	if title == "" {
		title = uri
	}
	return rows[0].Owner, title, nil
}

// Complain is POST /report.
func (p *Pages) Complain(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	c := moderation.Complaint{
		From: v.Account.Actor, Target: r.PostFormValue("target"), Words: strings.TrimSpace(r.PostFormValue("words")),
		Forward: r.PostFormValue("forward") == "true",
	}
	if object := r.PostFormValue("object"); object != "" {
		c.Objects = []string{object}
	}
	if c.Words == "" {
		uri := c.Target
		if len(c.Objects) > 0 {
			uri = c.Objects[0]
		}
		return p.complaint(w, r, http.StatusUnprocessableEntity, uri, "Please say in a few words what is wrong.")
	}
	if len(c.Objects) > 0 {
		if owner, _, err := p.ownerOf(r, c.Objects[0]); err != nil || owner != c.Target {
			return errors.Join(malformed(fmt.Errorf("%.200q is not of %.200q", c.Objects[0], c.Target)), err)
		}
	}
	if _, err := p.Moderation.Report(r.Context(), c); errors.Is(err, actor.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	} else if err != nil {
		return inWords(err)
	}
	return seeOther(w, r, "/?done=reported")
}

// Tidings is GET /tidings: what the house tells the visitor. Once shown they are no longer new.
func (p *Pages) Tidings(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	rows, err := moderation.Tidings(ctx, p.DB.Read, v.Account.Actor, false, listRows)
	if err != nil {
		return err
	}
	view := &templates.Tidings{Layout: p.Layout(r)}
	view.NoIndex = true
	for _, t := range rows {
		row := templates.Tiding{Kind: t.Kind, About: t.About, Words: t.Words, When: t.CreatedAt, New: t.SeenAt == nil}
		if who, err := p.actor(ctx, t.About); err == nil {
			row.About, row.AboutURL = p.handle(who.Name, who.Host), who.page()
		}
		if t.Kind == moderation.TidingSubscription {
			row.AboutURL = "/subscriptions"
		}
		if t.Kind == moderation.TidingPool {
			row.About, row.AboutURL = "Listening pool", "/pool"
		}
		if t.Kind == moderation.TidingMoved {
			if who, err := p.actor(ctx, t.Words); err == nil {
				row.Words, row.URL = p.handle(who.Name, who.Host), who.page()
			}
		}
		view.Rows = append(view.Rows, row)
	}
	if err := moderation.Seen(ctx, p.DB.Write, v.Account.Actor, p.Now()); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}
