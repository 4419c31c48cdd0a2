package listen_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"antiphon/internal/db"
	"antiphon/internal/jobs"
	"antiphon/internal/testkit"
	"antiphon/internal/vault"
	"antiphon/media/listen"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	lin  = "https://b.example/users/lin"
	bob  = "https://b.example/users/bob"
	ada  = "https://a.example/users/ada"
	rain = "https://a.example/tracks/rain"
	// length of the track, in seconds.
	length = 211
)

// room is the room over a database, with a clock that the test moves.
type room struct {
	*listen.Service
	clock *testkit.Clock
	db    *db.DB
	dsn   string
}

func openRoom(t testing.TB, dsn string, clock *testkit.Clock, judge listen.Judge) room {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	database, err := db.Open(t.Context(), dsn, log)
	must(t, err)
	t.Cleanup(func() { must(t, database.Close()) })
	return room{newService(t, database, clock, judge, 200), clock, database, dsn}
}

func newService(t testing.TB, database *db.DB, clock *testkit.Clock, judge listen.Judge, maxPlays int) *listen.Service {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	v, err := vault.New(make([]byte, 32), rand.Reader)
	must(t, err)
	queue := jobs.New(database, log)
	jobs.Handle(queue, jobs.Handler[listen.DayEnded]{Work: func(context.Context, listen.DayEnded, int) error { return nil }})
	must(t, queue.Open())
	s, err := listen.New(listen.Config{MaxPlays: maxPlays}, listen.Parts{
		DB: database, Jobs: queue, Vault: v, Judge: judge, Log: log, Now: clock.Now, Rand: rand.Reader,
		Pooled: func(_ context.Context, track string) (bool, error) {
			return track != "https://a.example/tracks/own", nil
		},
	})
	must(t, err)
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// session is the name of a play.
func session(n int) string { return fmt.Sprintf("%022d", n) }

func (r room) ticket(t testing.TB, listener, track string, seconds int64) string {
	t.Helper()
	text, err := r.Ticket(t.Context(), listener, ada, track, seconds)
	must(t, err)
	return text
}

func (r room) report(session, ticket string, age int, heard string) error {
	return r.Take(context.Background(), fmt.Sprintf("%s %s %d %s", session, ticket, age, heard), "192.0.2.17", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
}

// play plays a track for some seconds, with reports as a player makes them.
func (r room) play(t testing.TB, session, ticket string, seconds int) {
	t.Helper()
	must(t, r.Take(t.Context(), session+" "+ticket+" 0 ", "192.0.2.17", "x"))
	for at := 0; at < seconds; {
		step := min(30, seconds-at)
		r.clock.Advance(time.Duration(step) * time.Second)
		at += step
		must(t, r.report(session, ticket, at, fmt.Sprintf("0-%d", 10*at)))
	}
}

func (r room) history(t testing.TB, listener string) []listen.Heard {
	t.Helper()
	must(t, r.Write(t.Context()))
	all, err := r.History(t.Context(), listener, listen.Heard{}, 100)
	must(t, err)
	return all
}

func (r room) plays(t testing.TB, track string) (n int64) {
	t.Helper()
	must(t, r.db.Read.Table("track_days").Where("track = ?", track).Select("COALESCE(SUM(plays), 0)").Scan(&n).Error)
	return n
}

var noon = time.Date(2026, 10, 5, 12, 0, 0, 0, time.UTC)

// 31 s of play are a listen and 20 s none, on both databases; a process that is killed loses only what was not written,
// and gets that back from the player.
func TestPlays(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		r := openRoom(t, fresh(), testkit.NewClock(noon), nil)
		r.play(t, session(1), r.ticket(t, lin, rain, length), 31)
		r.clock.Advance(time.Minute)
		r.play(t, session(2), r.ticket(t, lin, rain, length), 20)
		all := r.history(t, lin)
		if len(all) != 2 || all[0].Counted || all[0].Seconds != 20 || !all[1].Counted || all[1].Seconds != 31 || !all[1].StartedAt.Equal(noon) {
			t.Fatalf("%+v", all)
		}
		if n := r.plays(t, rain); n != 1 {
			t.Errorf("%d plays are counted", n)
		}

		// Killed after 60 s were written, and 30 s were not.
		ticket := r.ticket(t, lin, rain, length)
		r.play(t, session(3), ticket, 60)
		must(t, r.Keep(t.Context()))
		r.clock.Advance(30 * time.Second)
		must(t, r.report(session(3), ticket, 90, "0-900"))
		// A page of the journal that is damaged takes no other with it.
		must(t, r.db.Write.Table("play_journal").Create(map[string]any{"id": "damaged", "written_at": noon, "data": []byte("\x07damaged")}).Error)
		again := openRoom(t, r.dsn, r.clock, nil)
		if all := again.history(t, lin); all[0].Seconds != 60 {
			t.Errorf("after the kill: %+v", all[0])
		}
		r.clock.Advance(30 * time.Second)
		must(t, again.report(session(3), ticket, 120, "0-1200"))
		if all := again.history(t, lin); all[0].Seconds < 118 || all[0].Seconds > 120 || !all[0].StartedAt.Equal(noon.Add(31*time.Second+time.Minute+20*time.Second)) {
			t.Errorf("after the next report: %+v", all[0])
		}
		if n := again.plays(t, rain); n != 2 {
			t.Errorf("%d plays are counted", n)
		}
		// What was said is said once, whenever.
		before := again.history(t, lin)[0].Seconds
		for range 3 {
			must(t, again.report(session(3), ticket, 120, "0-1200"))
			r.clock.Advance(time.Hour)
		}
		if all := again.history(t, lin); len(all) != 3 || all[0].Seconds > 120 || all[0].Seconds < before || again.plays(t, rain) != 2 {
			t.Errorf("after replays: %+v", all)
		}
		must(t, again.Forget(t.Context(), lin, session(2)))
		must(t, again.Forget(t.Context(), bob, ""))
		if all := again.history(t, lin); len(all) != 2 {
			t.Errorf("one forgotten: %+v", all)
		}
		must(t, again.Forget(t.Context(), lin, ""))
		must(t, again.report(session(3), ticket, 120, ""))
		if all := again.history(t, lin); len(all) != 0 || again.plays(t, rain) != 2 {
			t.Errorf("all forgotten: %+v", all)
		}
	})
}

