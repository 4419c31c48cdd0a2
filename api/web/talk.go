package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gorilla/mux"
	"gorm.io/gorm"

	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/templates"
)

// Social is what a member does about tracks besides buying them; federation/outbox implements it.
type Social interface {
	// Comment answers a track, its announcement or a comment.
	Comment(ctx context.Context, me, parent, text string) (outbox.Comment, error)
	// Uncomment removes a comment of one's own, or somebody's below an own track.
	Uncomment(ctx context.Context, me, uri string) error
	// React likes or boosts, or with on false takes that back.
	React(ctx context.Context, me, object string, kind outbox.Reaction, on bool) error
	// Pin shows an own track first, or no longer.
	Pin(ctx context.Context, me, track string, on bool) error
}

// shownComments is how many comments a page shows; maxIndent how far they are moved in.
const (
	shownComments = 100
	maxIndent     = 4
)

// talk is the conversation below a track by an artist, or nil when pages have no social side.
func (p *Pages) talk(ctx context.Context, track, artist string) (*templates.Talk, error) {
	if p.Social == nil {
		return nil, nil
	}
	view := &templates.Talk{Subject: track, Open: me(ctx) != "" && !guest(ctx)}
	if post, err := outbox.PostOf(ctx, p.DB.Read, artist, track); err == nil {
		if view.Open {
			if view.Liked, view.Boosted, err = outbox.Reacted(ctx, p.DB.Read, me(ctx), post.URI, track); err != nil {
				return nil, err
			}
		}
	} else if errors.Is(err, outbox.ErrNotFound) {
		// Not announced, or not to us: it can be read, and there is nothing to answer to.
		view.Open = false
	} else {
		return nil, err
	}
	total, err := outbox.CountComments(ctx, p.DB.Read, track)
	if err != nil {
		return nil, err
	}
	comments, err := outbox.Comments(ctx, p.DB.Read, track, shownComments, unavoided(ctx))
	if err != nil {
		return nil, err
	}
	view.Total, view.More = int(total), len(comments) == shownComments && int(total) > shownComments
	authors := make([]string, len(comments))
	for i, c := range comments {
		authors[i] = c.Actor
	}
	known, err := p.actors(ctx, authors)
	if err != nil {
		return nil, err
	}
	for _, c := range threaded(comments) {
		view.Comments = append(view.Comments, p.comment(ctx, c, known[c.Actor], artist))
	}
	return view, nil
}

func (p *Pages) comment(ctx context.Context, c outbox.Comment, author actorRow, artist string) templates.Comment {
	visitor := me(ctx)
	view := templates.Comment{
		URI: c.URI, ID: anchorOf(c.URI), Indent: min(c.Depth, maxIndent), Deleted: c.Deleted, When: c.CreatedAt,
		Author: author.Display, Handle: p.handle(author.Name, author.Host), Avatar: p.picture(author), AuthorURL: author.page(),
		Text: sanitize(c.Content), Removable: visitor != "" && (visitor == c.Actor || visitor == artist && strings.HasPrefix(artist, p.BaseURL+"/")),
	}
	if author.URI == "" {
		view.Author, view.AuthorURL, view.Handle = hostOf(c.Actor), webURL(c.Actor), ""
	}
	if !author.Local {
		view.Original = webURL(c.URL)
		if visitor == "" {
			// Visitors are not led through this instance to what is elsewhere.
			view.AuthorURL, view.Avatar = webURL(author.URL, c.Actor), ""
		}
	}
	return view
}

// anchorOf is the place of a comment on its page.
func anchorOf(uri string) string {
	sum := sha256.Sum256([]byte(uri))
	return "c-" + hex.EncodeToString(sum[:6])
}

// threaded puts answers behind what they answer. What was removed stays only where somebody answered it.
func threaded(comments []outbox.Comment) []outbox.Comment {
	here := make(map[string]bool, len(comments))
	for _, c := range comments {
		here[c.URI] = true
	}
	answers := map[string][]outbox.Comment{}
	for _, c := range comments {
		parent := c.InReplyTo
		if !here[parent] || parent == c.URI {
			parent = ""
		}
		answers[parent] = append(answers[parent], c)
	}
	var out []outbox.Comment
	waiting := [][]outbox.Comment{answers[""]}
	for len(waiting) > 0 {
		last := len(waiting) - 1
		if len(waiting[last]) == 0 {
			waiting = waiting[:last]
			continue
		}
		c := waiting[last][0]
		waiting[last] = waiting[last][1:]
		if !c.Deleted || len(answers[c.URI]) > 0 {
			out = append(out, c)
		}
		waiting = append(waiting, answers[c.URI])
		delete(answers, c.URI)
	}
	return out
}

