package api_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gorm.io/gorm"

	"antiphon/api/auth"
	"antiphon/internal/testkit"
	"antiphon/payments/purchase"
)

// letter is a message to a guest.
type letter struct {
	to auth.Stranger
	auth.Invitation
}

// path is the link without its host.
func (l letter) path(i *instance) string { return strings.TrimPrefix(l.Link, i.base) }

// Find implements auth.Postman: everybody exists, but for nobody, and what alias.example names lives here.
func (i *instance) Find(_ context.Context, address string) (auth.Stranger, error) {
	name, host, _ := strings.Cut(address, "@")
	switch {
	case name == "nobody":
		return auth.Stranger{}, fmt.Errorf("%w: %s", auth.ErrStranger, address)
	case host == "alias.example":
		return auth.Stranger{Actor: i.base + "/users/" + name, Handle: address, Host: hostOf(i.base)}, nil
	}
	return auth.Stranger{Actor: "https://" + host + "/users/" + name, Handle: address, Host: host}, nil
}

// Invite implements auth.Postman.
func (i *instance) Invite(_ context.Context, _ *gorm.DB, to auth.Stranger, in auth.Invitation) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.letters = append(i.letters, letter{to, in})
	return nil
}

func (i *instance) inherit(_ context.Context, _ *gorm.DB, guest, account string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.heirs = append(i.heirs, guest+" "+account)
	return nil
}

// sent is the newest letter, and how many there are.
func (i *instance) sent(t *testing.T) (letter, int) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.letters) == 0 {
		t.Fatal("nobody was written to")
	}
	return i.letters[len(i.letters)-1], len(i.letters)
}

// ask asks for a link, as a visitor from an address.
func (b *browser) ask(handle, track, from string) *answer {
	b.t.Helper()
	b.header.Set("X-Forwarded-For", from)
	return b.post("/guest", url.Values{"handle": {handle}, "track": {track}})
}