// What a player says is not believed: not more than the clock has shown, nor than the track has, nor for somebody else.
func TestHostileReports(t *testing.T) {
	t.Parallel()
	r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(noon), nil)
	ticket := r.ticket(t, lin, rain, length)

	must(t, r.report(session(1), ticket, 0, "0-2110"))
	if all := r.history(t, lin); len(all) != 1 || all[0].Seconds > 2 || all[0].Counted {
		t.Errorf("a track in no time: %+v", all)
	}
	// Two at once on one account have one clock: 100 s pass, and both together heard 105 and the slack at most.
	second := r.ticket(t, lin, "https://a.example/tracks/two", length)
	r.clock.Advance(100 * time.Second)
	must(t, r.report(session(1), ticket, 100, "0-1000"))
	must(t, r.report(session(2), second, 100, "0-1000"))
	var sum int64
	for _, h := range r.history(t, lin) {
		sum += h.Seconds
	}
	if sum < 105 || sum > 107 {
		t.Errorf("%d s were heard in 100 s", sum)
	}
	// A beginning long before the ticket is no beginning; the end of the track is the end.
	r.clock.Advance(time.Hour)
	third := r.ticket(t, lin, "https://a.example/tracks/three", length)
	r.clock.Advance(50 * time.Second)
	must(t, r.report(session(3), third, 3000, "0-9000"))
	if h := r.history(t, lin)[0]; h.StartedAt.Before(noon.Add(time.Hour)) || h.Seconds > 54 {
		t.Errorf("a play from before its ticket: %+v", h)
	}
	r.clock.Advance(time.Hour)
	must(t, r.report(session(3), third, 7000, "0-9000"))
	if h := r.history(t, lin)[0]; h.Seconds != length {
		t.Errorf("more than the track has: %+v", h)
	}

	for name, text := range map[string]string{
		"no session": "x", "no age": session(9) + " " + ticket, "negative": session(9) + " " + ticket + " -1 0-5", "backwards": session(9) + " " + ticket + " 1 9-5",
		"33 ranges": session(9) + " " + ticket + " 1 " + strings.Repeat("0-1,", 32) + "5-6", "9 plays": strings.Repeat(session(9)+";", 8) + session(9),
		"much": strings.Repeat("x", listen.MaxReports+1), "a number in another form": session(9) + " " + ticket + " 1 00-5", "beyond a day": session(9) + " " + ticket + " 1 0-864001",
	} {
		if err := r.Take(t.Context(), text, "192.0.2.1", ""); !errors.Is(err, listen.ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, err := vault.New(append(make([]byte, 31), 1), rand.Reader)
	must(t, err)
	foreign, err := listen.New(listen.Config{}, listen.Parts{DB: r.db, Vault: other, Now: r.clock.Now, Rand: rand.Reader})
	must(t, err)
	stolen, err := foreign.Ticket(t.Context(), lin, ada, rain, length)
	must(t, err)
	changed := []byte(ticket)
	changed[len(changed)-9] ^= 1
	for name, bad := range map[string]string{"none": "A", "of another server": stolen, "changed": string(changed), "no base64": "%%%"} {
		if err := r.report(session(9), bad, 1, "0-5"); !errors.Is(err, listen.ErrTicket) {
			t.Errorf("ticket %s: %v", name, err)
		}
	}
	// A session is one listener's and one track's.
	if err := r.report(session(3), r.ticket(t, bob, "https://a.example/tracks/three", length), 1, "0-5"); !errors.Is(err, listen.ErrTicket) {
		t.Errorf("another's session: %v", err)
	}
	for n := range 100 {
		err = r.report(session(100+n), ticket, 0, "")
	}
	if !errors.Is(err, listen.ErrBusy) {
		t.Errorf("100 plays at once: %v", err)
	}
	r.clock.Advance(8 * 24 * time.Hour)
	if err := r.report(session(9), ticket, 1, "0-5"); !errors.Is(err, listen.ErrTicket) {
		t.Errorf("a ticket of last week: %v", err)
	}
}

// A play belongs to the month in which it started, by the clock of this instance, whatever the player's says.
func TestMidnight(t *testing.T) {
	t.Parallel()
	midnight := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	seconds := func(t *testing.T, r room, day time.Time) (sum int64) {
		t.Helper()
		must(t, r.Lines(t.Context(), day.Add(5*time.Hour), func(l listen.Line) error {
			if l.Listener != lin || l.Artist != ada || l.Plays != 1 {
				t.Errorf("%+v", l)
			}
			sum += l.Seconds
			return nil
		}))
		return sum
	}
	testkit.BadInput(t, "G9", func(t *testing.T) {
		r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(midnight.Add(time.Second)), nil)
		ticket := r.ticket(t, lin, rain, length)
		r.clock.Advance(time.Minute)
		// It says that it began half an hour ago, which is before it was given its ticket.
		must(t, r.report(session(1), ticket, 1800, "0-600"))
		must(t, r.Write(t.Context()))
		if before, after := seconds(t, r, midnight.Add(-24*time.Hour)), seconds(t, r, midnight); before != 0 || after != 60 {
			t.Errorf("%d s on the day before, %d s on the first", before, after)
		}
	}, func(t *testing.T) {
		r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(midnight.Add(-20*time.Second)), nil)
		r.play(t, session(1), r.ticket(t, lin, rain, length), 60)
		r.clock.Advance(time.Minute)
		r.play(t, session(2), r.ticket(t, lin, rain, length), 50)
		must(t, r.Write(t.Context()))
		if before, after := seconds(t, r, midnight.Add(-24*time.Hour)), seconds(t, r, midnight); before != 60 || after != 50 {
			t.Errorf("%d s on the day before, %d s on the first", before, after)
		}
	})
}

