package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"gorm.io/gorm"

	"antiphon/federation/moderation"
	"antiphon/federation/outbox"
	"antiphon/media"
	"antiphon/templates"
)

// Home is GET /: the timeline of who is logged in, the landing page of everyone else.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request) error {
	if me(r.Context()) == "" {
		return p.Landing(w, r)
	}
	if guest(r.Context()) {
		return seeOther(w, r, "/library")
	}
	return p.timeline(w, r, http.StatusOK, "", "")
}

// Landing is GET /about, and GET / without a log-in.
func (p *Pages) Landing(w http.ResponseWriter, r *http.Request) error {
	view := &templates.Landing{Layout: p.Layout(r), About: p.About}
	tx := p.DB.Read.WithContext(r.Context())
	var newest []media.Track
	if err := tx.Where("state = ?", media.Published).Order("published_at DESC").Limit(12).Find(&newest).Error; err != nil {
		return fmt.Errorf("read newest tracks: %w", err)
	}
	var err error
	if view.Newest, err = p.localTracks(r.Context(), newest, listBars); err != nil {
		return err
	}
	var figures struct{ Tracks, Artists int }
	err = tx.Model(&media.Track{}).Where("state = ?", media.Published).Select("COUNT(*) AS tracks, COUNT(DISTINCT artist) AS artists").Scan(&figures).Error
	if err != nil {
		return fmt.Errorf("count tracks: %w", err)
	}
	view.Tracks, view.Artists = figures.Tracks, figures.Artists
	return p.Render(w, http.StatusOK, view)
}

// postRow is an announcement by an artist, local or remote.
type postRow = outbox.Post

// timeline is the home page; address and wrong give back what was typed into the follow box.
func (p *Pages) timeline(w http.ResponseWriter, r *http.Request, status int, address, wrong string) error {
	ctx := r.Context()
	view := &templates.Timeline{Layout: p.Layout(r), Address: address, AddressError: strings.TrimSpace(wrong)}
	view.Path, view.NoIndex = "/", true
	tx := p.DB.Read.WithContext(ctx)
	var following int64
	if err := tx.Model(&followRow{}).Where("follower = ?", me(ctx)).Count(&following).Error; err != nil {
		return fmt.Errorf("count follows: %w", err)
	}
	view.Following = int(following)
	after, err := outbox.ParsePosition(r.URL.Query().Get("after"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	rows, err := outbox.Timeline(ctx, p.DB.Read, me(ctx), after, postRows+1, unavoided(ctx))
	if err != nil {
		return err
	}
	if after.URI != "" {
		view.Newest = "/"
	}
	if len(rows) > postRows {
		last := rows[postRows-1]
		view.Older = "/?after=" + outbox.Position{At: last.PublishedAt, URI: last.URI}.String()
		rows = rows[:postRows]
	}
	if view.Posts, err = p.posts(ctx, rows); err != nil {
		return err
	}
	return p.Render(w, status, view)
}

// unavoided leaves out whom the visitor blocks or mutes.
func unavoided(ctx context.Context) func(q *gorm.DB, column string) *gorm.DB {
	return func(q *gorm.DB, column string) *gorm.DB { return moderation.Unavoided(q, column, me(ctx)) }
}

func (p *Pages) posts(ctx context.Context, rows []outbox.Post) ([]templates.Post, error) {
	uris := make([]string, len(rows))
	for i, row := range rows {
		uris[i] = row.Actor
	}
	authors, err := p.actors(ctx, uris)
	if err != nil {
		return nil, err
	}
	owned, err := p.owned(ctx)
	if err != nil {
		return nil, err
	}
	posts := make([]templates.Post, 0, len(rows))
	for _, row := range rows {
		author := authors[row.Actor]
		post := templates.Post{
			Author: author.Display, Handle: p.handle(author.Name, author.Host), Avatar: p.picture(author), AuthorURL: author.page(),
			When: row.PublishedAt, Text: sanitize(row.Content),
		}
		if row.Track != "" || row.Audio != "" {
			track, err := p.postTrack(ctx, row, author, owned)
			if err != nil {
				return nil, err
			}
			post.Track = &track
		}
		posts = append(posts, post)
	}
	return posts, nil
}

// postTrack is the track that a post announces.
func (p *Pages) postTrack(ctx context.Context, row outbox.Post, author actorRow, owned map[string]bool) (templates.Track, error) {
	if strings.HasPrefix(row.Track, p.BaseURL+"/") {
		t, err := media.ByURI(ctx, p.DB.Read, row.Track)
		if err == nil {
			return p.localTrack(ctx, t, author, owned, listBars)
		}
		if !errors.Is(err, media.ErrNotFound) {
			return templates.Track{}, err
		}
	}
	return p.postedTrack(ctx, row, author, owned), nil
}
