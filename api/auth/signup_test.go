package auth_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"antiphon/api/auth"
	"antiphon/vocab/multikey"
)

func TestSignUpAndLogIn(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func(auth.Config) bundle) {
		b := open(auth.Config{Open: true, Quota: 5000})
		p := newPerson(t, "lin")
		got := b.signUp(t, p)
		if got.Actor != base+"/users/lin" || got.Role != auth.Artist || got.Custody != auth.Own || got.Version != 1 || got.QuotaBytes != 5000 {
			t.Errorf("%+v", got)
		}
		for _, typed := range []string{"lin", "@lin", " Lin@A.example", "@lin@a.example"} {
			account, err := b.LogIn(t.Context(), typed, p.Auth, home)
			if err != nil {
				t.Fatalf("%q: %v", typed, err)
			}
			if !bytes.Equal(account.WrappedSeed, p.Wrapped) || !bytes.Equal(account.Recovery, p.Recovery) || account.SealedSeed != nil {
				t.Errorf("%q: the seed came back changed", typed)
			}
		}
		if _, err := b.LogIn(t.Context(), "lin@b.example", p.Auth, home); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("a name of another host: %v", err)
		}
		wrong := bytes.Clone(p.Auth)
		wrong[31] ^= 1
		if _, err := b.LogIn(t.Context(), "lin", wrong, home); !errors.Is(err, auth.ErrCredentials) {
			t.Errorf("wrong auth: %v", err)
		}
		again := newPerson(t, "lin")
		var refusal *auth.Refusal
		if _, err := b.SignUp(t.Context(), again.Application, home); !errors.As(err, &refusal) || refusal.Field != "name" {
			t.Errorf("taken name: %v", err)
		}
		if n := count(t, b, "actors"); n != 1 {
			t.Errorf("%d actors", n)
		}
	})
}

func TestSignUpRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t, auth.Config{Open: true})
	p, other := newPerson(t, "lin"), newPerson(t, "ada")
	generator, err := hex.DecodeString("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	if err != nil {
		t.Fatal(err)
	}
	offCurve := bytes.Clone(generator)
	offCurve[32] = 0x9d
	offCurveKey, err := multikey.EncodeSecp256k1(offCurve)
	if err != nil {
		t.Fatal(err)
	}
	from := 0
	for name, c := range map[string]struct {
		field  string
		change func(*auth.Application)
	}{
		"no name":            {"name", func(a *auth.Application) { a.Name = "" }},
		"capital":            {"name", func(a *auth.Application) { a.Name = "Lin" }},
		"dot":                {"name", func(a *auth.Application) { a.Name = "lin.da" }},
		"newline":            {"name", func(a *auth.Application) { a.Name = "lin\n" }},
		"31 letters":         {"name", func(a *auth.Application) { a.Name = strings.Repeat("a", 31) }},
		"cyrillic":           {"name", func(a *auth.Application) { a.Name = "аda" }},
		"reserved":           {"name", func(a *auth.Application) { a.Name = "admin" }},
		"long display":       {"display", func(a *auth.Application) { a.Display = strings.Repeat("é", 81) }},
		"display of lines":   {"display", func(a *auth.Application) { a.Display = "a\nb" }},
		"display not UTF-8":  {"display", func(a *auth.Application) { a.Display = "\xff" }},
		"admin by wish":      {"role", func(a *auth.Application) { a.Role = auth.Admin }},
		"short auth":         {"", func(a *auth.Application) { a.Auth = a.Auth[:31] }},
		"no wrapped":         {"", func(a *auth.Application) { a.Wrapped = nil }},
		"long recovery":      {"", func(a *auth.Application) { a.Recovery = append(a.Recovery, 0) }},
		"receiving as other": {"", func(a *auth.Application) { a.ReceivingKey = a.RequestingKey }},
		"off the curve":      {"", func(a *auth.Application) { a.ReceivingKey = offCurveKey }},
		"no requesting":      {"", func(a *auth.Application) { a.RequestingKey = "" }},
		"no custody":         {"custody", func(a *auth.Application) { a.Custody = "" }},
		"bare seed with own": {"", func(a *auth.Application) { a.Wrapped = p.seed }},
		"delegated, no seed": {"", func(a *auth.Application) { a.Custody, a.Recovery = auth.Delegated, nil }},
		"another's seed":     {"custody", func(a *auth.Application) { a.Custody, a.Wrapped, a.Recovery = auth.Delegated, other.seed, nil }},
	} {
		a := p.Application
		a.Auth, a.Recovery = bytes.Clone(p.Auth), bytes.Clone(p.Recovery)
		c.change(&a)
		var refusal *auth.Refusal
		// Each from its own address, so that none is turned away for trying often.
		from++
		if _, err := b.SignUp(t.Context(), a, fmt.Sprintf("198.51.100.%d", from)); !errors.As(err, &refusal) || refusal.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := count(t, b, "actors") + count(t, b, "accounts"); n != 0 {
		t.Errorf("%d rows were left by refused sign-ups", n)
	}
	b.signUp(t, p)
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, open func(auth.Config) bundle) {
		b := open(auth.Config{})
		p := newPerson(t, "lin")
		refused := func(invite string) {
			t.Helper()
			p.Invite = invite
			var refusal *auth.Refusal
			if _, err := b.SignUp(t.Context(), p.Application, home); !errors.As(err, &refusal) || refusal.Field != "invite" {
				t.Fatalf("%v", err)
			}
		}
		refused("")
		refused("x")

		first, err := b.FirstLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := b.FirstLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused(code(t, first)) // printed at an earlier start
		p.Invite = code(t, second)
		if got := b.signUp(t, p); got.Role != auth.Admin {
			t.Errorf("the first account is %s", got.Role)
		}
		if all, err := b.Admins(t.Context()); err != nil || len(all) != 1 || all[0] != b.ActorURI(p.Name) {
			t.Errorf("admins %v, %v", all, err)
		}
		if link, err := b.FirstLink(t.Context()); err != nil || link != "" {
			t.Errorf("a first link with an admin there: %q %v", link, err)
		}

		link, until, err := b.Invite(t.Context())
		if err != nil || !until.After(b.clock.Now()) {
			t.Fatal(until, err)
		}
		ada := newPerson(t, "ada")
		ada.Invite = code(t, link)
		if got := b.signUp(t, ada); got.Role != auth.Artist {
			t.Errorf("an invited account is %s", got.Role)
		}
		p = newPerson(t, "eve")
		refused(code(t, link)) // used

		link, until, err = b.Invite(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		links, err := b.Invites(t.Context())
		if err != nil || len(links) != 1 {
			t.Fatalf("%d invitations are open: %v", len(links), err)
		}
		if strings.Contains(link, links[0].Hash) {
			t.Error("the list shows the secret")
		}
		b.clock.Set(until)
		refused(code(t, link)) // expired
		b.clock.Advance(-time.Second)
		if err := b.EndInvite(t.Context(), links[0].Hash); err != nil {
			t.Fatal(err)
		}
		refused(code(t, link)) // ended
		if n := count(t, b, "accounts"); n != 2 {
			t.Errorf("%d accounts", n)
		}
	})
}

