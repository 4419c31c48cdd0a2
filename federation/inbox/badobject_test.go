package inbox_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// acts lets somebody say something, and sees what came of it; what is refused or ignored writes nothing beside itself.
func (y yard) acts(t *testing.T, who *fedtest.Person, a vocab.Activity, state string) {
	t.Helper()
	before := testkit.Rows(t, y.DB.Read)
	y.say(t, who, a, state)
	if state != "done" {
		testkit.SameRows(t, y.DB.Read, before, "activities", "river_job", "actors", "keys_seen")
	}
}

func act(who *fedtest.Person, id string, verb vocab.Verb, object vocab.Ref) vocab.Activity {
	return vocab.Activity{ID: who.URI + "/acts/" + id, Type: verb, Object: object, To: []string{vocab.Public}}
}

func TestBadObjects(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.followBob(t)
	create := func(id string, object vocab.Ref) vocab.Activity { return act(y.bob, id, vocab.VerbCreate, object) }
	taken := func(id string) func(*testing.T) {
		return func(t *testing.T) { y.acts(t, y.bob, create(id, y.note(t, y.bob, id, nil)), "done") }
	}
	testkit.BadInput(t, "B1", func(t *testing.T) {
		y.acts(t, y.bob, create("b1", y.note(t, y.eve, "b1", nil)), "refused")
	}, taken("b1-twin"))
	testkit.BadInput(t, "B2", func(t *testing.T) {
		other := fedtest.NewPeer(t)
		y.acts(t, y.bob, create("b2", y.note(t, y.bob, "b2", func(n *vocab.Note) { n.ID = other.BaseURL + "/notes/1" })), "refused")
		y.acts(t, y.bob, create("b2-named", vocab.Ref{ID: other.BaseURL + "/notes/2"}), "refused")
		if n := other.Requests("/notes/2"); n != 0 {
			t.Errorf("a stranger was asked %d times", n)
		}
	}, taken("b2-twin"))
	testkit.BadInput(t, "B3", func(t *testing.T) {
		y.acts(t, y.bob, create("b3", y.note(t, y.bob, "b3", func(n *vocab.Note) { n.ID = y.BaseURL + "/notes/b3" })), "refused")
		y.acts(t, y.bob, create("b3-ada", y.note(t, y.bob, "b3", func(n *vocab.Note) {
			n.ID, n.AttributedTo = y.BaseURL+"/notes/b3", y.ada.URI
		})), "refused")
	}, taken("b3-twin"))
	testkit.BadInput(t, "B5", func(t *testing.T) {
		y.acts(t, y.bob, create("b5", y.note(t, y.bob, "b5", nil)), "done")
		before, later := y.row(t, y.bob.URI+"/notes/b5"), y.Clock.Advance(2e9)
		same := func(who *fedtest.Person, id string, change func(*vocab.Note), state string) {
			t.Helper()
			ref := y.note(t, y.bob, "b5", func(n *vocab.Note) {
				n.Content, n.Updated = "<p>changed</p>", later
				change(n)
			})
			y.acts(t, who, act(who, "b5-"+id, vocab.VerbUpdate, ref), state)
			if got := y.row(t, y.bob.URI+"/notes/b5"); got != before {
				t.Errorf("%s: the note has changed to %s", id, got)
			}
		}
		same(y.eve, "hand", func(*vocab.Note) {}, "refused")
		same(y.eve, "owner", func(n *vocab.Note) { n.AttributedTo = y.eve.URI }, "ignored")
		same(y.bob, "author", func(n *vocab.Note) { n.AttributedTo = y.eve.URI }, "refused")
		same(y.bob, "id", func(n *vocab.Note) { n.ID = y.eve.URI + "/notes/b5" }, "done")
		track := y.trackOf(t, y.bob, "b5", "One", later)
		y.acts(t, y.bob, create("b5-track", track), "done")
		forged := y.note(t, y.bob, "b5", func(n *vocab.Note) { n.ID, n.Updated = track.ID, later })
		y.acts(t, y.bob, act(y.bob, "b5-type", vocab.VerbUpdate, forged), "refused")
		// An actor that says it has changed is asked; what it says in the activity changes nothing.
		y.Clock.Advance(2 * 60e9)
		person := members(t, fedtest.JSON(t, vocab.Activity{ID: "https://x.example/1", Type: vocab.VerbCreate, Actor: y.bob.URI, Object: embed(t, y.bob.Document)}))["object"].(map[string]any)
		person["inbox"] = "https://victim.example/inbox"
		person["publicKey"] = map[string]any{"id": y.bob.KeyID, "owner": y.eve.URI, "publicKeyPem": fedtest.PEM(t, y.eve.Key)}
		person["@context"] = vocab.ActivityStreams
		y.acts(t, y.bob, act(y.bob, "b5-actor", vocab.VerbUpdate, embed(t, person)), "done")
		y.acts(t, y.eve, act(y.eve, "b5-other-actor", vocab.VerbUpdate, embed(t, person)), "ignored")
		if a, err := y.Actors.Known(t.Context(), y.bob.URI); err != nil || a.Inbox != y.bob.URI+"/inbox" || a.HTTPKeyPEM != fedtest.PEM(t, y.bob.Key) {
			t.Errorf("the actor is %+v, %v", a, err)
		}
	}, func(t *testing.T) {
		later := y.Clock.Advance(2e9)
		ref := y.note(t, y.bob, "b5", func(n *vocab.Note) { n.Content, n.Updated = "<p>later</p>", later })
		y.acts(t, y.bob, act(y.bob, "b5-twin", vocab.VerbUpdate, ref), "done")
		if n := y.Count(t, "posts", "content = ?", "<p>later</p>"); n != 1 {
			t.Error("the later form is not shown")
		}
	})
	testkit.BadInput(t, "B6", func(t *testing.T) {
		note := y.note(t, y.bob, "b6", nil)
		y.acts(t, y.bob, create("b6", note), "done")
		y.acts(t, y.eve, act(y.eve, "b6", vocab.VerbDelete, vocab.Ref{ID: note.ID}), "refused")
		y.acts(t, y.eve, act(y.eve, "b6-actor", vocab.VerbDelete, vocab.Ref{ID: y.bob.URI}), "refused")
		y.acts(t, y.eve, act(y.eve, "b6-ours", vocab.VerbDelete, vocab.Ref{ID: y.ada.URI}), "refused")
		if n := y.Count(t, "posts", "uri = ?", note.ID) + y.Count(t, "actors", "uri IN (?, ?)", y.bob.URI, y.ada.URI); n != 3 {
			t.Errorf("%d of note and actors are left", n)
		}
		unborn := y.note(t, y.bob, "b6-unborn", nil)
		y.acts(t, y.bob, act(y.bob, "b6-early", vocab.VerbDelete, vocab.Ref{ID: unborn.ID}), "done")
		y.acts(t, y.bob, create("b6-late", unborn), "refused")
	}, func(t *testing.T) {
		y.acts(t, y.bob, act(y.bob, "b6-twin", vocab.VerbDelete, vocab.Ref{ID: y.bob.URI + "/notes/b6"}), "done")
		if n := y.Count(t, "posts", "uri = ?", y.bob.URI+"/notes/b6"); n != 0 {
			t.Error("a deleted note is shown")
		}
	})
	testkit.BadInput(t, "B17", func(t *testing.T) {
		private := y.note(t, y.bob, "b17", func(n *vocab.Note) { n.To = []string{y.ada.URI} })
		y.acts(t, y.bob, create("b17", private), "done")
		blind := y.note(t, y.bob, "b17-blind", func(n *vocab.Note) { n.To = []string{y.ada.URI} })
		m := members(t, blind.Raw)
		m["bto"], m["bcc"] = []any{vocab.Public}, []any{lin.URI}
		y.acts(t, y.bob, create("b17-blind", embed(t, m)), "done")
		for _, post := range timeline(t, y.Instance, lin.URI) {
			if strings.Contains(post.URI, "b17") {
				t.Errorf("%s is shown to who was not addressed", post.URI)
			}
		}
	}, func(t *testing.T) {
		for n, field := range []string{"to", "cc", "audience"} {
			for k, public := range []string{vocab.Public, "as:Public", "Public"} {
				id := "b17-" + strconv.Itoa(n) + strconv.Itoa(k)
				m := members(t, y.note(t, y.bob, id, func(n *vocab.Note) { n.To = []string{y.ada.URI} }).Raw)
				m[field] = public
				y.acts(t, y.bob, create(id, embed(t, m)), "done")
				if n := y.Count(t, "objects", "uri = ? AND audience = 'public'", y.bob.URI+"/notes/"+id); n != 1 {
					t.Errorf("%s in %s is not for everyone", public, field)
				}
			}
		}
	})
}