// Each day is told of once, also by an instance that was away when it ended.
func TestDaysAreTold(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		r := openRoom(t, fresh(), testkit.NewClock(noon), nil)
		told := func() string {
			t.Helper()
			// A second process that shares the database tells nothing again.
			for range 2 {
				must(t, r.EndDay(t.Context()))
				r.Service = newService(t, r.db, r.clock, nil, 200)
			}
			var args []string
			must(t, r.db.Read.Table("river_job").Where("kind = 'listens_day_ended'").Order("id").Pluck("CAST(args AS TEXT)", &args).Error)
			var days []string
			for _, a := range args {
				_, a, _ = strings.Cut(a, "2026-")
				days = append(days, a[:len("10-05")])
			}
			return strings.Join(days, " ")
		}
		for _, c := range []struct {
			away time.Duration
			want string
		}{
			{0, "10-04"}, {time.Hour, "10-04"}, {23 * time.Hour, "10-04 10-05"}, {48 * time.Hour, "10-04 10-05 10-06 10-07"},
			{240 * time.Hour, "10-04 10-05 10-06 10-07 10-15 10-16 10-17"},
		} {
			r.clock.Advance(c.away)
			if got := told(); got != c.want {
				t.Errorf("%s later: %s, want %s", c.away, got, c.want)
			}
		}
	})
}

