package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"antiphon/internal/db"
	"antiphon/media/access"
	"antiphon/vocab"
)

// excuses are what a browser complains of while servers are away: they are asked in vain, and that is what is tried.
var excuses = []string{"/play/relay", "/play/grant", "^warning: player: "}

// sold is a stage on which a track was sold, and every fragment of its grant was taken.
func sold(t *testing.T, also func(*stage), settings ...string) *stage {
	t.Helper()
	needPrograms(t)
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8), settings...)
	s.playThrough("start the payment network", "sign up")
	if also != nil {
		also(s)
	}
	s.playThrough("the listener follows", "the payment is seen")
	s.fragmentsHeld()
	s.eventually("the buyer's instance has every block", func() (bool, error) {
		return s.count(s.home, "grant_items", "state = 'kept'") == 1, nil
	})
	return s
}

// at plays the track in the listener's browser on a device: one that is fresh has nothing but name and passphrase.
func (s *stage) at(t *testing.T, device string, fresh bool, more map[string]any) report {
	t.Helper()
	w := &world{stage: s, listener: person{
		Base: s.home.base, Name: s.lin.name, Display: "Lin", Passphrase: s.lin.passphrase, Profile: filepath.Join(s.dir, "device-"+device),
	}}
	setting := map[string]any{"track": s.track, "fresh": fresh, "name": device, "forgive": excuses}
	for name, value := range more {
		setting[name] = value
	}
	return w.run(t, "device.mjs", setting)
}

// grantOf is the grant that the listener's instance holds.
func (s *stage) grantOf(t *testing.T) vocab.Grant {
	t.Helper()
	g, err := s.lin.grant(t.Context(), s.track)
	must(t, err)
	grant, err := checkGrant(g)
	must(t, err)
	return grant
}

// TestSellerGone: what was bought plays on new devices when the seller's server is gone for good, and when one more of
// four proxies is; when too few are left the player says so in words, and a device that has played it before plays on.
func TestSellerGone(t *testing.T) {
	t.Parallel()
	var second *instance
	s := sold(t, func(s *stage) {
		var err error
		second, err = s.newInstance("second")
		must(t, err)
		t.Cleanup(func() { second.stop() })
		must(t, second.open(s.within(soon)))
		// The artist trusts another server than the admin does, and types its address.
		_, err = s.ada.postForm(s.within(soon), "/settings/proxies", url.Values{"instance": {host(second.base)}})
		must(t, err)
	}, "ANTIPHON_GRANTS_NUMBER=4", "ANTIPHON_GRANTS_THRESHOLD=2")
	g := s.grantOf(t)
	var hosts []string
	for _, p := range g.Proxies {
		hosts = append(hosts, originOf(p.Actor))
	}
	if want := []string{s.artists.base, s.home.base, second.base, s.proxy.base}; g.Threshold != 2 || !slices.Equal(hosts, want) {
		t.Fatalf("the grant opens with %d of %v; want 2 of %v", g.Threshold, hosts, want)
	}
	page, err := s.ada.get(t.Context(), "/tracks/"+filepath.Base(s.track)+"/buyers")
	must(t, err)
	if !strings.Contains(string(page), "2 of 4 servers open it. Parts in place: 4.") {
		t.Errorf("the artist's page does not say how the grant stands:\n%s", page)
	}

	s.artists.kill()
	must(t, os.Rename(s.artists.dir, s.artists.dir+"-gone"))
	plays(t, "a fresh device without the seller", s.at(t, "one", true, nil).Start, 1.5)
	second.kill()
	plays(t, "a fresh device without the seller and a proxy", s.at(t, "two", true, nil).Start, 1.5)

	s.proxy.kill()
	told := s.at(t, "three", true, nil)
	for _, words := range []string{"when 2 of the servers", "1 did", host(s.artists.base), host(second.base), host(s.proxy.base), "Try again in a few minutes"} {
		if !strings.Contains(told.Said, words) {
			t.Errorf("with one proxy left the player says %q, which lacks %q", told.Said, words)
		}
	}
	plays(t, "a device that has played it before, with one proxy left", s.at(t, "one", false, nil).Start, 1.5)
}

