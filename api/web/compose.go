package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/templates"
)

// maxChoices is how many of an artist's tracks the forms of releases and tiers offer: at most what one grant may hold.
const maxChoices = 500

// releaseForm is what the form of a release sends.
type releaseForm struct {
	edit    media.ReleaseEdit
	pricing pricing
	// places are what was typed beside the tracks.
	places  map[media.TrackID]int
	publish bool
}

// ReleaseForm is GET /releases/new and GET /releases/{id}.
func (p *Pages) ReleaseForm(w http.ResponseWriter, r *http.Request) error {
	release, err := p.ownRelease(r)
	if err != nil {
		return err
	}
	tracks, err := media.ReleaseTracks(r.Context(), p.DB.Read, release.ID)
	if err != nil {
		return err
	}
	places := map[media.TrackID]int{}
	for i, t := range tracks {
		places[t.ID] = i + 1
	}
	view, err := p.releaseView(r, release, places)
	if err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// ownRelease is the visitor's own release that the request names, or a new one.
func (p *Pages) ownRelease(r *http.Request) (media.Release, error) {
	v, err := asArtist(r)
	if err != nil {
		return media.Release{}, err
	}
	id := mux.Vars(r)["id"]
	if id == "" {
		return media.Release{Artist: v.Account.Actor, Kind: media.Album, State: media.ReleaseDraft}, nil
	}
	release, err := media.ReleaseByID(r.Context(), p.DB.Read, media.ReleaseID(id))
	if errors.Is(err, media.ErrNoRelease) || err == nil && release.Artist != v.Account.Actor {
		return media.Release{}, fmt.Errorf("%w: release %s", ErrNotFound, id)
	}
	return release, err
}

func (p *Pages) releaseView(r *http.Request, release media.Release, places map[media.TrackID]int) (*templates.ReleaseForm, error) {
	ctx := r.Context()
	view := &templates.ReleaseForm{
		Layout: p.Layout(r), ID: string(release.ID), State: string(release.State), URL: p.releasePage(release.URI), Title: release.Title, About: release.About,
		ReleasedOn: release.ReleasedOn, Errors: map[string]string{},
		Sample: templates.Track{Title: release.Title, Cover: mediaURL(release.Cover), CoverAlt: "Cover of " + release.Title},
	}
	view.Sample.Accent, _, _ = strings.Cut(release.Accent, " ")
	view.NoIndex = true
	for _, kind := range []struct {
		word  media.ReleaseKind
		label string
	}{{media.Album, "Album"}, {media.EP, "EP"}, {media.Single, "Single"}} {
		view.Kinds = append(view.Kinds, templates.Choice{Value: string(kind.word), Label: kind.label, Selected: release.Kind == kind.word})
	}
	var err error
	if view.Pricing, err = p.pricingOf(ctx, p.BaseURL+"/products/"+string(release.ID)); err != nil {
		return nil, err
	}
	tracks, err := media.Of(ctx, p.DB.Read, release.Artist, false, 0, maxChoices)
	if err != nil {
		return nil, err
	}
	for _, t := range tracks {
		if t.State != media.Published && t.State != media.Ready && t.State != media.Unpublished {
			continue
		}
		view.Choices = append(view.Choices, templates.ReleaseChoice{
			ID: string(t.ID), Title: t.Title, Place: places[t.ID], Length: t.Duration(), Unlisted: t.State != media.Published,
		})
	}
	slices.SortStableFunc(view.Choices, func(a, b templates.ReleaseChoice) int {
		// What is on the release comes first, in its order.
		return cmp.Or(cmp.Compare(min(b.Place, 1), min(a.Place, 1)), cmp.Compare(a.Place, b.Place))
	})
	return view, nil
}

// SaveRelease is POST /releases/new and POST /releases/{id}: it saves the form, and publishes when that was asked for.
func (p *Pages) SaveRelease(w http.ResponseWriter, r *http.Request) error {
	release, err := p.ownRelease(r)
	if err != nil {
		return err
	}
	ctx, wrong := r.Context(), map[string]string{}
	f, err := p.readReleaseForm(r, wrong)
	if err != nil {
		return err
	}
	price := p.checkPricing(ctx, release.Artist, f.pricing, wrong)
	if len(wrong) == 0 {
		if price != nil {
			f.edit.Price = func(tx *gorm.DB, made media.Release) error { return price(tx, p.BaseURL+"/products/"+string(made.ID)) }
		}
		err = p.keepRelease(ctx, &release, f)
		if refusal := (*media.Refusal)(nil); errors.As(err, &refusal) {
			wrong["form"] = refusal.Words
		} else if err != nil {
			return fmt.Errorf("save release: %w", err)
		}
	}
	if len(wrong) > 0 {
		release.Title, release.About, release.Kind, release.ReleasedOn = f.edit.Title, f.edit.About, f.edit.Kind, f.edit.ReleasedOn
		view, err := p.releaseView(r, release, f.places)
		if err != nil {
			return err
		}
		view.Pricing, view.Errors = f.pricing.view(view.Assets), wrong
		return p.Render(w, http.StatusUnprocessableEntity, view)
	}
	if f.publish {
		return seeOther(w, r, p.releasePage(release.URI)+"?done=released")
	}
	return seeOther(w, r, "/releases/"+string(release.ID)+"?done=saved")
}

func (p *Pages) keepRelease(ctx context.Context, release *media.Release, f releaseForm) error {
	saved, err := p.Tracks.SaveRelease(ctx, release.Artist, release.ID, f.edit)
	if err != nil {
		return err
	}
	*release = saved
	if f.publish {
		_, err = p.Tracks.PublishRelease(ctx, release.Artist, release.ID)
	}
	return err
}

func (p *Pages) readReleaseForm(r *http.Request, wrong map[string]string) (releaseForm, error) {
	f := releaseForm{places: map[media.TrackID]int{}}
	if err := parseForm(r); err != nil {
		return f, err
	}
	f.edit = media.ReleaseEdit{
		Kind: media.ReleaseKind(r.PostFormValue("kind")), Title: strings.TrimSpace(r.PostFormValue("title")),
		About: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("about"), "\r\n", "\n")), ReleasedOn: r.PostFormValue("releasedOn"),
	}
	f.pricing, f.publish = readPricing(r), r.PostFormValue("action") == "publish"
	if f.edit.Title == "" {
		wrong["title"] = "A release needs a title."
	}
	for name, values := range r.PostForm {
		id, ok := strings.CutPrefix(name, "at-")
		typed := strings.TrimSpace(values[0])
		if !ok || typed == "" {
			continue
		}
		place, err := strconv.Atoi(typed)
		if err != nil || place < 1 || place > 999 {
			wrong["tracks"] = "The place of a track is a number from 1."
			continue
		}
		f.places[media.TrackID(id)] = place
		f.edit.Tracks = append(f.edit.Tracks, media.TrackID(id))
	}
	slices.SortFunc(f.edit.Tracks, func(a, b media.TrackID) int {
		return cmp.Or(cmp.Compare(f.places[a], f.places[b]), cmp.Compare(a, b))
	})
	if len(f.edit.Tracks) == 0 && wrong["tracks"] == "" {
		wrong["tracks"] = "Number at least one track."
	}
	var err error
	f.edit.Cover, err = formFile(r, "cover")
	return f, err
}

