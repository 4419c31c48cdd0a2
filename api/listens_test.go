package api_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"antiphon/api"
	"antiphon/media"
)

// heard plays a track for a member from now on, as a player would report it.
func (i *instance) heard(t *testing.T, who string, track media.Track, seconds int) {
	t.Helper()
	ticket := must(i.listens.Ticket(t.Context(), who, track.Artist, track.URI, 187))
	i.clock.Advance(time.Duration(seconds) * time.Second)
	session := fmt.Sprintf("%022d", i.clock.Now().UnixNano())
	check(t, i.listens.Take(t.Context(), fmt.Sprintf("%s %s %d 0-%d", session, ticket, seconds, 10*seconds), "192.0.2.1", "x"))
	check(t, i.listens.Write(t.Context()))
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	var joined *instance
	parts := func(p *api.Parts) {
		p.Listens = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { joined.listens.Serve(w, r) })
	}
	i := setup(t, options{parts: parts})
	joined = i
	ada, lin, stranger := i.signedUp(t, "ada", nil), i.signedUp(t, "lin", nil), i.browser(t)
	stranger.get("/history").want(http.StatusSeeOther)
	lin.get("/history").want(http.StatusOK, "Nothing heard yet", `value="nobody" checked`, `name="recording" value="on" checked`)
	lin.get("/history/export.json").want(http.StatusOK, "[]")

	rain := i.published(t, ada.actor, "Brass <Rain>", nil)
	other := i.published(t, ada.actor, "Dusk", nil)
	for range 30 {
		i.heard(t, lin.actor, rain, 40)
	}
	i.heard(t, lin.actor, other, 10)
	page := lin.get("/history").want(http.StatusOK, "Brass &lt;Rain&gt;", "0:40 heard", "too short to count", `href="/@ada/dusk"`, "Save as CSV")
	older := between(t, page.body, `rel="next" href="`, `"`)
	lin.get(older).want(http.StatusOK, "0:40 heard", "!Dusk", `!rel="next"`)
	ada.get("/history").want(http.StatusOK, "Nothing heard yet")
	rows := must(csv.NewReader(strings.NewReader(lin.get("/history/export.csv").want(http.StatusOK).body)).ReadAll())
	if len(rows) != 32 || rows[0][0] != "started" || rows[1][1] != other.URI || rows[1][5] != "false" || rows[2][3] != "40" {
		t.Errorf("%d rows: %q", len(rows), rows[:3])
	}
	var all []struct {
		Track   string
		Seconds int
	}
	lin.get("/history/export.json").json(&all)
	if len(all) != 31 || all[30].Track != rain.URI || all[30].Seconds != 40 {
		t.Errorf("%d plays", len(all))
	}

	play := between(t, page.body, `name="play" value="`, `"`)
	ada.post("/history/forget", url.Values{"play": {play}}).to("/history?done=forgotten") // not hers: nothing happens
	lin.get("/history").want(http.StatusOK, "Dusk")
	lin.post("/history/forget", url.Values{"play": {play}}).to("/history?done=forgotten")
	lin.get("/history?done=forgotten").want(http.StatusOK, "!Dusk", "Removed for good.")
	lin.post("/history/forget", url.Values{}).want(http.StatusUnprocessableEntity)
	lin.post("/history/forget", url.Values{"all": {"yes"}}).to("/history?done=forgotten")
	lin.get("/history").want(http.StatusOK, "Nothing heard yet")

	lin.post("/history/settings", url.Values{"audience": {"everyone"}}).want(http.StatusUnprocessableEntity)
	lin.post("/history/settings", url.Values{"audience": {"followers"}}).to("/history?done=saved")
	lin.get("/history").want(http.StatusOK, `value="followers" checked`, `!name="recording" value="on" checked`)
	if ticket := must(i.listens.Ticket(t.Context(), lin.actor, ada.actor, rain.URI, 187)); ticket != "" {
		t.Error("what is not to be recorded has a ticket")
	}
	lin.post("/history/settings", url.Values{"audience": {"nobody"}, "recording": {"on"}}).to("/history?done=saved")
	ticket := must(i.listens.Ticket(t.Context(), lin.actor, ada.actor, rain.URI, 187))
	i.heard(t, lin.actor, rain, 40)
	lin.postJSON("/settings/account/delete", map[string]any{"auth": lin.auth}).want(http.StatusOK)
	i.clock.Advance(time.Minute)
	check(t, i.listens.Take(t.Context(), fmt.Sprintf("%022d %s 60 0-600", 1, ticket), "192.0.2.1", "x"))
	check(t, i.listens.Write(t.Context()))
	var left int64
	check(t, i.db.Read.Table("plays").Where("listener = ?", lin.actor).Count(&left).Error)
	if left != 0 {
		t.Errorf("%d plays are left of who has left", left)
	}
	// Reports need no session, and take nothing that is none.
	stranger.do(http.MethodPost, "/play/listen", strings.NewReader("x"), nil).want(http.StatusBadRequest)
}

// The studio shows what was heard, but not of tracks whose few listeners one could guess.
func TestStudioListens(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	ada, bob := i.signedUp(t, "ada", nil), i.signedUp(t, "bob", nil)
	ada.get("/studio/listens").want(http.StatusOK, "Your published tracks will be here")
	rain, dusk := i.published(t, ada.actor, "Rain", nil), i.published(t, ada.actor, "Dusk", nil)
	for n := range 5 {
		i.heard(t, fmt.Sprint(i.base, "/users/listener", n), rain, 40)
	}
	for range 3 {
		i.heard(t, bob.actor, dusk, 40)
	}
	for n, plays := range []int{7, 2} {
		i.insert(t, "heard_elsewhere", map[string]any{
			"track": dusk.URI, "day": i.clock.Now().Format(time.DateOnly), "actor": fmt.Sprint("https://b.example/", n), "verb": "Listen", "host": "b.example",
			"plays": plays, "seconds": 1, "created_at": i.clock.Now(),
		})
	}
	ada.get("/studio").want(http.StatusOK, `href="/studio/listens"`)
	page := ada.get("/studio/listens").want(http.StatusOK, "5 plays · 5 listeners", "Few listeners so far", "9 elsewhere", "3 plays of tracks with few", "!3 plays ·", "!in the pool</span>")
	if strings.Count(page.body, "<dd>8</dd>") != 1 || strings.Count(page.body, "<dd>9</dd>") != 1 {
		t.Errorf("the sums are not exact: %s", page.body)
	}
	ada.post("/studio/pool", url.Values{"track": {string(rain.ID)}, "pool": {"in"}}).to("/studio/listens?done=pooled")
	ada.get("/studio/listens").want(http.StatusOK, "in the pool</span>", "Take out of the pool")
	bob.post("/studio/pool", url.Values{"track": {string(rain.ID)}, "pool": {"out"}}).want(http.StatusNotFound)
	if told := must(media.ByURI(t.Context(), i.db.Read, rain.URI)); !told.Pooled {
		t.Error("somebody else took the track out of the pool")
	}
	ada.post("/studio/pool", url.Values{"track": {string(rain.ID)}, "pool": {"out"}}).to("/studio/listens?done=unpooled")
	ada.get("/studio/listens").want(http.StatusOK, "!in the pool</span>")
}

// between is what stands in text between two others.
func between(t *testing.T, text, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, before)
	found, _, ok2 := strings.Cut(rest, after)
	if !ok || !ok2 {
		t.Fatalf("%q is not there", before)
	}
	return found
}