// entered is the browser of a guest who has just followed a link.
func (i *instance) entered(t *testing.T, handle, track string) *browser {
	t.Helper()
	b := i.browser(t)
	b.ask(handle, track, "192.0.2.1").want(http.StatusOK, "on its way to "+handle)
	l, _ := i.sent(t)
	b.post(l.path(i), nil).to("/guest/keys?track=" + url.QueryEscape(track))
	return b
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	i := setup(t, options{proxied: true})
	ada := i.signedUp(t, "ada", nil)
	track := i.published(t, ada.actor, "Brass Rain", nil).URI
	testkit.BadInput(t, "C20", func(t *testing.T) {
		t.Run("crawlers", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@crawled.example", track, "192.0.2.1").want(http.StatusOK)
			l, _ := i.sent(t)
			before := testkit.Rows(t, i.db.Read)
			var crawlers sync.WaitGroup
			for n := range 100 {
				crawlers.Go(func() {
					crawler, method := i.browser(t), []string{http.MethodGet, http.MethodHead}[n%2]
					if a := crawler.do(method, l.path(i), nil, nil); a.StatusCode != http.StatusOK || len(a.Cookies()) != 0 {
						t.Errorf("%s: %s, %d cookies", method, a.Status, len(a.Cookies()))
					}
				})
			}
			crawlers.Wait()
			b.get(l.path(i) + "/refuse").want(http.StatusMethodNotAllowed)
			testkit.SameRows(t, i.db.Read, before)
			b.get(l.path(i)).want(http.StatusOK, "@fan@crawled.example", "Brass Rain", `method="post"`)
		})
		t.Run("used twice", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@twice.example", track, "192.0.2.2").want(http.StatusOK)
			l, _ := i.sent(t)
			var at sync.WaitGroup
			var mu sync.Mutex
			let := 0
			for range 20 {
				at.Go(func() {
					a := i.browser(t).post(l.path(i), nil)
					mu.Lock()
					defer mu.Unlock()
					if len(a.Cookies()) > 0 {
						let++
					} else if a.StatusCode != http.StatusGone {
						t.Errorf("status %s", a.Status)
					}
				})
			}
			at.Wait()
			if let != 1 {
				t.Errorf("%d were let in by one link", let)
			}
		})
		t.Run("too late", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@late.example", track, "192.0.2.3").want(http.StatusOK)
			l, _ := i.sent(t)
			i.clock.Advance(15 * time.Minute)
			i.browser(t).post(l.path(i), nil).want(http.StatusGone, "used already or has expired")
			b.get(l.path(i)).want(http.StatusGone)
		})
		t.Run("only the newest", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@newest.example", track, "192.0.2.4").want(http.StatusOK)
			older, _ := i.sent(t)
			b.ask("@fan@newest.example", track, "192.0.2.4").want(http.StatusOK)
			i.browser(t).post(older.path(i), nil).want(http.StatusGone)
		})
		t.Run("from another site", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@forged.example", track, "192.0.2.5").want(http.StatusOK)
			l, _ := i.sent(t)
			forger := i.browser(t)
			forger.header.Set("Sec-Fetch-Site", "cross-site")
			forger.post(l.path(i), nil).want(http.StatusForbidden)
			forger.post("/guest", url.Values{"handle": {"@fan@forged.example"}, "track": {track}}).want(http.StatusForbidden)
		})
		t.Run("our own", func(t *testing.T) {
			b := i.browser(t)
			before := testkit.Rows(t, i.db.Read)
			_, letters := i.sent(t)
			for n, handle := range []string{
				"@ada@" + hostOf(i.base), "ADA@" + strings.ToUpper(hostOf(i.base)), "@ada@" + hostOf(i.base) + ".", "@x@" + hostOf(i.base),
				"@ada@alias.example", "@nobody@b.example", "ada", "@ada", "@@b.example", "@a b@c.example", "@a@b.example/x", "@a@b.example#x", "",
				"@a@" + strings.Repeat("b", 400) + ".example",
			} {
				b.ask(handle, track, fmt.Sprintf("192.0.3.%d", n)).want(http.StatusUnprocessableEntity, `role="alert"`)
			}
			b.ask("@fan@b.example", i.base+"/tracks/none", "192.0.2.6").want(http.StatusNotFound)
			b.ask("@fan@b.example", "https://evil.example/tracks/1", "192.0.2.6").want(http.StatusNotFound)
			if _, now := i.sent(t); now != letters {
				t.Errorf("%d letters were written", now-letters)
			}
			testkit.SameRows(t, i.db.Read, before)
		})
		t.Run("a thousand times", func(t *testing.T) {
			b := i.browser(t)
			_, letters := i.sent(t)
			for n := range 500 {
				b.ask("@fan@pestered.example", track, fmt.Sprintf("198.51.%d.%d", n/250, n%250))
			}
			if _, now := i.sent(t); now-letters != 3 {
				t.Errorf("one account was written to %d times", now-letters)
			}
			_, letters = i.sent(t)
			for n := range 500 {
				b.ask(fmt.Sprintf("@fan%d@flooded.example", n), track, fmt.Sprintf("203.0.%d.%d", n/250, n%250))
			}
			if _, now := i.sent(t); now-letters != 30 {
				t.Errorf("one server was written to %d times", now-letters)
			}
			last := 0
			for n := range 20 {
				last = b.ask(fmt.Sprintf("@fan@host%d.example", n), track, "192.0.2.7").StatusCode
			}
			if last != http.StatusTooManyRequests {
				t.Errorf("the last of many requests from one address is answered with %d", last)
			}
		})
		t.Run("refused for good", func(t *testing.T) {
			b := i.browser(t)
			b.ask("@fan@tired.example", track, "192.0.2.8").want(http.StatusOK)
			l, _ := i.sent(t)
			i.clock.Advance(time.Hour) // too late to go on, and never too late to refuse
			b.get(l.path(i)).want(http.StatusGone, "/refuse")
			b.post(l.path(i)+"/refuse", nil).want(http.StatusOK, "will not write to you again")
			_, letters := i.sent(t)
			i.clock.Advance(10 * 24 * time.Hour)
			b.ask("@fan@tired.example", track, "192.0.2.8").want(http.StatusUnprocessableEntity, "asked not to be written to")
			if _, now := i.sent(t); now != letters {
				t.Error("the fan was written to again")
			}
		})
	}, func(t *testing.T) {
		b := i.entered(t, "@fan@good.example", track)
		b.get("/library").want(http.StatusOK, "@fan@good.example")
		l, _ := i.sent(t)
		if l.to.Actor != "https://good.example/users/fan" || l.Track != track || !l.Until.Equal(i.clock.Now().Add(15*time.Minute)) || l.Agent == "" {
			t.Errorf("the letter is %+v", l)
		}
		i.clock.Advance(25 * time.Hour)
		i.entered(t, "@fan@pestered.example", track)
	})
}

