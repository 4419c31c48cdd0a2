package fetch_test

import (
	"errors"
	"net/url"
	"testing"

	"antiphon/federation/fetch"
	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// finger makes h answer for a handle with a subject and a self link.
func (h *host) finger(t *testing.T, acct, subject, self string) {
	t.Helper()
	raw, err := jsonld.Marshal(vocab.Finger(subject, self, "", "").Object())
	if err != nil {
		t.Fatal(err)
	}
	h.answer("/.well-known/webfinger?"+url.Values{"resource": {acct}}.Encode(), vocab.JRDType, string(raw))
}

func (h *host) actor(path, name string) string {
	h.answer(path, vocab.ActivityType, `{"id":"`+h.URL+path+`","type":"Person","preferredUsername":"`+name+`","inbox":"`+h.URL+`/inbox"}`)
	return h.URL + path
}

func TestFinger(t *testing.T) {
	t.Parallel()
	acct := func(name string, h *host) string { return "acct:" + name + "@" + h.name() }
	cases := []struct {
		name string
		// set prepares the hosts and returns the handle to look up and the actor to get.
		set   func(t *testing.T, a, b *host) (text, actor string)
		want  error
		limit int
	}{
		{"one host", func(t *testing.T, a, _ *host) (string, string) {
			actor := a.actor("/users/ada", "ada")
			a.finger(t, acct("ada", a), acct("ada", a), actor)
			return "@ada@" + a.name(), actor
		}, nil, 2},
		{"other case", func(t *testing.T, a, _ *host) (string, string) {
			actor := a.actor("/users/ada", "Ada")
			a.finger(t, acct("ADA", a), acct("Ada", a), actor)
			return "acct:ADA@" + a.name(), actor
		}, nil, 2},
		{"handle on a, actor on b", func(t *testing.T, a, b *host) (string, string) {
			actor := b.actor("/users/ada", "ada")
			a.finger(t, acct("ada", a), acct("ada", a), actor)
			b.finger(t, acct("ada", b), acct("ada", a), actor)
			return "ada@" + a.name(), actor
		}, nil, 3},
		{"the same, asked by the actor's host", func(t *testing.T, a, b *host) (string, string) {
			actor := b.actor("/users/ada", "ada")
			a.finger(t, acct("ada", a), acct("ada", a), actor)
			b.finger(t, acct("ada", b), acct("ada", a), actor)
			return "ada@" + b.name(), actor
		}, nil, 4},

		{"actor elsewhere does not point back", func(t *testing.T, a, b *host) (string, string) {
			actor := b.actor("/users/ada", "ada")
			a.finger(t, acct("ada", a), acct("ada", a), actor)
			b.finger(t, acct("ada", b), acct("ada", b), actor)
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 3},
		{"subject elsewhere does not agree", func(t *testing.T, a, b *host) (string, string) {
			a.finger(t, acct("ada", a), acct("ada", b), a.actor("/users/ada", "ada"))
			b.finger(t, acct("ada", b), acct("ada", b), b.actor("/users/ada", "ada"))
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 3},
		{"subject elsewhere is unknown there", func(t *testing.T, a, b *host) (string, string) {
			a.finger(t, acct("ada", a), acct("ada", b), a.actor("/users/ada", "ada"))
			return "ada@" + a.name(), ""
		}, fetch.ErrNotFound, 2},
		{"actor has another name", func(t *testing.T, a, _ *host) (string, string) {
			actor := a.actor("/users/eve", "eve")
			a.finger(t, acct("ada", a), acct("ada", a), actor)
			a.finger(t, acct("eve", a), acct("eve", a), actor)
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 3},
		{"actor has no name", func(t *testing.T, a, _ *host) (string, string) {
			a.finger(t, acct("ada", a), acct("ada", a), a.actor("/users/ada", ""))
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 2},
		{"actor has another id", func(t *testing.T, a, _ *host) (string, string) {
			a.redirect("/@ada", a.actor("/users/ada", "ada"))
			a.finger(t, acct("ada", a), acct("ada", a), a.URL+"/@ada")
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 3},
		{"two actors", func(t *testing.T, a, _ *host) (string, string) {
			one, two := a.actor("/users/ada", "ada"), a.actor("/users/eve", "eve")
			a.answer("/.well-known/webfinger?"+url.Values{"resource": {acct("ada", a)}}.Encode(), vocab.JRDType, `{"subject":"`+acct("ada", a)+
				`","links":[{"rel":"self","type":"application/activity+json","href":"`+one+`"},{"rel":"self","type":"application/activity+json","href":"`+two+`"}]}`)
			return "ada@" + a.name(), ""
		}, vocab.ErrInvalid, 1},
		{"subject is a URL", func(t *testing.T, a, _ *host) (string, string) {
			a.finger(t, acct("ada", a), a.URL+"/users/ada", a.actor("/users/ada", "ada"))
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 1},
		{"XML", func(t *testing.T, a, _ *host) (string, string) {
			a.answer("/.well-known/webfinger?"+url.Values{"resource": {acct("ada", a)}}.Encode(), "application/xrd+xml", "<XRD/>")
			return "ada@" + a.name(), ""
		}, fetch.ErrHandle, 1},
		{"unknown", func(_ *testing.T, a, _ *host) (string, string) { return "nobody@" + a.name(), "" }, fetch.ErrNotFound, 1},
		{"own host", func(_ *testing.T, _, _ *host) (string, string) { return "ada@own.example", "" }, fetch.ErrOwnHost, 0},
		{"no host", func(_ *testing.T, _, _ *host) (string, string) { return "ada", "" }, fetch.ErrURI, 0},
		{"empty host", func(_ *testing.T, _, _ *host) (string, string) { return "ada@", "" }, fetch.ErrURI, 0},
		{"no user", func(_ *testing.T, _, _ *host) (string, string) { return "@own.example", "" }, fetch.ErrURI, 0},
		{"three parts", func(_ *testing.T, _, _ *host) (string, string) { return "ada@a.example@b.example", "" }, fetch.ErrURI, 0},
		{"path in the host", func(_ *testing.T, _, _ *host) (string, string) { return "ada@a.example/x", "" }, fetch.ErrURI, 0},
		{"port is none", func(_ *testing.T, _, _ *host) (string, string) { return "ada@a.example:x", "" }, fetch.ErrURI, 0},
		{"space", func(_ *testing.T, _, _ *host) (string, string) { return "a b@a.example", "" }, fetch.ErrURI, 0},
		{"private address", func(_ *testing.T, _, _ *host) (string, string) { return "ada@10.0.0.1", "" }, nil, 0},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, b := newHost(t), newHost(t)
			text, want := tc.set(t, a, b)
			got, err := newFetcher(t, fetch.Config{}).Finger(t.Context(), text)
			switch {
			case want == "" && err == nil:
				t.Errorf("got %s", got)
			case tc.want != nil && !errors.Is(err, tc.want):
				t.Errorf("Finger: %v, want %v", err, tc.want)
			case want != "" && (err != nil || got != want):
				t.Errorf("Finger: %s, %v, want %s", got, err, want)
			}
			if n := a.asked() + b.asked(); n > tc.limit {
				t.Errorf("%d requests", n)
			}
		})
	}
}
