package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/gorilla/mux"
	"golang.org/x/time/rate"

	"antiphon/api/auth"
	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/templates"
	"antiphon/vocab"
)

// Finder finds people of other servers; federation/actor and federation/fetch implement it.
type Finder interface {
	// Lookup returns the URI of the actor behind a handle or an address, known here from then on.
	Lookup(ctx context.Context, text string) (uri string, err error)
	// Intents returns what the host of a handle says of where its people act.
	Intents(ctx context.Context, handle string) (vocab.JRD, error)
}

// Everybody may have this server ask another one for a handle, so it is asked rarely: by one visitor and by all.
const (
	askedEach  = 10 // in a burst, then one every ten seconds
	askedByAll = 60 // in a burst, then three a second
	maxAskers  = 10_000
)

// askers has one token bucket per visitor's address, and one for all.
type askers struct {
	all *rate.Limiter

	mu   sync.Mutex
	each map[string]*rate.Limiter
}

func newAskers() *askers {
	return &askers{all: rate.NewLimiter(3, askedByAll), each: map[string]*rate.Limiter{}}
}

func (a *askers) allow(address string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	one, ok := a.each[address]
	if !ok {
		if len(a.each) >= maxAskers {
			clear(a.each)
		}
		one = rate.NewLimiter(0.1, askedEach)
		a.each[address] = one
	}
	return one.Allow() && a.all.Allow()
}

// Elsewhere is GET /elsewhere?uri=&intent=&handle=@name@host, and GET /elsewhere/{id}?handle= of a track: it leads a
// visitor to the own server, to follow an artist or act on a track from there.
func (p *Pages) Elsewhere(w http.ResponseWriter, r *http.Request) error {
	uri, title, err := p.subject(r)
	if err != nil {
		return err
	}
	handle := strings.TrimPrefix(strings.TrimSpace(r.URL.Query().Get("handle")), "@")
	_, host, ok := strings.Cut(handle, "@")
	u, err := url.Parse("https://" + host)
	if !ok || err != nil || u.Host != host || host == "" || u.User != nil || len(handle) > 300 {
		return &auth.Refusal{Field: "handle", Words: "Write your address as @name@server."}
	}
	address, err := p.away(r, handle, u, uri)
	if err != nil {
		return err
	}
	// Browsers refuse a form that is redirected to another site, as the pages' policy asks of them: a page leads there.
	w.Header().Set("Refresh", "0; url="+address)
	view := &templates.Failure{
		Layout: p.Layout(r), Status: http.StatusOK, What: "On to " + u.Host, Do: "If nothing happens, go there yourself.",
		LinkURL: address, LinkText: "Open " + title + " on " + u.Host,
	}
	view.NoIndex = true
	return p.Render(w, http.StatusOK, view)
}

// away is the address at which a visitor acts on uri at home, as the home server says.
func (p *Pages) away(r *http.Request, handle string, home *url.URL, uri string) (string, error) {
	if p.Finder == nil {
		if strings.HasPrefix(p.BaseURL, "http://") {
			home.Scheme = "http" // development: both servers are on this machine
		}
		home.Path, home.RawQuery = "/music", url.Values{"uri": {uri}}.Encode()
		return home.String(), nil
	}
	if !p.askers.allow(r.RemoteAddr) {
		return "", &Fault{Status: http.StatusTooManyRequests, What: "Many people ask for their servers right now", Do: "Wait a minute and try again."}
	}
	found, err := p.Finder.Intents(r.Context(), handle)
	if err != nil {
		return "", &Fault{
			Status: http.StatusUnprocessableEntity, What: home.Host + " does not know @" + handle + ", or does not answer",
			Do: "Check the spelling. You can also search for " + uri + " on your own server.", Err: err,
		}
	}
	intent := vocab.IntentObject
	if r.URL.Query().Get("intent") == string(vocab.IntentFollow) {
		intent = vocab.IntentFollow
	}
	address := found.Open(intent, uri)
	if address == "" {
		return "", &Fault{
			Status: http.StatusUnprocessableEntity, What: home.Host + " does not say where its people do this",
			Do: "Copy " + uri + " into the search of your own server: it is found there.",
		}
	}
	return address, nil
}

// subject is the local artist or track that a request is about.
func (p *Pages) subject(r *http.Request) (uri, title string, err error) {
	uri = r.URL.Query().Get("uri")
	if id := mux.Vars(r)["id"]; id != "" {
		uri = p.BaseURL + "/tracks/" + id
	}
	if strings.HasPrefix(uri, p.BaseURL+"/tracks/") {
		t, _, err := p.local(r.Context(), uri)
		return t.URI, t.Title, err
	}
	if !strings.HasPrefix(uri, p.BaseURL+"/users/") {
		return "", "", fmt.Errorf("%w: %.200q", ErrNotFound, uri)
	}
	a, err := p.actor(r.Context(), uri)
	if err == nil && !a.Local {
		err = ErrNotFound
	}
	return a.URI, a.Display, err
}

