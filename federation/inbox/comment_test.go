package inbox_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/outbox"
	"antiphon/internal/testkit"
	"antiphon/media"
	"antiphon/vocab"
)

// announced publishes a track and returns it with its announcement's URI.
func announced(t *testing.T, i *fedtest.Instance, artist string) (media.Track, string) {
	t.Helper()
	track := i.Track(t, artist, "rain")
	var post outbox.Post
	fedtest.Until(t, "the track is announced", func() bool {
		var err error
		post, err = outbox.PostOf(t.Context(), i.DB.Read, artist, track.URI)
		return err == nil
	}, i)
	return track, post.URI
}

func comments(t *testing.T, i *fedtest.Instance, track string) []outbox.Comment {
	t.Helper()
	out, err := outbox.Comments(t.Context(), i.DB.Read, track, 100)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func notices(t *testing.T, i *fedtest.Instance, owner string) string {
	t.Helper()
	list, err := outbox.Notices(t.Context(), i.DB.Read, owner, outbox.Position{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, n := range list {
		kinds = append(kinds, n.Kind)
	}
	return strings.Join(kinds, " ")
}

// TestConversation is a thread below a track over two instances: a comment, an answer, an answer to that, an edit by
// nobody, reactions and their end, and a deletion.
func TestConversation(t *testing.T) {
	t.Parallel()
	testkit.OnDatabases(t, func(t *testing.T, fresh func() string) {
		seller := fedtest.New(t, fedtest.Options{DSN: fresh()})
		home := fedtest.New(t, fedtest.Options{DSN: fresh(), Clock: seller.Clock})
		ada, lin := seller.User(t, "ada", actor.Artist), home.User(t, "lin", actor.Listener)
		neighbor := seller.User(t, "neighbor", actor.Listener)
		if _, err := home.Outbox.Follow(t.Context(), lin.URI, ada.URI); err != nil {
			t.Fatal(err)
		}
		fedtest.Until(t, "the follow is accepted", func() bool { return followState(t, home, lin.URI, ada.URI) == actor.Accepted }, home)
		track, note := announced(t, seller, ada.URI)
		fedtest.Until(t, "the track is in the timeline", func() bool { return len(timeline(t, home, lin.URI)) == 1 }, seller, home)

		first, err := home.Outbox.Comment(t.Context(), lin.URI, track.URI, "What a <b>sound</b>!\n\nHello @neighbor@"+seller.Host)
		if err != nil {
			t.Fatal(err)
		}
		fedtest.Until(t, "the comment is at the artist's", func() bool { return len(comments(t, seller, track.URI)) == 1 }, seller, home)
		got := comments(t, seller, track.URI)[0]
		if got.URI != first.URI || got.InReplyTo != note || got.Actor != lin.URI || !strings.Contains(got.Content, "&lt;b&gt;sound") || got.Depth != 0 {
			t.Errorf("comment is %+v", got)
		}
		if n := notices(t, seller, ada.URI); n != "reply" {
			t.Errorf("the artist is told %q", n)
		}
		seller.Clock.Advance(time.Second)
		second, err := seller.Outbox.Comment(t.Context(), ada.URI, first.URI, "Thank you")
		if err != nil {
			t.Fatal(err)
		}
		fedtest.Until(t, "the answer is at home", func() bool { return len(comments(t, home, track.URI)) == 2 }, seller, home)
		seller.Clock.Advance(time.Second)
		third, err := home.Outbox.Comment(t.Context(), lin.URI, second.URI, "And again")
		if err != nil || third.Depth != 2 {
			t.Fatalf("%+v, %v", third, err)
		}
		fedtest.Until(t, "the answer to the answer is at the artist's", func() bool { return len(comments(t, seller, track.URI)) == 3 }, seller, home)
		if c := comments(t, seller, track.URI)[2]; c.Depth != 2 || c.InReplyTo != second.URI {
			t.Errorf("third comment is %+v", c)
		}
		if n := notices(t, home, lin.URI); n != "reply" {
			t.Errorf("the listener is told %q", n)
		}
		_, replies := get(t, seller, note+"/replies?page=true")
		if !strings.Contains(replies, first.URI) || strings.Contains(replies, second.URI) {
			t.Errorf("replies are %s", replies)
		}
		if len(timeline(t, home, lin.URI)) != 1 {
			t.Error("comments stand in the timeline")
		}

		react := func(i *fedtest.Instance, who, object string, kind outbox.Reaction, on bool) {
			t.Helper()
			for range 2 {
				if err := i.Outbox.React(t.Context(), who, object, kind, on); err != nil {
					t.Fatal(err)
				}
			}
		}
		react(home, lin.URI, track.URI, outbox.Like, true)
		react(home, lin.URI, note, outbox.Boost, true)
		react(seller, neighbor.URI, note, outbox.Like, true)
		reactions := func(kind string) int64 { return seller.Count(t, "reactions", "object = ? AND kind = ?", note, kind) }
		fedtest.Until(t, "all are counted", func() bool { return reactions("like") == 2 && reactions("announce") == 1 }, seller, home)
		fedtest.Until(t, "the artist is told", func() bool { return strings.Count(notices(t, seller, ada.URI), "like") == 2 }, seller)
		react(home, lin.URI, note, outbox.Like, false)
		react(home, lin.URI, note, outbox.Boost, false)
		react(seller, neighbor.URI, note, outbox.Like, false)
		fedtest.Until(t, "all are taken back", func() bool { return reactions("like") == 0 && reactions("announce") == 0 }, seller, home)

		if err := home.Outbox.Uncomment(t.Context(), lin.URI, second.URI); err == nil {
			t.Error("somebody else's comment was removed")
		}
		if err := home.Outbox.Uncomment(t.Context(), lin.URI, first.URI); err != nil {
			t.Fatal(err)
		}
		fedtest.Until(t, "the comment is gone at the artist's", func() bool {
			c := comments(t, seller, track.URI)
			return len(c) == 3 && c[0].Deleted && c[0].Content == ""
		}, seller, home)
		if status, _ := get(t, home, first.URI); status != 410 {
			t.Errorf("the deleted comment answers %d", status)
		}
		if err := seller.Outbox.Uncomment(t.Context(), ada.URI, third.URI); err != nil {
			t.Errorf("the artist removes a comment: %v", err)
		}
	})
}

// answerTo is a note of a peer's person, in answer to another one, that mentions some people.
func answerTo(who *fedtest.Person, id, parent string, mentions ...string) vocab.Note {
	n := vocab.Note{
		ID: who.Peer.BaseURL + "/notes/" + id, AttributedTo: who.URI, Content: "<p>" + id + "</p><script>x</script>", InReplyTo: parent,
		To: []string{vocab.Public}, Cc: mentions,
	}
	for _, uri := range mentions {
		n.Tags = append(n.Tags, vocab.Tag{Type: "Mention", Name: "@x", Href: uri})
	}
	return n
}

func serveNote(t *testing.T, who *fedtest.Person, n vocab.Note) vocab.Ref {
	t.Helper()
	m, err := n.Build()
	if err != nil {
		t.Fatal(err)
	}
	who.Peer.Serve(t, strings.TrimPrefix(n.ID, who.Peer.BaseURL), m)
	ref, err := vocab.Embed(m)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

func sendNote(t *testing.T, i *fedtest.Instance, who *fedtest.Person, n vocab.Note) {
	t.Helper()
	a := vocab.Activity{ID: n.ID + "/create", Type: vocab.VerbCreate, Actor: who.URI, Object: serveNote(t, who, n), To: n.To, Cc: n.Cc}
	if status := who.Post(t, i.BaseURL+"/inbox", fedtest.JSON(t, a), i.Clock.Now()); status != 202 {
		t.Fatalf("%s: %d", n.ID, status)
	}
}

func settledActivities(t *testing.T, i *fedtest.Instance, n int64) {
	t.Helper()
	fedtest.Until(t, "all activities are worked", func() bool { return i.Count(t, "activities", "state <> 'received'") == n }, i)
}

// TestBadInput of threads: a chain of ten thousand, a circle, and a thousand mentions are bounded, one activity at a
// time.
func TestBadInputThreads(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C15", func(t *testing.T) {
		i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
		ada, eve := i.User(t, "ada", actor.Artist), peer.Person(t, "eve")
		track, note := announced(t, i, ada.URI)
		parent := note
		for n := range 10_000 {
			link := answerTo(eve, "chain-"+strconv.Itoa(n), parent)
			parent = link.ID
			if n > 9_900 {
				serveNote(t, eve, link) // the ends that can be reached within any sensible budget
			}
		}
		sendNote(t, i, eve, answerTo(eve, "chain-end", parent, ada.URI))
		serveNote(t, eve, answerTo(eve, "circle-a", peer.BaseURL+"/notes/circle-b", ada.URI))
		serveNote(t, eve, answerTo(eve, "circle-b", peer.BaseURL+"/notes/circle-a", ada.URI))
		sendNote(t, i, eve, answerTo(eve, "circle-end", peer.BaseURL+"/notes/circle-a", ada.URI))
		sendNote(t, i, eve, answerTo(eve, "self", peer.BaseURL+"/notes/self", ada.URI))
		crowd := []string{}
		for n := range 1000 {
			crowd = append(crowd, i.User(t, "fan"+strconv.Itoa(n%30), actor.Listener).URI)
			if n == 29 {
				break
			}
		}
		for n := range 900 {
			crowd = append(crowd, peer.BaseURL+"/users/x"+strconv.Itoa(n))
		}
		sendNote(t, i, eve, answerTo(eve, "crowd", note, crowd...))
		settledActivities(t, i, 4)
		if c := comments(t, i, track.URI); len(c) != 1 || c[0].URI != peer.BaseURL+"/notes/crowd" || strings.Contains(c[0].Content, "script") {
			t.Errorf("comments are %+v", c)
		}
		asked := 0
		for n := 9_900; n < 10_000; n++ {
			asked += peer.Requests("/notes/chain-" + strconv.Itoa(n))
		}
		if asked == 0 || asked > 9 {
			t.Errorf("%d posts of the chain were fetched", asked)
		}
		if n := peer.Requests("/notes/circle-a") + peer.Requests("/notes/circle-b") + peer.Requests("/notes/self"); n > 2 {
			t.Errorf("%d requests in circles", n)
		}
		if n := i.Count(t, "notices", "object = ?", peer.BaseURL+"/notes/crowd"); n == 0 || n > 20 {
			t.Errorf("%d are notified of one post", n)
		}
		// Each link of a deep chain that does arrive costs the same, and stands at a bounded depth.
		before := note
		for n := range 40 {
			link := answerTo(eve, "deep-"+strconv.Itoa(n), before)
			sendNote(t, i, eve, link)
			settledActivities(t, i, int64(5+n))
			before = link.ID
		}
		if n := i.Count(t, "comments", "depth > 32"); n != 0 || i.Count(t, "comments", "depth = 32") < 2 {
			t.Errorf("%d comments are too deep", n)
		}
	}, func(t *testing.T) {
		i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
		ada, eve, kim := i.User(t, "ada", actor.Artist), peer.Person(t, "eve"), peer.Person(t, "kim")
		track, note := announced(t, i, ada.URI)
		// The posts between are unknown here and are found.
		one, two := answerTo(eve, "one", note), answerTo(kim, "two", peer.BaseURL+"/notes/one")
		serveNote(t, eve, one)
		serveNote(t, kim, two)
		i.Clock.Advance(time.Second)
		sendNote(t, i, eve, answerTo(eve, "three", two.ID, ada.URI))
		settledActivities(t, i, 1)
		c := comments(t, i, track.URI)
		if len(c) != 3 || i.Count(t, "comments", "depth = 2 AND uri = ?", peer.BaseURL+"/notes/three") != 1 || i.Count(t, "comments", "actor = ?", kim.URI) != 1 {
			t.Errorf("comments are %+v", c)
		}
		if n := notices(t, i, ada.URI); n != "mention" {
			t.Errorf("the artist is told %q", n)
		}
	})
}

// TestHiddenAnswers are answers that are not for everyone, or not their author's to give: none is a comment.
func TestHiddenAnswers(t *testing.T) {
	t.Parallel()
	i, peer := fedtest.New(t, fedtest.Options{}), fedtest.NewPeer(t)
	ada, eve := i.User(t, "ada", actor.Artist), peer.Person(t, "eve")
	track, note := announced(t, i, ada.URI)
	secret := answerTo(eve, "secret", note, ada.URI)
	secret.To = []string{ada.URI}
	sendNote(t, i, eve, secret)
	forged := answerTo(eve, "forged", note)
	forged.AttributedTo = peer.BaseURL + "/users/somebody"
	sendNote(t, i, eve, forged)
	settledActivities(t, i, 2)
	if c := comments(t, i, track.URI); len(c) != 0 {
		t.Errorf("comments are %+v", c)
	}
}
