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

// jobStates counts the deliveries by their state in the queue.
func jobStates(t *testing.T, i *fedtest.Instance) map[string]int {
	t.Helper()
	var states []string
	if err := i.DB.Read.Table("river_job").Where("kind = 'deliver'").Pluck("state", &states).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string]int{}
	for _, s := range states {
		out[s]++
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
	}{
		{202, nil, "completed", ""}, {200, nil, "completed", ""},
		{400, nil, "cancelled", discover.Suspect}, {404, nil, "cancelled", discover.Suspect}, {302, nil, "cancelled", discover.Suspect},
		{410, nil, "cancelled", ""}, {501, nil, "cancelled", discover.Suspect},
		{401, nil, "retryable", discover.Suspect}, {403, nil, "retryable", discover.Suspect}, {408, nil, "retryable", ""},
		{429, nil, "retryable", ""}, {500, nil, "retryable", discover.Suspect}, {503, nil, "retryable", discover.Suspect},
		{429, http.Header{"Retry-After": {"120"}}, "scheduled", ""},
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
			var got string
			fedtest.Until(t, "one attempt", func() bool { got = firstAttempt(t, i); return got != "" }, i)
			if got != tc.state {
				t.Errorf("the delivery is %s, want %s", got, tc.state)
			}
			if got := peer.Received(); got[0].Path != "/users/bob/inbox" || len(got) > 1 && tc.state != "retryable" {
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

// firstAttempt is where the one delivery stood after its first attempt; empty before that.
func firstAttempt(t *testing.T, i *fedtest.Instance) string {
	t.Helper()
	var job struct {
		State   string
		Attempt int
		Errors  string
	}
	err := i.DB.Read.Table("river_job").Where("kind = 'deliver'").Select("state, attempt, COALESCE(CAST(errors AS TEXT), '') AS errors").Take(&job).Error
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(job.Errors, `"attempt":2`)
	switch {
	case strings.Contains(first, "JobCancelError"):
		return "cancelled"
	case first != "":
		return "retryable"
	case job.State == "completed", job.State == "scheduled":
		return job.State
	}
	return ""
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
	for range 10 {
		if err := i.Hosts.Failed(t.Context(), peer.Host, errors.New("no answer")); err != nil {
			t.Fatal(err)
		}
	}
	peer.Answer(http.StatusServiceUnavailable, nil)
	for n := range 5 {
		tell(t, i, ada, fmt.Sprint(n), bob.URI)
	}
	fedtest.Until(t, "one attempt, four wait", func() bool {
		s := jobStates(t, i)
		return s["retryable"]+s["scheduled"] == 5 && i.Count(t, "river_job", "errors IS NOT NULL AND kind = 'deliver'") == 1
	}, i)
	if n := len(peer.Received()); n != 1 {
		t.Errorf("%d requests to a host that is down", n)
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
	inboxes := func() []string {
		t.Helper()
		fedtest.Until(t, "followers spread to", func() bool { return i.Count(t, "river_job", "kind = 'spread' AND state <> 'completed'") == 0 }, i)
		var args []string
		err := i.DB.Read.Table("river_job").Where("kind = 'deliver'").Order("id").Pluck("args", &args).Error
		if err != nil {
			t.Fatal(err)
		}
		return args
	}
	tell(t, i, ada, "public", vocab.Public, one, ada.URI+"/followers")
	if got := inboxes(); len(got) != 1 || !strings.Contains(got[0], peer.BaseURL+"/inbox") {
		t.Errorf("public: %q", got)
	}
	tell(t, i, ada, "public", vocab.Public, one, ada.URI+"/followers")
	if got := inboxes(); len(got) != 1 {
		t.Errorf("the same again: %q", got)
	}
	tell(t, i, ada, "private", one, one)
	if got := inboxes(); len(got) != 2 || !strings.Contains(got[1], "/users/follower1/inbox") {
		t.Errorf("private: %q", got)
	}
	tell(t, i, ada, "stranger", "https://never.example/users/x")
	if got := inboxes(); len(got) != 3 || !strings.Contains(got[2], `"to":"https://never.example/users/x"`) && !strings.Contains(got[2], `"to": "https://never.example/users/x"`) {
		t.Errorf("stranger: %q", got)
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
	if n := i.Count(t, "outbox", "1=1") + i.Count(t, "activities", "1=1") + i.Count(t, "river_job", "1=1"); !errors.Is(err, undo) || n != 0 {
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
	fedtest.Until(t, "all deliveries queued", func() bool { return i.Count(t, "river_job", "kind = 'deliver'") == hosts }, i)
	t.Logf("sent in %s, %d deliveries queued after %s", sent, hosts, time.Since(begin))
}
