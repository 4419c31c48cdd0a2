package inbox_test

import (
	"strconv"
	"testing"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

// announcement publishes a track of ada's and returns the URI of its note.
func (y yard) announcement(t *testing.T) (track, note string) {
	t.Helper()
	made := y.Track(t, y.ada.URI, "rain")
	fedtest.Until(t, "announcement", func() bool {
		return y.DB.Read.Table("objects").Select("uri").Where("kind = 'Note' AND local").Take(&note).Error == nil
	}, y.Instance)
	return made.URI, note
}

func (y yard) raw(t *testing.T, who *fedtest.Person, id, members string) []byte {
	t.Helper()
	return []byte(`{"@context":"` + vocab.ActivityStreams + `","id":"` + id + `","actor":"` + who.URI + `",` + members + `}`)
}

// One counts per actor and object, however often and in whatever words it is said; and it can be taken back.
func TestReactions(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	_, note := y.announcement(t)
	for n, members := range []string{
		`"type":"Like","object":"` + note + `"`, `"type":"EmojiReact","content":"🎵","object":"` + note + `"`, `"type":["Cheer","Like"],"object":"` + note + `"`,
		`"type":"Announce","object":"` + note + `"`, `"type":"Announce","object":"` + note + `"`,
	} {
		id := y.bob.URI + "/acts/" + strconv.Itoa(n)
		y.sayRaw(t, y.bob, y.raw(t, y.bob, id, members), id, "done")
	}
	for kind, object := range map[string]string{"like": note, "announce": note} {
		if n := y.Count(t, "reactions", "kind = ? AND object = ?", kind, object); n != 1 {
			t.Errorf("%d of kind %s", n, kind)
		}
	}
	undo := y.raw(t, y.bob, y.bob.URI+"/undo/1", `"type":"Undo","object":{"type":"EmojiReact","id":"`+y.bob.URI+`/acts/1","actor":"`+y.bob.URI+`","object":"`+note+`"}`)
	y.sayRaw(t, y.bob, undo, y.bob.URI+"/undo/1", "done")
	if n := y.Count(t, "reactions", "kind = 'like'"); n != 0 {
		t.Errorf("%d likes are left", n)
	}
	stolen := y.raw(t, y.eve, y.eve.URI+"/undo/1", `"type":"Undo","object":{"type":"Announce","id":"`+y.bob.URI+`/acts/3","actor":"`+y.bob.URI+`","object":"`+note+`"}`)
	y.sayRaw(t, y.eve, stolen, y.eve.URI+"/undo/1", "done")
	if n := y.Count(t, "reactions", "kind = 'announce'"); n != 1 {
		t.Error("somebody else took back an announcement")
	}

	// What was made elsewhere is not stored at all.
	before := y.Count(t, "activities", "1=1")
	for n, verb := range []string{"Like", "EmojiReact", "Announce", "Listen", "View", "Arrive"} {
		body := y.raw(t, y.bob, y.bob.URI+"/away/"+strconv.Itoa(n), `"type":"`+verb+`","object":"`+y.peer.BaseURL+`/x"`)
		if got := y.bob.Post(t, y.BaseURL+"/inbox", body, y.Clock.Now()); got != 202 {
			t.Errorf("%s: status %d", verb, got)
		}
	}
	if n := y.Count(t, "activities", "1=1"); n != before {
		t.Errorf("%d activities without effect were stored", n-before)
	}
}

func TestUndoAccept(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	lin := y.followBob(t)
	undo := func(who *fedtest.Person, id string, object vocab.Ref) vocab.Activity {
		return vocab.Activity{ID: who.URI + "/undo/" + id, Type: vocab.VerbUndo, Object: object}
	}
	f, err := actor.FollowOf(t.Context(), y.DB.Read, lin.URI, y.bob.URI)
	if err != nil {
		t.Fatal(err)
	}
	forged := embed(t, map[string]any{"@context": vocab.ActivityStreams, "id": y.eve.URI + "/accepts/1", "type": "Accept", "actor": y.eve.URI, "object": f.URI})
	y.say(t, y.eve, undo(y.eve, "1", forged), "refused")
	foreign := embed(t, map[string]any{"@context": vocab.ActivityStreams, "id": y.bob.URI + "/accepts/1", "type": "Accept", "actor": y.bob.URI, "object": f.URI})
	y.say(t, y.eve, undo(y.eve, "2", foreign), "refused")
	if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != actor.Accepted {
		t.Fatalf("follow is %q", got)
	}
	y.say(t, y.bob, undo(y.bob, "1", vocab.Ref{ID: y.bob.URI + "/accepts/1"}), "done")
	if got := followState(t, y.Instance, lin.URI, y.bob.URI); got != "" {
		t.Errorf("follow is %q", got)
	}
}

// Who asks whether a post may be quoted is told that it may not, once.
func TestQuoteRequest(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	_, note := y.announcement(t)
	id := y.bob.URI + "/quotes/1"
	body := y.raw(t, y.bob, id, `"type":"QuoteRequest","object":"`+note+`","instrument":"`+y.bob.URI+`/notes/1"`)
	y.sayRaw(t, y.bob, body, id, "done")
	fedtest.Until(t, "answer", func() bool { return len(y.peer.Received()) > 0 }, y.Instance)
	answer, err := vocab.ParseActivity(y.peer.Received()[0].Body)
	if err != nil || answer.Type != vocab.VerbReject || answer.Actor != y.ada.URI || answer.Object.ID != id || !answer.Object.Is("QuoteRequest") {
		t.Errorf("answer is %s, %v", y.peer.Received()[0].Body, err)
	}
	for _, other := range []string{y.BaseURL + "/notes/none", y.bob.URI + "/notes/1"} {
		id := id + strconv.Itoa(len(other))
		y.sayRaw(t, y.bob, y.raw(t, y.bob, id, `"type":"QuoteRequest","object":"`+other+`"`), id, "ignored")
	}
}

// What is added to collections is the owner's to say.
func TestAddToAnother(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	y.bob.Document["featured"] = y.peer.BaseURL + "/pins/bob"
	y.bob.Publish(t)
	add := func(who *fedtest.Person, id, target, state string) {
		t.Helper()
		y.say(t, who, vocab.Activity{ID: who.URI + "/adds/" + id, Type: vocab.VerbAdd, Object: vocab.Ref{ID: who.URI + "/notes/1"}, Target: vocab.Ref{ID: target}}, state)
	}
	add(y.bob, "1", y.peer.BaseURL+"/pins/bob", "ignored")
	add(y.bob, "2", y.bob.URI+"/featured", "ignored")
	add(y.eve, "1", y.peer.BaseURL+"/pins/bob", "refused")
	add(y.eve, "2", y.bob.URI+"/featured", "refused")
	add(y.eve, "3", y.ada.URI+"/featured", "refused")
}
