package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gorilla/mux"

	"antiphon/media"
	"antiphon/media/access"
	"antiphon/payments/amount"
	"antiphon/payments/subscription"
	"antiphon/templates"
)

// Tiers is what artists sell by the month; media/access implements it.
type Tiers interface {
	Tier(ctx context.Context, product string) (access.Tier, error)
	TiersOf(ctx context.Context, artist string) ([]access.Tier, error)
	MakeTier(ctx context.Context, artist string, terms access.TierTerms, period int) (access.Tier, error)
	ChangeTier(ctx context.Context, artist, id string, terms access.TierTerms, period int) (access.Tier, error)
	Items(ctx context.Context, product string, version int) ([]string, error)
}

// Bounds of a tier's form, in letters, and of the tracks to choose from.
const (
	maxTierName  = 100
	maxTierWords = 2000
)

// StudioTiers is GET /studio/tiers: the artist's tiers, and who subscribes.
func (p *Pages) StudioTiers(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	ctx, artist := r.Context(), v.Account.Actor
	tiers, err := p.Tiers.TiersOf(ctx, artist)
	if err != nil {
		return err
	}
	counts, err := p.Subscriptions.Counts(ctx, artist)
	if err != nil {
		return err
	}
	view := &templates.StudioTiers{Layout: p.Layout(r)}
	view.Path, view.NoIndex = "/studio", true
	names := map[string]string{}
	for _, t := range tiers {
		names[t.URI] = t.Name
		row := templates.StudioTier{Tier: p.tierView(t), EditURL: "/studio/tiers/" + t.ID, Open: t.Open, Subscribers: int(counts[t.URI])}
		row.Tracks = len(t.Tracks)
		view.Rows = append(view.Rows, row)
	}
	n := pageOf(r, listRows)
	all, err := p.Subscriptions.Of(ctx, artist, n.offset(), listRows+1)
	if err != nil {
		return err
	}
	// One row more than is shown says that there is a next page.
	view.Pager = n.pager("/studio/tiers", r.URL.Query(), n.offset()+len(all))
	for _, s := range all[:min(len(all), listRows)] {
		row := templates.Subscriber{Name: s.Listener, Tier: names[s.Tier], State: string(s.State), Since: s.CreatedAt, Shown: s.Shown}
		if s.EndTime != nil {
			row.Ends = *s.EndTime
		}
		if who, err := p.actor(ctx, s.Listener); err == nil {
			row.Name, row.URL = p.handle(who.Name, who.Host), who.page()
		}
		view.Subscribers = append(view.Subscribers, row)
	}
	return p.Render(w, http.StatusOK, view)
}

// tierView is a tier as pages show it, without the visitor's part.
func (p *Pages) tierView(t access.Tier) templates.Tier {
	return templates.Tier{
		Name: t.Name, Words: lines(t.Words), Price: p.money(t.Units, amount.Asset(t.Asset), t.Decimals), Whole: t.Whole,
	}
}

// lines are the paragraphs of a plain text.
func lines(text string) []string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// tiersOf are a local artist's tiers that take subscribers, for the artist's page.
func (p *Pages) tiersOf(ctx context.Context, artist string) ([]templates.Tier, error) {
	if p.Tiers == nil {
		return nil, nil
	}
	tiers, err := p.Tiers.TiersOf(ctx, artist)
	if err != nil {
		return nil, err
	}
	var views []templates.Tier
	for _, t := range tiers {
		if !t.Open {
			continue
		}
		view := p.tierView(t)
		items, err := p.Tiers.Items(ctx, t.URI, t.Version)
		if err != nil {
			return nil, err
		}
		view.Tracks = len(items)
		if artist != me(ctx) {
			view.URL = subscribeURL(t.URI)
			if h, err := p.Subscriptions.HeldOf(ctx, me(ctx), t.URI); err == nil && h.State != subscription.Ended && h.State != subscription.Lapsed {
				view.State = string(h.State)
			}
		}
		views = append(views, view)
	}
	return views, nil
}

func subscribeURL(tier string) string { return "/subscribe?tier=" + url.QueryEscape(tier) }

// TierPage is GET /studio/tiers/{id} and /studio/tiers/new: the form of a tier.
func (p *Pages) TierPage(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	form := &templates.TierForm{Price: "0", Whole: true, Open: true}
	var chosen []string
	asset := ""
	if id := mux.Vars(r)["id"]; id != "" {
		t, err := p.ownTier(r.Context(), v.Account.Actor, id)
		if err != nil {
			return err
		}
		price, err := amount.ParseUnits(t.Units)
		if err != nil {
			return fmt.Errorf("price of %s: %w", t.URI, err)
		}
		form.ID, form.Name, form.Words, form.Price, form.Whole, form.Open = id, t.Name, t.Words, price.Decimal(t.Decimals), t.Whole, t.Open
		chosen, asset = t.Tracks, t.Asset
	}
	return p.tierForm(w, r, http.StatusOK, form, asset, chosen)
}

