package outbox_test

import (
	"context"
	"net/http"
	"testing"

	"gorm.io/gorm"

	"antiphon/federation/actor"
	"antiphon/federation/fedtest"
	"antiphon/federation/httpsig"
	"antiphon/vocab"
)

// Where signed fetch is asked for, only the instance actor is for everybody.
func TestSignedFetch(t *testing.T) {
	t.Parallel()
	i := fedtest.New(t, fedtest.Options{Idle: true})
	ada := i.User(t, "ada", actor.Artist)
	peer := fedtest.NewPeer(t)
	bob := peer.Person(t, "bob")
	i.Front(i.Outbox.Signed(i.Outbox.Documents()))
	ask := func(uri string, sign func(*http.Request) error) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, uri, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept", vocab.ActivityType)
		if sign != nil {
			if err := sign(req); err != nil {
				t.Fatal(err)
			}
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return res
	}
	cavage := func(r *http.Request) error { return httpsig.Sign(r, nil, bob.KeyID, bob.Key, i.Clock.Now()) }
	newer := func(r *http.Request) error { return httpsig.SignRFC9421(r, nil, bob.KeyID, bob.Key, i.Clock.Now()) }
	expect := func(what, uri string, sign func(*http.Request) error, want int) *http.Response {
		t.Helper()
		res := ask(uri, sign)
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", what, res.StatusCode, want)
		}
		return res
	}
	expect("instance actor, unsigned", i.Actors.Instance(), nil, 200)
	expect("actor, unsigned", ada.URI, nil, 401)
	expect("outbox, unsigned", ada.URI+"/outbox", nil, 401)
	expect("what is not there, unsigned", i.BaseURL+"/notes/none", nil, 401)
	res := expect("actor, signed", ada.URI, cavage, 200)
	if got := res.Header.Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("a signed answer may be kept: %s", got)
	}
	expect("actor, signed after RFC 9421", ada.URI, newer, 200)
	expect("signed for another path", ada.URI, func(r *http.Request) error {
		if err := cavage(r); err != nil {
			return err
		}
		r.URL.Path += "/outbox"
		return nil
	}, 401)
	err := i.DB.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error { return i.Hosts.Block(ctx, tx, peer.Host, true) })
	if err != nil {
		t.Fatal(err)
	}
	expect("actor, signed by who is blocked", ada.URI, cavage, 403)
}