// What does not count for money: one's own, what was told an hour late, tracks outside of the pool, jingles.
func TestWhatDoesNotCount(t *testing.T) {
	t.Parallel()
	r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(noon), nil)
	r.play(t, session(1), r.ticket(t, ada, rain, length), 60)
	r.clock.Advance(time.Hour)
	late := r.ticket(t, lin, rain, length)
	r.clock.Advance(2 * time.Hour)
	must(t, r.report(session(2), late, 7200, "0-600"))
	r.clock.Advance(time.Hour)
	r.play(t, session(3), r.ticket(t, bob, "https://a.example/tracks/own", length), 60)
	r.clock.Advance(time.Hour)
	r.play(t, session(4), r.ticket(t, bob, "https://a.example/tracks/jingle", 29), 29)
	r.play(t, session(5), r.ticket(t, bob, "https://a.example/tracks/short", 40), 20)
	must(t, r.Write(t.Context()))
	var tracks []string
	must(t, r.Lines(t.Context(), noon, func(l listen.Line) error { tracks = append(tracks, l.Track); return nil }))
	if fmt.Sprint(tracks) != "[https://a.example/tracks/short]" {
		t.Errorf("%v", tracks)
	}
	for who, source := range map[string]listen.Source{ada: listen.Own, lin: listen.Offline, bob: listen.Played} {
		if h := r.history(t, who)[0]; h.Source != source {
			t.Errorf("%s: %+v", who, h)
		}
	}
	if ticket := r.ticket(t, lin, rain, 0); ticket != "" {
		t.Error("a track without a length has a ticket")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(noon), nil)
	tracks := map[string]string{lin: rain, bob: rain}
	for n, who := range []string{lin, bob, "https://b.example/users/cyd"} {
		r.play(t, session(n), r.ticket(t, who, rain, length), 60)
		r.clock.Advance(time.Second)
	}
	must(t, r.Write(t.Context()))
	must(t, r.Choose(t.Context(), lin, listen.Settings{Recording: true, Audience: listen.ToFollowers}))
	must(t, r.Choose(t.Context(), bob, listen.Settings{Recording: true, Audience: listen.ToArtist}))
	var told []listen.Told
	must(t, r.Tell(t.Context(), "2026-10-05", func(x listen.Told) error { told = append(told, x); return nil }))
	if len(told) != 2 || told[0].Listener != lin || told[0].Plays != 1 || told[1].Listener != "" || told[1].Plays != 1 || told[1].Seconds != 60 || told[1].Track != tracks[bob] {
		t.Errorf("%+v", told)
	}
	if err := r.Choose(t.Context(), lin, listen.Settings{Audience: "all"}); !errors.Is(err, listen.ErrAudience) {
		t.Error(err)
	}
	ticket := r.ticket(t, lin, rain, length)
	r.clock.Advance(time.Minute)
	must(t, r.report(session(7), ticket, 60, "0-600"))
	must(t, r.Choose(t.Context(), lin, listen.Settings{Audience: listen.Nobody}))
	must(t, r.report(session(8), ticket, 60, "0-600"))
	if all := r.history(t, lin); len(all) != 1 || r.ticket(t, lin, rain, length) != "" {
		t.Errorf("recorded all the same: %+v", all)
	}
}