func (p *Pages) ownTier(ctx context.Context, artist, id string) (access.Tier, error) {
	t, err := p.Tiers.Tier(ctx, p.BaseURL+"/products/"+id)
	if errors.Is(err, access.ErrUnknownProduct) || err == nil && t.Artist != artist {
		return t, fmt.Errorf("%w: tier %s", ErrNotFound, id)
	}
	return t, err
}

func (p *Pages) tierForm(w http.ResponseWriter, r *http.Request, status int, form *templates.TierForm, asset string, chosen []string) error {
	tracks, err := media.Of(r.Context(), p.DB.Read, me(r.Context()), true, 0, maxChoices)
	if err != nil {
		return err
	}
	form.Layout = p.Layout(r)
	form.Path, form.NoIndex = "/studio", true
	for _, t := range tracks {
		form.Tracks = append(form.Tracks, templates.Choice{Value: t.URI, Label: t.Title, Selected: slices.Contains(chosen, t.URI)})
	}
	for _, a := range p.Assets {
		form.Assets = append(form.Assets, templates.Choice{Value: string(a.ID), Label: a.Symbol, Selected: string(a.ID) == asset})
	}
	return p.Render(w, status, form)
}

// SaveTier is POST /studio/tiers and /studio/tiers/{id}.
func (p *Pages) SaveTier(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	ctx, artist, id := r.Context(), v.Account.Actor, mux.Vars(r)["id"]
	form := &templates.TierForm{
		ID: id, Name: strings.TrimSpace(r.PostFormValue("name")), Words: strings.TrimSpace(r.PostFormValue("words")),
		Price: strings.TrimSpace(r.PostFormValue("price")), Whole: r.PostFormValue("whole") != "", Open: r.PostFormValue("open") != "",
		Errors: map[string]string{},
	}
	chosen, asset := r.PostForm["track"], r.PostFormValue("asset")
	terms, err := p.tierTerms(ctx, artist, form, asset, chosen)
	if err != nil {
		return err
	}
	if len(form.Errors) == 0 {
		period := int(subscription.PeriodOf(p.Now()))
		if id == "" {
			_, err = p.Tiers.MakeTier(ctx, artist, terms, period)
		} else {
			_, err = p.Tiers.ChangeTier(ctx, artist, id, terms, period)
		}
		switch {
		case errors.Is(err, access.ErrEmpty):
			form.Errors["tracks"] = "A tier holds at least one published track."
		case errors.Is(err, access.ErrUnknownProduct):
			return fmt.Errorf("%w: %w", ErrNotFound, err)
		case err != nil:
			return err
		}
	}
	if len(form.Errors) > 0 {
		return p.tierForm(w, r, http.StatusUnprocessableEntity, form, asset, chosen)
	}
	return seeOther(w, r, "/studio/tiers?done=saved")
}

// tierTerms checks what was typed; what is wrong goes into the form's errors.
func (p *Pages) tierTerms(ctx context.Context, artist string, form *templates.TierForm, asset string, chosen []string) (access.TierTerms, error) {
	terms := access.TierTerms{Name: form.Name, Words: form.Words, Whole: form.Whole, Open: form.Open, Price: access.Price{Units: "0"}}
	switch {
	case form.Name == "":
		form.Errors["name"] = "Please give it a name."
	case !utf8.ValidString(form.Name) || utf8.RuneCountInString(form.Name) > maxTierName:
		form.Errors["name"] = fmt.Sprintf("%d letters at most.", maxTierName)
	}
	if !utf8.ValidString(form.Words) || utf8.RuneCountInString(form.Words) > maxTierWords {
		form.Errors["words"] = fmt.Sprintf("%d letters at most.", maxTierWords)
	}
	known, ok := p.asset(asset)
	if !ok && asset == "" && len(p.Assets) > 0 {
		known, ok = p.Assets[0], true
	}
	if form.Price == "" {
		form.Price = "0"
	}
	units, err := amount.ParseDecimal(form.Price, known.Decimals)
	switch {
	case !ok && len(p.Assets) > 0:
		form.Errors["asset"] = "Please choose one of these."
	case err != nil:
		form.Errors["price"] = fmt.Sprintf("Write a number such as 3 or 3.50, with at most %d digits behind the point.", known.Decimals)
	case !ok:
		form.Errors["price"] = "This server has no way to be paid yet: nothing can be sold by the month."
	default:
		terms.Price = access.Price{Units: units.String(), Asset: string(known.ID), Decimals: known.Decimals}
	}
	if form.Whole {
		return terms, nil
	}
	if len(chosen) == 0 || len(chosen) > maxChoices {
		form.Errors["tracks"] = fmt.Sprintf("Choose 1 to %d tracks.", maxChoices)
		return terms, nil
	}
	for _, uri := range chosen {
		t, err := media.ByURI(ctx, p.DB.Read, uri)
		if errors.Is(err, media.ErrNotFound) || err == nil && (t.Artist != artist || t.State != media.Published) {
			form.Errors["tracks"] = "One of the tracks is not out any more."
			continue
		}
		if err != nil {
			return terms, err
		}
		if !slices.Contains(terms.Tracks, uri) {
			terms.Tracks = append(terms.Tracks, uri)
		}
	}
	return terms, nil
}
