package web

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/media"
	"antiphon/media/cover"
	"antiphon/templates"
	"antiphon/vocab"
)

// Embed is GET /embed/{id}: the player of a track's preview, for other sites to show.
func (p *Pages) Embed(w http.ResponseWriter, r *http.Request) error {
	t, artist, err := p.local(r.Context(), p.BaseURL+"/tracks/"+mux.Vars(r)["id"])
	if err != nil {
		return err
	}
	view := &templates.Embed{Layout: templates.Layout{Site: p.Site, BaseURL: p.BaseURL, Path: r.URL.Path}, URL: p.BaseURL + trackPath(artist, t)}
	if view.Track, err = p.localTrack(r.Context(), t, artist, nil, listBars); err != nil {
		return err
	}
	w.Header().Set("Content-Security-Policy", templates.EmbedPolicy)
	w.Header().Set("Cache-Control", "public, max-age=300")
	return p.Render(w, http.StatusOK, view)
}

// oembed is a document of oEmbed 1.0.
type oembed struct {
	Version      string `json:"version"`
	Type         string `json:"type"`
	Title        string `json:"title"`
	AuthorName   string `json:"author_name"`
	AuthorURL    string `json:"author_url"`
	ProviderName string `json:"provider_name"`
	ProviderURL  string `json:"provider_url"`
	CacheAge     int    `json:"cache_age"`
	HTML         string `json:"html"`
	Width        int    `json:"width"`
	Height       int    `json:"height"`
	Thumbnail    string `json:"thumbnail_url,omitempty"`
	ThumbWidth   int    `json:"thumbnail_width,omitempty"`
	ThumbHeight  int    `json:"thumbnail_height,omitempty"`
}

