package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/vocab"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"))
}

func TestPause(t *testing.T) {
	t.Parallel()
	var sum, last time.Duration
	for n := 1; n < 15; n++ {
		got := outbox.Pause(n)
		if got < last {
			t.Errorf("after attempt %d: %s, less than before", n, got)
		}
		last = got
		sum += got
	}
	if outbox.Pause(1) > time.Minute || outbox.Pause(100) != 24*time.Hour || sum < 6*24*time.Hour || sum > 7*24*time.Hour {
		t.Errorf("first pause %s, last %s, all together %s", outbox.Pause(1), last, sum)
	}
}

// tell sends a Like of an actor to somebody elsewhere.
func tell(t *testing.T, i *fedtest.Instance, from actor.Actor, id string, to ...string) {
	t.Helper()
	a := vocab.Activity{ID: i.BaseURL + "/likes/" + id, Type: vocab.VerbLike, Actor: from.URI, Object: vocab.Ref{ID: to[0]}, To: to}
	if err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Tell(ctx, tx, a) }); err != nil {
		t.Fatal(err)
	}
}

// row is a delivery as the tests see it.
type row struct {
	Activity, Inbox, Host, State, Error string
	Unresolved                          bool
	Attempts, DueAt                     int64
}

func deliveries(t *testing.T, i *fedtest.Instance) []row {
	t.Helper()
	var rows []row
	if err := i.DB.Read.Table("deliveries").Order("seq, inbox").Find(&rows).Error; err != nil {
		t.Fatal(err)
	}
	return rows
}

func states(t *testing.T, i *fedtest.Instance) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, r := range deliveries(t, i) {
		out[r.State]++
	}
	return out
}

func TestAnswersOfAnInbox(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		status int
		header http.Header
		// state is where the delivery stands after one attempt, host how the host is seen.
		state, host string
		wait        time.Duration
	}{
		{202, nil, "taken", "", 0}, {200, nil, "taken", "", 0},
		{400, nil, "dropped", "", 0}, {404, nil, "dropped", "", 0}, {302, nil, "dropped", "", 0},
		{410, nil, "dropped", "", 0}, {501, nil, "dropped", "", 0},
		{401, nil, "waiting", discover.Suspect, 2 * time.Second}, {403, nil, "waiting", discover.Suspect, 2 * time.Second},
		{408, nil, "waiting", "", 2 * time.Second}, {429, nil, "waiting", "", 2 * time.Second},
		{500, nil, "waiting", discover.Suspect, 2 * time.Second}, {503, nil, "waiting", discover.Suspect, 2 * time.Second},
		{429, http.Header{"Retry-After": {"120"}}, "waiting", "", 2 * time.Minute},
		{503, http.Header{"Retry-After": {"99999"}}, "waiting", discover.Suspect, time.Hour},
	} {
		t.Run(fmt.Sprint(tc.status, tc.header.Get("Retry-After")), func(t *testing.T) {
			t.Parallel()
			i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
			ada, bob := i.User(t, "ada", actor.Artist), peer.Person(t, "bob")
			if _, err := i.Actors.Find(t.Context(), bob.URI, false); err != nil {
				t.Fatal(err)
			}
			follow(t, i, bob.URI, ada.URI)
			peer.Answer(tc.status, tc.header)
			tell(t, i, ada, "1", bob.URI)
			var got row
			fedtest.Until(t, "one attempt", func() bool {
				got = deliveries(t, i)[0]
				return got.Attempts > 0 || got.State == "taken"
			}, i)
			if got.State != tc.state {
				t.Errorf("the delivery is %+v, want %s", got, tc.state)
			}
			if wait := time.UnixMilli(got.DueAt).Sub(i.Clock.Now()); tc.wait > 0 && (wait < tc.wait-time.Millisecond || wait > tc.wait*11/10) {
				t.Errorf("it waits for %s, want %s", wait, tc.wait)
			}
			if got := peer.Received(); len(got) != 1 || got[0].Path != "/users/bob/inbox" {
				t.Errorf("%d requests, the first to %s", len(got), got[0].Path)
			}
			if n := i.Count(t, "hosts", "host = ? AND state = ?", peer.Host, tc.host); tc.host != "" && n != 1 {
				t.Errorf("the host is not %s", tc.host)
			} else if n := i.Count(t, "hosts", "failures > 0"); tc.host == "" && n != 0 {
				t.Error("the host is blamed")
			}
			_, err := actor.FollowOf(t.Context(), i.DB.Read, bob.URI, ada.URI)
			if gone := errors.Is(err, actor.ErrNotFound); gone != (tc.status == 410) {
				t.Errorf("follower dropped: %t", gone)
			}
		})
	}
}