func TestGuest(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{closed: true, proxied: true}, func(t *testing.T, i *instance) {
		invite, _, err := i.auth.Invite(t.Context())
		check(t, err)
		_, code, _ := strings.Cut(invite, "invite=")
		ada := i.signedUp(t, "ada", func(body map[string]any) { body["invite"] = code })
		track := i.published(t, ada.actor, "Brass Rain", nil)
		i.browser(t).get("/@ada/brass-rain").want(http.StatusOK, "/guest?track="+url.QueryEscape(track.URI))
		ada.get("/@ada/brass-rain").want(http.StatusOK, "!/guest?track=")
		i.browser(t).get("/guest?track="+url.QueryEscape(track.URI)).want(http.StatusOK, "Brass Rain", "Send me the link")
		i.browser(t).get("/guest/keys").to("/login?next=%2Fguest%2Fkeys")

		fan, actor := i.entered(t, "@fan@b.example", track.URI), "https://b.example/users/fan"
		// Without keys nothing is bought; with them, they are the guest's for good.
		fan.get("/buy?track=" + url.QueryEscape(track.URI)).to("/guest/keys?track=" + url.QueryEscape(track.URI))
		body := fan.application("fan")
		keys := map[string]any{"receivingKey": body["receivingKey"], "requestingKey": body["requestingKey"], "recovery": body["recovery"]}
		fan.postJSON("/guest/keys", map[string]any{"receivingKey": "zQ3s", "requestingKey": keys["requestingKey"], "recovery": keys["recovery"]}).want(http.StatusUnprocessableEntity)
		fan.postJSON("/guest/keys", map[string]any{"receivingKey": keys["receivingKey"], "requestingKey": keys["requestingKey"]}).want(http.StatusUnprocessableEntity)
		for range 2 {
			fan.postJSON("/guest/keys", keys).want(http.StatusOK, "/library")
		}
		thief := i.entered(t, "@fan@b.example", track.URI)
		other := thief.application("thief")
		thief.postJSON("/guest/keys", map[string]any{"receivingKey": other["receivingKey"], "requestingKey": other["requestingKey"], "recovery": other["recovery"]}).
			want(http.StatusUnprocessableEntity, "has keys already")
		thief.get("/guest/keys").want(http.StatusOK, "Open your key", b64(body["recovery"].(auth.Secret)))

		fan.get("/buy?track="+url.QueryEscape(track.URI)).want(http.StatusOK, body["receivingKey"].(string))
		order := fan.post("/buy?track="+url.QueryEscape(track.URI), nil).want(http.StatusSeeOther).Header.Get("Location")
		bought := must(i.world.ByID(t.Context(), strings.TrimPrefix(order, "/purchases/")))
		if bought.Buyer != actor || bought.ReceivingKey != body["receivingKey"] || bought.State != purchase.Offered {
			t.Errorf("bought is %+v", bought)
		}
		fan.get(order).want(http.StatusOK, "Brass Rain")
		i.browser(t).get(order).to("/login?next=" + url.QueryEscape(order))
		fan.get("/buy?track="+url.QueryEscape("https://b.example/tracks/1")).want(http.StatusForbidden, "sold here")
		fan.get("/").to("/library")

		// Everywhere else a guest is a stranger.
		for _, path := range []string{"/settings", "/studio", "/upload", "/admin", "/follow?uri=x", "/artist?uri=x", "/music?uri=x"} {
			fan.get(path).to("/login?next=" + url.QueryEscape(path))
		}
		for _, path := range []string{"/follow", "/unfollow", "/settings/profile", "/admin/invites", order + "/pay", "/tracks/" + string(track.ID) + "/unpublish"} {
			if a := fan.post(path, url.Values{"address": {"@ada@" + hostOf(i.base)}}); a.StatusCode != http.StatusUnauthorized {
				t.Errorf("POST %s: %s", path, a.Status)
			}
		}
		fan.postJSON("/login", map[string]any{"name": "fan@b.example", "auth": random(32)}).want(http.StatusUnauthorized)

		// The guest becomes an account with the same keys, and no other ones.
		wrong := fan.application("fan")
		fan.postJSON("/signup", wrong).want(http.StatusUnprocessableEntity, "not the keys")
		right := fan.application("fan")
		right["receivingKey"], right["requestingKey"] = keys["receivingKey"], keys["requestingKey"]
		fan.get("/signup").want(http.StatusOK, "data-guest", "@fan@b.example")
		fan.postJSON("/signup", right).want(http.StatusOK)
		if account := must(i.auth.ByName(t.Context(), "fan")); account.Role != auth.Listener || len(i.heirs) != 1 || i.heirs[0] != actor+" "+account.Actor {
			t.Errorf("the guest became a %s; heirs are %q", account.Role, i.heirs)
		}
		fan.get("/settings").want(http.StatusOK)
		thief.get("/library").to("/login?next=%2Flibrary")
		i.clock.Advance(25 * time.Hour)
		again := i.browser(t)
		again.ask("@fan@b.example", track.URI, "192.0.2.9").want(http.StatusOK)
		l, _ := i.sent(t)
		if a := again.post(l.path(i), nil).want(http.StatusSeeOther); !strings.HasPrefix(a.Header.Get("Location"), "/login?") || len(a.Cookies()) != 0 {
			t.Errorf("who has an account is led to %s", a.Header.Get("Location"))
		}
	})
}
