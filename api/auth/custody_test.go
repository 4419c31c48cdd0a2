package auth_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"antiphon/api/auth"
)

func TestChangePassphrase(t *testing.T) {
	t.Parallel()
	b := setup(t, auth.Config{Open: true})
	p := newPerson(t, "lin")
	account := b.signUp(t, p)
	here, err := b.OpenSession(t.Context(), account.Actor, "")
	if err != nil {
		t.Fatal(err)
	}
	there, err := b.OpenSession(t.Context(), account.Actor, "")
	if err != nil {
		t.Fatal(err)
	}
	v, err := b.Visit(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	c := auth.PassphraseChange{Auth: random(t, auth.AuthSize), NewAuth: random(t, auth.AuthSize), Wrapped: random(t, auth.WrappedSize)}
	if err := b.ChangePassphrase(t.Context(), account.Actor, c, v.Session.ID); !errors.Is(err, auth.ErrCredentials) {
		t.Fatalf("wrong old passphrase: %v", err)
	}
	c.Auth = p.Auth
	var refusal *auth.Refusal
	if err := b.ChangePassphrase(t.Context(), account.Actor, auth.PassphraseChange{Auth: p.Auth, NewAuth: c.NewAuth}, v.Session.ID); !errors.As(err, &refusal) {
		t.Fatalf("the seed was left behind: %v", err)
	}
	if err := b.ChangePassphrase(t.Context(), account.Actor, c, v.Session.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.LogIn(t.Context(), "lin", p.Auth, home); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("the old passphrase: %v", err)
	}
	after, err := b.LogIn(t.Context(), "lin", c.NewAuth, home)
	if err != nil || after.Version != 2 || !bytes.Equal(after.WrappedSeed, c.Wrapped) || !bytes.Equal(after.Recovery, p.Recovery) {
		t.Errorf("version %d: %v", after.Version, err)
	}
	if _, err := b.Visit(t.Context(), here); err != nil {
		t.Errorf("the session that made the change: %v", err)
	}
	if _, err := b.Visit(t.Context(), there); !errors.Is(err, auth.ErrNoSession) {
		t.Errorf("the other session: %v", err)
	}
}

func TestCustody(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func(auth.Config) bundle) {
		b := open(auth.Config{Open: true})
		p := newPerson(t, "lin")
		account := b.signUp(t, p)
		if _, err := b.Seed(account); !errors.Is(err, auth.ErrNoSeed) {
			t.Errorf("seed of an own-key account: %v", err)
		}
		set := func(c auth.CustodyChange) (auth.Account, error) {
			t.Helper()
			err := b.SetCustody(t.Context(), account.Actor, c)
			now, readErr := b.ByActor(t.Context(), account.Actor)
			if readErr != nil {
				t.Fatal(readErr)
			}
			return now, err
		}
		if now, err := set(auth.CustodyChange{Custody: auth.Delegated, Auth: random(t, 32), Wrapped: p.seed}); !errors.Is(err, auth.ErrCredentials) || now.SealedSeed != nil {
			t.Errorf("wrong passphrase: %v", err)
		}
		var refusal *auth.Refusal
		for name, c := range map[string]auth.CustodyChange{
			"no seed": {Custody: auth.Delegated}, "wrapped seed": {Custody: auth.Delegated, Wrapped: p.Wrapped},
			"bare seed": {Custody: auth.Own, Wrapped: p.seed, Recovery: p.Recovery}, "nobody": {Wrapped: p.Wrapped, Recovery: p.Recovery},
		} {
			c.Auth = p.Auth
			if _, err := set(c); !errors.As(err, &refusal) {
				t.Errorf("%s: %v", name, err)
			}
		}
		now, err := set(auth.CustodyChange{Custody: auth.Delegated, Auth: p.Auth, Wrapped: p.seed})
		if err != nil || now.Custody != auth.Delegated || len(now.WrappedSeed)+len(now.Recovery) != 0 || now.Version != 2 {
			t.Fatal(now.Custody, err)
		}
		if seed, err := b.Seed(now); err != nil || !bytes.Equal(seed, p.seed) {
			t.Errorf("the seed does not come back: %v", err)
		}
		change := auth.PassphraseChange{Auth: p.Auth, NewAuth: random(t, 32), Wrapped: p.Wrapped}
		if err := b.ChangePassphrase(t.Context(), account.Actor, change, ""); !errors.As(err, &refusal) {
			t.Errorf("a second copy of a delegated seed: %v", err)
		}
		change.Wrapped = nil
		if err := b.ChangePassphrase(t.Context(), account.Actor, change, ""); err != nil {
			t.Error(err)
		}
		wrapped, recovery := random(t, auth.WrappedSize), random(t, auth.WrappedSize)
		now, err = set(auth.CustodyChange{Custody: auth.Own, Auth: change.NewAuth, Wrapped: wrapped, Recovery: recovery})
		if err != nil || now.Custody != auth.Own || now.SealedSeed != nil || now.Version != 3 {
			t.Errorf("own again: %+v %v", now.Custody, err)
		}
		if !bytes.Equal(now.WrappedSeed, wrapped) || !bytes.Equal(now.Recovery, recovery) {
			t.Error("the wrapped seed is not the new one")
		}
	})
}

