package web

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"antiphon/media"
	"antiphon/templates"
)

// Artist is GET /@{name}.
func (p *Pages) Artist(w http.ResponseWriter, r *http.Request) error {
	artist, err := p.actor(r.Context(), p.Auth.ActorURI(mux.Vars(r)["name"]))
	if err != nil {
		return err
	}
	view, err := p.artistView(r, artist)
	if err != nil {
		return err
	}
	total, err := media.CountOf(r.Context(), p.DB.Read, artist.URI)
	if err != nil {
		return fmt.Errorf("count tracks: %w", err)
	}
	n := pageOf(r, listRows)
	tracks, err := media.Of(r.Context(), p.DB.Read, artist.URI, true, n.offset(), listRows)
	if err != nil {
		return err
	}
	if view.Tracks, err = p.localTracks(r.Context(), tracks, listBars); err != nil {
		return err
	}
	if len(view.Tracks) > 0 {
		view.Accent = view.Tracks[0].Accent
	}
	view.Total, view.Pager = int(total), n.pager(artist.page(), r.URL.Query(), int(total))
	view.Meta = p.artistMeta(artist, view.Avatar)
	if n.number == 1 {
		if view.Tiers, err = p.tiersOf(r.Context(), artist.URI); err != nil {
			return err
		}
		if view.Pinned, err = p.pinnedOf(r.Context(), artist.URI); err != nil {
			return err
		}
		if view.Releases, err = p.releasesOf(r.Context(), artist.URI); err != nil {
			return err
		}
	}
	return p.Render(w, http.StatusOK, view)
}

// ToArtist leads a person from an actor's URI to the page.
func (p *Pages) ToArtist(w http.ResponseWriter, r *http.Request) error {
	return seeOther(w, r, "/@"+mux.Vars(r)["name"])
}

// RemoteArtist is GET /artist?uri=: an artist of another instance, with what was received from there.
func (p *Pages) RemoteArtist(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	artist, err := p.actor(r.Context(), r.URL.Query().Get("uri"))
	if err != nil {
		return err
	}
	if artist.Local {
		return seeOther(w, r, artist.page())
	}
	view, err := p.artistView(r, artist)
	if err != nil {
		return err
	}
	view.NoIndex = true
	view.Remote = &templates.Remote{Host: artist.Host, URL: webURL(artist.URL, artist.URI)}
	n := pageOf(r, listRows)
	q := p.DB.Read.WithContext(r.Context()).Model(&postRow{}).Where("actor = ? AND track <> ''", artist.URI)
	var total int64
	if err := q.Count(&total).Error; err != nil {
		return fmt.Errorf("count posts: %w", err)
	}
	var posts []postRow
	if err := q.Order("published_at DESC").Offset(n.offset()).Limit(listRows).Find(&posts).Error; err != nil {
		return fmt.Errorf("read posts: %w", err)
	}
	owned, err := p.owned(r.Context())
	if err != nil {
		return err
	}
	for _, post := range posts {
		view.Tracks = append(view.Tracks, p.postedTrack(r.Context(), post, artist, owned))
	}
	view.Total, view.Pager = int(total), n.pager("/artist", r.URL.Query(), int(total))
	if p.Sellers != nil && total > 0 {
		view.TiersURL = "/tiers?artist=" + url.QueryEscape(artist.URI)
	}
	if view.Releases, err = p.releasesOf(r.Context(), artist.URI); err != nil {
		return err
	}
	return p.Render(w, http.StatusOK, view)
}

// artistView is what the pages of local and remote artists have in common.
func (p *Pages) artistView(r *http.Request, artist actorRow) (*templates.Artist, error) {
	view := &templates.Artist{
		Layout: p.Layout(r), Name: artist.Display, Handle: p.handle(artist.Name, artist.Host), Avatar: p.picture(artist),
		Bio: artist.bio(), Self: artist.URI == me(r.Context()), Actor: artist.URI,
	}
	followers, err := p.followers(r.Context(), artist.URI)
	if err != nil {
		return nil, err
	}
	view.Followers = followers
	if me(r.Context()) != "" && !view.Self {
		if view.Following, view.Waiting, err = p.following(r.Context(), artist.URI); err != nil {
			return nil, err
		}
	}
	return view, nil
}

// webURL is the first of the addresses that a browser may follow, or "".
func webURL(addresses ...string) string {
	for _, a := range addresses {
		if u, err := url.Parse(a); err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" {
			return a
		}
	}
	return ""
}