// WithdrawRelease is POST /releases/{id}/withdraw.
func (p *Pages) WithdrawRelease(w http.ResponseWriter, r *http.Request) error {
	release, err := p.ownRelease(r)
	if err != nil {
		return err
	}
	if err := p.Tracks.WithdrawRelease(r.Context(), release.Artist, release.ID); err != nil {
		return fmt.Errorf("withdraw release: %w", err)
	}
	return seeOther(w, r, "/studio?done=unpublished")
}

// studioReleases are the artist's releases as the studio lists them.
func (p *Pages) studioReleases(ctx context.Context, artist string, sales map[string]int) ([]templates.StudioRelease, error) {
	releases, err := media.ReleasesOf(ctx, p.DB.Read, artist, false, studioRows)
	if err != nil {
		return nil, err
	}
	var rows []templates.StudioRelease
	for _, release := range releases {
		tracks, err := media.ReleaseTracks(ctx, p.DB.Read, release.ID)
		if err != nil {
			return nil, err
		}
		row := templates.StudioRelease{
			Title: release.Title, EditURL: "/releases/" + string(release.ID), State: string(release.State), Tracks: len(tracks),
		}
		if release.State != media.ReleaseDraft && p.Grants != nil {
			row.BuyersURL = row.EditURL + "/buyers"
		}
		if product, err := p.Shop.Product(ctx, p.BaseURL+"/products/"+string(release.ID)); err == nil {
			price, err := priceOf(product.Units, product.Asset)
			if err != nil {
				return nil, fmt.Errorf("price of %s: %w", product.URI, err)
			}
			row.Price, row.Sales = p.priceView(price, product.Decimals), sales[product.URI]
		}
		rows = append(rows, row)
	}
	return rows, nil
}
