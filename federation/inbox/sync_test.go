package inbox_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

// TestFollowersAreMended lets two instances disagree about who follows whom, in each way, and then speak to each other.
func TestFollowersAreMended(t *testing.T) {
	t.Parallel()
	seller := fedtest.New(t, fedtest.Options{})
	home := fedtest.New(t, fedtest.Options{Clock: seller.Clock})
	ada := seller.User(t, "ada", actor.Artist)
	steady, forgotten, waiting, ghost := home.User(t, "steady", actor.Listener), home.User(t, "forgotten", actor.Listener),
		home.User(t, "waiting", actor.Listener), home.User(t, "ghost", actor.Listener)
	for _, who := range []actor.Actor{steady, forgotten, waiting, ghost} {
		if _, err := home.Outbox.Follow(t.Context(), who.URI, ada.URI); err != nil {
			t.Fatal(err)
		}
	}
	here := func(who actor.Actor) string { return followState(t, home, who.URI, ada.URI) }
	there := func(who actor.Actor) string { return followState(t, seller, who.URI, ada.URI) }
	fedtest.Until(t, "all follow", func() bool {
		return here(steady) == actor.Accepted && here(forgotten) == actor.Accepted && here(waiting) == actor.Accepted && here(ghost) == actor.Accepted
	}, seller, home)
	exec := func(i *fedtest.Instance, sql string, args ...any) {
		t.Helper()
		if err := i.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Exec(sql, args...).Error }); err != nil {
			t.Fatal(err)
		}
	}
	exec(seller, "DELETE FROM follows WHERE follower = ?", forgotten.URI)
	exec(home, "UPDATE follows SET state = 'pending' WHERE follower = ?", waiting.URI)
	exec(home, "DELETE FROM follows WHERE follower = ?", ghost.URI)
	seller.Clock.Advance(time.Hour)
	seller.Track(t, ada.URI, "rain")
	fedtest.Until(t, "both agree", func() bool {
		return here(steady) == actor.Accepted && here(forgotten) == "" && here(waiting) == actor.Accepted && there(ghost) == "" &&
			there(steady) == actor.Accepted
	}, seller, home)
}

// TestSyncHeaderIsNotBelieved sends digests that are wrong, from those who may not say so.
func TestSyncHeaderIsNotBelieved(t *testing.T) {
	t.Parallel()
	peer, i := fedtest.NewPeer(t), fedtest.New(t, fedtest.Options{Idle: true})
	eve, lin := peer.Person(t, "eve"), i.User(t, "lin", actor.Listener)
	post := func(header string) int64 {
		t.Helper()
		raw := fedtest.JSON(t, vocab.Activity{ID: eve.URI + "/likes/1", Type: vocab.VerbLike, Actor: eve.URI, Object: vocab.Ref{ID: lin.URI}})
		req := eve.Request(t, i.BaseURL+"/inbox", raw, i.Clock.Now())
		req.Header.Set("Collection-Synchronization", header)
		if status := fedtest.Do(t, req); status != 202 {
			t.Errorf("%s: %d", header, status)
		}
		return i.Count(t, "river_job", "kind = 'mend_followers'")
	}
	const digest = "b08ab6951c7cd2cc2b91e17ebd9557da7fdad489489d4b9d1bd4f6ff3c6bb1a6"
	for _, header := range []string{
		"", "x", `digest="` + digest + `"`, `collectionId="` + eve.URI + `/followers", url="https://victim.example/", digest="` + digest + `"`,
		`collectionId="https://victim.example/followers", url="` + eve.URI + `/sync", digest="` + digest + `"`,
		`collectionId="` + eve.URI + `/other", url="` + eve.URI + `/sync", digest="` + digest + `"`,
		`collectionId="` + eve.URI + `/followers", url="` + eve.URI + `/sync", digest="0000000000000000000000000000000000000000000000000000000000000000"`,
	} {
		if n := post(header); n != 0 {
			t.Errorf("%s: a list is asked for", header)
		}
	}
	i.Clock.Advance(time.Hour)
	for range 3 {
		if n := post(`collectionId="` + eve.URI + `/followers", url="` + eve.URI + `/sync", digest="` + digest + `"`); n != 1 {
			t.Errorf("%d jobs", n)
		}
	}
}
