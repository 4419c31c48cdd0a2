package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/federation/moderation"
	"antiphon/media"
	"antiphon/templates"
)

// decision is an act of an admin that asks for a reason first.
type decision struct {
	// name is what it is about in words, and where that is seen.
	name func(p *Pages, ctx context.Context, subject string) (name, url string, err error)
	do   func(p *Pages, ctx context.Context, admin, subject, why string, deny bool) error
	// back is where the admin goes afterwards, and deny offers to deny blocks as well.
	back string
	deny bool
}

// decisions are all of them, by their word in the path.
func decisions() map[string]decision {
	return map[string]decision{
		"takedown": {nameTrack, func(p *Pages, ctx context.Context, admin, subject, why string, deny bool) error {
			t, err := p.namedTrack(ctx, subject)
			if err != nil {
				return err
			}
			return p.Moderation.TakeDown(ctx, admin, t.ID, why, deny)
		}, "/admin/audit", true},
		"putback": {nameTrack, func(p *Pages, ctx context.Context, admin, subject, why string, _ bool) error {
			t, err := p.namedTrack(ctx, subject)
			if err != nil {
				return err
			}
			return p.Moderation.PutBack(ctx, admin, t.ID, why)
		}, "/admin/audit", false},
		"suspend":   {nameAccount, standing(auth.Active, auth.Suspended, "suspend account"), "/admin", false},
		"unsuspend": {nameAccount, standing(auth.Suspended, auth.Active, "open account"), "/admin", false},
		"turnaway": {nameAccount, func(p *Pages, ctx context.Context, admin, subject, why string, _ bool) error {
			return p.Auth.TurnAway(ctx, subject, func(ctx context.Context, tx *gorm.DB, a auth.Account) error {
				return p.Moderation.TurnAway(ctx, tx, admin, a.Actor, why)
			})
		}, "/admin/signups", false},
		"lift": {namePolicy, func(p *Pages, ctx context.Context, admin, subject, why string, _ bool) error {
			return p.Moderation.DropPolicy(ctx, admin, subject, why)
		}, "/admin/policies", false},
	}
}

func nameTrack(p *Pages, ctx context.Context, subject string) (string, string, error) {
	t, err := p.namedTrack(ctx, subject)
	if err != nil {
		return "", "", err
	}
	artist, err := p.actor(ctx, t.Artist)
	return t.Title + " · " + p.handle(artist.Name, artist.Host), trackPath(artist, t), err
}

// namedTrack is a local track by its id or its URI.
func (p *Pages) namedTrack(ctx context.Context, subject string) (media.Track, error) {
	return media.ByID(ctx, p.DB.Read, media.TrackID(strings.TrimPrefix(subject, p.BaseURL+"/tracks/")))
}

func nameAccount(p *Pages, ctx context.Context, subject string) (string, string, error) {
	a, err := p.Auth.ByName(ctx, subject)
	if err != nil {
		return "", "", err
	}
	if a.State == auth.Pending {
		return "@" + a.Name, "", nil
	}
	return "@" + a.Name, "/@" + a.Name, nil
}

func namePolicy(_ *Pages, _ context.Context, subject string) (string, string, error) {
	return subject, "", nil
}

// standing changes how an account stands, and writes it down.
func standing(from, to auth.Standing, act string) func(*Pages, context.Context, string, string, string, bool) error {
	return func(p *Pages, ctx context.Context, admin, subject, why string, _ bool) error {
		return p.Auth.SetStanding(ctx, subject, from, to, why, func(ctx context.Context, tx *gorm.DB, a auth.Account) error {
			return p.Moderation.RecordStanding(ctx, tx, admin, act, a.Actor, why)
		})
	}
}

// Decide is GET /admin/decide/{act}?subject=: it asks for the reason.
func (p *Pages) Decide(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	return p.decide(w, r, http.StatusOK, r.URL.Query().Get("subject"), "", "")
}

func (p *Pages) decide(w http.ResponseWriter, r *http.Request, status int, subject, why, wrong string) error {
	key := mux.Vars(r)["act"]
	d, ok := decisions()[key]
	if !ok {
		return fmt.Errorf("%w: decision %.20q", ErrNotFound, key)
	}
	name, url, err := d.name(p, r.Context(), subject)
	if err != nil {
		return err
	}
	view := &templates.Decision{
		Layout: p.Layout(r), Key: key, Subject: name, SubjectURL: url, Action: "/admin/decide/" + key, Hidden: map[string]string{"subject": subject},
		Deny: d.deny, Error: wrong, Why: why, BackURL: d.back,
	}
	view.NoIndex = true
	return p.Render(w, status, view)
}

// DoDecide is POST /admin/decide/{act}.
func (p *Pages) DoDecide(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	d, ok := decisions()[mux.Vars(r)["act"]]
	if !ok {
		return fmt.Errorf("%w: decision", ErrNotFound)
	}
	subject, why := r.PostFormValue("subject"), r.PostFormValue("why")
	err = d.do(p, r.Context(), v.Account.Name, subject, why, d.deny && r.PostFormValue("deny") == "true")
	if errors.Is(err, moderation.ErrReason) {
		return p.decide(w, r, http.StatusUnprocessableEntity, subject, why, "Please say why, in up to 2,000 characters.")
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, with(d.back, "done", "saved"))
}

// Signups is GET /admin/signups.
func (p *Pages) Signups(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	n := pageOf(r, listRows)
	accounts, total, err := p.Auth.Waiting(r.Context(), n.offset(), listRows)
	if err != nil {
		return err
	}
	view := &templates.Signups{Layout: p.Layout(r), Asked: p.Auth.Approval(), Pager: n.pager("/admin/signups", url.Values{}, int(total))}
	view.NoIndex = true
	for _, a := range accounts {
		who, err := p.row(r.Context(), a.Actor)
		if err != nil {
			return err
		}
		view.Rows = append(view.Rows, templates.Applicant{Name: a.Name, Display: who.Display, Reason: a.Reason, When: a.CreatedAt})
	}
	return p.Render(w, http.StatusOK, view)
}

// LetIn is POST /admin/signups/{name}/let-in.
func (p *Pages) LetIn(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	err = p.Auth.SetStanding(r.Context(), mux.Vars(r)["name"], auth.Pending, auth.Active, "", func(ctx context.Context, tx *gorm.DB, a auth.Account) error {
		return p.Moderation.LetIn(ctx, tx, v.Account.Name, a.Actor)
	})
	if err != nil {
		return err
	}
	return seeOther(w, r, "/admin/signups?done=letin")
}