// Comment is POST /comments: an answer (text) to a track or a comment (to).
func (p *Pages) Comment(w http.ResponseWriter, r *http.Request) error {
	v, err := p.member(r)
	if err != nil {
		return err
	}
	c, err := p.Social.Comment(r.Context(), v, r.PostFormValue("to"), r.PostFormValue("text"))
	switch {
	case errors.Is(err, outbox.ErrComment):
		return &Fault{Status: http.StatusUnprocessableEntity, What: "There is nothing to send, or too much", Do: fmt.Sprintf("Write between 1 and %d characters.", outbox.MaxComment)}
	case errors.Is(err, outbox.ErrTooMany):
		return &Fault{Status: http.StatusTooManyRequests, What: "That are many comments in a short time", Do: "Wait some minutes and send it again.", Err: err}
	case errors.Is(err, outbox.ErrNotFound):
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case err != nil:
		return err
	}
	page, err := p.trackPage(r.Context(), c.Track)
	if err != nil {
		return err
	}
	return seeOther(w, r, page+"#"+anchorOf(c.URI))
}

// Uncomment is POST /comments/delete.
func (p *Pages) Uncomment(w http.ResponseWriter, r *http.Request) error {
	v, err := p.member(r)
	if err != nil {
		return err
	}
	uri := r.PostFormValue("uri")
	return p.inTalk(w, r, uri, func() error { return p.Social.Uncomment(r.Context(), v, uri) })
}

