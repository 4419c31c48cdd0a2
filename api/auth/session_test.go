package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"antiphon/api/auth"
)

func TestSession(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func(auth.Config) bundle) {
		b := open(auth.Config{Open: true, SessionLife: 24 * time.Hour})
		lin, eve := b.signUp(t, newPerson(t, "lin")), b.signUp(t, newPerson(t, "eve"))
		enter := func(a auth.Account, agent string) string {
			t.Helper()
			token, err := b.OpenSession(t.Context(), a.Actor, agent)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
		visit := func(token string) auth.Visitor {
			t.Helper()
			v, err := b.Visit(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		gone := func(what, token string) {
			t.Helper()
			if _, err := b.Visit(t.Context(), token); !errors.Is(err, auth.ErrNoSession) {
				t.Errorf("%s: %v", what, err)
			}
		}
		token := enter(lin, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
		if v := visit(token); v.Account.Name != "lin" || v.Session.Agent != "Firefox on Linux" || v.Slid {
			t.Errorf("%+v", v)
		}
		gone("empty", "")
		gone("stranger's", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
		gone("its hash", visit(token).Session.ID)

		b.clock.Advance(23 * time.Hour)
		if v := visit(token); !v.Slid || !v.Session.ExpiresAt.Equal(b.clock.Now().Add(24*time.Hour)) {
			t.Errorf("use does not make it longer: %+v", v)
		}
		if visit(token).Slid {
			t.Error("each use is written down")
		}
		b.clock.Advance(23 * time.Hour)
		visit(token)
		b.clock.Advance(24 * time.Hour)
		gone("expired", token)

		a, c, other := enter(lin, ""), enter(lin, ""), enter(eve, "")
		if n := count(t, b, "sessions"); n != 3 {
			t.Errorf("%d sessions: the expired one stays", n)
		}
		if err := b.EndSession(t.Context(), lin.Actor, visit(other).Session.ID); err != nil {
			t.Fatal(err)
		}
		visit(other) // is somebody else's
		if err := b.EndSession(t.Context(), lin.Actor, visit(c).Session.ID); err != nil {
			t.Fatal(err)
		}
		gone("ended", c)
		c = enter(lin, "")
		if list, err := b.Sessions(t.Context(), lin.Actor); err != nil || len(list) != 2 {
			t.Errorf("%d sessions: %v", len(list), err)
		}
		if err := b.EndSessions(t.Context(), lin.Actor, visit(a).Session.ID); err != nil {
			t.Fatal(err)
		}
		gone("ended with the rest", c)
		visit(a)
		if err := b.EndSessions(t.Context(), lin.Actor, ""); err != nil {
			t.Fatal(err)
		}
		gone("ended everywhere", a)
		visit(other)
	})
}

func TestCookie(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]http.Cookie{
		base:                    {Name: "__Host-session", Secure: true},
		"http://127.0.0.1:8080": {Name: "session"},
	} {
		b := setup(t, auth.Config{BaseURL: url})
		w := httptest.NewRecorder()
		b.SetCookie(w, "token")
		c := w.Result().Cookies()[0]
		if c.Name != want.Name || c.Secure != want.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 30*24*3600 {
			t.Errorf("%s: %+v", url, c)
		}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(c)
		if b.Token(r) != "token" {
			t.Errorf("%s: the token does not come back", url)
		}
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, auth.Config{Open: true})
	p := newPerson(t, "lin")
	b.signUp(t, p)
	wrong := random(t, auth.AuthSize)
	try := func(name string, secret auth.Secret, from int) error {
		_, err := b.LogIn(t.Context(), name, secret, "2001:db8:"+string(rune('a'+from))+"::1")
		return err
	}
	// An unknown name is answered exactly like a known one, also when it was tried too often.
	for _, name := range []string{"lin", "nobody"} {
		for i := range 10 {
			if err := try(name, wrong, i%5); !errors.Is(err, auth.ErrCredentials) {
				t.Fatalf("%s, try %d: %v", name, i, err)
			}
		}
		var slow *auth.Slow
		if err := try(name, wrong, 5); !errors.As(err, &slow) || slow.After != time.Minute {
			t.Errorf("%s, try 11: %v", name, err)
		}
	}
	if err := try("lin", p.Auth, 5); err == nil {
		t.Error("the right passphrase passes the limit: a guesser learns from it")
	}
	b.clock.Advance(time.Minute)
	if err := try("lin", p.Auth, 5); err != nil {
		t.Errorf("after the pause: %v", err)
	}

	// One address, many names; its /64 counts as one.
	for i := range 30 {
		address := "2001:db8:ff::" + string(rune('1'+i%8))
		if _, err := b.LogIn(t.Context(), "n"+string(rune('a'+i%26))+string(rune('a'+i/26)), wrong, address); !errors.Is(err, auth.ErrCredentials) {
			t.Fatalf("try %d: %v", i, err)
		}
	}
	var slow *auth.Slow
	if _, err := b.LogIn(t.Context(), "zz", wrong, "2001:db8:ff::ffff"); !errors.As(err, &slow) {
		t.Errorf("try 31 from one address: %v", err)
	}
	if _, err := b.LogIn(t.Context(), "zz", wrong, "2001:db8:ee::1"); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("another address: %v", err)
	}
}