func follow(t *testing.T, i *fedtest.Instance, follower, followed string) {
	t.Helper()
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return actor.SetFollow(ctx, tx, actor.Follow{
			Follower: follower, Followed: followed, URI: follower + "#follow", State: actor.Accepted, CreatedAt: i.Clock.Now(),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A host that is down is tried by one delivery at a time.
func TestHostThatIsDown(t *testing.T) {
	t.Parallel()
	i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
	ada, bob := i.User(t, "ada", actor.Artist), peer.Person(t, "bob")
	if _, err := i.Actors.Find(t.Context(), bob.URI, false); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := i.Hosts.Failed(t.Context(), peer.Host, errors.New("no answer")); err != nil {
			t.Fatal(err)
		}
	}
	peer.Answer(http.StatusServiceUnavailable, nil)
	for n := range 5 {
		tell(t, i, ada, fmt.Sprint(n), bob.URI)
	}
	fedtest.Until(t, "all held", func() bool { return states(t, i)["held"] == 5 }, i)
	if n := len(peer.Received()); n != 0 {
		t.Errorf("%d requests to a host that is down", n)
	}
	i.Clock.Advance(30 * time.Second)
	fedtest.Until(t, "one tried", func() bool { return len(peer.Received()) == 1 && states(t, i)["held"] == 5 }, i)
	peer.Answer(http.StatusAccepted, nil)
	i.Clock.Advance(30 * time.Second)
	fedtest.Until(t, "all taken", func() bool { return states(t, i)["taken"] == 5 }, i)
	for n, r := range peer.Received() {
		if want := fmt.Sprintf("/likes/%d", max(0, n-1)); !strings.Contains(string(r.Body), want) {
			t.Errorf("request %d is %s, want %s", n, r.Body, want)
		}
	}
}

func TestEachInboxOnce(t *testing.T) {
	t.Parallel()
	i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
	ada := i.User(t, "ada", actor.Artist)
	for n := range 3 {
		who := peer.Person(t, fmt.Sprint("follower", n))
		who.Document["endpoints"] = map[string]any{"sharedInbox": peer.BaseURL + "/inbox"}
		who.Publish(t)
		if _, err := i.Actors.Find(t.Context(), who.URI, false); err != nil {
			t.Fatal(err)
		}
		follow(t, i, who.URI, ada.URI)
	}
	one := peer.BaseURL + "/users/follower1"
	inboxes := func() []row {
		t.Helper()
		fedtest.Until(t, "followers spread to", func() bool { return i.Count(t, "outbox", "spreading") == 0 }, i)
		return deliveries(t, i)
	}
	tell(t, i, ada, "public", vocab.Public, one, ada.URI+"/followers")
	if got := inboxes(); len(got) != 1 || got[0].Inbox != peer.BaseURL+"/inbox" {
		t.Errorf("public: %+v", got)
	}
	tell(t, i, ada, "public", vocab.Public, one, ada.URI+"/followers")
	if got := inboxes(); len(got) != 1 {
		t.Errorf("the same again: %+v", got)
	}
	tell(t, i, ada, "private", one, one)
	if got := inboxes(); len(got) != 2 || got[1].Inbox != one+"/inbox" {
		t.Errorf("private: %+v", got)
	}
	tell(t, i, ada, "stranger", "https://never.example/users/x")
	if got := inboxes(); len(got) != 3 || got[2].Inbox != "https://never.example/users/x" || !got[2].Unresolved {
		t.Errorf("stranger: %+v", got)
	}
	if n := i.Count(t, "outbox", "public"); n != 1 {
		t.Errorf("%d public activities", n)
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada, lin := i.User(t, "ada", actor.Artist), i.User(t, "lin", actor.Listener)
	make := func(id, by string) []byte {
		return fedtest.JSON(t, vocab.Activity{ID: id, Type: vocab.VerbLike, Actor: by, Object: vocab.Ref{ID: lin.URI}})
	}
	good := make(i.BaseURL+"/likes/1", ada.URI)
	for name, a := range map[string]outbox.Activity{
		"not an activity":    {From: ada.URI, Raw: []byte("{}")},
		"another's":          {From: lin.URI, Raw: good},
		"id elsewhere":       {From: ada.URI, Raw: make("https://elsewhere.example/1", ada.URI)},
		"no id":              {From: ada.URI, Raw: make("", ada.URI)},
		"actor elsewhere":    {From: "https://elsewhere.example/a", Raw: make(i.BaseURL+"/likes/1", "https://elsewhere.example/a")},
		"hidden recipients":  {From: ada.URI, Raw: []byte(strings.Replace(string(good), "{", `{"bto":["https://x.example/a"],`, 1))},
		"hidden recipients2": {From: ada.URI, Raw: []byte(strings.Replace(string(good), "{", `{"bcc":"https://x.example/a",`, 1))},
	} {
		err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Send(ctx, tx, a) })
		if !errors.Is(err, outbox.ErrActivity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := i.Count(t, "outbox", "1=1"); n != 0 {
		t.Errorf("%d activities stored", n)
	}
	undo := errors.New("undo")
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		if err := i.Outbox.Send(ctx, tx, outbox.Activity{From: ada.URI, To: []string{lin.URI, "https://x.example/a"}, Raw: good}); err != nil {
			return err
		}
		return undo
	})
	if n := i.Count(t, "outbox", "1=1") + i.Count(t, "activities", "1=1") + i.Count(t, "river_job", "1=1") + i.Count(t, "deliveries", "1=1"); !errors.Is(err, undo) || n != 0 {
		t.Errorf("after a rollback (%v) %d rows are left", err, n)
	}
}

// What many follower hosts cost: the transaction of the sender stays short.
func TestFanOut(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada := i.User(t, "ada", actor.Artist)
	const hosts = 200
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		for n := range hosts {
			uri := fmt.Sprintf("https://h%d.invalid/users/a", n)
			err := tx.Exec("INSERT INTO actors (uri, local, name, host, kind, display, inbox, created_at) VALUES (?, FALSE, 'a', ?, 'Person', 'A', ?, ?)",
				uri, fmt.Sprintf("h%d.invalid", n), uri+"/inbox", i.Clock.Now()).Error
			if err == nil {
				err = actor.SetFollow(ctx, tx, actor.Follow{Follower: uri, Followed: ada.URI, URI: uri + "#f", State: actor.Accepted, CreatedAt: i.Clock.Now()})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// The deliveries themselves are not what is looked at.
	err = i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, "invalid", true) })
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	tell(t, i, ada, "1", vocab.Public, ada.URI+"/followers")
	sent := time.Since(begin)
	i.Start(t)
	fedtest.Until(t, "all deliveries queued", func() bool { return i.Count(t, "deliveries", "1=1") == hosts }, i)
	t.Logf("sent in %s, %d deliveries queued after %s", sent, hosts, time.Since(begin))
}
