package main

import (
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGuest is the story of a fan whose account is on a server that runs Fedify: the artist's instance writes there, a
// real browser follows the link, makes keys, buys, and plays; in another browser the fan comes back and stays.
func TestGuest(t *testing.T) {
	needPrograms(t)
	w := &world{stage: newStage(t, ""), taps: map[*instance]*tap{}}
	w.audio = cutTune(t, w.dir, "ogg", 30)
	w.front = func(i *instance) {
		// The tap's address is the instance's.
		tapped := newTap(t, i.base)
		i.base, w.taps[i] = tapped.URL, tapped
		i.env = append(i.env, "ANTIPHON_SERVER_BASE_URL="+tapped.URL)
	}
	w.playThrough("start the payment network", "sign up")
	w.playThrough("the artist uploads", "the artist sets a price")
	home := startFedify(t, messageSignatures)
	actor, handle := home.person("fan"), "@fan@"+host(home.Origin)
	fan := person{
		Base: w.artists.base, Name: "fan", Display: "Fan", Profile: filepath.Join(w.dir, "profile-fan"),
		Passphrase: "nine loud trams by the river",
	}
	setting := func(part string) map[string]any {
		return map[string]any{"part": part, "guest": fan, "track": w.track, "handle": handle, "control": home.Control}
	}

	asked := w.run(t, "guest.mjs", setting("ask"))
	w.wasWrittenTo(t, home, asked.Links[0])
	// Whoever looks at the link again finds it used up, and is let in nowhere.
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, asked.Links[0], nil)
		must(t, err)
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		must(t, resp.Body.Close())
		if resp.StatusCode != http.StatusGone || len(resp.Cookies()) != 0 {
			t.Errorf("%s of a link that was used: %s, %d cookies", method, resp.Status, len(resp.Cookies()))
		}
	}

	guest := &user{name: "fan", actor: actor}
	o := w.orderOf(guest)
	w.pays(o, "5000000", o.Identifier)
	play := setting("play")
	play["order"] = asked.Order
	played := w.run(t, "guest.mjs", play)
	plays(t, "a guest's track", played.Start, 2)
	if n := w.count(w.artists, "grants", "buyer = ? AND receiving_key <> ''", actor); n != 1 {
		t.Errorf("there are %d grants to the fan's own actor", n)
	}
	if n := w.count(w.artists, "orders", "buyer = ? AND state = 'delivered'", actor); n != 1 {
		w.showOrders()
		t.Errorf("%d orders of the fan were delivered", n)
	}
	heard, _ := home.received()
	for _, h := range heard {
		if h.Kind != "Create" || h.Actor != w.artists.base+"/actor" {
			t.Errorf("the purchase has left the instance: %+v", h)
		}
	}

	// Another browser, with nothing but the recovery key.
	fan.Profile += "-2"
	stay := setting("stay")
	stay["recovery"], stay["links"] = asked.Recovery, asked.Links
	stayed := w.run(t, "guest.mjs", stay)
	plays(t, "in another browser", stayed.Start, 1)
	plays(t, "as an account", stayed.OnAnotherPage, 1)
	if n := w.count(w.artists, "grants_held", "buyer = ?", w.artists.base+"/users/fan"); n != 1 {
		t.Errorf("the account holds %d grants", n)
	}
	w.booksAgree()
}

// wasWrittenTo checks the direct message: to the fan alone, from the instance, with the link and the ways out.
func (w *world) wasWrittenTo(t *testing.T, home *fedify, link string) {
	t.Helper()
	h := home.hears(w.stage, "the direct message", func(h heardThere) bool { return h.Kind == "Create" && strings.Contains(h.Content, link) })
	if len(h.To) != 1 || h.To[0] != home.person("fan") || h.Public || h.Mailbox != "fan" || h.ObjectKind != "Note" {
		t.Errorf("the message is %+v", h)
	}
	for _, words := range []string{"Antiphon", "Ada", "Chrome on Linux", "refuse"} {
		if !strings.Contains(h.Content, words) {
			t.Errorf("the message does not say %q: %s", words, h.Content)
		}
	}
	if token := link[strings.LastIndex(link, "/")+1:]; len(token) != 22 {
		t.Errorf("the link holds %d characters; want 128 bits", len(token))
	}
}

// TestGuestKilled kills the artist's instance while a guest's purchase is on its way through it: nothing is lost, nothing
// is done twice, and the music opens.
func TestGuestKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
	s.playThrough("start the payment network", "sign up")
	s.playThrough("the artist uploads", "the artist sets a price")
	home := startFedify(t, cavageSignatures)
	fan := s.guest(home)
	seed := rand.Uint64()
	t.Logf("the moments are drawn from %d", seed)
	random := rand.New(rand.NewPCG(seed, 3))
	s.lin = fan
	s.playKilled(scene{"the guest offers", s.offer}, s.artists, random)
	o := s.orderOf(fan)
	s.pays(o, "5000000", o.Identifier)
	s.playKilled(scene{"the guest is granted", s.waitGranted}, s.artists, random)
	s.playThrough("two proxies re-encrypt", "the sound is")
	s.soldOnce(fan, s.artists)
	s.booksAgree()
	if n := len(s.orders()); n != 1 {
		s.showOrders()
		t.Errorf("there are %d orders, want 1", n)
	}
}

// guest is a person of the peer who has followed a link to the artist's instance, and has made keys there.
func (s *stage) guest(home *fedify) *user {
	s.tb.Helper()
	ctx := s.within(soon)
	u, err := newUser(s.artists.base, "fan")
	must(s.tb, err)
	u.actor = home.person("fan")
	_, err = u.postForm(ctx, "/guest", url.Values{"handle": {"@fan@" + host(home.Origin)}, "track": {s.track}})
	must(s.tb, err)
	h := home.hears(s, "the direct message", func(h heardThere) bool { return h.Actor == s.artists.base+"/actor" && h.Kind == "Create" })
	link := guestLink.FindString(h.Content)
	_, err = u.postForm(ctx, strings.TrimPrefix(link, s.artists.base), nil)
	must(s.tb, err)
	receiving, requesting, err := u.publicKeys()
	must(s.tb, err)
	must(s.tb, u.postJSON(ctx, "/guest/keys", map[string]string{
		"receivingKey": receiving, "requestingKey": requesting, "recovery": b64(make([]byte, 72)),
	}, nil))
	return u
}

var guestLink = regexp.MustCompile(`http://[0-9.:]+/guest/[A-Za-z0-9_-]{22}`)