// inTalk does something about a track or a comment, and leads back to the talk that it is in.
func (p *Pages) inTalk(w http.ResponseWriter, r *http.Request, uri string, act func() error) error {
	thread, err := outbox.ThreadOf(r.Context(), p.DB.Read, uri)
	if err == nil {
		err = act()
	}
	if errors.Is(err, outbox.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	page, err := p.trackPage(r.Context(), thread.Track)
	if err != nil {
		return err
	}
	return seeOther(w, r, page+"#talk")
}

// React is POST /react: kind is like or boost, on is empty to take it back.
func (p *Pages) React(w http.ResponseWriter, r *http.Request) error {
	v, err := p.member(r)
	if err != nil {
		return err
	}
	kind := outbox.Like
	switch r.PostFormValue("kind") {
	case "like":
	case "boost":
		kind = outbox.Boost
	default:
		return malformed(fmt.Errorf("reaction %.20q", r.PostFormValue("kind")))
	}
	object := r.PostFormValue("object")
	return p.inTalk(w, r, object, func() error { return p.Social.React(r.Context(), v, object, kind, r.PostFormValue("on") != "") })
}

// Pin is POST /tracks/{id}/pin; on is empty to take it back.
func (p *Pages) Pin(w http.ResponseWriter, r *http.Request) error {
	v, err := p.member(r)
	if err != nil {
		return err
	}
	t, err := media.ByID(r.Context(), p.DB.Read, media.TrackID(mux.Vars(r)["id"]))
	if err != nil {
		return err
	}
	if t.Artist != v {
		return ErrForbidden
	}
	err = p.Social.Pin(r.Context(), v, t.URI, r.PostFormValue("on") != "")
	switch {
	case errors.Is(err, outbox.ErrPins):
		return &Fault{
			Status: http.StatusUnprocessableEntity, What: fmt.Sprintf("%d tracks are pinned already", outbox.MaxPins), Do: "Unpin one of them first.", Err: err,
		}
	case errors.Is(err, outbox.ErrNotFound):
		return &Fault{Status: http.StatusConflict, What: "This track is not announced yet", Do: "Wait a moment and try again.", Err: err}
	case err != nil:
		return err
	}
	page, err := p.trackPage(r.Context(), t.URI)
	if err != nil {
		return err
	}
	return seeOther(w, r, page)
}

// member is the actor of who makes the request, where pages have a social side.
func (p *Pages) member(r *http.Request) (string, error) {
	v, err := visitor(r)
	if err != nil {
		return "", err
	}
	if p.Social == nil {
		return "", ErrNotFound
	}
	return v.Account.Actor, nil
}

// trackPage is the page of a track here, local or remote.
func (p *Pages) trackPage(ctx context.Context, uri string) (string, error) {
	if !strings.HasPrefix(uri, p.BaseURL+"/") {
		return remoteURL(uri), nil
	}
	t, err := media.ByURI(ctx, p.DB.Read, uri)
	if err != nil {
		return "", err
	}
	artist, err := p.actor(ctx, t.Artist)
	if err != nil {
		return "", err
	}
	return trackPath(artist, t), nil
}

// ToNote leads a person from the URI of a post to where it stands: the page of its track.
func (p *Pages) ToNote(w http.ResponseWriter, r *http.Request) error {
	uri := p.BaseURL + "/notes/" + mux.Vars(r)["id"]
	thread, err := outbox.ThreadOf(r.Context(), p.DB.Read, uri)
	if errors.Is(err, outbox.ErrNotFound) {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return err
	}
	page, err := p.trackPage(r.Context(), thread.Track)
	if err != nil {
		return err
	}
	var c outbox.Comment
	err = p.DB.Read.WithContext(r.Context()).Where("uri = ?", uri).Take(&c).Error
	if err == nil {
		page += "#" + anchorOf(uri)
	} else if !errors.Is(err, gorm.ErrRecordNotFound) {
		return fmt.Errorf("read comment: %w", err)
	}
	return seeOther(w, r, page)
}

// Notices is GET /notices: what the member was told. Looking at it marks all as seen.
func (p *Pages) Notices(w http.ResponseWriter, r *http.Request) error {
	v, err := p.member(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	after, err := outbox.ParsePosition(r.URL.Query().Get("after"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	list, err := outbox.Notices(ctx, p.DB.Read, v, after, listRows+1)
	if err != nil {
		return err
	}
	view := &templates.Notices{Layout: p.Layout(r)}
	view.NoIndex = true
	if len(list) > listRows {
		last := list[listRows-1]
		view.Older = "/notices?after=" + url.QueryEscape(outbox.Position{At: last.CreatedAt, URI: last.Object}.String())
		list = list[:listRows]
	}
	if view.Told, err = p.told(ctx, list, v); err != nil {
		return err
	}
	if view.User != nil && view.User.Unseen > 0 {
		if err := outbox.SeeNotices(ctx, p.DB.Write, v); err != nil {
			return err
		}
	}
	return p.Render(w, http.StatusOK, view)
}

// told are notices as the page shows them. A post that is not for the member is not quoted.
func (p *Pages) told(ctx context.Context, list []outbox.Notice, owner string) ([]templates.Told, error) {
	uris := make([]string, len(list))
	for i, n := range list {
		uris[i] = n.Actor
	}
	actors, err := p.actors(ctx, uris)
	if err != nil {
		return nil, err
	}
	out := make([]templates.Told, 0, len(list))
	for _, n := range list {
		who := actors[n.Actor]
		view := templates.Told{
			Kind: n.Kind, Actor: who.Display, ActorURL: who.page(), Handle: p.handle(who.Name, who.Host), Avatar: p.picture(who), When: n.CreatedAt,
			New: !n.Seen,
		}
		if who.URI == "" {
			view.Actor, view.ActorURL, view.Handle = hostOf(n.Actor), webURL(n.Actor), ""
		}
		thread, err := outbox.ThreadOf(ctx, p.DB.Read, n.Object)
		if err == nil {
			if view.URL, err = p.trackPage(ctx, thread.Track); err == nil {
				view.Title = p.titleOf(ctx, thread.Track)
			}
		}
		var c outbox.Comment
		if p.DB.Read.WithContext(ctx).Where("uri = ?", n.Object).Take(&c).Error == nil {
			view.Text, view.URL = sanitize(c.Content), view.URL+"#"+anchorOf(c.URI)
		}
		out = append(out, view)
	}
	return out, nil
}

func (p *Pages) titleOf(ctx context.Context, track string) string {
	var post postRow
	if err := p.DB.Read.WithContext(ctx).Where("track = ?", track).Limit(1).Find(&post).Error; err != nil || post.Title == "" {
		return hostOf(track)
	}
	return post.Title
}
