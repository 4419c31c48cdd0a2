package discover

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"antiphon/federation/actor"
	"antiphon/internal/db"
	"antiphon/vocab"
)

// Config says what this instance tells of itself.
type Config struct {
	// BaseURL is the instance's, without a trailing slash.
	BaseURL string
	// Name and Description are the instance's, in plain text.
	Name, Description string
	// Version is the program's.
	Version string
	// Repository is where its source is.
	Repository string
	// OpenSignup says that anyone may make an account.
	OpenSignup bool
}

// Directory answers who lives here and what this server is.
type Directory struct {
	config Config
	actors *actor.Registry
	db     *db.DB
	log    *slog.Logger
	now    func() time.Time
}

// New makes a directory.
func New(config Config, actors *actor.Registry, d *db.DB, log *slog.Logger, now func() time.Time) *Directory {
	return &Directory{config: config, actors: actors, db: d, log: log, now: now}
}

// Paths are the paths that a Directory answers.
func Paths() []string {
	return []string{"/.well-known/webfinger", "/.well-known/nodeinfo", "/.well-known/host-meta", "/nodeinfo/2.0", "/nodeinfo/2.1"}
}

// ServeHTTP answers the paths of Paths, for GET and HEAD, and for scripts of any origin.
func (d *Directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this is only to be read", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch r.URL.Path {
	case "/.well-known/webfinger":
		d.webfinger(w, r)
	case "/.well-known/nodeinfo":
		d.write(w, "application/json", vocab.NodeInfoLinks(d.config.BaseURL, d.actors.Instance()))
	case "/nodeinfo/2.0", "/nodeinfo/2.1":
		d.nodeinfo(w, r, strings.TrimPrefix(r.URL.Path, "/nodeinfo/"))
	case "/.well-known/host-meta":
		d.hostMeta(w)
	default:
		http.NotFound(w, r)
	}
}

func (d *Directory) webfinger(w http.ResponseWriter, r *http.Request) {
	resource := r.URL.Query().Get("resource")
	if resource == "" || len(resource) > 2048 {
		http.Error(w, "say who is looked for: ?resource=acct:name@host", http.StatusBadRequest)
		return
	}
	found, err := d.find(r, resource)
	if errors.Is(err, actor.ErrNotFound) {
		http.Error(w, "nobody of that name lives here", http.StatusNotFound)
		return
	}
	if err != nil {
		d.fail(w, err)
		return
	}
	subscribe := d.config.BaseURL + "/authorize_interaction?uri={uri}"
	if found.Kind == actor.Instance {
		subscribe = ""
	}
	d.write(w, vocab.JRDType, vocab.Finger("acct:"+found.Handle(), found.URI, found.URL, subscribe).Object())
}

// find reads a resource: a handle, an actor's URI, the page of an actor, or the root of this server, which is the
// instance's own actor (FEP-d556).
func (d *Directory) find(r *http.Request, resource string) (actor.Actor, error) {
	ctx := r.Context()
	if handle, ok := strings.CutPrefix(resource, "acct:"); ok {
		name, host, ok := strings.Cut(strings.TrimPrefix(handle, "@"), "@")
		if !ok || Normalize(host) != Normalize(d.actors.Host()) {
			return actor.Actor{}, fmt.Errorf("%w: %.200s", actor.ErrNotFound, resource)
		}
		return d.actors.ByName(ctx, name)
	}
	u, err := url.Parse(resource)
	if err != nil || actor.HostOf(resource) != d.actors.Host() || u.RawQuery != "" {
		return actor.Actor{}, fmt.Errorf("%w: %.200s", actor.ErrNotFound, resource)
	}
	if name, ok := strings.CutPrefix(u.Path, "/@"); ok {
		return d.actors.ByName(ctx, name)
	}
	if u.Path == "" || u.Path == "/" {
		return d.actors.Local(ctx, d.actors.Instance())
	}
	return d.actors.Local(ctx, resource)
}

func (d *Directory) nodeinfo(w http.ResponseWriter, r *http.Request, version string) {
	info := vocab.NodeInfo{
		Software: "antiphon", SoftwareVersion: d.config.Version, Repository: d.config.Repository, Name: d.config.Name,
		Description: d.config.Description, OpenRegistrations: d.config.OpenSignup, Features: []string{vocab.MusicFeature},
	}
	for _, count := range []struct {
		to    *int64
		query string
		args  []any
	}{
		{&info.Users, "SELECT COUNT(*) FROM actors WHERE local AND kind <> ?", []any{actor.Instance}},
		{&info.ActiveMonth, activeSince, []any{d.now().UTC().AddDate(0, 0, -30)}},
		{&info.ActiveHalfYear, activeSince, []any{d.now().UTC().AddDate(0, 0, -180)}},
		{&info.LocalPosts, "SELECT COUNT(*) FROM objects WHERE local AND kind = 'Note' AND deleted_at IS NULL", nil},
		{&info.LocalComments, localComments, nil},
	} {
		if err := d.db.Read.WithContext(r.Context()).Raw(count.query, count.args...).Scan(count.to).Error; err != nil {
			d.fail(w, fmt.Errorf("count for NodeInfo: %w", err))
			return
		}
	}
	info.LocalPosts -= info.LocalComments // an answer is a Note, too
	contentType := `application/json; profile="http://nodeinfo.diaspora.software/ns/schema/` + version + `#"`
	d.write(w, contentType, info.Object(version))
}

const localComments = "SELECT COUNT(*) FROM comments JOIN actors ON actors.uri = comments.actor AND actors.local WHERE NOT comments.deleted"

const activeSince = "SELECT COUNT(DISTINCT actor) FROM sessions WHERE seen_at > ?"

// hostMeta leads old software to WebFinger.
func (d *Directory) hostMeta(w http.ResponseWriter) {
	type link struct {
		Rel      string `xml:"rel,attr"`
		Template string `xml:"template,attr"`
	}
	document := struct {
		XMLName xml.Name `xml:"http://docs.oasis-open.org/ns/xri/xrd-1.0 XRD"`
		Link    link
	}{Link: link{"lrdd", d.config.BaseURL + "/.well-known/webfinger?resource={uri}"}}
	body, err := xml.Marshal(document)
	if err != nil {
		d.fail(w, fmt.Errorf("write host-meta: %w", err))
		return
	}
	w.Header().Set("Content-Type", "application/xrd+xml; charset=utf-8")
	d.send(w, append([]byte(xml.Header), body...))
}

func (d *Directory) write(w http.ResponseWriter, contentType string, document map[string]any) {
	body, err := json.Marshal(document)
	if err != nil {
		d.fail(w, fmt.Errorf("write document: %w", err))
		return
	}
	w.Header().Set("Content-Type", contentType)
	d.send(w, body)
}

func (d *Directory) send(w http.ResponseWriter, body []byte) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if _, err := w.Write(body); err != nil {
		d.log.Debug("answer not taken", "error", err)
	}
}

func (d *Directory) fail(w http.ResponseWriter, err error) {
	d.log.Error("directory cannot answer", "error", err)
	http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
}
