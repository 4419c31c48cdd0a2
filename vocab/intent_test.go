package vocab_test

import (
	"testing"

	"antiphon/vocab"
)

func TestIntents(t *testing.T) {
	t.Parallel()
	const subscribe, follow, object = "http://ostatus.org/schema/1.0/subscribe", "https://w3id.org/fep/3b86/Follow", "https://w3id.org/fep/3b86/Object"
	const uri = "https://music.example/users/ada?a=b&c"
	const quoted = "https%3A%2F%2Fmusic.example%2Fusers%2Fada%3Fa%3Db%26c"
	for name, tc := range map[string]struct {
		links []vocab.JRDLink
		want  string
	}{
		"older server": {[]vocab.JRDLink{{Rel: subscribe, Template: "https://b.example/authorize_interaction?uri={uri}"}}, "https://b.example/authorize_interaction?uri=" + quoted},
		"the intent before the rest": {[]vocab.JRDLink{
			{Rel: subscribe, Template: "https://b.example/old?uri={uri}"}, {Rel: object, Template: "https://b.example/any?o={object}"},
			{Rel: follow, Template: "https://b.example/follow?o={object}&then={on-success}"},
		}, "https://b.example/follow?o=" + quoted + "&then="},
		"any object":       {[]vocab.JRDLink{{Rel: object, Template: "https://b.example/any?o={object}"}}, "https://b.example/any?o=" + quoted},
		"in an href":       {[]vocab.JRDLink{{Rel: follow, Href: "https://b.example/f?o={object}"}}, "https://b.example/f?o=" + quoted},
		"none":             {nil, ""},
		"without a place":  {[]vocab.JRDLink{{Rel: subscribe, Template: "https://b.example/"}}, ""},
		"a script":         {[]vocab.JRDLink{{Rel: subscribe, Template: "javascript:alert('{uri}')"}}, ""},
		"with credentials": {[]vocab.JRDLink{{Rel: subscribe, Template: "https://u:p@b.example/{uri}"}}, ""},
		"no host":          {[]vocab.JRDLink{{Rel: subscribe, Template: "/follow?uri={uri}"}}, ""},
	} {
		if got := (vocab.JRD{Links: tc.links}).Open(vocab.IntentFollow, uri); got != tc.want {
			t.Errorf("%s: %q", name, got)
		}
	}
	own := vocab.Finger("acct:ada@music.example", "https://music.example/users/ada", "", "https://music.example/authorize_interaction?uri={uri}")
	for _, intent := range []vocab.Intent{vocab.IntentFollow, vocab.IntentLike, vocab.IntentAnnounce, vocab.IntentObject} {
		if got := own.Open(intent, "x"); got != "https://music.example/authorize_interaction?uri=x" {
			t.Errorf("%s: %q", intent, got)
		}
	}
}
