package web

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/media"
	"antiphon/media/access"
	"antiphon/templates"
)

// stepWords are the pipeline's steps and states in the words of the pages' texts.
var stepWords = map[string]string{"convert": "transcode", "finish": "store", "running": "working"}

func stepWord(name string) string {
	if word, ok := stepWords[name]; ok {
		return word
	}
	return name
}

func draftState(s media.State) templates.DraftState {
	switch {
	case s.Working():
		return templates.DraftWorking
	case s == media.Failed:
		return templates.DraftFailed
	case s == media.Published:
		return templates.DraftPublished
	default:
		return templates.DraftReady
	}
}

// own is the visitor's own track that the request names.
func (p *Pages) own(r *http.Request) (media.Track, error) {
	v, err := asArtist(r)
	if err != nil {
		return media.Track{}, err
	}
	t, err := media.ByID(r.Context(), p.DB.Read, media.TrackID(mux.Vars(r)["id"]))
	if err == nil && t.Artist != v.Account.Actor {
		err = fmt.Errorf("%w: track of somebody else", ErrNotFound)
	}
	return t, err
}

// Draft is GET /drafts/{id}: the work on an upload, and the form of its track. With ?published it is what comes right
// after publishing.
func (p *Pages) Draft(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	view, err := p.draft(r, t)
	if err != nil {
		return err
	}
	if t.State == media.Published && r.URL.Query().Has("published") {
		if view.Published, err = p.published(r.Context(), t, view.Track); err != nil {
			return err
		}
	}
	return p.Render(w, http.StatusOK, view)
}

func (p *Pages) draft(r *http.Request, t media.Track) (*templates.Draft, error) {
	ctx := r.Context()
	progress, err := p.Tracks.Progress(ctx, t)
	if err != nil {
		return nil, err
	}
	artist, err := p.actor(ctx, t.Artist)
	if err != nil {
		return nil, err
	}
	view := &templates.Draft{
		Layout: p.Layout(r), ID: string(t.ID), State: draftState(t.State), File: t.Filename, Left: progress.Left, Description: t.About,
		Licenses: licenseChoices(t.Licence), PreviewStart: time.Duration(t.PreviewStartMS) * time.Millisecond, Errors: map[string]string{},
	}
	view.NoIndex = true
	for _, s := range progress.Steps {
		view.Steps = append(view.Steps, templates.Step{Name: stepWord(s.Name), State: stepWord(s.State), Done: s.Done, Message: s.Message})
	}
	if view.Track, err = p.localTrack(ctx, t, artist, nil, pageBars); err != nil {
		return nil, err
	}
	return view, p.priceFields(ctx, view, t)
}

// priceFields fills in what the track costs and what it can be sold for.
func (p *Pages) priceFields(ctx context.Context, view *templates.Draft, t media.Track) error {
	product, err := p.Shop.ProductOf(ctx, t.URI)
	if err != nil && !errors.Is(err, access.ErrUnknownProduct) {
		return fmt.Errorf("look up product of %s: %w", t.URI, err)
	}
	view.Pricing, err = p.pricingOf(ctx, product.URI)
	return err
}

// published is what an artist sees right after publishing.
func (p *Pages) published(ctx context.Context, t media.Track, track templates.Track) (*templates.Published, error) {
	artist, err := p.actor(ctx, t.Artist)
	if err != nil {
		return nil, err
	}
	followers, err := p.followers(ctx, t.Artist)
	if err != nil {
		return nil, err
	}
	link := p.BaseURL + track.URL
	// The words of the announcement that the outbox sends.
	seconds := int(t.Duration() / time.Second)
	price := ""
	if product, err := p.Shop.ProductOf(ctx, t.URI); err == nil && p.PriceWords != nil {
		price = " – " + template.HTMLEscapeString(p.PriceWords(product.Units, product.Asset, product.Decimals))
	}
	text := template.HTML(fmt.Sprintf(`<p>New track: <a href="%s">%s</a> (%d:%02d)%s</p>`, template.HTMLEscapeString(link),
		template.HTMLEscapeString(t.Title), seconds/60, seconds%60, price)) + paragraphs(t.About)
	return &templates.Published{
		Link: link, Name: artist.Display, Handle: p.handle(artist.Name, artist.Host), Avatar: p.picture(artist), Text: text, Followers: followers,
	}, nil
}

// Progress is GET /drafts/{id}/progress.
func (p *Pages) Progress(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	progress, err := p.Tracks.Progress(r.Context(), t)
	if err != nil {
		return err
	}
	type step struct {
		Name    string  `json:"name"`
		State   string  `json:"state"`
		Done    float64 `json:"done"`
		Message string  `json:"message"`
	}
	out := struct {
		State templates.DraftState `json:"state"`
		Steps []step               `json:"steps"`
		Left  int                  `json:"left"`
	}{State: draftState(t.State), Left: int(progress.Left.Seconds())}
	for _, s := range progress.Steps {
		out.Steps = append(out.Steps, step{stepWord(s.Name), stepWord(s.State), s.Done, s.Message})
	}
	return writeJSON(w, out)
}

