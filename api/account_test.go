package api_test

import (
	"bytes"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"antiphon/api/auth"
)

type loggedIn struct {
	Next, Actor, Custody string
	Wrapped              auth.Secret
	Version              int
}

func TestAccount(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{}, func(t *testing.T, i *instance) {
		b := i.browser(t)
		b.get("/").want(http.StatusOK, "Antiphon Test", "A place to try things.", `href="/signup"`)
		b.get("/signup").want(http.StatusOK, "@"+hostOf(i.base))
		body := b.application("lin")
		b.postJSON("/signup", body).want(http.StatusOK, `{"next":"/"}`)
		b.get("/").want(http.StatusOK, "@lin@"+hostOf(i.base), `data-actor="`+b.actor+`"`)
		b.get("/login").to("/")
		b.get("/signup").to("/")

		// Somebody else takes the name, and what a person can mend says so at the field.
		other := i.browser(t)
		other.postJSON("/signup", other.application("lin")).want(http.StatusUnprocessableEntity, `"field":"name"`, "taken")

		// The passphrase is changed here; the other place is logged out.
		there := i.browser(t)
		var in loggedIn
		there.postJSON("/login", map[string]any{"name": "lin", "auth": b.auth}).want(http.StatusOK).json(&in)
		if in.Actor != b.actor || in.Custody != "own" || in.Version != 1 || in.Next != "/" || !bytes.Equal(in.Wrapped, body["wrapped"].(auth.Secret)) {
			t.Errorf("%+v", in)
		}
		wrapped, next := random(72), random(32)
		b.postJSON("/settings/passphrase", map[string]any{"auth": random(32), "newAuth": next, "wrapped": wrapped}).want(http.StatusUnauthorized)
		b.postJSON("/settings/passphrase", map[string]any{"auth": b.auth, "newAuth": next, "wrapped": wrapped}).want(http.StatusOK)
		there.get("/settings").to("/login?next=%2Fsettings")
		there.postJSON("/login", map[string]any{"name": "@lin", "auth": next}).want(http.StatusOK).json(&in)
		if in.Version != 2 || !bytes.Equal(in.Wrapped, wrapped) {
			t.Errorf("%+v", in)
		}
		b.get("/settings").want(http.StatusOK, `data-version="2"`, `value="Lin"`)

		// One place is ended by the other.
		page := b.get("/settings").body
		ends := regexp.MustCompile(`/settings/sessions/([0-9a-f]{64})/end`).FindAllStringSubmatch(page, -1)
		if len(ends) != 1 {
			t.Fatalf("%d other places can be ended", len(ends))
		}
		b.post(ends[0][0], nil).to("/settings?done=ended")
		there.get("/library").to("/login?next=%2Flibrary")
		b.post("/logout", nil).to("/")
		b.get("/settings").to("/login?next=%2Fsettings")
	})
}

func TestDelegated(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.browser(t)
	body := b.application("lin")
	body["custody"], body["wrapped"], body["recovery"] = "delegated", b.seed, ""
	b.postJSON("/signup", body).want(http.StatusOK)
	var in loggedIn
	b.postJSON("/login", map[string]any{"name": "lin", "auth": b.auth}).want(http.StatusOK).json(&in)
	if in.Custody != "delegated" || !bytes.Equal(in.Wrapped, b.seed) {
		t.Errorf("the seed does not come back: %s", in.Custody)
	}
	wrapped, recovery := random(72), random(72)
	b.postJSON("/settings/custody", map[string]any{"custody": "own", "auth": b.auth, "wrapped": wrapped, "recovery": recovery}).want(http.StatusOK)
	b.postJSON("/login", map[string]any{"name": "lin", "auth": b.auth}).want(http.StatusOK).json(&in)
	if in.Custody != "own" || in.Version != 2 || !bytes.Equal(in.Wrapped, wrapped) {
		t.Errorf("%+v", in)
	}
}

