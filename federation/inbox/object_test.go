package inbox_test

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/inbox"
	"antiphon/federation/outbox"
	"antiphon/vocab"
	"antiphon/vocab/proof"
)

// followBob lets a local listener follow bob.
func (y yard) followBob(t *testing.T) actor.Actor {
	t.Helper()
	lin := y.User(t, "lin", actor.Listener)
	if _, err := y.Outbox.Follow(t.Context(), lin.URI, y.bob.URI); err != nil {
		t.Fatal(err)
	}
	f, err := actor.FollowOf(t.Context(), y.DB.Read, lin.URI, y.bob.URI)
	if err != nil || f.State != actor.Pending {
		t.Fatalf("follow is %+v, %v", f, err)
	}
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/accepts/1", Type: vocab.VerbAccept, Object: vocab.Ref{ID: f.URI}}, "done")
	return lin
}

// say sends an activity of who and waits until it has come to the given state.
func (y yard) say(t *testing.T, who *fedtest.Person, a vocab.Activity, state string) {
	t.Helper()
	a.Actor = who.URI
	y.sayRaw(t, who, fedtest.JSON(t, a), a.ID, state)
}

func (y yard) sayRaw(t *testing.T, who *fedtest.Person, body []byte, id, state string) {
	t.Helper()
	if got := who.Post(t, y.BaseURL+"/inbox", body, y.Clock.Now()); got != 202 {
		t.Fatalf("%s: status %d", id, got)
	}
	var row struct{ State, Outcome string }
	fedtest.Until(t, "outcome of "+id, func() bool {
		err := y.DB.Read.Table("activities").Select("state", "outcome").Where("actor = ? AND id = ?", who.URI, id).Take(&row).Error
		return err == nil && row.State != "received" && row.State != "alone"
	}, y.Instance)
	if row.State != state {
		t.Errorf("%s: %s (%s), want %s", id, row.State, row.Outcome, state)
	}
}

