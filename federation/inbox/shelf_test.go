package inbox_test

import (
	"net/http"
	"strconv"
	"sync"
	"testing"

	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
	"antiphon/vocab"
)

// TestTogether sends many posts at once, with one that comes twice under other names, one that is here already and one
// that belongs to somebody else among them: neighbors in one statement do not disturb each other.
func TestTogether(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]func() string{"sqlite": func() string { return "" }, "postgresql": func() string { return testkit.Postgres(t) }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			y := newYard(t, fedtest.Options{DSN: dsn()})
			lin := y.followBob(t)
			create := func(act string, note vocab.Ref) vocab.Activity {
				return vocab.Activity{ID: y.bob.URI + "/acts/" + act, Type: vocab.VerbCreate, Actor: y.bob.URI, Object: note, To: []string{vocab.Public}}
			}
			y.say(t, y.bob, create("first", y.note(t, y.bob, "here", nil)), "done")

			const many = 60
			twice := y.note(t, y.bob, "twice", nil)
			all := []vocab.Activity{
				create("again", y.note(t, y.bob, "here", nil)), create("twice-1", twice), create("twice-2", twice),
				create("stolen", y.note(t, y.eve, "7", nil)),
				create("unseen", y.note(t, y.bob, "unseen", func(n *vocab.Note) { n.To = []string{y.bob.URI + "/friends"} })),
			}
			for n := range many {
				all = append(all, create(strconv.Itoa(n), y.note(t, y.bob, "p"+strconv.Itoa(n), nil)))
			}
			var senders sync.WaitGroup
			for _, a := range all {
				req := y.bob.Request(t, y.BaseURL+"/inbox", fedtest.JSON(t, a), y.Clock.Now())
				senders.Go(func() {
					if got := fedtest.Do(t, req); got != http.StatusAccepted {
						t.Errorf("%s: status %d", a.ID, got)
					}
				})
			}
			senders.Wait()
			fedtest.Until(t, "all are worked", func() bool {
				return y.Count(t, "activities", "actor = ? AND type = 'Create' AND state IN ('done', 'ignored', 'refused')", y.bob.URI) == int64(len(all)+1)
			}, y.Instance)
			for state, want := range map[string]int64{"done": many + 3, "ignored": 2, "refused": 1} {
				if got := y.Count(t, "activities", "actor = ? AND state = ? AND type = 'Create'", y.bob.URI, state); got != want {
					t.Errorf("%d posts are %s, want %d", got, state, want)
				}
			}
			if got := y.Count(t, "posts", "actor = ?", y.bob.URI); got != many+2 {
				t.Errorf("%d posts for timelines, want %d", got, many+2)
			}
			if got := len(timeline(t, y.Instance, lin.URI)); got != 50 {
				t.Errorf("a page of the timeline has %d posts", got)
			}
			if got := y.Count(t, "objects", "uri LIKE ?", y.eve.URI+"%"); got != 0 {
				t.Error("a stolen post was written")
			}
		})
	}
}
