package inbox_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strconv"
	"testing"
	"time"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/vocab"
)

// yard is an instance with an artist, and a peer with two persons.
type yard struct {
	*fedtest.Instance
	ada      actor.Actor
	peer     *fedtest.Peer
	bob, eve *fedtest.Person
}

func newYard(t *testing.T, options fedtest.Options) yard {
	t.Helper()
	y := yard{Instance: fedtest.New(t, options), peer: fedtest.NewPeer(t)}
	y.ada = y.User(t, "ada", actor.Artist)
	y.bob, y.eve = y.peer.Person(t, "bob"), y.peer.Person(t, "eve")
	return y
}

func (y yard) follow(who *fedtest.Person, id string) vocab.Activity {
	return vocab.Activity{ID: id, Type: vocab.VerbFollow, Actor: who.URI, Object: vocab.Ref{ID: y.ada.URI}, To: []string{y.ada.URI}}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	now := y.Clock.Now()
	good := fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/1"))
	other := fedtest.NewPeer(t)
	stranger := other.Person(t, "stranger")
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	inboxURL := y.ada.Inbox
	with := func(change func(*http.Request)) *http.Request {
		req := y.bob.Request(t, inboxURL, good, now)
		change(req)
		return req
	}
	cases := []struct {
		name string
		req  *http.Request
		want int
	}{
		{"unsigned", with(func(r *http.Request) { r.Header.Del("Signature") }), 401},
		{"signature of another key", func() *http.Request {
			liar := *y.bob
			liar.Key = weak
			return liar.Request(t, inboxURL, good, now)
		}(), 401},
		{"activity of another actor on the same host", y.eve.Request(t, inboxURL, good, now), 401},
		{"activity of another actor on another host", stranger.Request(t, inboxURL, good, now), 401},
		{"key id of the victim, key of the thief", func() *http.Request {
			thief := *y.eve
			thief.KeyID = y.bob.KeyID
			return thief.Request(t, inboxURL, good, now)
		}(), 401},
		{"digest of another body", with(func(r *http.Request) { r.Header.Set("Digest", "SHA-256=AAAA") }), 401},
		{"body swapped", with(func(r *http.Request) {
			swapped := bytes.Replace(good, []byte("follows/1"), []byte("follows/2"), 1)
			r.Body, r.ContentLength = http.NoBody, 0
			*r = *r.Clone(t.Context())
			r.Body, r.ContentLength = readCloser(swapped), int64(len(swapped))
		}), 401},
		{"date of yesterday", y.bob.Request(t, inboxURL, good, now.Add(-24*time.Hour)), 401},
		{"date of tomorrow", y.bob.Request(t, inboxURL, good, now.Add(24*time.Hour)), 401},
		{"signed for another inbox", func() *http.Request {
			req := y.bob.Request(t, y.BaseURL+"/inbox", good, now)
			req.URL.Path = "/users/ada/inbox"
			return req
		}(), 401},
		{"signed for another host", with(func(r *http.Request) { r.Host = "elsewhere.example" }), 401},
		{"key id without a host", func() *http.Request {
			liar := *y.bob
			liar.KeyID = "urn:key"
			return liar.Request(t, inboxURL, good, now)
		}(), 401},
		{"our own actor, signed from outside", func() *http.Request {
			liar := *y.bob
			liar.KeyID = y.ada.URI + "#main-key"
			own := y.follow(y.bob, y.ada.URI+"/follows/1")
			own.Actor = y.ada.URI
			return liar.Request(t, inboxURL, fedtest.JSON(t, own), now)
		}(), 401},
		{"id on another host", y.bob.Request(t, inboxURL, fedtest.JSON(t, y.follow(y.bob, "https://victim.example/follows/1")), now), 403},
		{"id on our host", y.bob.Request(t, inboxURL, fedtest.JSON(t, y.follow(y.bob, y.BaseURL+"/follows/1")), now), 403},
		{"no such inbox", y.bob.Request(t, y.BaseURL+"/users/nobody/inbox", good, now), 404},
		{"plain JSON", with(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), 415},
		{"not JSON", y.bob.Request(t, inboxURL, []byte("{"), now), 400},
		{"duplicate key", y.bob.Request(t, inboxURL, bytes.Replace(good, []byte(`{`), []byte(`{"id":"x",`), 1), now), 400},
		{"no context", y.bob.Request(t, inboxURL, []byte(`{"type":"Follow","actor":"`+y.bob.URI+`","object":"`+y.ada.URI+`"}`), now), 400},
		{"too large", y.bob.Request(t, inboxURL, append(good, bytes.Repeat([]byte(" "), 1<<20)...), now), 413},
		{"unknown verb", y.bob.Request(t, inboxURL, bytes.Replace(good, []byte(`"Follow"`), []byte(`"View"`), 1), now), 202},
		{"verb without effect", y.bob.Request(t, inboxURL, fedtest.JSON(t, vocab.Activity{
			ID: y.bob.URI + "/listens/1", Type: vocab.VerbListen, Actor: y.bob.URI, Object: vocab.Ref{ID: "https://elsewhere.example/tracks/1"},
		}), now), 202},
	}
	for _, tc := range cases {
		begin := time.Now()
		if got := fedtest.Do(t, tc.req); got != tc.want {
			t.Errorf("%s: status %d, want %d", tc.name, got, tc.want)
		}
		if took := time.Since(begin); took > 3*time.Second {
			t.Errorf("%s: took %s", tc.name, took)
		}
		if n := y.Count(t, "activities", "1=1") + y.Count(t, "river_job", "kind = 'activities_arrived'"); n != 0 {
			t.Fatalf("%s: %d rows were written", tc.name, n)
		}
	}
	// The positive twin: the same, well-formed, once and again.
	for range 2 {
		if got := fedtest.Do(t, with(func(*http.Request) {})); got != 202 {
			t.Fatalf("good request: status %d", got)
		}
	}
	if n := y.Count(t, "activities", "1=1"); n != 1 {
		t.Errorf("%d activities stored", n)
	}
	if n := y.Count(t, "river_job", "kind = 'activities_arrived'"); n != 1 {
		t.Errorf("%d jobs made", n)
	}
	if n := y.peer.Requests("/users/bob"); n > 2 {
		t.Errorf("the actor was asked for %d times", n)
	}
}

