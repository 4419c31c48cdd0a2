package inbox_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/inbox"
	"antiphon/internal/testkit"
	"antiphon/media/listen"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// heard is what is written of a track: plays by day, actor and verb.
func (y yard) heard(t *testing.T, track string) map[string]int64 {
	t.Helper()
	var rows []struct {
		Day, Actor, Verb string
		Plays            int64
	}
	if err := y.DB.Read.Table("heard_elsewhere").Where("track = ?", track).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	for _, r := range rows {
		out[r.Day+" "+r.Actor+" "+r.Verb] = r.Plays
	}
	return out
}

// What others say was heard of a track is counted once for an actor and a day, within bounds, and it is nobody's like.
func TestHeardElsewhere(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		y := newYard(t, fedtest.Options{DSN: fresh(), Clock: testkit.NewClock(time.Now().Truncate(24 * time.Hour).Add(12 * time.Hour))})
		track, note := y.announcement(t)
		today, yesterday := y.Clock.Now().Format(time.DateOnly), y.Clock.Now().Add(-24*time.Hour)
		plain := func(n int) (id string, raw []byte) {
			id = y.bob.URI + "/acts/" + strconv.Itoa(n)
			return id, y.raw(t, y.bob, id, `"type":"Listen","object":"`+track+`"`)
		}
		for n := range 3 {
			id, raw := plain(n)
			y.sayRaw(t, y.bob, raw, id, "done")
		}
		day := func(id string, plays int64, start time.Time) []byte {
			start = start.UTC().Truncate(24 * time.Hour)
			raw, err := jsonld.Marshal(vocab.Listen{
				ID: id, Actor: y.bob.URI, Track: track, Published: start, StartTime: start, EndTime: start.Add(24 * time.Hour), Duration: time.Minute, Plays: plays,
			}.Object())
			if err != nil {
				t.Fatal(err)
			}
			return raw
		}
		y.sayRaw(t, y.bob, day(y.bob.URI+"/acts/day", 7, yesterday), y.bob.URI+"/acts/day", "done")
		y.sayRaw(t, y.bob, day(y.bob.URI+"/acts/much", 1_000_000, yesterday.Add(-24*time.Hour)), y.bob.URI+"/acts/much", "done")
		y.sayRaw(t, y.bob, day(y.bob.URI+"/acts/old", 5, yesterday.Add(-240*time.Hour)), y.bob.URI+"/acts/old", "done")
		want := map[string]int64{
			today + " " + y.bob.URI + " Listen": 5, yesterday.Format(time.DateOnly) + " " + y.bob.URI + " Listen": 7,
			yesterday.Add(-24*time.Hour).Format(time.DateOnly) + " " + y.bob.URI + " Listen": 100,
		}
		if got := y.heard(t, track); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%v, want %v", got, want)
		}
		if n := y.Count(t, "notices", "owner = ?", y.ada.URI); n != 0 {
			t.Errorf("%d notices of what was heard", n)
		}
		before := y.Count(t, "activities", "1=1")
		for n, object := range []string{note, y.BaseURL + "/albums/1", y.peer.BaseURL + "/tracks/1"} {
			body := y.raw(t, y.bob, y.bob.URI+"/other/"+strconv.Itoa(n), `"type":"Listen","object":"`+object+`"`)
			if got := y.bob.Post(t, y.BaseURL+"/inbox", body, y.Clock.Now()); got != 202 {
				t.Errorf("%s: status %d", object, got)
			}
		}
		if n := y.Count(t, "activities", "1=1"); n != before {
			t.Errorf("%d activities about what is no track of here were stored", n-before)
		}
	})
}

// A flood of Views costs no row but one for its actor and the track, and after so many of a host nothing at all.
func TestViews(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Inbox: inbox.Config{Rate: 10_000, Burst: 10_000}})
	track, _ := y.announcement(t)
	before := testkit.Rows(t, y.DB.Read)
	view := func(n int, object, result string) {
		t.Helper()
		body := y.raw(t, y.bob, y.bob.URI+"/views/"+strconv.Itoa(n), `"type":"View","object":"`+object+`"`+result)
		if got := y.bob.Post(t, y.BaseURL+"/inbox", body, y.Clock.Now()); got != 202 {
			t.Fatalf("status %d", got)
		}
	}
	for n := range 40 {
		view(n, track, "")
	}
	view(50, track, `,"result":{"type":"InteractionCounter","interactionType":"WatchAction","userInteractionCount":3}`)
	view(51, y.BaseURL+"/tracks/none", "")
	view(52, y.peer.BaseURL+"/tracks/1", "")
	testkit.SameRows(t, y.DB.Read, before, "actors", "keys_seen", "hosts")
	y.Inbox.WriteViews(t.Context())
	want := map[string]int64{y.Clock.Now().Format(time.DateOnly) + " " + y.bob.URI + " View": 3}
	if got := y.heard(t, track); fmt.Sprint(got) != fmt.Sprint(want) || y.Count(t, "heard_elsewhere", "1=1") != 1 {
		t.Errorf("%v, want %v", got, want)
	}
	sum, err := inbox.HeardElsewhere(t.Context(), y.DB.Read, y.ada.URI, y.Clock.Now().Format(time.DateOnly))
	if err != nil || sum[track] != (inbox.Elsewhere{Track: track, Views: 3}) {
		t.Errorf("%+v, %v", sum, err)
	}
}

// A day's listens go to another instance, by name or together, once, and nowhere else.
func TestDayToldToAnotherInstance(t *testing.T) {
	t.Parallel()
	here, there := fedtest.New(t, fedtest.Options{}), fedtest.New(t, fedtest.Options{})
	ada, lin := there.User(t, "ada", actor.Artist), here.User(t, "lin", actor.Listener)
	track := there.Track(t, ada.URI, "rain")
	fedtest.Until(t, "track published", func() bool { return there.Count(t, "objects", "uri = ?", track.URI) == 1 }, there)
	if _, err := here.Actors.Find(t.Context(), ada.URI, false); err != nil {
		t.Fatal(err)
	}
	own := here.User(t, "ida", actor.Artist)
	here.Listens.Told = []listen.Told{
		{Listener: lin.URI, Artist: ada.URI, Track: track.URI, Plays: 2, Seconds: 120},
		{Artist: ada.URI, Track: track.URI, Plays: 5, Seconds: 500},
		{Artist: own.URI, Track: here.BaseURL + "/tracks/own", Plays: 5, Seconds: 500},
	}
	day := here.Clock.Now().Add(-24 * time.Hour).Format(time.DateOnly)
	err := here.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return here.Queue.Insert(ctx, tx, listen.DayEnded{Day: day})
	})
	if err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "both counted", func() bool { return there.Count(t, "heard_elsewhere", "1=1") == 2 }, here, there)
	y := yard{Instance: there}
	want := map[string]int64{day + " " + lin.URI + " Listen": 2, day + " " + here.Actors.Instance() + " Listen": 5}
	if got := y.heard(t, track.URI); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	if n := here.Count(t, "outbox", "1=1"); n != 2 {
		t.Errorf("%d activities were sent", n)
	}
}
