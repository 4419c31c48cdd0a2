package catchup_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/vocab"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func timeline(t *testing.T, i *fedtest.Instance, me string) []outbox.Post {
	t.Helper()
	posts, err := outbox.Timeline(t.Context(), i.DB.Read, me, outbox.Position{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	return posts
}

// TestLateFollower follows an artist with a past, on both databases: the timeline and the track are there.
func TestLateFollower(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		seller := fedtest.New(t, fedtest.Options{DSN: fresh()})
		home := fedtest.New(t, fedtest.Options{DSN: fresh(), Clock: seller.Clock})
		ada, lin := seller.User(t, "ada", actor.Artist), home.User(t, "lin", actor.Listener)
		for n := range 3 {
			seller.Track(t, ada.URI, fmt.Sprint("track-", n))
			fedtest.Until(t, "the track is told", func() bool { return seller.Count(t, "outbox", "public") == int64(2*n+2) }, seller)
			seller.Clock.Advance(time.Minute)
		}
		taken := seller.Track(t, ada.URI, "taken-back")
		fedtest.Until(t, "it is told", func() bool { return seller.Count(t, "outbox", "public") == 8 }, seller)
		seller.Change(t, taken.ID, map[string]any{"state": media.Unpublished})
		fedtest.Until(t, "it is taken back", func() bool { return seller.Count(t, "outbox", "public") == 10 }, seller)
		if _, err := home.Outbox.Follow(t.Context(), lin.URI, ada.URI); err != nil {
			t.Fatal(err)
		}
		// What was taken back may be here for a moment, before its deletion is read.
		fedtest.Until(t, "the past is here, and nothing else", func() bool {
			posts := timeline(t, home, lin.URI)
			for n, p := range posts {
				if !strings.HasSuffix(p.Track, fmt.Sprint("/tracks/track-", 2-n)) {
					return false
				}
			}
			return len(posts) == 3 && home.Count(t, "objects", "kind = 'AudioTrack' AND deleted_at IS NULL") == 3 &&
				home.Count(t, "river_job", "kind = 'actor_followed' AND state = 'completed'") == 1
		}, seller, home)
	})
}

// TestDowntime lets an instance miss a track, a change and a deletion, whose deliveries nobody repeats.
func TestDowntime(t *testing.T) {
	t.Parallel()
	seller := fedtest.New(t, fedtest.Options{})
	home := fedtest.New(t, fedtest.Options{Clock: seller.Clock})
	ada, lin := seller.User(t, "ada", actor.Artist), home.User(t, "lin", actor.Listener)
	if err := home.Catchup.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := home.Outbox.Follow(t.Context(), lin.URI, ada.URI); err != nil {
		t.Fatal(err)
	}
	kept, gone := seller.Track(t, ada.URI, "kept"), seller.Track(t, ada.URI, "gone")
	fedtest.Until(t, "both are in the timeline", func() bool { return len(timeline(t, home, lin.URI)) == 2 }, seller, home)
	seller.Clock.Advance(time.Hour)
	if err := home.Catchup.Begin(t.Context()); err != nil { // alive until now; what this queues finds nothing new
		t.Fatal(err)
	}

	var lost atomic.Int64
	home.Front(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			lost.Add(1)
		}
		w.WriteHeader(http.StatusBadRequest)
	}))
	seller.Clock.Advance(time.Minute)
	seller.Track(t, ada.URI, "missed")
	seller.Change(t, kept.ID, map[string]any{"title": "Renamed"})
	seller.Change(t, gone.ID, map[string]any{"state": media.Unpublished})
	fedtest.Until(t, "all is lost", func() bool { return lost.Load() >= 6 }, seller)
	home.Front(nil)
	seller.Clock.Advance(time.Hour)
	for range 2 {
		if err := home.Catchup.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	fedtest.Until(t, "what was missed is here", func() bool {
		titles := ""
		for _, p := range timeline(t, home, lin.URI) {
			titles += p.Title + "|"
		}
		return strings.Contains(titles, "Renamed") && strings.Count(titles, "|") == 2 && strings.Contains(titles, "Brass")
	}, seller, home)
}

