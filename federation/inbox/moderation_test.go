package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/discover"
	"antiphon/federation/fedtest"
	"antiphon/federation/moderation"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// send posts an activity, waits until it was acted on, and returns what came of it.
func (y yard) send(t *testing.T, who *fedtest.Person, a vocab.Activity) (state, outcome string) {
	t.Helper()
	if got := who.Post(t, y.BaseURL+"/inbox", fedtest.JSON(t, a), y.Clock.Now()); got != 202 {
		t.Fatalf("%s %s: status %d", a.Type, a.ID, got)
	}
	fedtest.Until(t, string(a.Type)+" "+a.ID+" acted on", func() bool {
		var row struct{ State, Outcome string }
		err := y.DB.Read.WithContext(t.Context()).Table("activities").Where("actor = ? AND id = ?", who.URI, a.ID).Take(&row).Error
		state, outcome = row.State, row.Outcome
		return err == nil && state != "received"
	}, y.Instance)
	return state, outcome
}

// follows writes an accepted follow.
func (y yard) follows(t *testing.T, follower, followed string) {
	t.Helper()
	err := y.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
		return actor.SetFollow(ctx, tx, actor.Follow{
			Follower: follower, Followed: followed, URI: follower + "/follows/of/" + followed, State: actor.Accepted, CreatedAt: y.Clock.Now().UTC(),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (y yard) policy(t *testing.T, p discover.Policy) {
	t.Helper()
	if err := y.Moderation.SetPolicy(t.Context(), "root", p, "a test"); err != nil {
		t.Fatal(err)
	}
}

// A blocked host is blocked in whatever way its name is written, before anything is fetched or stored: 403.
func TestBadInputBlockedHost(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	for _, subject := range []string{"bad.example", "bücher.example", "192.0.2.7", "ported.example:8443", "https://mixed.example/users/eve"} {
		y.policy(t, discover.Policy{Subject: subject, Severity: discover.Suspend})
	}
	post := func(keyID string) int {
		liar := *y.bob
		liar.KeyID = keyID
		return liar.Post(t, y.ada.Inbox, fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/1")), y.Clock.Now())
	}
	testkit.BadInput(t, "A22", func(t *testing.T) {
		before := testkit.Rows(t, y.DB.Read)
		for _, keyID := range []string{
			"https://bad.example/users/x#main-key", "https://BAD.Example/users/x#main-key", "https://bad.example./users/x#main-key",
			"https://bad.example:8443/users/x#main-key", "https://a.b.bad.example/users/x#main-key", "https://A.Bad.Example.:444/users/x#main-key",
			"https://bücher.example/users/x#main-key", "https://xn--bcher-kva.example/users/x#main-key", "https://BÜCHER.example/users/x#main-key",
			"https://192.0.2.7:8443/users/x#main-key", "https://ported.example:8443/users/x#main-key", "https://mixed.example/users/eve#main-key",
		} {
			if got := post(keyID); got != 403 {
				t.Errorf("%s: status %d", keyID, got)
			}
		}
		testkit.SameRows(t, y.DB.Read, before)
		if n := y.peer.Requests("/users/bob"); n != 0 {
			t.Errorf("%d requests for the sake of a blocked host", n)
		}
		// A redirect does not lead there either.
		if err := blockedFetch(t, y); err != nil {
			t.Error(err)
		}
	}, func(t *testing.T) {
		for host, want := range map[string]bool{
			"notbad.example": false, "bad.example.org": false, "example": false, "ported.example": false, "192.0.2.70": false, "mixed.example": false,
		} {
			if got, err := y.Hosts.IsBlocked(t.Context(), host); err != nil || got != want {
				t.Errorf("%s blocked: %t, %v", host, got, err)
			}
		}
		if got := post(y.bob.KeyID); got != 202 {
			t.Errorf("a host that nobody blocked: status %d", got)
		}
	})
}

func blockedFetch(t *testing.T, y yard) error {
	t.Helper()
	if _, err := y.Fetch.Get(t.Context(), "http://sub.bad.example/x"); err == nil || !strings.Contains(err.Error(), "nothing is fetched") {
		return fmt.Errorf("fetch from a blocked host: %w", errors.Join(err, errors.New("was tried")))
	}
	return nil
}

// An account that was suspended by itself is refused after its signature, and others on its host are not.
func TestSuspendedAccount(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	y.policy(t, discover.Policy{Subject: y.bob.URI, Severity: discover.Suspend})
	if got := y.bob.Post(t, y.ada.Inbox, fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/1")), y.Clock.Now()); got != 403 {
		t.Errorf("suspended account: status %d", got)
	}
	if n := y.Count(t, "activities", "1 = 1"); n != 0 {
		t.Errorf("%d activities stored", n)
	}
	if state, words := y.send(t, y.eve, y.follow(y.eve, y.eve.URI+"/follows/1")); state != "done" {
		t.Errorf("another account of the host: %s, %s", state, words)
	}
}

// A suspension ends follows, in both directions, by its job.
func TestSuspensionEndsFollows(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	other := fedtest.NewPeer(t)
	friend := other.Person(t, "friend")
	for _, uri := range []string{y.bob.URI, friend.URI} {
		if _, err := y.Actors.Find(t.Context(), uri, false); err != nil {
			t.Fatal(err)
		}
		y.follows(t, uri, y.ada.URI)
		y.follows(t, y.ada.URI, uri)
	}
	y.policy(t, discover.Policy{Subject: y.peer.Host, Severity: discover.Suspend})
	fedtest.Until(t, "the follows ended", func() bool {
		return followState(t, y.Instance, y.bob.URI, y.ada.URI) == "" && followState(t, y.Instance, y.ada.URI, y.bob.URI) == ""
	}, y.Instance)
	if followState(t, y.Instance, friend.URI, y.ada.URI) == "" || followState(t, y.Instance, y.ada.URI, friend.URI) == "" {
		t.Error("follows with another host ended as well")
	}
	if n := y.Count(t, "audit", "act = 'suspend' AND who = 'root'"); n != 1 {
		t.Errorf("%d records of the act", n)
	}
}

// What a silenced account says reaches its followers and nobody else.
func TestSilenced(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.User(t, "lin", actor.Listener)
	y.follows(t, lin.URI, y.bob.URI)
	y.policy(t, discover.Policy{Subject: y.peer.Host, Severity: discover.Silence})
	if state, words := y.send(t, y.bob, y.mention(t, y.bob, "1")); state != "done" {
		t.Errorf("one who is followed: %s, %s", state, words)
	}
	if state, words := y.send(t, y.eve, y.mention(t, y.eve, "1")); state != "ignored" {
		t.Errorf("one whom nobody follows: %s, %s", state, words)
	}
	if n := y.Count(t, "objects", "owner = ?", y.eve.URI); n != 0 {
		t.Error("what nobody follows was kept")
	}
}

// mention is a public note that mentions ada.
func (y yard) mention(t *testing.T, who *fedtest.Person, id string) vocab.Activity {
	t.Helper()
	n := vocab.Note{
		ID: who.URI + "/notes/" + id, AttributedTo: who.URI, To: []string{vocab.Public}, Cc: []string{y.ada.URI, who.URI + "/followers"},
		Content: "<p>@ada</p>", Published: y.Clock.Now().UTC(), Tags: []vocab.Tag{{Type: "Mention", Name: "@ada", Href: y.ada.URI}},
	}
	m, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := vocab.Embed(m)
	if err != nil {
		t.Fatal(err)
	}
	return vocab.Activity{ID: n.ID + "/create", Type: vocab.VerbCreate, Actor: who.URI, Object: ref, To: n.To, Cc: n.Cc}
}

// alias has who say that these accounts are its own.
func alias(t *testing.T, who *fedtest.Person, aliases ...string) {
	t.Helper()
	list := make([]any, len(aliases))
	for i, a := range aliases {
		list[i] = a
	}
	who.Document["alsoKnownAs"] = list
	who.Publish(t)
}

func moved(who *fedtest.Person, target, id string) vocab.Activity {
	return vocab.Activity{ID: who.URI + "/moves/" + id, Type: vocab.VerbMove, Actor: who.URI, Object: vocab.Ref{ID: who.URI}, Target: vocab.Ref{ID: target}}
}

func TestBadInputMove(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.User(t, "lin", actor.Listener)
	testkit.BadInput(t, "B11", func(t *testing.T) {
		other := fedtest.NewPeer(t)
		stranger, mover, gone := other.Person(t, "stranger"), other.Person(t, "mover"), other.Person(t, "gone")
		y.follows(t, lin.URI, y.bob.URI)
		alias(t, gone, y.bob.URI)
		gone.Document["movedTo"] = mover.URI
		gone.Publish(t)
		cases := map[string]vocab.Activity{
			"to who does not name it":   moved(y.bob, stranger.URI, "1"),
			"to who has moved on":       moved(y.bob, gone.URI, "2"),
			"to itself":                 moved(y.bob, y.bob.URI, "3"),
			"to nobody":                 moved(y.bob, other.BaseURL+"/users/nobody", "4"),
			"of somebody else":          {ID: y.bob.URI + "/moves/5", Type: vocab.VerbMove, Actor: y.bob.URI, Object: vocab.Ref{ID: y.eve.URI}, Target: vocab.Ref{ID: gone.URI}},
			"to where nothing is named": {ID: y.bob.URI + "/moves/6", Type: vocab.VerbMove, Actor: y.bob.URI, Object: vocab.Ref{ID: y.bob.URI}},
		}
		for name, a := range cases {
			if state, words := y.send(t, y.bob, a); state != "refused" {
				t.Errorf("move %s: %s, %s", name, state, words)
			}
		}
		// Masses: only so many accounts move to one in a week.
		alias(t, mover, y.bob.URI)
		err := y.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			for n := range 10 {
				m := moderation.Move{Source: "https://x.example/users/" + strconv.Itoa(n), Target: mover.URI, Site: "x.example", MovedAt: y.Clock.Now()}
				if err := moderation.TakeMove(ctx, tx, m, moderation.MoveLimits{Pause: time.Hour, PerTarget: 100, PerSite: 100}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if state, words := y.send(t, y.bob, moved(y.bob, mover.URI, "7")); state != "refused" || !strings.Contains(words, "too many") {
			t.Errorf("one of a herd: %s, %s", state, words)
		}
		if followState(t, y.Instance, lin.URI, y.bob.URI) != actor.Accepted || y.Count(t, "follows", "follower = ?", lin.URI) != 1 {
			t.Error("a bad move moved somebody")
		}
		if n := y.Count(t, "tidings", "1 = 1"); n != 0 {
			t.Errorf("%d people were told of bad moves", n)
		}
	}, func(t *testing.T) {
		other := fedtest.NewPeer(t)
		home, next := other.Person(t, "home"), other.Person(t, "next")
		y.follows(t, lin.URI, y.eve.URI)
		alias(t, home, y.eve.URI)
		alias(t, next, home.URI)
		if state, words := y.send(t, y.eve, moved(y.eve, home.URI, "1")); state != "done" {
			t.Fatalf("an honest move: %s, %s", state, words)
		}
		fedtest.Until(t, "lin follows the new account", func() bool {
			return followState(t, y.Instance, lin.URI, home.URI) == actor.Pending && followState(t, y.Instance, lin.URI, y.eve.URI) == ""
		}, y.Instance)
		fedtest.Until(t, "lin was told", func() bool {
			return y.Count(t, "tidings", "owner = ? AND kind = 'moved' AND about = ? AND words = ?", lin.URI, y.eve.URI, home.URI) == 1
		}, y.Instance)
		// A chain waits for its week, and a circle never closes.
		if state, words := y.send(t, home, moved(home, next.URI, "1")); state != "refused" || !strings.Contains(words, "just moved") {
			t.Errorf("a chain: %s, %s", state, words)
		}
		alias(t, y.eve, home.URI)
		y.Clock.Advance(8 * 24 * time.Hour)
		if state, words := y.send(t, home, moved(home, next.URI, "2")); state != "done" {
			t.Errorf("after a week: %s, %s", state, words)
		}
		if state, words := y.send(t, home, moved(home, y.eve.URI, "3")); state == "done" {
			t.Errorf("back in a circle: %s, %s", state, words)
		}
	})
}

func TestBadInputFlag(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	track := y.Track(t, y.ada.URI, "brassrain")
	fedtest.Until(t, "the track is told", func() bool { return y.Count(t, "objects", "uri = ?", track.URI) == 1 }, y.Instance)
	flag := func(who *fedtest.Person, id string, objects ...string) vocab.Activity {
		a := vocab.Activity{ID: who.URI + "/flags/" + id, Type: vocab.VerbFlag, Actor: who.URI, Object: vocab.Ref{ID: objects[0]}, Content: "<p>spam</p>"}
		for _, o := range objects[1:] {
			a.Others = append(a.Others, vocab.Ref{ID: o})
		}
		return a
	}
	testkit.BadInput(t, "B12", func(t *testing.T) {
		many := []string{y.ada.URI}
		for n := range 10_000 {
			many = append(many, y.BaseURL+"/tracks/"+strconv.Itoa(n))
		}
		for range 2 {
			if state, words := y.send(t, y.eve, flag(y.eve, "1", many...)); state != "done" {
				t.Fatalf("a long report: %s, %s", state, words)
			}
		}
		var kept moderation.Report
		if err := y.DB.Read.WithContext(t.Context()).Where("reporter = ?", y.eve.URI).Take(&kept).Error; err != nil {
			t.Fatal(err)
		}
		if len(kept.About()) > 50 || len(kept.Objects) > 5000 {
			t.Errorf("%d objects are kept", len(kept.About()))
		}
		var stored struct{ Raw []byte }
		if err := y.DB.Read.WithContext(t.Context()).Table("activities").Where("actor = ?", y.eve.URI).Take(&stored).Error; err != nil || len(stored.Raw) > 16<<10 {
			t.Errorf("%d bytes of the activity are kept, %v", len(stored.Raw), err)
		}
		if state, _ := y.send(t, y.eve, flag(y.eve, "2", "https://elsewhere.example/users/x")); state != "done" {
			t.Error("a report about nothing here was not taken")
		}
		if n := y.Count(t, "reports", "reporter = ? AND state = 'open'", y.eve.URI); n != 1 {
			t.Errorf("%d open reports, want the one that is about somebody here", n)
		}
		for n := range 49 {
			y.send(t, y.eve, flag(y.eve, "n"+strconv.Itoa(n), y.ada.URI))
		}
		if state, words := y.send(t, y.eve, flag(y.eve, "last", y.ada.URI)); state != "refused" || !strings.Contains(words, "too many") {
			t.Errorf("the report after many: %s, %s", state, words)
		}
		if n := y.Count(t, "reports", "reporter = ?", y.eve.URI); n != 50 {
			t.Errorf("%d reports of one actor in a day", n)
		}
	}, func(t *testing.T) {
		y.bob.Document["type"] = "Application"
		y.bob.Publish(t)
		if state, words := y.send(t, y.bob, flag(y.bob, "1", y.ada.URI, track.URI)); state != "done" {
			t.Fatalf("a report: %s, %s", state, words)
		}
		var kept moderation.Report
		if err := y.DB.Read.WithContext(t.Context()).Where("reporter = ?", y.bob.URI).Take(&kept).Error; err != nil {
			t.Fatal(err)
		}
		if kept.State != moderation.Open || kept.Target != y.ada.URI || kept.Words != "spam" || len(kept.About()) != 1 || kept.About()[0] != track.URI {
			t.Errorf("kept %+v", kept)
		}
		y.policy(t, discover.Policy{Subject: y.peer.Host, Severity: discover.Noop, RejectReports: true})
		if state, _ := y.send(t, y.bob, flag(y.bob, "2", y.ada.URI)); state != "refused" {
			t.Errorf("a report of whom none are taken: %s", state)
		}
	})
}

func TestBadInputBlocked(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	track := y.Track(t, y.ada.URI, "brassrain")
	fedtest.Until(t, "the track is told", func() bool { return y.Count(t, "objects", "uri = ?", track.URI) == 1 }, y.Instance)
	if _, err := y.Actors.Find(t.Context(), y.bob.URI, false); err != nil {
		t.Fatal(err)
	}
	y.follows(t, y.bob.URI, y.ada.URI)
	y.follows(t, y.ada.URI, y.bob.URI)
	if err := y.Moderation.Avoid(t.Context(), y.ada.URI, y.bob.URI, moderation.Block); err != nil {
		t.Fatal(err)
	}
	like := func(who *fedtest.Person) vocab.Activity {
		return vocab.Activity{ID: who.URI + "/likes/1", Type: vocab.VerbLike, Actor: who.URI, Object: vocab.Ref{ID: track.URI}}
	}
	testkit.BadInput(t, "B13", func(t *testing.T) {
		if n := y.Count(t, "follows", "1 = 1"); n != 0 {
			t.Errorf("%d follows are left after a block", n)
		}
		// The track may have been sent, too, if its turn came after the follow.
		fedtest.Until(t, "the block was sent", func() bool {
			return slices.ContainsFunc(y.peer.Received(), func(r fedtest.Received) bool { return strings.Contains(string(r.Body), `"Block"`) })
		}, y.Instance)
		for _, a := range []vocab.Activity{y.follow(y.bob, y.bob.URI+"/follows/1"), like(y.bob), y.mention(t, y.bob, "1")} {
			if state, words := y.send(t, y.bob, a); state != "refused" || !strings.Contains(words, "blocked") {
				t.Errorf("%s of who is blocked: %s, %s", a.Type, state, words)
			}
		}
		if n := y.Count(t, "follows", "1 = 1") + y.Count(t, "reactions", "1 = 1") + y.Count(t, "objects", "owner = ?", y.bob.URI) + y.Count(t, "tidings", "1 = 1"); n != 0 {
			t.Errorf("%d rows of who is blocked", n)
		}
		for _, r := range y.peer.Received() {
			if strings.Contains(string(r.Body), `"Accept"`) || strings.Contains(string(r.Body), `"Reject"`) {
				t.Errorf("an answer was sent: %s", r.Body)
			}
		}
	}, func(t *testing.T) {
		for _, a := range []vocab.Activity{y.follow(y.eve, y.eve.URI+"/follows/1"), like(y.eve), y.mention(t, y.eve, "1")} {
			if state, words := y.send(t, y.eve, a); state != "done" {
				t.Errorf("%s of who is not blocked: %s, %s", a.Type, state, words)
			}
		}
		if n := y.Count(t, "reactions", "actor = ?", y.eve.URI); n != 1 {
			t.Errorf("%d reactions", n)
		}
		// Taken back, it holds no more.
		if err := y.Moderation.Meet(t.Context(), y.ada.URI, y.bob.URI); err != nil {
			t.Fatal(err)
		}
		if state, words := y.send(t, y.bob, y.follow(y.bob, y.bob.URI+"/follows/2")); state != "done" {
			t.Errorf("after the block: %s, %s", state, words)
		}
	})
}

// A whole server can be blocked by one member, and somebody else still meets it.
func TestMemberBlocksHost(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.User(t, "lin", actor.Artist)
	if err := y.Moderation.Avoid(t.Context(), y.ada.URI, strings.ToUpper(y.peer.Host), moderation.Block); err != nil {
		t.Fatal(err)
	}
	if state, _ := y.send(t, y.bob, y.follow(y.bob, y.bob.URI+"/follows/1")); state != "refused" {
		t.Errorf("follow from a blocked server: %s", state)
	}
	a := y.follow(y.bob, y.bob.URI+"/follows/2")
	a.Object.ID = lin.URI
	if state, _ := y.send(t, y.bob, a); state != "done" {
		t.Errorf("follow of somebody else: %s", state)
	}
	if err := y.Moderation.Avoid(t.Context(), y.ada.URI, y.Host, moderation.Block); !errors.Is(err, moderation.ErrSelf) {
		t.Errorf("the own server can be blocked: %v", err)
	}
}

// Who blocks a sender is remembered between activities: a block holds from the next one on, and so does its end.
func TestMemberBlocksAfterwards(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	n := 0
	next := func(want string) {
		t.Helper()
		n++
		if state, words := y.send(t, y.bob, y.follow(y.bob, y.bob.URI+"/follows/"+strconv.Itoa(n))); state != want {
			t.Errorf("follow %d: %s, %s, want %s", n, state, words, want)
		}
	}
	next("done")
	for _, subject := range []string{y.peer.Host, y.bob.URI} {
		if err := y.Moderation.Avoid(t.Context(), y.ada.URI, subject, moderation.Block); err != nil {
			t.Fatal(err)
		}
		next("refused")
		if err := y.Moderation.Meet(t.Context(), y.ada.URI, subject); err != nil {
			t.Fatal(err)
		}
		next("done")
	}
}