type closing struct{ *bytes.Reader }

func (closing) Close() error { return nil }

func readCloser(b []byte) closing { return closing{bytes.NewReader(b)} }

// GoToSocial's form: the key has a URI of its own, which answers with a stub of the actor.
func TestKeyWithItsOwnURI(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	y.bob.KeyID = y.bob.URI + "/main-key"
	key := map[string]any{"id": y.bob.KeyID, "owner": y.bob.URI, "publicKeyPem": fedtest.PEM(t, y.bob.Key)}
	y.bob.Document["publicKey"] = key
	y.bob.Publish(t)
	y.peer.Serve(t, "/users/bob/main-key", map[string]any{
		"@context": vocab.ActivityStreams, "id": y.bob.URI, "type": "Person", "preferredUsername": "bob", "publicKey": key,
	})
	for n := range 3 {
		body := fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/"+strconv.Itoa(n)))
		if got := y.bob.Post(t, y.ada.Inbox, body, y.Clock.Now()); got != 202 {
			t.Fatalf("status %d", got)
		}
	}
	if n := y.peer.Requests("/users/bob/main-key"); n != 1 {
		t.Errorf("the key was asked for %d times", n)
	}
}

// A stored activity and its job are one: without the job's row there is no activity either.
func TestStoredWithItsJobOrNotAtAll(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{Idle: true})
	body := fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/1"))
	if err := y.DB.Write.Exec("ALTER TABLE river_job RENAME TO hidden").Error; err != nil {
		t.Fatal(err)
	}
	if got := y.bob.Post(t, y.ada.Inbox, body, y.Clock.Now()); got != 500 {
		t.Errorf("without a queue: status %d", got)
	}
	if n := y.Count(t, "activities", "1=1"); n != 0 {
		t.Fatalf("%d activities without a job", n)
	}
	if err := y.DB.Write.Exec("ALTER TABLE hidden RENAME TO river_job").Error; err != nil {
		t.Fatal(err)
	}
	// The sender tries again, as senders do; what was killed is taken up when the queue starts.
	if got := y.bob.Post(t, y.ada.Inbox, body, y.Clock.Now()); got != 202 {
		t.Fatalf("with a queue: status %d", got)
	}
	y.Start(t)
	fedtest.Until(t, "follow accepted", func() bool { return followState(t, y.Instance, y.bob.URI, y.ada.URI) == actor.Accepted })
	fedtest.Until(t, "the acceptance sent", func() bool { return len(y.peer.Received()) == 1 })
}

func TestFarewell(t *testing.T) {
	t.Parallel()
	y := newYard(t, fedtest.Options{})
	body := fedtest.JSON(t, y.follow(y.bob, y.bob.URI+"/follows/1"))
	if got := y.bob.Post(t, y.ada.Inbox, body, y.Clock.Now()); got != 202 {
		t.Fatalf("status %d", got)
	}
	fedtest.Until(t, "follow accepted", func() bool { return followState(t, y.Instance, y.bob.URI, y.ada.URI) == actor.Accepted })
	farewell := func(who *fedtest.Person, object string) int {
		forged := *who
		var err error
		if forged.Key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			t.Fatal(err)
		}
		a := vocab.Activity{ID: who.URI + "#delete", Type: vocab.VerbDelete, Actor: who.URI, Object: vocab.Ref{ID: object}}
		return forged.Post(t, y.ada.Inbox, fedtest.JSON(t, a), y.Clock.Now())
	}
	y.Clock.Advance(2 * time.Minute)
	if got := farewell(y.bob, y.bob.URI); got != 401 {
		t.Errorf("farewell of somebody who is still there: status %d", got)
	}
	y.peer.Serve(t, "/users/bob", nil)
	y.peer.Serve(t, "/users/eve", nil)
	y.Clock.Advance(2 * time.Minute)
	for range 3 {
		if got := farewell(y.eve, y.eve.URI); got != 202 {
			t.Errorf("farewell of a stranger: status %d", got)
		}
	}
	if n := y.peer.Requests("/users/eve"); n != 0 {
		t.Errorf("the stranger was asked for %d times", n)
	}
	if got := farewell(y.bob, y.eve.URI); got != 401 {
		t.Errorf("farewell for somebody else: status %d", got)
	}
	if got := farewell(y.bob, y.bob.URI); got != 202 {
		t.Errorf("farewell: status %d", got)
	}
	fedtest.Until(t, "bob is gone", func() bool {
		return y.Count(t, "actors", "uri = ?", y.bob.URI) == 0 && followState(t, y.Instance, y.bob.URI, y.ada.URI) == ""
	})
}