// TestBudget serves an outbox without end, with posts of others and for others in it.
func TestBudget(t *testing.T) {
	t.Parallel()
	home, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
	lin, eve := home.User(t, "lin", actor.Listener), peer.Person(t, "eve")
	eve.Document["outbox"] = eve.URI + "/outbox"
	eve.Publish(t)
	outboxPath := strings.TrimPrefix(eve.URI, peer.BaseURL) + "/outbox"
	serve := func(path string, c vocab.Collection) {
		t.Helper()
		m, err := c.Build()
		if err != nil {
			t.Fatal(err)
		}
		peer.Serve(t, path, m)
	}
	serve(outboxPath, vocab.Collection{ID: peer.BaseURL + outboxPath, TotalItems: 1000, First: peer.BaseURL + outboxPath + "/0"})
	post := func(id, author string, to ...string) vocab.Ref {
		t.Helper()
		n, err := vocab.Note{ID: peer.BaseURL + "/notes/" + id, AttributedTo: author, Content: id, To: to, Published: home.Clock.Now()}.Build()
		if err != nil {
			t.Fatal(err)
		}
		object, err := vocab.Embed(n)
		if err != nil {
			t.Fatal(err)
		}
		raw := fedtest.JSON(t, vocab.Activity{ID: peer.BaseURL + "/creates/" + id, Type: vocab.VerbCreate, Actor: eve.URI, Object: object, To: to})
		return vocab.Ref{ID: peer.BaseURL + "/creates/" + id, Raw: raw}
	}
	for page := range 10 {
		c := vocab.Collection{
			ID: fmt.Sprint(peer.BaseURL, outboxPath, "/", page), PartOf: peer.BaseURL + outboxPath, Next: fmt.Sprint(peer.BaseURL, outboxPath, "/", page+1), TotalItems: 1000,
		}
		for n := range 40 {
			c.Items = append(c.Items, post(fmt.Sprint(page, "-", n), eve.URI, vocab.Public))
		}
		c.Items[0] = post("forged", peer.BaseURL+"/users/other", vocab.Public)
		c.Items[1] = post("private", eve.URI, peer.BaseURL+"/users/other")
		serve(fmt.Sprint(outboxPath, "/", page), c)
	}
	if _, err := home.Outbox.Follow(t.Context(), lin.URI, eve.URI); err != nil {
		t.Fatal(err)
	}
	f, err := actor.FollowOf(t.Context(), home.DB.Read, lin.URI, eve.URI)
	if err != nil {
		t.Fatal(err)
	}
	accept := fedtest.JSON(t, vocab.Activity{ID: eve.URI + "/accept", Type: vocab.VerbAccept, Actor: eve.URI, Object: vocab.Ref{ID: f.URI}})
	if status := eve.Post(t, home.BaseURL+"/inbox", accept, home.Clock.Now()); status != 202 {
		t.Fatal(status)
	}
	fedtest.Until(t, "the outbox is read", func() bool {
		return home.Count(t, "river_job", "kind = 'actor_followed' AND state = 'completed'") == 1
	}, home)
	if posts := timeline(t, home, lin.URI); len(posts) != 56 {
		t.Errorf("%d posts are taken of sixty, four of which may not be", len(posts))
	}
	if peer.Requests(outboxPath+"/1") != 1 || peer.Requests(outboxPath+"/2") != 0 {
		t.Errorf("%d and %d requests for the second page and the third", peer.Requests(outboxPath+"/1"), peer.Requests(outboxPath+"/2"))
	}
	if n := home.Count(t, "objects", "uri LIKE '%forged' OR owner <> ?", eve.URI); n != 0 {
		t.Errorf("%d forged posts are here", n)
	}
}
