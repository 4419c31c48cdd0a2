package web

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"antiphon/media/listen"
	"antiphon/templates"
)

// Listens are what members heard; media/listen implements it.
type Listens interface {
	// History returns a member's plays, the latest first, after one of them.
	History(ctx context.Context, listener string, after listen.Heard, limit int) ([]listen.Heard, error)
	// Between returns what a member heard of the pool from one day until another.
	Between(ctx context.Context, listener string, from, until time.Time) ([]listen.Line, error)
	// Forget removes one play, or with an empty session all of them.
	Forget(ctx context.Context, listener, session string) error
	// Choose writes what a member has chosen.
	Choose(ctx context.Context, actor string, c listen.Settings) error
	// Tallies returns what members here heard of an artist from a day on.
	Tallies(ctx context.Context, artist string, from time.Time) ([]listen.Tally, error)
}

// exportRows is how many plays an export reads at a time.
const exportRows = 1000

// listener is the member who makes the request, where plays are recorded.
func (p *Pages) listener(r *http.Request) (string, error) {
	if p.Listens == nil {
		return "", ErrNotFound
	}
	v, err := visitor(r)
	return v.Account.Actor, err
}

// History is GET /history.
func (p *Pages) History(w http.ResponseWriter, r *http.Request) error {
	me, err := p.listener(r)
	if err != nil {
		return err
	}
	ctx := r.Context()
	plays, err := p.Listens.History(ctx, me, readPlace(r.URL.Query().Get("after")), templates.PageSize+1)
	if err != nil {
		return err
	}
	settings, err := listen.SettingsOf(ctx, p.DB.Read, me)
	if err != nil {
		return err
	}
	view := &templates.History{Layout: p.Layout(r), Recording: settings.Recording}
	view.NoIndex = true
	for _, a := range []listen.Audience{listen.Nobody, listen.ToArtist, listen.ToFollowers} {
		view.Audiences = append(view.Audiences, templates.Choice{Value: string(a), Selected: a == settings.Audience})
	}
	if len(plays) > templates.PageSize {
		plays = plays[:templates.PageSize]
		view.Older = "/history?after=" + place(plays[len(plays)-1])
	}
	known := map[string]templates.Track{}
	for _, h := range plays {
		t, ok := known[h.Track]
		if !ok {
			if t, err = p.trackByURI(ctx, h.Track, h.Artist, nil); err != nil {
				return err
			}
			known[h.Track] = t
		}
		view.Plays = append(view.Plays, templates.HeardTrack{
			ID: h.Session, Track: t, When: h.StartedAt, Heard: time.Duration(h.Seconds) * time.Second, Counted: h.Counted,
		})
	}
	return p.Render(w, http.StatusOK, view)
}

// place is where a list goes on after a play.
func place(h listen.Heard) string {
	return strconv.FormatInt(h.StartedAt.UnixMicro(), 10) + "." + h.Session
}

// readPlace reads what place wrote; anything else is the beginning.
func readPlace(text string) listen.Heard {
	at, session, ok := strings.Cut(text, ".")
	micros, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return listen.Heard{}
	}
	return listen.Heard{StartedAt: time.UnixMicro(micros).UTC(), Session: session}
}

// ForgetPlays is POST /history/forget.
func (p *Pages) ForgetPlays(w http.ResponseWriter, r *http.Request) error {
	me, err := p.listener(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	session := r.PostFormValue("play")
	if session == "" && r.PostFormValue("all") != "yes" {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "Nothing was chosen", Do: "Go back and choose what to remove."}
	}
	if err := p.Listens.Forget(r.Context(), me, session); err != nil {
		return err
	}
	return seeOther(w, r, "/history?done=forgotten")
}

// SetListening is POST /history/settings.
func (p *Pages) SetListening(w http.ResponseWriter, r *http.Request) error {
	me, err := p.listener(r)
	if err != nil {
		return err
	}
	if err := parseForm(r); err != nil {
		return err
	}
	err = p.Listens.Choose(r.Context(), me, listen.Settings{
		Recording: r.PostFormValue("recording") == "on", Audience: listen.Audience(r.PostFormValue("audience")),
	})
	if errors.Is(err, listen.ErrAudience) {
		return &Fault{Status: http.StatusUnprocessableEntity, What: "This is none of the choices", Do: "Go back and choose who may know.", Err: err}
	}
	if err != nil {
		return err
	}
	return seeOther(w, r, "/history?done=saved")
}

// ExportHistory is GET /history/export.csv and export.json: all plays, the latest first, written as they are read.
func (p *Pages) ExportHistory(w http.ResponseWriter, r *http.Request) error {
	me, err := p.listener(r)
	if err != nil {
		return err
	}
	plays, err := p.Listens.History(r.Context(), me, listen.Heard{}, exportRows)
	if err != nil {
		return err
	}
	out := history(&csvHistory{w: csv.NewWriter(w)})
	kind := "text/csv; charset=utf-8"
	if mux.Vars(r)["form"] == "json" {
		out, kind = &jsonHistory{w: w}, "application/json"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Disposition", `attachment; filename="listens-`+p.Now().UTC().Format(time.DateOnly)+`.`+mux.Vars(r)["form"]+`"`)
	for {
		for _, h := range plays {
			if err := out.write(h); err != nil {
				return nil // a visitor who has gone away is no error of ours
			}
		}
		if len(plays) < exportRows {
			return out.end()
		}
		if plays, err = p.Listens.History(r.Context(), me, plays[len(plays)-1], exportRows); err != nil {
			// The answer has begun: breaking it off is the only way to say that it is not whole.
			p.Log.Error("export of a history broken off", "error", err)
			panic(http.ErrAbortHandler)
		}
	}
}

// history writes plays in one form or another.
type history interface {
	write(h listen.Heard) error
	end() error
}

type csvHistory struct {
	w     *csv.Writer
	begun bool
}

func (c *csvHistory) write(h listen.Heard) error {
	if !c.begun {
		c.begun = true
		if err := c.w.Write([]string{"started", "track", "artist", "seconds", "length", "counted", "source"}); err != nil {
			return err
		}
	}
	return c.w.Write([]string{
		h.StartedAt.UTC().Format(time.RFC3339), h.Track, h.Artist, strconv.FormatInt(h.Seconds, 10), strconv.FormatInt(h.Length, 10),
		strconv.FormatBool(h.Counted), string(h.Source),
	})
}

func (c *csvHistory) end() error {
	c.w.Flush()
	return nil
}

type jsonHistory struct {
	w     io.Writer
	begun bool
}

func (j *jsonHistory) write(h listen.Heard) error {
	line, err := json.Marshal(map[string]any{
		"started": h.StartedAt.UTC().Format(time.RFC3339), "track": h.Track, "artist": h.Artist, "seconds": h.Seconds, "length": h.Length,
		"counted": h.Counted, "source": h.Source,
	})
	if err != nil {
		return err
	}
	mark := ",\n"
	if !j.begun {
		mark, j.begun = "[\n", true
	}
	_, err = fmt.Fprintf(j.w, "%s%s", mark, line)
	return err
}

func (j *jsonHistory) end() error {
	end := "\n]\n"
	if !j.begun {
		end = "[]\n"
	}
	_, _ = io.WriteString(j.w, end)
	return nil
}
