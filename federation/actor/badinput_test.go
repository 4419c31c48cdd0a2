package actor_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/internal/testkit"
)

func TestActorsFromOutside(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	own := i.User(t, "ada", actor.Artist)
	peer, victim := fedtest.NewPeer(t), fedtest.NewPeer(t)
	person := peer.Person(t, "person")
	// describe serves a person of that name, changed.
	describe := func(name string, change func(map[string]any)) string {
		document, path := maps.Clone(person.Document), "/users/"+strings.ReplaceAll(name, " ", "-")
		document["id"], document["inbox"], document["preferredUsername"] = peer.BaseURL+path, peer.BaseURL+path+"/inbox", strings.ReplaceAll(name, " ", "_")
		change(document)
		peer.Serve(t, path, document)
		return peer.BaseURL + path
	}
	testkit.BadInput(t, "C12", func(t *testing.T) {
		before := testkit.Rows(t, i.DB.Read)
		for name, change := range map[string]func(map[string]any){
			"no inbox":              func(d map[string]any) { delete(d, "inbox") },
			"inbox is empty":        func(d map[string]any) { d["inbox"] = "" },
			"inbox is a list":       func(d map[string]any) { d["inbox"] = []any{d["inbox"], victim.BaseURL + "/inbox"} },
			"inbox of another host": func(d map[string]any) { d["inbox"] = victim.BaseURL + "/inbox" },
			"inbox of another port": func(d map[string]any) {
				d["inbox"] = strings.Replace(peer.BaseURL, "127.0.0.1", "127.0.0.1.nip.example", 1)
			},
			"our inbox":                  func(d map[string]any) { d["inbox"] = i.BaseURL + "/inbox" },
			"the inbox of one of us":     func(d map[string]any) { d["inbox"] = own.Inbox },
			"inbox on a private host":    func(d map[string]any) { d["inbox"] = "http://10.0.0.1/inbox" },
			"inbox is a file":            func(d map[string]any) { d["inbox"] = "file:///etc/passwd" },
			"id of another host":         func(d map[string]any) { d["id"] = victim.BaseURL + "/users/eve" },
			"id of one of us":            func(d map[string]any) { d["id"] = own.URI },
			"not an actor":               func(d map[string]any) { d["type"] = "Note" },
			"inbox with a user name":     func(d map[string]any) { d["inbox"] = strings.Replace(peer.BaseURL, "//", "//x@", 1) + "/inbox" },
			"an inbox of 10,000 letters": func(d map[string]any) { d["inbox"] = peer.BaseURL + "/" + strings.Repeat("x", 10_000) },
		} {
			uri := describe(name, change)
			if a, err := i.Actors.Find(t.Context(), uri, false); !errors.Is(err, actor.ErrNotFound) {
				t.Errorf("%s: %v, inbox %s", name, err, a.Inbox)
			}
		}
		testkit.SameRows(t, i.DB.Read, before)
		// A shared inbox that is not the host's own is left out: nobody else's server is written to in its place.
		for name, shared := range map[string]any{
			"of another host": victim.BaseURL + "/inbox", "ours": i.BaseURL + "/inbox", "private": "http://10.0.0.1/inbox", "a list": []any{victim.BaseURL + "/inbox"}, "empty": "",
		} {
			uri := describe("shared "+name, func(d map[string]any) {
				d["endpoints"] = map[string]any{"sharedInbox": shared, "reencrypt": victim.BaseURL + "/reencrypt"}
			})
			a, err := i.Actors.Find(t.Context(), uri, false)
			if err != nil || a.SharedInbox != "" || a.Reencrypt != "" {
				t.Errorf("shared inbox %s: %q, %q, %v", name, a.SharedInbox, a.Reencrypt, err)
			}
		}
		if n := victim.Requests("/inbox") + victim.Requests("/users/eve"); n > 1 { // the id that was named may be looked at
			t.Errorf("the victim was asked %d times", n)
		}
	}, func(t *testing.T) {
		uri := describe("bob", func(d map[string]any) { d["endpoints"] = map[string]any{"sharedInbox": peer.BaseURL + "/inbox"} })
		a, err := i.Actors.Find(t.Context(), uri, false)
		if err != nil || a.Inbox != uri+"/inbox" || a.SharedInbox != peer.BaseURL+"/inbox" {
			t.Errorf("%+v %v", a, err)
		}
	})
}

func TestTwoThatNeedEachOther(t *testing.T) {
	t.Parallel()
	testkit.BadInput(t, "C18", func(t *testing.T) {
		// Both write at once and know nothing of each other: each has to ask for the other's key before it answers.
		a, b := fedtest.New(t, fedtest.Options{}), fedtest.New(t, fedtest.Options{})
		ada, bea := a.User(t, "ada", actor.Artist), b.User(t, "bea", actor.Artist)
		errs := make(chan error, 2)
		go func() { _, err := a.Outbox.Follow(t.Context(), ada.URI, bea.URI); errs <- err }()
		go func() { _, err := b.Outbox.Follow(t.Context(), bea.URI, ada.URI); errs <- err }()
		for range 2 {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		fedtest.Until(t, "both follows are accepted", func() bool {
			return a.Count(t, "follows", "state = 'accepted'") == 2 && b.Count(t, "follows", "state = 'accepted'") == 2
		}, a, b)
		// What is here is not asked for over the network.
		before := testkit.Rows(t, a.DB.Read)
		for _, uri := range []string{ada.URI, ada.URI + "#main-key", a.BaseURL + "/users/nobody", strings.ToUpper(a.BaseURL) + "/users/ada"} {
			if found, err := a.Actors.Find(t.Context(), uri, true); err == nil && !found.Local {
				t.Errorf("%s was fetched", uri)
			}
		}
		testkit.SameRows(t, a.DB.Read, before)
	}, func(t *testing.T) {
		a, b := fedtest.New(t, fedtest.Options{}), fedtest.New(t, fedtest.Options{})
		ada, bea := a.User(t, "ada", actor.Artist), b.User(t, "bea", actor.Artist)
		if _, err := a.Outbox.Follow(t.Context(), ada.URI, bea.URI); err != nil {
			t.Fatal(err)
		}
		fedtest.Until(t, "the follow is accepted", func() bool { return a.Count(t, "follows", "state = 'accepted'") == 1 }, a, b)
	})
}