func code(t *testing.T, link string) string {
	t.Helper()
	token, ok := strings.CutPrefix(link, base+"/signup?invite=")
	if !ok || len(token) != 43 {
		t.Fatalf("%q is no invitation", link)
	}
	return token
}

// TestDatabaseHoldsNoSecret looks for what only browsers may know in every byte of the database.
func TestDatabaseHoldsNoSecret(t *testing.T) {
	t.Parallel()
	b := setup(t, auth.Config{Open: true})
	own, delegated := newPerson(t, "lin"), newPerson(t, "ada")
	delegated.delegate()
	b.signUp(t, own)
	account := b.signUp(t, delegated)
	token, err := b.OpenSession(t.Context(), account.Actor, "")
	if err != nil {
		t.Fatal(err)
	}
	invite, _, err := b.Invite(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if seed, err := b.Seed(account); err != nil || !bytes.Equal(seed, delegated.seed) {
		t.Fatalf("the delegated seed does not come back: %v", err)
	}
	var found []byte
	files, err := filepath.Glob(b.path + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, raw...)
	}
	if !bytes.Contains(found, own.Wrapped) {
		t.Fatal("the wrapped seed is not found: the search looks in the wrong place")
	}
	for name, secret := range map[string][]byte{
		"auth": own.Auth, "auth of delegated": delegated.Auth, "seed": own.seed, "delegated seed": delegated.seed,
		"session token": []byte(token), "invitation": []byte(code(t, invite)),
	} {
		for form, needle := range map[string]string{
			"raw": string(secret), "hex": hex.EncodeToString(secret),
			"base64": base64.RawStdEncoding.EncodeToString(secret), "base64url": base64.RawURLEncoding.EncodeToString(secret),
		} {
			if bytes.Contains(found, []byte(needle)) {
				t.Errorf("%s lies in the database as %s", name, form)
			}
		}
	}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", own.Auth, own.Application, own.Auth, own.Auth, own.Auth), own.Auth.LogValue().String(), account.LogValue().String()} {
		if strings.Contains(text, hex.EncodeToString(own.Auth)) || strings.Contains(text, fmt.Sprint([]byte(own.Auth))) {
			t.Errorf("a secret is printed: %s", text)
		}
	}
}