func TestAdminAndRecovery(t *testing.T) {
	t.Parallel()
	eachDatabase(t, options{closed: true}, func(t *testing.T, i *instance) {
		stranger := i.browser(t)
		stranger.get("/signup").want(http.StatusOK, "Sign-up is closed")
		stranger.postJSON("/signup", stranger.application("eve")).want(http.StatusUnprocessableEntity, `"field":"invite"`)

		link := must(i.auth.FirstLink(t.Context()))
		u := must(url.Parse(link))
		boss := i.browser(t)
		boss.get(u.RequestURI()).want(http.StatusOK, u.Query().Get("invite"))
		i.signUpWith(t, boss, "ada", u.Query().Get("invite"))
		boss.get("/admin").want(http.StatusOK, "@ada", "0.0.0-test")

		// An invitation is shown once, used once.
		page := boss.post("/admin/invites", nil).want(http.StatusOK)
		invite := regexp.MustCompile(`/signup\?invite=([\w-]{43})`).FindStringSubmatch(page.body)
		if invite == nil {
			t.Fatalf("no invitation on\n%s", page.body)
		}
		boss.get("/admin").want(http.StatusOK, "!"+invite[1])
		lin := i.browser(t)
		i.signUpWith(t, lin, "lin", invite[1])
		again := i.browser(t)
		body := again.application("eve")
		body["invite"] = invite[1]
		again.postJSON("/signup", body).want(http.StatusUnprocessableEntity, `"field":"invite"`)
		boss.post("/admin/invites", nil).want(http.StatusOK)
		end := regexp.MustCompile(`/admin/invites/[0-9a-f]{64}/end`).FindString(boss.get("/admin").body)
		boss.post(end, nil).to("/admin?done=invite")
		boss.get("/admin?q=li").want(http.StatusOK, "@lin", `!<a href="/@ada"><bdi>`)

		// Nobody else may.
		lin.get("/admin").want(http.StatusForbidden, "!@ada")
		lin.post("/admin/recover", url.Values{"name": {"ada"}}).want(http.StatusForbidden)
		lin.post("/admin/invites", nil).want(http.StatusForbidden)
		stranger.get("/admin").to("/login?next=%2Fadmin")

		// The way back in opens the account, once.
		boss.post("/admin/recover", url.Values{"name": {"nobody"}}).want(http.StatusNotFound)
		page = boss.post("/admin/recover", url.Values{"name": {"lin"}}).want(http.StatusOK)
		token := regexp.MustCompile(`/recover/([\w-]{43})`).FindStringSubmatch(page.body)
		if token == nil {
			t.Fatalf("no recovery link on\n%s", page.body)
		}
		found := i.browser(t)
		for range 2 { // looking uses nothing up
			found.get(token[0]).want(http.StatusOK, `data-token="`+token[1]+`"`, `data-actor="`+lin.actor+`"`)
		}
		next := random(32)
		found.postJSON(token[0], map[string]any{"auth": next, "wrapped": random(72)}).want(http.StatusOK)
		found.get("/settings").want(http.StatusOK, `data-version="2"`)
		lin.get("/settings").to("/login?next=%2Fsettings")
		found.get(token[0]).want(http.StatusGone)
		found.postJSON(token[0], map[string]any{"auth": random(32)}).want(http.StatusGone)
		lin.postJSON("/login", map[string]any{"name": "lin", "auth": next}).want(http.StatusOK)

		for _, secret := range []string{token[1], invite[1], b64(next), b64(lin.auth)} {
			if strings.Contains(i.log.String(), secret) {
				t.Errorf("the log holds a secret:\n%s", i.log)
			}
		}
		if !strings.Contains(i.log.String(), "route=/recover/{token}") {
			t.Error("the log does not name the route")
		}
	})
}

func (i *instance) signUpWith(t *testing.T, b *browser, name, invite string) {
	t.Helper()
	body := b.application(name)
	body["invite"] = invite
	b.postJSON("/signup", body).want(http.StatusOK)
}

