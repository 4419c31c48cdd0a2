package outbox_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/vocab"
)

// TestFreshDocuments changes what documents are made from and reads them at once, with the validator of before.
func TestFreshDocuments(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		i := fedtest.New(t, fedtest.Options{DSN: fresh()})
		ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
		track := i.Track(t, ada.URI, "rain")
		note := noteOf(t, i, ada.URI, track.URI)
		documents := i.Outbox.Documents()
		read := func(path, etag string) *httptest.ResponseRecorder {
			t.Helper()
			r := httptest.NewRequest(http.MethodGet, path, nil)
			if etag != "" {
				r.Header.Set("If-None-Match", etag)
			}
			w := httptest.NewRecorder()
			documents.ServeHTTP(w, r)
			return w
		}
		notePath := strings.TrimPrefix(note, i.BaseURL)
		for name, tc := range map[string]struct {
			path   string
			change func()
		}{
			"profile": {"/users/lin", func() {
				tx(t, i, func(ctx context.Context, tx *gorm.DB) error {
					return i.Actors.SetProfile(ctx, tx, lin.URI, "Lin the Third", "", "")
				})
			}},
			"outbox": {"/users/lin/outbox?page=true", func() {
				tx(t, i, func(ctx context.Context, tx *gorm.DB) error {
					return i.Outbox.Tell(ctx, tx, vocab.Activity{
						ID: i.Outbox.NewID("activities"), Type: vocab.VerbAnnounce, Actor: lin.URI, Object: vocab.Ref{ID: note}, To: []string{vocab.Public},
					})
				})
			}},
			"outbox count": {"/users/ada/outbox", func() {
				if err := i.Outbox.Pin(t.Context(), ada.URI, track.URI, true); err != nil {
					t.Fatal(err)
				}
			}},
			"followers": {"/users/ada/followers", func() { follow(t, i, lin.URI, ada.URI) }},
			"likes": {notePath + "/likes", func() {
				if err := i.Outbox.React(t.Context(), lin.URI, note, outbox.Like, true); err != nil {
					t.Fatal(err)
				}
			}},
			"replies": {notePath + "/replies", func() {
				if _, err := i.Outbox.Comment(t.Context(), lin.URI, note, "Well played"); err != nil {
					t.Fatal(err)
				}
			}},
		} {
			first := read(tc.path, "")
			etag := first.Header().Get("Etag")
			if first.Code != 200 || etag == "" || first.Header().Get("Vary") != "Accept" || first.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %d %v", name, first.Code, first.Header())
			}
			for _, have := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
				if again := read(tc.path, have); again.Code != 304 || again.Body.Len() != 0 || again.Header().Get("Etag") != etag {
					t.Errorf("%s, asked with %s: %d %s", name, have, again.Code, again.Body)
				}
			}
			tc.change()
			if changed := read(tc.path, etag); changed.Code != 200 || changed.Header().Get("Etag") == etag {
				t.Errorf("%s is stale after a change: %d", name, changed.Code)
			}
		}
		if w := read("/tracks/rain", ""); w.Code != 200 {
			t.Errorf("track: %d", w.Code)
		}
		i.Change(t, track.ID, map[string]any{"state": media.Unpublished})
		fedtest.Until(t, "the track is taken back", func() bool { return i.Count(t, "objects", "uri = ? AND deleted_at IS NOT NULL", track.URI) == 1 }, i)
		if w := read("/tracks/rain", ""); w.Code != 410 {
			t.Errorf("a deleted track answers %d", w.Code)
		}

		// Another process tells nobody: its change is seen after a second.
		if before := read("/users/ada", ""); before.Code != 200 {
			t.Fatal(before.Code)
		}
		pool, err := i.DB.Write.DB()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := pool.ExecContext(t.Context(), "UPDATE actors SET display = 'Elsewhere' WHERE name = 'ada'"); err != nil {
			t.Fatal(err)
		}
		i.Clock.Advance(time.Second)
		if after := read("/users/ada", ""); !strings.Contains(after.Body.String(), "Elsewhere") {
			t.Errorf("another process's change is not seen: %s", after.Body)
		}
	})
}