// TestRevoked: what an artist takes back is refused everywhere within a minute, and a proxy that was down hears of it
// before it re-encrypts again.
func TestRevoked(t *testing.T) {
	t.Parallel()
	s := sold(t, nil)
	g := s.grantOf(t)
	for _, p := range g.Proxies {
		if status, code := s.askProxy(t, g, p); status != http.StatusOK {
			t.Fatalf("before: %s answers %d %s", p.Actor, status, code)
		}
	}
	s.proxy.kill()
	buyers := "/tracks/" + filepath.Base(s.track) + "/buyers"
	const reason = "The choir asked me to take this down."
	_, err := s.ada.postForm(s.within(soon), "/studio/revoke", url.Values{"grant": {g.ID}, "reason": {reason}})
	must(t, err)
	s.eventually("the listener's instance hears of it", func() (bool, error) {
		return s.count(s.home, "grants_held", "revoked_at IS NOT NULL AND reason = ?", reason) == 1, nil
	})
	for _, p := range g.Proxies[:2] {
		if status, code := s.askProxy(t, g, p); status != http.StatusGone || code != "revoked" {
			t.Errorf("after: %s answers %d %s; want 410 revoked", p.Actor, status, code)
		}
	}
	told := s.at(t, "fresh", true, map[string]any{"absent": true})
	if !strings.Contains(told.Page, "Taken back by the artist") || !strings.Contains(told.Page, reason) {
		t.Errorf("the library does not say what happened:\n%s", told.Page)
	}
	_, err = s.lin.grant(t.Context(), s.track)
	if !isStatus(err, http.StatusGone) {
		t.Errorf("the player's grant: %v, want 410", err)
	}

	must(t, s.proxy.open(s.within(soon)))
	if status, code := s.askProxy(t, g, g.Proxies[2]); status != http.StatusGone || code != "revoked" {
		t.Errorf("a proxy that was down answers its first request with %d %s; want 410 revoked", status, code)
	}
	for _, i := range []*instance{s.artists, s.home, s.proxy} {
		if held, gone := s.count(i, "kfrags_held", "1 = 1"), s.count(i, "tombstones", "grant_uri = ?", g.ID); held != 0 || gone != 1 {
			t.Errorf("%s holds %d fragments and %d tombstones; want 0 and 1", i.name, held, gone)
		}
	}
	if n := s.count(s.proxy, "revocation_reads", "seller = ?", s.artists.base); n != 1 {
		t.Errorf("the proxy has not read what the seller revoked")
	}
	s.eventually("the artist sees that all have erased it", func() (bool, error) {
		page, err := s.ada.get(t.Context(), buyers)
		return strings.Contains(string(page), "3 of 3 servers have confirmed"), err
	})
}

// askProxy asks a proxy itself, not through the listener's instance, and returns its status and code.
func (s *stage) askProxy(t *testing.T, g vocab.Grant, p vocab.Proxy) (int, string) {
	t.Helper()
	body, err := json.Marshal(access.ReencryptRequest{Grant: g.ID, Set: g.Set, Capsules: []string{base64.RawURLEncoding.EncodeToString(g.Items[0].Capsule)}})
	must(t, err)
	header, err := s.lin.signAsk(p, body)
	must(t, err)
	req, err := http.NewRequestWithContext(s.within(soon), http.MethodPost, p.Reencrypt, bytes.NewReader(body))
	must(t, err)
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	must(t, err)
	var problem struct{ Code string }
	must(t, json.Unmarshal(answer, &problem))
	return resp.StatusCode, problem.Code
}

// TestProxyRefuses: a proxy that will not keep a part of the key is replaced, the buyer hears of the new set, and a day
// later nobody holds a part of the old one.
func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	var second *instance
	s := newStage(t, cutTune(t, t.TempDir(), "ogg", 8))
	s.front = func(i *instance) {
		if i.name == "second" {
			i.env = append(i.env, "ANTIPHON_GRANTS_SERVE=")
		}
	}
	s.playThrough("start the payment network", "sign up")
	second, err := s.newInstance("second")
	must(t, err)
	t.Cleanup(func() { second.stop() })
	must(t, second.open(s.within(soon)))
	_, err = s.ada.postForm(s.within(soon), "/settings/proxies", url.Values{"instance": {host(second.base)}})
	must(t, err)
	s.playThrough("the listener follows", "the payment is seen")

	s.eventually("the buyer gets the new set", func() (bool, error) {
		g, err := s.lin.grant(t.Context(), s.track)
		if err != nil {
			return false, err
		}
		grant, err := checkGrant(g)
		return grant.Set == 2, err
	})
	g := s.grantOf(t)
	if len(g.Proxies) != 3 || g.Threshold != 2 || originOf(g.Proxies[2].Actor) != s.proxy.base {
		t.Errorf("the new set has %d of %v", g.Threshold, g.Proxies)
	}
	s.eventually("every fragment of the new set is taken", func() (bool, error) {
		return s.count(s.artists, "kfrags_made", "set_number = 2 AND state = 'accepted'") == 3, nil
	})
	for _, p := range g.Proxies {
		if status, code := s.askProxy(t, g, p); status != http.StatusOK {
			t.Errorf("%s answers %d %s", p.Actor, status, code)
		}
	}
	s.playThrough("two proxies re-encrypt", "decrypted")
	if n := s.count(second, "kfrags_held", "1 = 1"); n != 0 {
		t.Errorf("who refused holds %d fragments", n)
	}

	// A day later.
	s.artists.stop()
	database, err := db.Open(t.Context(), filepath.Join(s.artists.dir, "antiphon.db"), slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, database.Write.Exec("UPDATE grant_sets SET retired_at = ? WHERE number = 1", time.Now().Add(-25*time.Hour).UTC()).Error)
	must(t, database.Close())
	must(t, s.artists.open(s.within(soon)))
	s.eventually("the old set is erased", func() (bool, error) {
		return s.count(s.home, "kfrags_held", "set_number = 1")+s.count(s.artists, "kfrags_held", "set_number = 1") == 0, nil
	})
	if n := s.count(s.home, "kfrags_dropped", "set_number = 1"); n != 1 {
		t.Errorf("the home keeps %d marks of the old set", n)
	}
	if status, code := s.askProxy(t, g, g.Proxies[1]); status != http.StatusOK {
		t.Errorf("the new set at home: %d %s", status, code)
	}
}