// draftForm is what the form of a track sends.
type draftForm struct {
	title, about, license string
	pricing               pricing
	previewStart          time.Duration
	cover                 []byte
	publish               bool
}

// SaveDraft is POST /drafts/{id}: it saves the form, and publishes when that was asked for.
func (p *Pages) SaveDraft(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	f, wrong, err := readDraftForm(r)
	if err != nil {
		return err
	}
	price := p.checkPricing(r.Context(), t.Artist, f.pricing, wrong)
	if len(wrong) == 0 {
		if t, err = p.save(r.Context(), t, f, price, wrong); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return p.draftAgain(w, r, t, f, wrong)
	}
	if !f.publish {
		return seeOther(w, r, "/drafts/"+string(t.ID)+"?done=saved")
	}
	if _, err := p.Tracks.Publish(r.Context(), t.Artist, t.ID); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return seeOther(w, r, "/drafts/"+string(t.ID)+"?published=1")
}

func readDraftForm(r *http.Request) (f draftForm, wrong map[string]string, err error) {
	if err := parseForm(r); err != nil {
		return f, nil, err
	}
	wrong = map[string]string{}
	f = draftForm{
		title: strings.TrimSpace(r.PostFormValue("title")), about: strings.TrimSpace(strings.ReplaceAll(r.PostFormValue("description"), "\r\n", "\n")),
		license: r.PostFormValue("license"), pricing: readPricing(r), publish: r.PostFormValue("action") == "publish",
	}
	if f.title == "" {
		wrong["title"] = "A track needs a title."
	}
	for _, field := range []struct {
		name, text string
		most       int
	}{{"title", f.title, 200}, {"description", f.about, 5000}, {"license", f.license, 200}} {
		if utf8.RuneCountInString(field.text) > field.most {
			wrong[field.name] = fmt.Sprintf("This can have up to %d characters.", field.most)
		} else if !utf8.ValidString(field.text) {
			wrong[field.name] = "This is not text."
		}
	}
	if start := r.PostFormValue("previewStart"); start != "" {
		seconds, err := strconv.Atoi(start)
		if err != nil || seconds < 0 || seconds > 24*3600 {
			wrong["previewStart"] = "The beginning of the preview is a number of seconds."
		}
		f.previewStart = time.Duration(seconds) * time.Second
	}
	f.cover, err = formFile(r, "cover")
	return f, wrong, err
}

// save writes the form and the cover. Before the product exists the price cannot be kept: that goes into wrong.
func (p *Pages) save(ctx context.Context, t media.Track, f draftForm, price func(tx *gorm.DB, product string) error, wrong map[string]string) (media.Track, error) {
	product, err := p.Shop.ProductOf(ctx, t.URI)
	if errors.Is(err, access.ErrUnknownProduct) {
		if strings.Trim(f.pricing.price, "0.") != "" {
			wrong["price"] = "Everything else is saved. The price can be set when the work above is done."
		}
		price = nil
	} else if err != nil {
		return t, fmt.Errorf("look up product of %s: %w", t.URI, err)
	}
	edit := media.Edit{Title: f.title, Album: t.Album, Licence: f.license, About: f.about, PreviewStart: f.previewStart}
	if price != nil {
		edit.Price = func(tx *gorm.DB) error { return price(tx, product.URI) }
	}
	saved, err := p.Tracks.Edit(ctx, t.Artist, t.ID, edit)
	if refusal := (*media.Refusal)(nil); errors.As(err, &refusal) {
		// Everything else was looked at before.
		wrong["previewStart"] = refusal.Words
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("save track: %w", err)
	}
	if len(f.cover) == 0 {
		return saved, nil
	}
	err = p.Tracks.SetCover(ctx, t.Artist, t.ID, f.cover)
	if refusal := (*media.Refusal)(nil); errors.As(err, &refusal) {
		wrong["cover"] = refusal.Words
		err = nil
	}
	return saved, err
}

// draftAgain gives the form back as it was typed, with what is wrong beside each field.
func (p *Pages) draftAgain(w http.ResponseWriter, r *http.Request, t media.Track, f draftForm, wrong map[string]string) error {
	view, err := p.draft(r, t)
	if err != nil {
		return err
	}
	view.Track.Title, view.Description, view.Pricing, view.Errors = f.title, f.about, f.pricing.view(view.Assets), wrong
	view.PreviewStart, view.Licenses = f.previewStart, licenseChoices(f.license)
	return p.Render(w, http.StatusUnprocessableEntity, view)
}

// Discard is POST /drafts/{id}/delete.
func (p *Pages) Discard(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	if err := p.Tracks.Discard(r.Context(), t.Artist, t.ID); err != nil {
		return fmt.Errorf("discard: %w", err)
	}
	return seeOther(w, r, "/studio?done=discarded")
}

// Unpublish is POST /tracks/{id}/unpublish.
func (p *Pages) Unpublish(w http.ResponseWriter, r *http.Request) error {
	t, err := p.own(r)
	if err != nil {
		return err
	}
	if err := p.Tracks.Unpublish(r.Context(), t.Artist, t.ID); err != nil {
		return fmt.Errorf("unpublish: %w", err)
	}
	return seeOther(w, r, "/studio?done=unpublished")
}