// Fewer than five listeners could be told apart: their tracks are one sum.
func TestTallies(t *testing.T) {
	t.Parallel()
	r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(noon), nil)
	n := 0
	for i, track := range []string{"one", "one", "one", "one", "one", "two", "two", "two", "three"} {
		n++
		r.play(t, session(n), r.ticket(t, fmt.Sprint("https://b.example/users/", i), "https://a.example/tracks/"+track, length), 40)
	}
	must(t, r.Write(t.Context()))
	got, err := r.Tallies(t.Context(), ada, noon)
	must(t, err)
	want := []listen.Tally{{Track: "https://a.example/tracks/one", Plays: 5, Seconds: 200, Listeners: 5}, {Plays: 4, Seconds: 160}}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v", got)
	}
}

// A block that is served with a session is evidence; a report that is not good does not stop the music.
func TestRiding(t *testing.T) {
	t.Parallel()
	r := openRoom(t, t.TempDir()+"/a.db", testkit.NewClock(noon), nil)
	h := r.Riding(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) }))
	ask := func(path, header string) int {
		q := httptest.NewRequest(http.MethodGet, path, nil)
		q.Header.Set(listen.Header, header)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, q)
		return w.Code
	}
	ticket := r.ticket(t, lin, rain, length)
	for n, header := range []string{session(1) + " " + ticket + " 0", session(1), session(1), "nonsense", session(2), ""} {
		if got := ask(fmt.Sprintf("/ipfs/b%d", n), header); got != 200 {
			t.Errorf("%q: %d", header, got)
		}
	}
	ask("/ipfs/b1", session(1))
	r.clock.Advance(40 * time.Second)
	ask("/ipfs/b3", session(1)+" "+ticket+" 40 0-400")
	must(t, r.Write(t.Context()))
	var row struct {
		Bytes          int64
		Blocks         []byte
		Network, Agent string
	}
	must(t, r.db.Read.Table("plays").Take(&row).Error)
	if row.Bytes != 5000 || len(row.Blocks) != 16 || len(row.Network) != 16 || row.Agent != "other on other" {
		t.Errorf("%+v", row)
	}
	w := httptest.NewRecorder()
	r.Serve(w, httptest.NewRequest(http.MethodPost, "/play/listen", strings.NewReader(session(1)+" "+ticket+" 60 0-600")))
	if w.Code != http.StatusNoContent {
		t.Errorf("status %d", w.Code)
	}
	for body, want := range map[string]int{"x": 400, session(1) + " abc 1 0-5": 403, strings.Repeat("x", listen.MaxReports+1): 413} {
		w := httptest.NewRecorder()
		r.Serve(w, httptest.NewRequest(http.MethodPost, "/play/listen", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%.20q: status %d, want %d", body, w.Code, want)
		}
	}
}
