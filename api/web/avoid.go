package web

import (
	"errors"
	"net/http"
	"strings"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/moderation"
	"antiphon/templates"
)

// Avoided is GET /settings/blocks.
func (p *Pages) Avoided(w http.ResponseWriter, r *http.Request) error {
	return p.avoided(w, r, http.StatusOK, r.URL.Query().Get("subject"), "")
}

func (p *Pages) avoided(w http.ResponseWriter, r *http.Request, status int, typed, wrong string) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	rows, err := moderation.Aversions(r.Context(), p.DB.Read, v.Account.Actor)
	if err != nil {
		return err
	}
	view := &templates.Avoided{Layout: p.Layout(r), Typed: typed, Error: wrong}
	view.NoIndex = true
	for _, a := range rows {
		name := a.Subject
		if strings.Contains(name, "://") {
			name = p.nameOf(r.Context(), a.Subject)
		}
		view.Rows = append(view.Rows, templates.Avoidance{Subject: a.Subject, Name: name, Kind: a.Kind, When: a.CreatedAt})
	}
	return p.Render(w, status, view)
}

// Avoid is POST /settings/blocks: the visitor blocks or mutes an account or a server.
func (p *Pages) Avoid(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	typed := strings.TrimSpace(r.PostFormValue("subject"))
	subject, kind := typed, moderation.Block
	if r.PostFormValue("kind") == moderation.Mute {
		kind = moderation.Mute
	}
	if strings.Contains(strings.TrimPrefix(subject, "@"), "@") || strings.HasPrefix(subject, "@") {
		who, err := p.Moderation.Actors.Lookup(r.Context(), subject)
		if err != nil {
			return p.avoided(w, r, http.StatusUnprocessableEntity, typed, "Nobody was found at this address.")
		}
		subject = who.URI
	}
	err = p.Moderation.Avoid(r.Context(), v.Account.Actor, subject, kind)
	switch {
	case errors.Is(err, actor.ErrNotFound), errors.Is(err, discover.ErrSubject):
		return p.avoided(w, r, http.StatusUnprocessableEntity, typed, "Nobody was found at this address.")
	case err != nil:
		return inWords(err)
	}
	return seeOther(w, r, "/settings/blocks?done=saved")
}

// Meet is POST /settings/blocks/end: the visitor takes a block or a mute back.
func (p *Pages) Meet(w http.ResponseWriter, r *http.Request) error {
	v, err := visitor(r)
	if err != nil {
		return err
	}
	err = p.Moderation.Meet(r.Context(), v.Account.Actor, r.PostFormValue("subject"))
	if errors.Is(err, discover.ErrSubject) {
		return malformed(err)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/settings/blocks?done=saved")
}
