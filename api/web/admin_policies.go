package web

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"antiphon/federation/discover"
	"antiphon/federation/moderation"
	"antiphon/templates"
)

// maxChanges is how many changes of a list its preview shows.
const maxChanges = 100

// Policies is GET /admin/policies.
func (p *Pages) Policies(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	return p.policies(w, r, http.StatusOK, r.URL.Query().Get("subject"), "")
}

func (p *Pages) policies(w http.ResponseWriter, r *http.Request, status int, subject, wrong string) error {
	ctx, n := r.Context(), pageOf(r, listRows)
	var total int64
	if err := p.DB.Read.WithContext(ctx).Model(&discover.Policy{}).Count(&total).Error; err != nil {
		return fmt.Errorf("count policies: %w", err)
	}
	rows, err := p.Moderation.Hosts.Policies(ctx, n.offset(), listRows)
	if err != nil {
		return err
	}
	view := &templates.Policies{
		Layout: p.Layout(r), AllowList: p.AllowList, Subject: subject, Error: wrong, Pager: n.pager("/admin/policies", r.URL.Query(), int(total)),
	}
	view.Path, view.NoIndex = "/admin/policies", true
	severities := []templates.Choice{
		{Value: "silence", Label: "Silence", Hint: "Only those who follow somebody there see what they say.", Selected: !p.AllowList},
		{Value: "suspend", Label: "Suspend", Hint: "Nothing is taken from there, sent there or fetched. Follows end. What was bought stays bought."},
		{Value: "noop", Label: "Neither", Hint: "Only what is chosen below."},
	}
	if p.AllowList {
		severities = append([]templates.Choice{{Value: "allow", Label: "Allow", Hint: "It may be exchanged with.", Selected: true}}, severities...)
	}
	view.Severities = severities
	for _, row := range rows {
		view.Rows = append(view.Rows, templates.Policy{
			Subject: row.Subject, Severity: string(row.Severity), RejectMedia: row.RejectMedia, RejectReports: row.RejectReports,
			Obfuscate: row.Obfuscate, Public: row.PublicComment, Private: row.PrivateComment, Changed: row.UpdatedAt,
			LiftURL: "/admin/decide/lift?subject=" + url.QueryEscape(row.Subject),
		})
	}
	return p.Render(w, status, view)
}

// SetPolicy is POST /admin/policies.
func (p *Pages) SetPolicy(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	policy := discover.Policy{
		Subject: r.PostFormValue("subject"), Severity: discover.Severity(r.PostFormValue("severity")),
		RejectMedia: r.PostFormValue("reject_media") == "true", RejectReports: r.PostFormValue("reject_reports") == "true",
		PublicComment: r.PostFormValue("public"), PrivateComment: r.PostFormValue("why"),
	}
	err = p.Moderation.SetPolicy(r.Context(), v.Account.Name, policy, r.PostFormValue("why"))
	switch {
	case errors.Is(err, discover.ErrSubject):
		return p.policies(w, r, http.StatusUnprocessableEntity, policy.Subject, "This is neither a domain nor the address of an account.")
	case errors.Is(err, discover.ErrSeverity):
		return malformed(err)
	case err != nil:
		return inWords(err)
	}
	return seeOther(w, r, "/admin/policies?done=saved")
}

// ExportPolicies is GET /admin/policies/export.csv.
func (p *Pages) ExportPolicies(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	rows, err := p.Moderation.Hosts.Policies(r.Context(), 0, 1_000_000)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := moderation.WriteList(&out, rows); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="domain_blocks-`+p.Now().UTC().Format(time.DateOnly)+`.csv"`)
	_, _ = out.WriteTo(w) // a visitor who has gone away is no error of ours
	return nil
}

// UploadPolicies is POST /admin/policies/import: it shows what a list would change.
func (p *Pages) UploadPolicies(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	raw, err := formFile(r, "file")
	if err != nil {
		return err
	}
	preview, err := p.Moderation.Upload(r.Context(), raw)
	if errors.Is(err, moderation.ErrList) {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This file is not a list of domains", Do: "Choose a CSV file as Mastodon exports it, of at most 4 MB.", Err: err}
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/admin/policies/import/"+preview.ID)
}

// PolicyImport is GET /admin/policies/import/{id}.
func (p *Pages) PolicyImport(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	preview, err := p.Moderation.Preview(r.Context(), mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	view := &templates.PolicyImport{
		Layout: p.Layout(r), ID: preview.ID, Same: preview.Same, Total: len(preview.Changes), More: max(0, len(preview.Changes)-maxChanges),
	}
	view.NoIndex = true
	for i, c := range preview.Changes {
		view.Follows += int(c.Follows)
		if i < maxChanges {
			view.Changes = append(view.Changes, templates.PolicyChange{
				Subject: c.Policy.Subject, Was: string(c.Was), Severity: string(c.Policy.Severity), RejectMedia: c.Policy.RejectMedia,
				RejectReports: c.Policy.RejectReports, Follows: int(c.Follows),
			})
		}
	}
	for _, problem := range preview.Problems[:min(len(preview.Problems), maxChanges)] {
		view.Problems = append(view.Problems, templates.ListProblem{Line: problem.Line, Text: problem.Text, Why: problem.Why})
	}
	return p.Render(w, http.StatusOK, view)
}

// ImportPolicies is POST /admin/policies/import/{id}.
func (p *Pages) ImportPolicies(w http.ResponseWriter, r *http.Request) error {
	v, err := asAdmin(r)
	if err != nil {
		return err
	}
	if _, err := p.Moderation.Import(r.Context(), v.Account.Name, mux.Vars(r)["id"], r.PostFormValue("why")); err != nil {
		return inWords(err)
	}
	return seeOther(w, r, "/admin/policies?done=saved")
}

// Audit is GET /admin/audit.
func (p *Pages) Audit(w http.ResponseWriter, r *http.Request) error {
	if _, err := asAdmin(r); err != nil {
		return err
	}
	n := pageOf(r, listRows)
	acts, total, err := moderation.Acts(r.Context(), p.DB.Read, n.offset(), listRows)
	if err != nil {
		return err
	}
	view := &templates.Audit{Layout: p.Layout(r), Pager: n.pager("/admin/audit", r.URL.Query(), int(total))}
	view.NoIndex = true
	for _, a := range acts {
		view.Rows = append(view.Rows, templates.Act{Who: a.Who, Act: a.Act, Subject: a.Subject, Why: a.Why, When: a.CreatedAt})
	}
	return p.Render(w, http.StatusOK, view)
}