func TestCrossSite(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.signedUp(t, "lin", nil)
	for name, header := range map[string]http.Header{
		"cross-site":           {"Sec-Fetch-Site": {"cross-site"}},
		"same-site":            {"Sec-Fetch-Site": {"same-site"}},
		"an old browser":       {"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}},
		"an opaque origin":     {"Sec-Fetch-Site": nil, "Origin": {"null"}},
		"another port of ours": {"Sec-Fetch-Site": nil, "Origin": {"http://127.0.0.1:1"}},
	} {
		for _, path := range []string{"/logout", "/settings/sessions/end", "/follow", "/uploads/"} {
			if a := b.do(http.MethodPost, path, nil, header); a.StatusCode != http.StatusForbidden {
				t.Errorf("%s: POST %s: %d", name, path, a.StatusCode)
			}
		}
	}
	// A form of another site cannot send this type; were one sent without any of these headers, it is still refused.
	b.do(http.MethodPost, "/settings/custody", strings.NewReader(`{"custody":"own"}`), http.Header{"Content-Type": {"text/plain"}}).
		want(http.StatusUnsupportedMediaType)
	b.get("/settings").want(http.StatusOK)
	b.do(http.MethodGet, "/settings", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}).want(http.StatusOK)
	b.do(http.MethodPost, "/logout", nil, http.Header{"Sec-Fetch-Site": nil, "Origin": {i.base}}).to("/")
}

func TestSessionExpires(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.signedUp(t, "lin", nil)
	i.clock.Advance(29 * 24 * time.Hour)
	if a := b.get("/settings").want(http.StatusOK); len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge != 30*24*3600 {
		t.Errorf("the cookie is not made longer: %v", a.Cookies())
	}
	if a := b.get("/settings").want(http.StatusOK); len(a.Cookies()) != 0 {
		t.Error("the cookie is sent each time")
	}
	i.clock.Advance(31 * 24 * time.Hour)
	a := b.get("/settings").to("/login?next=%2Fsettings")
	if len(a.Cookies()) != 1 || a.Cookies()[0].MaxAge != -1 {
		t.Errorf("the dead cookie stays: %v", a.Cookies())
	}
}

func TestManyTries(t *testing.T) {
	t.Parallel()
	i := setup(t, options{proxied: true})
	b := i.browser(t)
	b.postJSON("/signup", b.application("lin")).want(http.StatusOK)
	from := func(address string) *answer {
		b.header.Set("X-Forwarded-For", "10.0.0.1, "+address) // the first is what the visitor claims
		return b.postJSON("/login", map[string]any{"name": "nobody" + strings.ReplaceAll(address, ".", ""), "auth": random(32)})
	}
	for range 10 {
		from("192.0.2.1").want(http.StatusUnauthorized, "The name or the passphrase is wrong.")
	}
	if a := from("192.0.2.1").want(http.StatusTooManyRequests); a.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After: %q", a.Header.Get("Retry-After"))
	}
	from("192.0.2.2").want(http.StatusUnauthorized)
	i.clock.Advance(time.Minute)
	from("192.0.2.1").want(http.StatusUnauthorized)
}

func TestProfile(t *testing.T) {
	t.Parallel()
	i := setup(t, options{})
	b := i.signedUp(t, "lin", nil)
	b.post("/settings/profile", url.Values{"display": {" Lin Ode "}, "bio": {"Sings."}}).to("/settings?done=saved")
	if got := i.world.profiles[b.actor]; got.Display != "Lin Ode" || got.Summary != "Sings." {
		t.Errorf("%+v", got)
	}
	b.post("/settings/profile", url.Values{"display": {strings.Repeat("x", 81)}}).want(http.StatusUnprocessableEntity, "80 characters")
	b.post("/settings/profile", url.Values{"display": {"x"}, "bio": {strings.Repeat("x", 2001)}}).want(http.StatusUnprocessableEntity, "2,000")
	b.get("/settings?done=saved").want(http.StatusOK, "Saved.")
	b.get("/settings?done=<script>").want(http.StatusOK, "!<script>")
}
