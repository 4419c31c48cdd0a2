package inbox_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"gorm.io/gorm"

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
	posts, err := outbox.Timeline(t.Context(), i.DB.Read, me, outbox.Position{}, 50)
	if err != nil {
		t.Fatal(err)
	}
	return posts
}

func followState(t *testing.T, i *fedtest.Instance, follower, followed string) string {
	t.Helper()
	f, err := actor.FollowOf(t.Context(), i.DB.Read, follower, followed)
	if err != nil {
		return ""
	}
	return f.State
}

func get(t *testing.T, i *fedtest.Instance, url string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", vocab.ActivityType)
	answer, err := i.HTTP.Do(t.Context(), req, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status, string(answer.Body)
}

// TestTwoInstances is the way of a track from its artist to a follower elsewhere, on both databases.
func TestTwoInstances(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		dsn  func(*testing.T) string
	}{
		{"sqlite", func(*testing.T) string { return "" }},
		{"postgresql", func(t *testing.T) string { return testkit.Postgres(t) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			seller := fedtest.New(t, fedtest.Options{DSN: tc.dsn(t)})
			home := fedtest.New(t, fedtest.Options{DSN: tc.dsn(t), Clock: seller.Clock})
			tellStory(t, seller, home)
		})
	}
}

func tellStory(t *testing.T, seller, home *fedtest.Instance) {
	ada := seller.User(t, "ada", actor.Artist)
	lin := home.User(t, "lin", actor.Listener)
	neighbour := seller.User(t, "neighbour", actor.Listener)

	// Follow by handle, from elsewhere and from next door.
	if _, err := home.Outbox.Follow(t.Context(), lin.URI, "@ada@"+seller.Host); err != nil {
		t.Fatal(err)
	}
	if _, err := seller.Outbox.Follow(t.Context(), neighbour.URI, ada.URI); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "follows accepted", func() bool {
		return followState(t, home, lin.URI, ada.URI) == actor.Accepted && followState(t, seller, neighbour.URI, ada.URI) == actor.Accepted
	})
	known, err := home.Actors.Find(t.Context(), ada.URI, false)
	if err != nil || known.VerifyingKey != fedtest.Point || len(known.ProofKeys) != 1 || known.HTTPKeyID != ada.URI+"#main-key" {
		t.Errorf("remote artist is known as %+v, %v", known, err)
	}

	// Publish: a note in both timelines, and the track itself where it is understood.
	track := seller.Track(t, ada.URI, "rain")
	fedtest.Until(t, "announcement in both timelines", func() bool {
		posts := timeline(t, home, lin.URI)
		return len(posts) == 1 && posts[0].Track == track.URI && posts[0].Title == track.Title && len(timeline(t, seller, neighbour.URI)) == 1
	})
	post := timeline(t, home, lin.URI)[0]
	if post.Actor != ada.URI || !strings.Contains(post.Content, "Brass &lt;Rain&gt;") || !strings.HasSuffix(post.Audio, "/preview.mp3") {
		t.Errorf("post is %+v", post)
	}
	status, body := get(t, home, post.URI)
	if status != 200 {
		t.Fatalf("note: %d %s", status, body)
	}
	fedtest.Until(t, "track object arrived", func() bool { return home.Count(t, "objects", "uri = ? AND kind = 'AudioTrack'", track.URI) == 1 })
	if _, err := home.Inbox.Track(t.Context(), track.URI); err != nil {
		t.Errorf("track: %v", err)
	}

	// Change.
	seller.Change(t, track.ID, map[string]any{"title": "Steel Rain"})
	fedtest.Until(t, "new title", func() bool {
		posts := timeline(t, home, lin.URI)
		return len(posts) == 1 && posts[0].Title == "Steel Rain" && strings.Contains(posts[0].Content, "Steel Rain")
	})

	// Like and boost, once each.
	for n, verb := range []vocab.Verb{vocab.VerbLike, vocab.VerbLike, vocab.VerbAnnounce} {
		send(t, home, vocab.Activity{
			ID: lin.URI + "/reactions/" + string(rune('a'+n)), Type: verb, Actor: lin.URI, Object: vocab.Ref{ID: post.URI}, To: []string{ada.URI},
		})
	}
	fedtest.Until(t, "reactions", func() bool { return seller.Count(t, "reactions", "object = ?", post.URI) == 2 })

	// Take back, and publish anew.
	seller.Change(t, track.ID, map[string]any{"state": media.Unpublished})
	fedtest.Until(t, "post gone", func() bool { return len(timeline(t, home, lin.URI)) == 0 })
	if status, _ := get(t, home, post.URI); status != http.StatusGone {
		t.Errorf("deleted note answers %d", status)
	}
	seller.Change(t, track.ID, map[string]any{"state": media.Published})
	fedtest.Until(t, "post back under another id", func() bool {
		posts := timeline(t, home, lin.URI)
		return len(posts) == 1 && posts[0].URI != post.URI && home.Count(t, "objects", "uri = ? AND deleted_at IS NULL", track.URI) == 1
	})

	// Unfollow: nothing more arrives.
	if err := home.Outbox.Unfollow(t.Context(), lin.URI, ada.URI); err != nil {
		t.Fatal(err)
	}
	fedtest.Until(t, "follow ended at the seller", func() bool { return followState(t, seller, lin.URI, ada.URI) == "" })

	// Nothing was refused or left failed on the way.
	for _, i := range []*fedtest.Instance{seller, home} {
		if n := i.Count(t, "activities", "state IN ('refused', 'failed')"); n != 0 {
			t.Errorf("%d activities refused or failed", n)
		}
	}
}

func send(t *testing.T, i *fedtest.Instance, a vocab.Activity) {
	t.Helper()
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Outbox.Tell(ctx, tx, a) })
	if err != nil {
		t.Fatal(err)
	}
}