// Authorize is GET /authorize_interaction?uri=: where the buttons of other servers lead our members, to an actor, a
// track or a post from anywhere. Nothing is done before they do it themselves.
func (p *Pages) Authorize(w http.ResponseWriter, r *http.Request) error {
	if _, err := visitor(r); err != nil {
		return err
	}
	uri := strings.TrimPrefix(strings.TrimSpace(r.URL.Query().Get("uri")), "acct:")
	if uri == "" || len(uri) > 2000 {
		return malformed(errors.New("no uri"))
	}
	if page, ok, err := p.ownPage(r.Context(), uri); err != nil || ok {
		if err != nil {
			return err
		}
		return seeOther(w, r, page)
	}
	if p.Remote != nil && webURL(uri) != "" {
		if thread, err := outbox.ThreadOf(r.Context(), p.DB.Read, uri); err == nil {
			page, err := p.trackPage(r.Context(), thread.Track)
			if err != nil {
				return err
			}
			return seeOther(w, r, page)
		}
		if isRelease(uri) {
			return seeOther(w, r, p.releasePage(uri))
		}
		if t, err := p.Remote.Track(r.Context(), uri, true); err == nil {
			return seeOther(w, r, remoteURL(t.ID))
		}
	}
	if p.Finder == nil {
		return fmt.Errorf("%w: %.200q", ErrNotFound, uri)
	}
	found, err := p.Finder.Lookup(r.Context(), uri)
	if err != nil {
		return &Fault{
			Status: http.StatusUnprocessableEntity, What: fmt.Sprintf("%.200q could not be found", uri),
			Do: "It is neither an artist nor a track that this server can read. Check the address, or try again in a few minutes.", Err: err,
		}
	}
	who, err := p.actor(r.Context(), found)
	if err != nil {
		return err
	}
	return seeOther(w, r, who.page())
}

// ownPage is the page of something of this instance, by its URI, its page's address or a handle.
func (p *Pages) ownPage(ctx context.Context, uri string) (string, bool, error) {
	path, ok := strings.CutPrefix(uri, p.BaseURL+"/")
	if !ok {
		return "", false, nil
	}
	kind, id, _ := strings.Cut(path, "/")
	switch {
	case kind == "users":
		a, err := p.actor(ctx, uri)
		return a.page(), true, err
	case kind == "tracks", kind == "notes":
		thread, err := outbox.ThreadOf(ctx, p.DB.Read, uri)
		if err != nil {
			return "", false, fmt.Errorf("%w: %w", ErrNotFound, err)
		}
		page, err := p.trackPage(ctx, thread.Track)
		return page, true, err
	case strings.HasPrefix(kind, "@") && id == "", kind == "albums", strings.HasPrefix(kind, "@") && !strings.Contains(id, "/"):
		return localPath("/" + path), true, nil
	}
	return "", false, fmt.Errorf("%w: %.200q", ErrNotFound, uri)
}

// releasesOf are the albums of an artist that are known here, the newest first.
func (p *Pages) releasesOf(ctx context.Context, artist string) ([]templates.Link, error) {
	var rows []struct{ URI, Raw string }
	err := p.DB.Read.WithContext(ctx).Table("objects").Where("owner = ? AND kind = ? AND deleted_at IS NULL", artist, vocab.KindAlbum).
		Order("created_at DESC, uri DESC").Limit(listRows).Select("uri", "raw").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("read albums of %s: %w", artist, err)
	}
	var out []templates.Link
	for _, row := range rows {
		if release, err := vocab.ReadRelease([]byte(row.Raw)); err == nil {
			out = append(out, templates.Link{Label: release.Name, URL: p.releasePage(row.URI)})
		}
	}
	return out, nil
}

// pinnedOf are the tracks that a local artist shows first.
func (p *Pages) pinnedOf(ctx context.Context, artist string) ([]templates.Track, error) {
	uris, err := outbox.Pinned(ctx, p.DB.Read, artist)
	if err != nil {
		return nil, err
	}
	var tracks []media.Track
	for _, uri := range uris {
		t, err := media.ByURI(ctx, p.DB.Read, uri)
		if errors.Is(err, media.ErrNotFound) || err == nil && t.State != media.Published {
			continue
		}
		if err != nil {
			return nil, err
		}
		tracks = append(tracks, t)
	}
	return p.localTracks(ctx, tracks, listBars)
}
