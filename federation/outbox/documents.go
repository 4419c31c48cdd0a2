package outbox

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/httpsig"
	"antiphon/media"
	"antiphon/media/access"
	"antiphon/vocab"
)

// Documents serves what this instance made to other servers: actors, posts, tracks, proposals, collections, and private
// documents to those whom they are for. It answers GET and HEAD of any path with ActivityStreams JSON: 404 for what is
// not here or not for whoever asks, and 410 with a Tombstone for what was deleted. Mount it at /actor, /users/, /notes/,
// /tracks/, /albums/, /products/, /agreements/, /receipts/, /grants/ and /kfrags/; a page (/@name, /@name/slug) may hand requests
// to it that ask for JSON.
func (o *Outbox) Documents() http.Handler {
	verifier := &httpsig.Verifier{Origin: o.config.BaseURL, Keys: o.actors.Keys(), Now: o.now}
	return &documents{o, verifier}
}

// WantsDocument reports whether a request asks for a document rather than a page.
func WantsDocument(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept"), ","), ",") {
		part = strings.TrimSpace(part)
		if strings.HasPrefix(part, vocab.ActivityType) || strings.HasPrefix(part, "application/ld+json") {
			return true
		}
		if strings.HasPrefix(part, "text/html") {
			return false
		}
	}
	return false
}

type documents struct {
	*Outbox
	verifier *httpsig.Verifier
}

// errGone is a document that was deleted.
type errGone struct{ object Object }

func (e errGone) Error() string { return e.object.URI + " was deleted" }

// ServeHTTP answers with the document at the request's path.
func (d *documents) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "this is only to be read", http.StatusMethodNotAllowed)
		return
	}
	key := r.URL.Path + "?" + r.URL.RawQuery
	if ready := d.renders.get(key, d.now()); ready != nil {
		d.writeRendered(w, r, ready)
		return
	}
	doc := &rendered{at: d.now(), deps: d.renders.watch(d.madeFrom(r.URL.Path)...)}
	raw, public, err := d.find(r)
	var gone errGone
	switch {
	case errors.As(err, &gone):
		d.tombstone(w, gone.object)
		return
	case errors.Is(err, actor.ErrGone):
		d.tombstone(w, Object{URI: d.config.BaseURL + strings.TrimSuffix(r.URL.Path, "/"), Kind: string(vocab.Person)})
		return
	case errors.Is(err, ErrNotFound), errors.Is(err, actor.ErrNotFound), errors.Is(err, access.ErrUnknownProduct), errors.Is(err, media.ErrNotFound):
		http.Error(w, "there is no such document", http.StatusNotFound)
		return
	case err != nil:
		d.log.Error("document not served", "path", r.URL.Path, "error", err)
		http.Error(w, "this server has a problem; try again later", http.StatusInternalServerError)
		return
	}
	if !public {
		d.send(w, http.StatusOK, raw, false)
		return
	}
	doc.body, doc.etag = raw, etagOf(raw)
	if len(doc.deps) > 0 {
		d.renders.put(key, doc)
	}
	d.writeRendered(w, r, doc)
}