func embed(t *testing.T, m map[string]any) vocab.Ref {
	t.Helper()
	r, err := vocab.Embed(m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (y yard) note(t *testing.T, who *fedtest.Person, id string, change func(*vocab.Note)) vocab.Ref {
	t.Helper()
	n := vocab.Note{
		ID: who.URI + "/notes/" + id, AttributedTo: who.URI, Content: `<p>hello<script>alert(1)</script> <a href="javascript:x">x</a></p>`,
		Published: y.Clock.Now(), To: []string{vocab.Public},
	}
	if change != nil {
		change(&n)
	}
	m, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	return embed(t, m)
}

func TestNotes(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.followBob(t)
	create := func(id string, object vocab.Ref) vocab.Activity {
		return vocab.Activity{ID: y.bob.URI + "/acts/" + id, Type: vocab.VerbCreate, Object: object, To: []string{vocab.Public}}
	}
	good := y.note(t, y.bob, "1", nil)

	y.say(t, y.bob, create("foreign-author", y.note(t, y.eve, "9", nil)), "refused")
	y.say(t, y.bob, create("our-host", y.note(t, y.bob, "8", func(n *vocab.Note) {
		n.ID, n.AttributedTo = y.BaseURL+"/notes/8", y.ada.URI
	})), "refused")
	y.say(t, y.eve, vocab.Activity{ID: y.eve.URI + "/acts/1", Type: vocab.VerbCreate, Object: y.note(t, y.eve, "1", nil)}, "ignored")
	if n := y.Count(t, "objects", "1=1"); n != 0 {
		t.Fatalf("%d objects were written", n)
	}

	y.say(t, y.bob, create("1", good), "done")
	y.say(t, y.bob, create("1-again", good), "ignored")
	posts := timeline(t, y.Instance, lin.URI)
	if len(posts) != 1 || strings.Contains(posts[0].Content, "script") || !strings.Contains(posts[0].Content, "hello") {
		t.Fatalf("timeline is %+v", posts)
	}
	if strings.Contains(posts[0].Content, "alert") {
		t.Errorf("script's text is shown: %s", posts[0].Content)
	}

	// Somebody else's hand, on the same host.
	y.say(t, y.eve, vocab.Activity{ID: y.eve.URI + "/acts/2", Type: vocab.VerbUpdate, Object: good}, "refused")
	y.say(t, y.eve, vocab.Activity{ID: y.eve.URI + "/acts/3", Type: vocab.VerbDelete, Object: vocab.Ref{ID: good.ID}}, "refused")

	// Followers only is shown, for others only is not.
	y.say(t, y.bob, create("2", y.note(t, y.bob, "2", func(n *vocab.Note) { n.To = []string{y.bob.URI + "/followers"} })), "done")
	y.say(t, y.bob, create("3", y.note(t, y.bob, "3", func(n *vocab.Note) { n.To = []string{y.ada.URI} })), "done")
	if n := len(timeline(t, y.Instance, lin.URI)); n != 2 {
		t.Errorf("timeline has %d posts", n)
	}

	// An older form changes nothing; a later one does.
	update := func(id string, at time.Time) vocab.Activity {
		ref := y.note(t, y.bob, "1", func(n *vocab.Note) { n.Content, n.Updated, n.Published = "<p>"+id+"</p>", at, at })
		return vocab.Activity{ID: y.bob.URI + "/acts/" + id, Type: vocab.VerbUpdate, Object: ref}
	}
	y.say(t, y.bob, update("older", y.Clock.Now().Add(-time.Hour)), "ignored")
	y.say(t, y.bob, update("later", y.Clock.Advance(time.Minute)), "done")
	if n := y.Count(t, "posts", "content = ?", "<p>later</p>"); n != 1 {
		t.Error("the later form is not shown")
	}

	// Deleted is deleted, also before it was made.
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/acts/d1", Type: vocab.VerbDelete, Object: vocab.Ref{ID: good.ID}}, "done")
	y.say(t, y.bob, create("1-late", good), "refused")
	unborn := y.note(t, y.bob, "unborn", nil)
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/acts/d2", Type: vocab.VerbDelete, Object: vocab.Ref{ID: unborn.ID}}, "done")
	y.say(t, y.bob, create("unborn", unborn), "refused")
	if n := len(timeline(t, y.Instance, lin.URI)); n != 1 {
		t.Errorf("timeline has %d posts", n)
	}
}

// TestPostBeforeAccept: the Accept of a follow was delivered late, and the first post came before it.
func TestPostBeforeAccept(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.User(t, "lin", actor.Listener)
	if _, err := y.Outbox.Follow(t.Context(), lin.URI, y.bob.URI); err != nil {
		t.Fatal(err)
	}
	f, err := actor.FollowOf(t.Context(), y.DB.Read, lin.URI, y.bob.URI)
	if err != nil {
		t.Fatal(err)
	}
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/acts/1", Type: vocab.VerbCreate, Object: y.note(t, y.bob, "1", nil)}, "done")
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/accepts/1", Type: vocab.VerbAccept, Object: vocab.Ref{ID: f.URI}}, "done")
	if n := len(timeline(t, y.Instance, lin.URI)); n != 1 {
		t.Errorf("timeline has %d posts, want the one that came before the Accept", n)
	}
}

// trackOf is a signed track of somebody elsewhere.
func (y yard) trackOf(t *testing.T, who *fedtest.Person, id, name string, updated time.Time) vocab.Ref {
	t.Helper()
	x := vocab.Track{
		ID: who.Peer.BaseURL + "/tracks/" + id, AttributedTo: who.URI, Name: name, Duration: time.Minute, Published: y.Clock.Now(),
		To: []string{vocab.Public}, URL: who.Peer.BaseURL + "/@x/" + id, ContentKeyHash: make([]byte, 32), Size: 1,
		Manifest: vocab.Manifest{CID: "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", Size: 1}, Updated: updated,
	}
	_, raw, err := proof.Sign(x.Object(), who.Proof, who.URI+"#ed25519-1", y.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return vocab.Ref{ID: x.ID, Types: []string{"AudioTrack", "Audio"}, Raw: raw}
}

func TestTracks(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.followBob(t)
	say := func(id string, verb vocab.Verb, object vocab.Ref, state string) {
		t.Helper()
		y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/acts/" + id, Type: verb, Object: object}, state)
	}
	good := y.trackOf(t, y.bob, "1", "One", time.Time{})

	var m map[string]any
	if err := json.Unmarshal(good.Raw, &m); err != nil {
		t.Fatal(err)
	}
	altered := maps.Clone(m)
	altered["name"] = "Two"
	say("altered", vocab.VerbCreate, embed(t, altered), "refused")
	bare := maps.Clone(m)
	delete(bare, "proof")
	say("unsigned", vocab.VerbCreate, embed(t, bare), "refused")
	say("of-another", vocab.VerbCreate, y.trackOf(t, y.eve, "2", "Eve's", time.Time{}), "refused")
	if n := y.Count(t, "objects", "1=1"); n != 0 {
		t.Fatalf("%d objects were written", n)
	}

	// The note comes first and names the track, which is fetched and checked.
	y.peer.Serve(t, "/tracks/1", m)
	n := y.note(t, y.bob, "1", func(n *vocab.Note) { n.Track = good.ID })
	say("note", vocab.VerbCreate, n, "done")
	if posts := timeline(t, y.Instance, lin.URI); len(posts) != 1 || posts[0].Title != "One" || posts[0].Track != good.ID {
		t.Errorf("timeline is %+v", posts)
	}
	say("track", vocab.VerbCreate, good, "ignored")
	y.Clock.Advance(time.Minute)
	say("renamed", vocab.VerbUpdate, y.trackOf(t, y.bob, "1", "First", y.Clock.Now()), "done")
	if posts := timeline(t, y.Instance, lin.URI); len(posts) != 1 || posts[0].Title != "First" {
		t.Errorf("timeline is %+v", posts)
	}

	// Deleted, it stays readable to buyers; an Update that is later brings it back.
	say("deleted", vocab.VerbDelete, vocab.Ref{ID: good.ID}, "done")
	if got, err := y.Inbox.Track(t.Context(), good.ID); err != nil || got.Name != "First" {
		t.Errorf("deleted track: %q, %v", got.Name, err)
	}
	older := vocab.Activity{ID: y.bob.URI + "/acts/d0", Type: vocab.VerbDelete, Object: vocab.Ref{ID: good.ID}, Published: y.Clock.Now().Add(-time.Hour)}
	say("late", vocab.VerbUpdate, y.trackOf(t, y.bob, "1", "Late", y.Clock.Now().Add(-30*time.Second)), "refused")
	y.Clock.Advance(time.Minute)
	say("anew", vocab.VerbUpdate, y.trackOf(t, y.bob, "1", "Anew", y.Clock.Now()), "done")
	y.say(t, y.bob, older, "ignored")
	if x, err := outbox.ObjectByURI(t.Context(), y.DB.Read, good.ID); err != nil || !x.Deleted.IsZero() {
		t.Errorf("republished track: %+v, %v", x.Deleted, err)
	}

	// A Create that only names its object is fetched from the sender's host, and from no other.
	y.peer.Serve(t, "/tracks/3", nil)
	third := y.trackOf(t, y.bob, "3", "Three", time.Time{})
	var served map[string]any
	if err := json.Unmarshal(third.Raw, &served); err != nil {
		t.Fatal(err)
	}
	y.peer.Serve(t, "/tracks/3", served)
	say("named", vocab.VerbCreate, vocab.Ref{ID: third.ID}, "done")
	say("named-elsewhere", vocab.VerbCreate, vocab.Ref{ID: "http://192.0.2.1/tracks/3"}, "refused")
}

func TestAnswersToFollows(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.User(t, "lin", actor.Listener)
	if _, err := y.Outbox.Follow(t.Context(), lin.URI, y.bob.URI); err != nil {
		t.Fatal(err)
	}
	f, err := actor.FollowOf(t.Context(), y.DB.Read, lin.URI, y.bob.URI)
	if err != nil {
		t.Fatal(err)
	}
	y.say(t, y.eve, vocab.Activity{ID: y.eve.URI + "/accepts/1", Type: vocab.VerbAccept, Object: vocab.Ref{ID: f.URI}}, "refused")
	made := embed(t, map[string]any{
		"@context": vocab.ActivityStreams, "id": y.BaseURL + "/follows/made-up", "type": "Follow", "actor": lin.URI, "object": y.eve.URI,
	})
	y.say(t, y.eve, vocab.Activity{ID: y.eve.URI + "/accepts/2", Type: vocab.VerbAccept, Object: made}, "refused")
	if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != actor.Pending {
		t.Errorf("follow is %q", got)
	}
	// A server that makes up another id is understood by who asked whom.
	other := embed(t, map[string]any{
		"@context": vocab.ActivityStreams, "id": y.BaseURL + "/follows/other", "type": "Follow", "actor": lin.URI, "object": y.bob.URI,
	})
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/accepts/3", Type: vocab.VerbAccept, Object: other}, "done")
	if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != actor.Accepted {
		t.Errorf("follow is %q", got)
	}
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/rejects/1", Type: vocab.VerbReject, Object: vocab.Ref{ID: f.URI}}, "done")
	if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != "" {
		t.Errorf("follow is %q", got)
	}
}

func TestFollowersComeAndGo(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	follow := y.follow(y.bob, y.bob.URI+"/follows/1")
	y.say(t, y.bob, follow, "done")
	fedtest.Until(t, "acceptance", func() bool { return len(y.peer.Received()) == 1 })
	answer := y.peer.Received()[0]
	a, err := vocab.ParseActivity(answer.Body)
	if err != nil || a.Type != vocab.VerbAccept || a.Actor != y.ada.URI || a.Object.ID != follow.ID || answer.Path != "/users/bob/inbox" {
		t.Errorf("answer at %s is %s, %v", answer.Path, answer.Body, err)
	}
	// Undo by somebody else, then by the follower.
	undo := func(who *fedtest.Person) vocab.Activity {
		return vocab.Activity{ID: who.URI + "/undos/1", Type: vocab.VerbUndo, Object: embed(t, map[string]any{
			"@context": vocab.ActivityStreams, "id": follow.ID, "type": "Follow", "actor": y.bob.URI, "object": y.ada.URI,
		})}
	}
	y.say(t, y.eve, undo(y.eve), "refused")
	if got := followState(t, y.Instance, y.bob.URI, y.ada.URI); got != actor.Accepted {
		t.Errorf("follow is %q", got)
	}
	y.say(t, y.bob, undo(y.bob), "done")
	if got := followState(t, y.Instance, y.bob.URI, y.ada.URI); got != "" {
		t.Errorf("follow is %q", got)
	}
	y.say(t, y.bob, y.follow(y.bob, y.bob.URI+"/follows/2"), "done")
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/blocks/1", Type: vocab.VerbBlock, Object: vocab.Ref{ID: y.ada.URI}}, "done")
	if got := followState(t, y.Instance, y.bob.URI, y.ada.URI); got != "" {
		t.Errorf("follow is %q", got)
	}
	nobody := y.follow(y.bob, y.bob.URI+"/follows/3")
	nobody.Object = vocab.Ref{ID: y.BaseURL + "/users/nobody"}
	y.say(t, y.bob, nobody, "refused")
}

func TestCollectionsOfOthers(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	for id, target := range map[string]string{"ours": y.ada.URI + "/tracks", "nobody's": "https://elsewhere.example/c"} {
		y.say(t, y.bob, vocab.Activity{
			ID: y.bob.URI + "/adds/" + id, Type: vocab.VerbAdd, Object: vocab.Ref{ID: y.bob.URI}, Target: vocab.Ref{ID: target},
		}, "refused")
	}
	y.say(t, y.bob, vocab.Activity{
		ID: y.bob.URI + "/adds/own", Type: vocab.VerbAdd, Object: vocab.Ref{ID: y.bob.URI}, Target: vocab.Ref{ID: y.bob.URI + "/featured"},
	}, "ignored")
}

// What another room registers is told apart by the object's kind, by its own knowledge, or by what was sent.
func TestDispatch(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	heard := make(chan string, 8)
	y.Inbox.Handle(vocab.VerbOffer, "Agreement", hear(heard, "offer"))
	y.Inbox.Handle(vocab.VerbReject, "Offer", hear(heard, "reject"))
	y.Inbox.Handle(vocab.VerbDelete, "AccessGrant", hear(heard, "revoked"))
	y.Inbox.Recognize(func(_ context.Context, uri string) (string, error) {
		if strings.HasSuffix(uri, "/grants/1") {
			return "AccessGrant", nil
		}
		return "", nil
	})
	y.Start(t)
	expect := func(want string) {
		t.Helper()
		if got := <-heard; got != want {
			t.Errorf("%s heard, want %s", got, want)
		}
	}
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/offers/1", Type: vocab.VerbOffer, Object: embed(t, map[string]any{"type": "Agreement"})}, "done")
	expect("offer")
	sent := vocab.Activity{
		ID: y.BaseURL + "/offers/1", Type: vocab.VerbOffer, Actor: y.ada.URI, Object: embed(t, map[string]any{"type": "Agreement"}), To: []string{y.bob.URI},
	}
	send(t, y.Instance, sent)
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/rejects/1", Type: vocab.VerbReject, Object: vocab.Ref{ID: sent.ID}}, "done")
	expect("reject")
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/deletes/1", Type: vocab.VerbDelete, Object: vocab.Ref{ID: y.peer.BaseURL + "/grants/1"}}, "done")
	expect("revoked")
	y.say(t, y.bob, vocab.Activity{ID: y.bob.URI + "/offers/2", Type: vocab.VerbOffer, Object: embed(t, map[string]any{"type": "Thing"})}, "ignored")
}

func hear(heard chan<- string, word string) inbox.Handler {
	return func(context.Context, inbox.Incoming) error {
		heard <- word
		return nil
	}
}