// row is what is stored of an object.
func (y yard) row(t *testing.T, uri string) string {
	t.Helper()
	var raw []byte
	if err := y.DB.Read.Table("objects").Select("raw").Where("uri = ?", uri).Row().Scan(&raw); err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestBadSpeakers(t *testing.T) {
	t.Parallel()
	g := newGate(t, fedtest.Options{})
	testkit.BadInput(t, "B4", func(t *testing.T) {
		liar := *g.bob
		liar.KeyID = g.ada.URI + "#main-key"
		own := g.follow(g.bob, g.ada.URI+"/follows/1")
		own.Actor = g.ada.URI
		g.refuses(t, "with a key id of ours", liar.Request(t, g.ada.Inbox, fedtest.JSON(t, own), g.Clock.Now()), 401)
		g.refuses(t, "with the own key", g.bob.Request(t, g.ada.Inbox, fedtest.JSON(t, own), g.Clock.Now()), 401)
	}, g.twin)
	testkit.BadInput(t, "B18", func(t *testing.T) {
		for _, id := range []string{"https://victim.example/follows/1", g.BaseURL + "/follows/1", "http://127.0.0.1:1/follows/1"} {
			g.refuses(t, id, g.bob.Request(t, g.ada.Inbox, fedtest.JSON(t, g.follow(g.bob, id)), g.Clock.Now()), 403)
		}
		// The thief was first with the victim's id; the victim is heard all the same.
		thief := fedtest.NewPeer(t).Person(t, "thief")
		stolen := g.bob.URI + "/follows/stolen"
		g.refuses(t, "the id of another's activity", thief.Request(t, g.ada.Inbox, fedtest.JSON(t, g.follow(thief, stolen)), g.Clock.Now()), 403, "actors", "keys_seen")
		g.takes(t, g.bob.Request(t, g.ada.Inbox, fedtest.JSON(t, g.follow(g.bob, stolen)), g.Clock.Now()))
	}, g.twin)
	testkit.BadInput(t, "B13", func(t *testing.T) {
		block := func(blocked bool) {
			err := g.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return g.Hosts.Block(ctx, tx, g.peer.Host, blocked) })
			if err != nil {
				t.Fatal(err)
			}
		}
		block(true)
		defer block(false)
		g.refuses(t, "Follow", g.knock(t), 403)
		note := g.bob.Request(t, g.ada.Inbox, fedtest.JSON(t, func() vocab.Activity {
			a := act(g.bob, "b13", vocab.VerbCreate, g.note(t, g.bob, "b13", nil))
			a.Actor = g.bob.URI
			return a
		}()), g.Clock.Now())
		g.refuses(t, "Create", note, 403)
	}, g.twin)
}