// OEmbed is GET /oembed?url=: how another site shows a track of here.
func (p *Pages) OEmbed(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	if format := query.Get("format"); format != "" && format != "json" {
		return &Fault{Status: http.StatusNotImplemented, What: "There is only JSON here", Do: "Ask with format=json."}
	}
	path, ok := strings.CutPrefix(query.Get("url"), p.BaseURL+"/")
	if !ok {
		return fmt.Errorf("%w: oEmbed of %.200q", ErrNotFound, query.Get("url"))
	}
	t, artist, err := p.byPath(r, path)
	if err != nil {
		return err
	}
	doc := oembed{
		Version: "1.0", Type: "rich", Title: t.Title, AuthorName: artist.Display, AuthorURL: p.BaseURL + artist.page(), ProviderName: p.Site,
		ProviderURL: p.BaseURL + "/", CacheAge: 3600, Width: templates.EmbedWidth, Height: templates.EmbedHeight,
	}
	if n, err := strconv.Atoi(query.Get("maxwidth")); err == nil && n > 0 {
		doc.Width = min(doc.Width, n)
	}
	if n, err := strconv.Atoi(query.Get("maxheight")); err == nil && n > 0 {
		doc.Height = min(doc.Height, n)
	}
	doc.HTML = fmt.Sprintf(`<iframe src="%s" width="%d" height="%d" title="%s" loading="lazy" style="border:0"></iframe>`,
		html.EscapeString(p.embedURL(t)), doc.Width, doc.Height, html.EscapeString(t.Title+" · "+artist.Display))
	if t.Cover != "" {
		doc.Thumbnail, doc.ThumbWidth, doc.ThumbHeight = p.BaseURL+mediaURL(t.Cover), cover.LargeSide, cover.LargeSide
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return json.NewEncoder(w).Encode(doc)
}

// byPath finds a published track by the path of its page or of its URI.
func (p *Pages) byPath(r *http.Request, path string) (media.Track, actorRow, error) {
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	first, rest, _ := strings.Cut(path, "/")
	if name, ok := strings.CutPrefix(first, "@"); ok && rest != "" {
		slug, err := url.PathUnescape(rest)
		if err != nil {
			return media.Track{}, actorRow{}, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		t, err := media.BySlug(r.Context(), p.DB.Read, p.Auth.ActorURI(name), slug)
		if err != nil {
			return t, actorRow{}, err
		}
		return p.local(r.Context(), t.URI)
	}
	return p.local(r.Context(), p.BaseURL+"/"+path)
}

func (p *Pages) embedURL(t media.Track) string { return p.BaseURL + "/embed/" + string(t.ID) }

// trackMeta is what other programs read of a local track's page.
func (p *Pages) trackMeta(t media.Track, artist actorRow) templates.Meta {
	page := p.BaseURL + trackPath(artist, t)
	m := templates.Meta{
		Creator: p.handle(artist.Name, artist.Host), URL: page, OEmbed: p.BaseURL + "/oembed?format=json&url=" + url.QueryEscape(page),
		Schema: p.recording(t, artist),
	}
	if t.Cover != "" {
		m.Image = p.BaseURL + mediaURL(t.Cover)
	}
	if t.Preview != "" {
		m.Audio, m.Embed = p.BaseURL+mediaURL(t.Preview), p.embedURL(t)
	}
	return m
}

// recording is a track in the words of schema.org.
func (p *Pages) recording(t media.Track, artist actorRow) map[string]any {
	m := map[string]any{
		"@context": "https://schema.org", "@type": "MusicRecording", "@id": t.URI, "name": t.Title, "url": p.BaseURL + trackPath(artist, t),
		"duration": isoDuration(t.Duration()), "byArtist": p.group(artist),
	}
	if t.PublishedAt != nil {
		m["datePublished"] = t.PublishedAt.UTC().Format(time.DateOnly)
	}
	if t.Album != "" {
		m["inAlbum"] = map[string]any{"@type": "MusicAlbum", "name": t.Album}
	}
	if t.Cover != "" {
		m["image"] = p.BaseURL + mediaURL(t.Cover)
	}
	if strings.HasPrefix(t.Licence, "https://") {
		m["license"] = t.Licence
	}
	if t.Preview != "" {
		m["audio"] = map[string]any{"@type": "AudioObject", "contentUrl": p.BaseURL + mediaURL(t.Preview), "encodingFormat": "audio/mpeg"}
	}
	return m
}

func (p *Pages) group(artist actorRow) map[string]any {
	return map[string]any{"@type": "MusicGroup", "@id": artist.URI, "name": artist.Display, "url": p.BaseURL + artist.page()}
}

// artistMeta is what other programs read of a local artist's page.
func (p *Pages) artistMeta(artist actorRow, picture string) templates.Meta {
	group := p.group(artist)
	group["@context"] = "https://schema.org"
	m := templates.Meta{Creator: p.handle(artist.Name, artist.Host), URL: p.BaseURL + artist.page(), Schema: group}
	if picture != "" {
		m.Image = p.BaseURL + picture
		group["image"] = m.Image
	}
	return m
}

// albumMeta is what other programs read of an album's page.
func (p *Pages) albumMeta(artist actorRow, release vocab.Release, tracks []media.Track) templates.Meta {
	var list []any
	for _, t := range tracks {
		one := p.recording(t, artist)
		delete(one, "@context")
		delete(one, "inAlbum")
		delete(one, "byArtist")
		list = append(list, one)
	}
	m := templates.Meta{Creator: p.handle(artist.Name, artist.Host), URL: release.ID, Image: release.Cover.URL, Schema: map[string]any{
		"@context": "https://schema.org", "@type": "MusicAlbum", "@id": release.ID, "name": release.Name, "url": release.ID,
		"byArtist": p.group(artist), "numTracks": len(tracks), "track": list,
	}}
	return m
}

// isoDuration writes a length as ISO 8601 does: PT3M31S.
func isoDuration(d time.Duration) string {
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("PT%dM%dS", s/60, s%60)
}