func (d *documents) send(w http.ResponseWriter, status int, raw []byte, public bool) {
	h := w.Header()
	h.Set("Content-Type", vocab.ActivityType+"; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
	h.Set("Cache-Control", "private, no-store")
	if public {
		h.Set("Cache-Control", "public, no-cache")
		h.Set("Access-Control-Allow-Origin", "*")
	}
	w.WriteHeader(status)
	if _, err := w.Write(raw); err != nil {
		d.log.Debug("answer not taken", "error", err)
	}
}

func (d *documents) tombstone(w http.ResponseWriter, x Object) {
	document, err := vocab.Tombstone{ID: x.URI, FormerType: x.Kind, Deleted: x.Deleted}.Build()
	if err != nil {
		http.Error(w, "this was deleted", http.StatusGone)
		return
	}
	raw, err := json.Marshal(document)
	if err != nil {
		http.Error(w, "this was deleted", http.StatusGone)
		return
	}
	d.send(w, http.StatusGone, raw, x.Audience == nil)
}

// find returns the document at a path, and whether it is for everyone.
func (d *documents) find(r *http.Request) (raw []byte, public bool, err error) {
	ctx, path := r.Context(), strings.TrimSuffix(r.URL.Path, "/")
	uri := d.config.BaseURL + path
	switch parts := strings.Split(strings.TrimPrefix(path, "/"), "/"); {
	case path == "/actor", len(parts) == 2 && parts[0] == "users":
		raw, err = d.actors.Document(ctx, uri)
		return raw, true, err
	case parts[0] == "users" && len(parts) == 3, path == "/actor/outbox", path == "/actor/followers", path == "/actor/following":
		return d.ofActor(r, strings.TrimSuffix(uri, "/"+parts[len(parts)-1]), parts[len(parts)-1])
	case parts[0] == "notes" && len(parts) == 3:
		return d.ofNote(r, strings.TrimSuffix(uri, "/"+parts[2]), parts[2])
	case strings.HasPrefix(path, "/@"):
		return d.page(r, parts)
	case parts[0] == "products" && len(parts) == 3 && parts[2] == "proposal":
		raw, err = d.proposal(ctx, strings.TrimSuffix(uri, "/proposal"))
		return raw, true, err
	}
	return d.object(r, uri)
}

// ofActor returns a collection of an actor, or a page of it.
func (d *documents) ofActor(r *http.Request, owner, name string) ([]byte, bool, error) {
	who, err := d.actors.Local(r.Context(), owner)
	if err != nil {
		return nil, false, err
	}
	if name == "subscribers" {
		raw, err := d.subscribers(r, who)
		return raw, false, err
	}
	if name == followersSync {
		raw, err := d.synchronized(r, who)
		return raw, false, err
	}
	l, ok := ofActor[name]
	if !ok {
		return nil, false, fmt.Errorf("%w: collection %s", ErrNotFound, name)
	}
	raw, err := d.collection(r.Context(), owner+"/"+name, owner, l, r.URL.Query())
	return raw, true, err
}

// ofNote returns a collection of a public post of this instance, or a page of it.
func (d *documents) ofNote(r *http.Request, note, name string) ([]byte, bool, error) {
	l, ok := ofNote[name]
	if !ok {
		return nil, false, fmt.Errorf("%w: collection %s", ErrNotFound, name)
	}
	x, err := ObjectByURI(r.Context(), d.db.Read, note)
	if err != nil {
		return nil, false, err
	}
	if !x.Local || x.Audience != nil || x.Kind != kindNote || !x.Deleted.IsZero() {
		return nil, false, fmt.Errorf("%w: %s of %s", ErrNotFound, name, note)
	}
	raw, err := d.collection(r.Context(), note+"/"+name, note, l, r.URL.Query())
	return raw, true, err
}

// page finds the document of a page: an artist, or the announcement of a track.
func (d *documents) page(r *http.Request, parts []string) ([]byte, bool, error) {
	who, err := d.actors.ByName(r.Context(), strings.TrimPrefix(parts[0], "@"))
	if err != nil {
		return nil, false, err
	}
	if len(parts) == 1 {
		raw, err := d.actors.Document(r.Context(), who.URI)
		return raw, true, err
	}
	t, err := media.BySlug(r.Context(), d.db.Read, who.URI, strings.Join(parts[1:], "/"))
	if err != nil {
		return nil, false, err
	}
	post, err := PostOf(r.Context(), d.db.Read, who.URI, t.URI)
	if err != nil {
		return nil, false, err
	}
	return d.object(r, post.URI)
}

// object returns a stored document, or a public activity, to a reader who may have it.
func (d *documents) object(r *http.Request, uri string) ([]byte, bool, error) {
	ctx := r.Context()
	x, err := ObjectByURI(ctx, d.db.Read, uri)
	missing := errors.Is(err, ErrNotFound)
	if (missing || err == nil && x.Local && !x.Deleted.IsZero()) && strings.HasPrefix(uri, d.config.BaseURL+"/albums/") {
		if raw, err := d.releaseNow(ctx, uri, !missing); !errors.Is(err, media.ErrNoRelease) {
			return raw, true, err
		}
	}
	if missing {
		raw, err := d.activity(ctx, uri)
		return raw, true, err
	}
	if err != nil {
		return nil, false, err
	}
	if !x.Local {
		return nil, false, fmt.Errorf("%w: %s is not from here", ErrNotFound, uri)
	}
	if !x.Readable("") {
		if err := d.mayRead(r, x); err != nil {
			return nil, false, err
		}
	}
	if !x.Deleted.IsZero() {
		return nil, false, errGone{x}
	}
	return x.Raw, x.Audience == nil, nil
}

// mayRead checks that a request is signed by somebody whom a private document is for, or by the instance of one.
func (d *documents) mayRead(r *http.Request, x Object) error {
	key, err := d.verifier.Verify(r.Context(), r, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	host := actor.HostOf(key.Owner)
	if blocked, err := d.hosts.IsBlocked(r.Context(), host); err != nil {
		return err
	} else if blocked {
		return fmt.Errorf("%w: %s is blocked", ErrNotFound, host)
	}
	if x.Readable(key.Owner) {
		return nil
	}
	reader, err := d.actors.Known(r.Context(), key.Owner)
	if err != nil {
		return err
	}
	if reader.Kind != string(vocab.Application) {
		return fmt.Errorf("%w: %s is not for %s", ErrNotFound, x.URI, key.Owner)
	}
	for _, audience := range x.Audience {
		if vocab.SameOrigin(audience, key.Owner) {
			return nil
		}
	}
	return fmt.Errorf("%w: %s is not for %s", ErrNotFound, x.URI, key.Owner)
}

// activity returns a public activity.
func (d *documents) activity(ctx context.Context, uri string) ([]byte, error) {
	var row sent
	err := d.db.Read.WithContext(ctx).Where("uri = ? AND public", uri).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, uri)
	}
	if err != nil {
		return nil, fmt.Errorf("read activity %s: %w", uri, err)
	}
	return row.Raw, nil
}

func (d *documents) proposal(ctx context.Context, product string) ([]byte, error) {
	p, err := d.goods.Product(ctx, product)
	if err != nil {
		return nil, err
	}
	if !p.Open {
		return nil, fmt.Errorf("%w: %s is not for sale", ErrNotFound, product)
	}
	x := vocab.Proposal{
		ID: ProposalURI(p.URI), AttributedTo: p.Artist, Name: p.Name, Product: p.URI, Resource: resources[p.Kind], Monthly: p.Kind == access.KindTier,
		Price: priceOf(p), Updated: p.UpdatedAt.UTC(),
	}
	if p.Flexible {
		x.Suggested = cmp.Or(p.Suggested, p.Units)
	}
	if d.shares != nil {
		if x.Shares, err = d.shares(ctx, p.URI); err != nil {
			return nil, err
		}
	}
	return json.Marshal(x.Object())
}

// resources are what products of a kind are, as a proposal says it.
var resources = map[string]string{
	access.KindTrack: vocab.Namespace + "AudioTrack", access.KindRelease: "https://funkwhale.audio/ns#Album", access.KindTier: vocab.Namespace + "Subscription",
}