func TestRecover(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func(auth.Config) bundle) {
		b := open(auth.Config{Open: true})
		own, delegated := newPerson(t, "lin"), newPerson(t, "ada")
		delegated.delegate()
		b.signUp(t, delegated)
		session, err := b.OpenSession(t.Context(), b.signUp(t, own).Actor, "")
		if err != nil {
			t.Fatal(err)
		}
		link := func(name string) string {
			t.Helper()
			url, _, err := b.RecoveryLink(t.Context(), name)
			token, ok := strings.CutPrefix(url, base+"/recover/")
			if err != nil || !ok {
				t.Fatal(url, err)
			}
			return token
		}
		if _, _, err := b.RecoveryLink(t.Context(), "nobody"); !errors.Is(err, auth.ErrNotFound) {
			t.Errorf("unknown name: %v", err)
		}
		older, token := link("lin"), link("lin")
		if _, err := b.Recoverable(t.Context(), older); !errors.Is(err, auth.ErrLink) {
			t.Errorf("an older link: %v", err)
		}
		if a, err := b.Recoverable(t.Context(), token); err != nil || a.Name != "lin" {
			t.Fatal(a.Name, err)
		}
		invite, _, err := b.Invite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Recover(t.Context(), code(t, invite), random(t, 32), nil); !errors.Is(err, auth.ErrLink) {
			t.Errorf("an invitation as a way back in: %v", err)
		}
		secret, wrapped := random(t, auth.AuthSize), random(t, auth.WrappedSize)
		if _, err := b.Recover(t.Context(), token, secret, wrapped); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Recover(t.Context(), token, random(t, 32), wrapped); !errors.Is(err, auth.ErrLink) {
			t.Errorf("used twice: %v", err)
		}
		if _, err := b.Visit(t.Context(), session); !errors.Is(err, auth.ErrNoSession) {
			t.Errorf("a session from before: %v", err)
		}
		if a, err := b.LogIn(t.Context(), "lin", secret, home); err != nil || a.Version != 2 || !bytes.Equal(a.WrappedSeed, wrapped) {
			t.Errorf("version %d: %v", a.Version, err)
		}

		secret = random(t, auth.AuthSize)
		if _, err := b.Recover(t.Context(), link("ada"), secret, nil); err != nil {
			t.Fatal(err)
		}
		a, err := b.LogIn(t.Context(), "ada", secret, home)
		if err != nil || len(a.WrappedSeed) != 0 || a.Version != 1 {
			t.Errorf("%d bytes wrapped, version %d: %v", len(a.WrappedSeed), a.Version, err)
		}
		if seed, err := b.Seed(a); err != nil || !bytes.Equal(seed, delegated.seed) {
			t.Errorf("the delegated seed: %v", err)
		}
		expired := link("ada")
		b.clock.Advance(8 * 24 * 3600 * 1e9)
		if _, err := b.Recover(t.Context(), expired, secret, nil); !errors.Is(err, auth.ErrLink) {
			t.Errorf("expired: %v", err)
		}
	})
}

func TestList(t *testing.T) {
	t.Parallel()
	b := setup(t, auth.Config{Open: true})
	for _, name := range []string{"lin", "lina", "li_n", "ada"} {
		b.signUp(t, newPerson(t, name))
	}
	if _, err := b.OpenSession(t.Context(), b.ActorURI("lin"), ""); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]string{"": "ada li_n lin lina", "LIN": "lin lina", "_": "li_n", "%": ""} {
		list, total, err := b.List(t.Context(), query, 0, 10)
		var names []string
		for _, a := range list {
			names = append(names, a.Name)
			if a.LastSeen.IsZero() == (a.Name == "lin") {
				t.Errorf("%s was last seen %v", a.Name, a.LastSeen)
			}
		}
		if got := strings.Join(names, " "); err != nil || got != want || int(total) != len(list) {
			t.Errorf("%q: %q of %d, %v", query, got, total, err)
		}
	}
}