func TestBadAnswers(t *testing.T) {
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
	testkit.BadInput(t, "B8", func(t *testing.T) {
		for n, verb := range []vocab.Verb{vocab.VerbAccept, vocab.VerbReject} {
			id := strconv.Itoa(n)
			y.acts(t, y.eve, act(y.eve, "b8"+id, verb, vocab.Ref{ID: f.URI}), "refused")
			made := embed(t, map[string]any{
				"@context": vocab.ActivityStreams, "id": y.BaseURL + "/follows/made-up", "type": "Follow", "actor": lin.URI, "object": y.eve.URI,
			})
			y.acts(t, y.eve, act(y.eve, "b8-made"+id, verb, made), "refused")
			y.acts(t, y.eve, act(y.eve, "b8-offer"+id, verb, vocab.Ref{ID: y.BaseURL + "/offers/none"}), "ignored")
		}
		if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != actor.Pending {
			t.Errorf("follow is %q", got)
		}
	}, func(t *testing.T) {
		y.acts(t, y.bob, act(y.bob, "b8-twin", vocab.VerbAccept, vocab.Ref{ID: f.URI}), "done")
		if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != actor.Accepted {
			t.Errorf("follow is %q", got)
		}
	})
	testkit.BadInput(t, "B14", func(t *testing.T) {
		for n, verb := range []vocab.Verb{vocab.VerbAdd, vocab.VerbRemove} {
			for k, target := range []string{
				y.ada.URI + "/subscribers", y.ada.URI + "/playlists", y.ada.URI + "/featured", y.bob.URI + "/featured", "https://elsewhere.example/c",
			} {
				a := act(y.eve, "b14-"+strconv.Itoa(n)+strconv.Itoa(k), verb, vocab.Ref{ID: y.eve.URI})
				a.Target = vocab.Ref{ID: target}
				y.acts(t, y.eve, a, "refused")
			}
		}
	}, func(t *testing.T) {
		a := act(y.eve, "b14-twin", vocab.VerbAdd, vocab.Ref{ID: y.eve.URI + "/notes/1"})
		a.Target = vocab.Ref{ID: y.eve.URI + "/featured"}
		y.acts(t, y.eve, a, "ignored") // the own collection: nothing is wrong, and nothing here keeps it
	})
	_, note := y.announcement(t)
	testkit.BadInput(t, "B10", func(t *testing.T) {
		for n := range 30 {
			y.acts(t, y.bob, act(y.bob, "b10-"+strconv.Itoa(n), vocab.VerbLike, vocab.Ref{ID: note}), "done")
		}
		if n := y.Count(t, "reactions", "object = ?", note); n != 1 {
			t.Errorf("30 likes by one count as %d", n)
		}
	}, func(t *testing.T) {
		y.acts(t, y.eve, act(y.eve, "b10", vocab.VerbLike, vocab.Ref{ID: note}), "done")
		if n := y.Count(t, "reactions", "object = ?", note); n != 2 {
			t.Errorf("likes by two count as %d", n)
		}
	})
}
