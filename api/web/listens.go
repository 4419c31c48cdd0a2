package web

import (
	"fmt"
	"net/http"
	"time"

	"antiphon/federation/inbox"
	"antiphon/media"
	"antiphon/media/listen"
	"antiphon/templates"
)

// StudioListens is GET /studio/listens: what was heard of the artist this month, and which tracks are in the pool.
func (p *Pages) StudioListens(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if p.Listens == nil {
		return ErrNotFound
	}
	ctx, me := r.Context(), v.Account.Actor
	now := p.Now().UTC()
	since := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	view := &templates.Listens{Layout: p.Layout(r), Since: since, Least: listen.Few}
	view.NoIndex = true
	tallies, err := p.Listens.Tallies(ctx, me, since)
	if err != nil {
		return err
	}
	byTrack := map[string]listen.Tally{}
	for _, t := range tallies {
		view.Plays += int(t.Plays)
		if t.Track == "" {
			view.Few = int(t.Plays)
			continue
		}
		byTrack[t.Track] = t
	}
	elsewhere, err := inbox.HeardElsewhere(ctx, p.DB.Read, me, since.Format(time.DateOnly))
	if err != nil {
		return err
	}
	for _, e := range elsewhere {
		view.Elsewhere += int(e.Plays)
	}
	total, err := media.CountOf(ctx, p.DB.Read, me)
	if err != nil {
		return fmt.Errorf("count tracks: %w", err)
	}
	n := pageOf(r, studioRows)
	view.Pager = n.pager("/studio/listens", r.URL.Query(), int(total))
	published, err := media.Of(ctx, p.DB.Read, me, true, n.offset(), studioRows)
	if err != nil {
		return err
	}
	views, err := p.localTracks(ctx, published, listBars)
	if err != nil {
		return err
	}
	for i, t := range published {
		tally := byTrack[t.URI]
		view.Tracks = append(view.Tracks, templates.TrackListens{
			ID: string(t.ID), Track: views[i], Plays: int(tally.Plays), Listeners: int(tally.Listeners), Elsewhere: int(elsewhere[t.URI].Plays), Pooled: t.Pooled,
		})
	}
	return p.Render(w, http.StatusOK, view)
}

// SetPool is POST /studio/pool: it puts a track into the listening pool, or takes it out.
func (p *Pages) SetPool(w http.ResponseWriter, r *http.Request) error {
	v, err := asArtist(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	in := r.PostFormValue("pool") == "in"
	if err := p.Tracks.SetPooled(r.Context(), v.Account.Actor, media.TrackID(r.PostFormValue("track")), in); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	done := "unpooled"
	if in {
		done = "pooled"
	}
	return seeOther(w, r, "/studio/listens?done="+done)
}
