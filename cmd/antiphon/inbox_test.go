package main

import (
	"log/slog"
	"net/http"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/db"
	"antiphon/vocab"
)

// TestInboxKilled kills an instance while posts pour in, three times: every post that it answered with 202 comes to stand in
// the timeline of whoever follows its author, once.
func TestInboxKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	home, err := newInstance(s.dir, "home", "ANTIPHON_FEDERATION_INBOX_RATE=1000000")
	if err != nil {
		t.Fatal(err)
	}
	home.binary = s.binary
	if err := makePrivate(home.dir); err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), filepath.Join(home.dir, "antiphon.db"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	bob := fedtest.NewPeer(t).Person(t, "bob")
	lin := home.base + "/users/lin"
	now := time.Now().UTC()
	err = d.Write.Exec("INSERT INTO actors (uri, local, name, host, kind, display, inbox, created_at) VALUES (?, TRUE, 'lin', ?, 'listener', 'Lin', ?, ?)",
		lin, host(home.base), lin+"/inbox", now).Error
	if err != nil {
		t.Fatal(err)
	}
	follow := actor.Follow{Follower: lin, Followed: bob.URI, URI: lin + "/follow", State: actor.Accepted, CreatedAt: now}
	if err := actor.SetFollow(t.Context(), d.Write, follow); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(home.stop)

	var mu sync.Mutex
	taken := map[string]bool{}
	for round := range 3 {
		if err := home.open(s.within(soon)); err != nil {
			t.Fatal(err)
		}
		var clients sync.WaitGroup
		enough := make(chan struct{}) // closed when the instance has taken some, so that it dies in the middle of its work
		here := 0
		for c := range 8 {
			clients.Go(func() {
				for n := 0; ; n++ {
					id := bob.URI + "/notes/" + strconv.Itoa(round) + "-" + strconv.Itoa(c) + "-" + strconv.Itoa(n)
					note, err := vocab.Note{ID: id, AttributedTo: bob.URI, Content: "<p>" + id + "</p>", Published: now, To: []string{vocab.Public}}.Build()
					if err != nil {
						t.Error(err)
						return
					}
					object, err := vocab.Embed(note)
					if err != nil {
						t.Error(err)
						return
					}
					create := vocab.Activity{ID: id + "/create", Type: vocab.VerbCreate, Actor: bob.URI, Object: object, To: []string{vocab.Public}}
					res, err := http.DefaultTransport.RoundTrip(bob.Request(t, home.base+"/inbox", fedtest.JSON(t, create), time.Now()))
					if err != nil {
						return // it is dead
					}
					_ = res.Body.Close()
					if res.StatusCode != http.StatusAccepted {
						t.Errorf("%s: status %d", id, res.StatusCode)
						return
					}
					mu.Lock()
					taken[id] = true
					if here++; here == 100*(round+1) {
						close(enough)
					}
					mu.Unlock()
				}
			})
		}
		select {
		case <-enough:
		case <-s.within(soon).Done():
			t.Error("too few posts were taken")
		}
		home.kill()
		clients.Wait()
	}
	if t.Failed() {
		return
	}
	left := func() int {
		var posts []string
		err := d.Read.Table("posts").Where("actor IN (SELECT followed FROM follows WHERE follower = ?)", lin).Pluck("uri", &posts).Error
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, uri := range posts {
			seen[uri]++
		}
		missing := 0
		for id := range taken {
			if seen[id] == 0 {
				missing++
			}
			if seen[id] > 1 {
				t.Errorf("%s stands there %d times", id, seen[id])
			}
		}
		return missing
	}
	t.Logf("%d posts were taken, and %d of them were not worked when the instance died last", len(taken), left())
	if err := home.open(s.within(soon)); err != nil {
		t.Fatal(err)
	}
	s.eventually("every post that was taken is shown", func() (bool, error) { return left() == 0, nil })
}
