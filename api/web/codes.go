package web

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/media"
	"antiphon/payments"
	"antiphon/templates"
)

// Codes makes and looks up codes; payments implements it.
type Codes interface {
	// MakeCodes makes n codes for a product of the artist's, which nobody can read again.
	MakeCodes(ctx context.Context, artist, product, label string, n int, expires *time.Time) (payments.CodeBatch, []string, error)
	CodeBatches(ctx context.Context, artist string, limit int) ([]payments.CodeBatch, error)
	RevokeCodes(ctx context.Context, artist, batch string) error
	RevokeCode(ctx context.Context, artist, typed string) error
	// CodeFor returns what a code opens, without using it up; who is counted for asking.
	CodeFor(ctx context.Context, who, typed string) (payments.CodeBatch, error)
}

// maxBatches is how many batches the page of codes shows.
const maxBatches = 200

// CodesPage is GET /codes.
func (p *Pages) CodesPage(w http.ResponseWriter, r *http.Request) error {
	return p.codes(w, r, http.StatusOK, "", &templates.Codes{Number: "10"})
}

// codes draws the page around what view has already; product is the choice that was made.
func (p *Pages) codes(w http.ResponseWriter, r *http.Request, status int, product string, view *templates.Codes) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	view.Layout = p.Layout(r)
	view.Path, view.NoIndex = "/codes", true
	releases, err := media.ReleasesOf(ctx, p.DB.Read, v.Account.Actor, true, maxChoices)
	if err != nil {
		return err
	}
	for _, release := range releases {
		uri := p.BaseURL + "/products/" + string(release.ID)
		view.Products = append(view.Products, templates.Choice{Value: uri, Label: release.Title + " (release)", Selected: uri == product})
	}
	tracks, err := media.Of(ctx, p.DB.Read, v.Account.Actor, true, 0, maxChoices)
	if err != nil {
		return err
	}
	for _, t := range tracks {
		if sold, err := p.Shop.ProductOf(ctx, t.URI); err == nil {
			view.Products = append(view.Products, templates.Choice{Value: sold.URI, Label: t.Title, Selected: sold.URI == product})
		}
	}
	batches, err := p.Codes.CodeBatches(ctx, v.Account.Actor, maxBatches)
	if err != nil {
		return err
	}
	for _, b := range batches {
		row := templates.CodeBatch{ID: b.ID, Product: p.productName(ctx, b.Product), Label: b.Label, Codes: b.Codes, Used: b.Used, Made: b.CreatedAt}
		if b.ExpiresAt != nil {
			row.Expires, row.Expired = *b.ExpiresAt, !b.ExpiresAt.After(p.Now())
		}
		if b.RevokedAt != nil {
			row.Revoked = *b.RevokedAt
		}
		view.Batches = append(view.Batches, row)
	}
	return p.Render(w, status, view)
}

// MakeCodes is POST /codes: it makes codes, and its answer is the only list of them that there ever is.
func (p *Pages) MakeCodes(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	view := &templates.Codes{
		Label: strings.TrimSpace(r.PostFormValue("label")), Number: strings.TrimSpace(r.PostFormValue("number")), Expires: r.PostFormValue("expires"),
		Errors: map[string]string{},
	}
	product := r.PostFormValue("product")
	number, err := strconv.Atoi(view.Number)
	if err != nil || number < 1 || number > payments.MaxCodes {
		view.Errors["number"] = fmt.Sprintf("Make 1 to %d codes at a time.", payments.MaxCodes)
	}
	var expires *time.Time
	if view.Expires != "" {
		day, err := time.Parse(time.DateOnly, view.Expires)
		if err != nil {
			view.Errors["expires"] = "Write the day as year-month-day, such as 2026-12-24."
		}
		// That day is the last one.
		end := day.Add(24 * time.Hour)
		expires = &end
	}
	if len(view.Errors) > 0 {
		return p.codes(w, r, http.StatusUnprocessableEntity, product, view)
	}
	batch, codes, err := p.Codes.MakeCodes(r.Context(), v.Account.Actor, product, view.Label, number, expires)
	if refused := (*payments.Refusal)(nil); errors.As(err, &refused) {
		view.Errors["product"] = refused.Summary
		return p.codes(w, r, http.StatusUnprocessableEntity, product, view)
	}
	if err != nil {
		return fmt.Errorf("make codes: %w", err)
	}
	inert(w, "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="codes-`+batch.CreatedAt.Format(time.DateOnly)+`-`+batch.ID[:6]+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	lines := [][]string{{"code", "link"}}
	for _, code := range codes {
		lines = append(lines, []string{code, p.redeemLink(batch.Artist, batch.Product, code)})
	}
	// A visitor who has gone away is no error of ours; the codes that nobody has read can be taken back.
	_ = csv.NewWriter(w).WriteAll(lines)
	return nil
}

// RevokeCodes is POST /codes/{id}/revoke.
func (p *Pages) RevokeCodes(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	err = p.Codes.RevokeCodes(r.Context(), v.Account.Actor, mux.Vars(r)["id"])
	if errors.Is(err, payments.ErrUnknownCode) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/codes?done=saved")
}

// RevokeCode is POST /codes/revoke: one code, which the artist types.
func (p *Pages) RevokeCode(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	err = p.Codes.RevokeCode(r.Context(), v.Account.Actor, r.PostFormValue("code"))
	if refused := (*payments.Refusal)(nil); errors.As(err, &refused) {
		return p.codes(w, r, http.StatusUnprocessableEntity, "", &templates.Codes{Number: "10", Errors: map[string]string{"code": refused.Summary}})
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/codes?done=saved")
}

// redeemLink is the address of a code of a local product. It names artist and product, so that the own server of whoever
// has it knows whom to ask.
func (p *Pages) redeemLink(artist, product, code string) string {
	return redeemAddress(artist, product, code)
}

func redeemAddress(artist, product, code string) string {
	base, name, _ := strings.Cut(artist, "/users/")
	_, id, _ := strings.Cut(product, "/products/")
	return base + "/redeem?" + url.Values{"by": {name}, "of": {id}, "code": {code}}.Encode()
}
