package vocab_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

func TestIsActivityType(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		vocab.ActivityType:                         true,
		vocab.LinkedDataType:                       true,
		"Application/Activity+JSON; charset=utf-8": true,
		`application/ld+json; profile="https://www.w3.org/ns/x https://www.w3.org/ns/activitystreams"`: true,
		"application/ld+json":        false,
		"application/json":           false,
		"text/html":                  false,
		"":                           false,
		"application/activity+json;": true,
		"application/activity+jsonx": false,
		`application/ld+json; profile="https://www.w3.org/ns/activitystreams.evil"`: false,
	} {
		if vocab.IsActivityType(text) != want {
			t.Errorf("%q: %t", text, !want)
		}
	}
}

func TestJRD(t *testing.T) {
	t.Parallel()
	want := vocab.Finger("acct:ada@s.example", artist, "https://s.example/@ada", "https://s.example/follow?uri={uri}")
	raw := golden(t, "jrd", wire(t, want.Object()))
	got, err := vocab.ReadJRD(raw)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if self, err := got.Self(); err != nil || self != artist {
		t.Errorf("self %s, %v", self, err)
	}
	self := func(types ...string) vocab.JRD {
		j := vocab.JRD{Subject: "acct:ada@s.example"}
		for i, contentType := range types {
			j.Links = append(j.Links, vocab.JRDLink{Rel: "self", Type: contentType, Href: artist + string(rune('a'+i))})
		}
		return j
	}
	for name, tc := range map[string]struct {
		jrd vocab.JRD
		ok  bool
	}{
		"one":                   {self(vocab.ActivityType), true},
		"one, and one of feeds": {self(vocab.ActivityType, "application/atom+xml"), true},
		"JSON-LD":               {self(vocab.LinkedDataType), true},
		"none":                  {self(), false},
		"only a feed":           {self("application/atom+xml"), false},
		"two":                   {self(vocab.ActivityType, vocab.LinkedDataType), false},
		"no address":            {vocab.JRD{Links: []vocab.JRDLink{{Rel: "self", Type: vocab.ActivityType}}}, false},
		"address is no actor's": {vocab.JRD{Links: []vocab.JRDLink{{Rel: "self", Type: vocab.ActivityType, Href: "javascript:x"}}}, false},
	} {
		if _, err := tc.jrd.Self(); (err == nil) != tc.ok || err != nil && !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, raw := range []string{`{}`, `{"subject":7}`, `{"subject":"x","links":{}}`, `{"subject":"x","links":[7]}`, `{"subject":"x","links":[{"href":"x"}]}`} {
		if _, err := vocab.ReadJRD([]byte(raw)); !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestNodeInfo(t *testing.T) {
	t.Parallel()
	want := vocab.NodeInfo{
		Software: "antiphon", SoftwareVersion: "0.1.0", Repository: "https://code.example/antiphon", Homepage: "https://antiphon.example/",
		OpenRegistrations: true, Users: 12, ActiveMonth: 3, ActiveHalfYear: 9, LocalPosts: 77, Name: "Sounds", Description: "Songs from here.",
		Features: []string{vocab.MusicFeature},
	}
	golden(t, "nodeinfo-2.0", wire(t, want.Object("2.0")))
	raw := golden(t, "nodeinfo-2.1", wire(t, want.Object("2.1")))
	got, err := vocab.ReadNodeInfo(raw)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Fatalf("%v (-want +got):\n%s", err, diff)
	}
	if !got.SpeaksMusic() {
		t.Error("does not speak music")
	}

	other, err := vocab.ReadNodeInfo([]byte(`{"software":{"name":"gotosocial"},"usage":[],"metadata":[],"openRegistrations":"no"}`))
	if err != nil || other.SpeaksMusic() || other.Software != "gotosocial" {
		t.Errorf("read %+v, %v", other, err)
	}
	if _, err := vocab.ReadNodeInfo([]byte(`{"software":"antiphon"}`)); !errors.Is(err, vocab.ErrInvalid) {
		t.Errorf("software is a text: %v", err)
	}

	links := golden(t, "nodeinfo-links", wire(t, vocab.NodeInfoLinks("https://s.example", "https://s.example/actor")))
	href, actor, err := vocab.ReadNodeInfoLinks(links)
	if err != nil || href != "https://s.example/nodeinfo/2.1" || actor != "https://s.example/actor" {
		t.Errorf("links %s, %s, %v", href, actor, err)
	}
	for raw, want := range map[string]string{
		`{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.0","href":"https://a.example/2.0"}]}`: "https://a.example/2.0",
		`{"links":{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.1","href":"https://a.example/2.1"}}`:   "https://a.example/2.1",
		`{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/2.1","href":"file:///etc/passwd"}]}`:    "",
		`{"links":[{"rel":"http://nodeinfo.diaspora.software/ns/schema/1.0","href":"https://a.example/1"}]}`:   "",
		`{}`: "",
	} {
		href, _, err := vocab.ReadNodeInfoLinks([]byte(raw))
		if href != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", raw, href, err)
		}
	}
}

// FuzzReadOthers feeds every reader of what others send; none may panic, and what is read must be buildable.
func FuzzReadOthers(f *testing.F) {
	seeds := []map[string]any{sampleKeyLink().Object(), vocab.Finger("acct:a@b.example", artist, "", "").Object(), vocab.NodeInfo{Software: "x"}.Object("2.1")}
	for _, build := range []func() (map[string]any, error){
		sampleArtist().Build, sampleInstance().Build, sampleNote().Build,
		vocab.Collection{ID: artist, PartOf: artist, Items: []vocab.Ref{{ID: buyer}}}.Build,
	} {
		m, err := build()
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, m)
	}
	for _, m := range seeds {
		raw, err := jsonld.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Add([]byte(`{"subject":"acct:ada@a.example","aliases":["https://a.example/@ada"],"links":[{"rel":"self","type":"application/activity+json","href":"https://a.example/users/ada"},{"rel":"x","template":"https://a.example/{uri}"}]}`))
	f.Add([]byte(`{"version":"2.1","software":{"name":"antiphon","version":"1.0.0"},"protocols":["activitypub"],"usage":{"users":{"total":1}},"metadata":{"features":["x"]}}`))
	f.Add([]byte(`{"id":"https://a.example/1","type":"Note","attributedTo":"https://a.example/2","url":[{"href":{}}],"attachment":{"type":["Audio"],"url":[[]]},"tag":[[]],"contentMap":{"":1}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if a, err := vocab.ReadActor(raw); err == nil && (a.ID == "" || !vocab.SameOrigin(a.ID, a.Inbox)) {
			t.Errorf("actor %+v", a)
		}
		if n, err := vocab.ReadNote(raw); err == nil && !vocab.SameOrigin(n.ID, n.AttributedTo) {
			t.Errorf("note %+v", n)
		}
		if l, err := vocab.ReadCollection(raw); err == nil && l.ID == "" {
			t.Errorf("collection %+v", l)
		}
		if j, err := vocab.ReadJRD(raw); err == nil {
			again, err := jsonld.Marshal(j.Object())
			if err != nil {
				t.Fatal(err)
			}
			if k, err := vocab.ReadJRD(again); err != nil || !cmp.Equal(j, k, cmpopts.EquateEmpty()) {
				t.Errorf("%s is read again as %+v, %v", again, k, err)
			}
			if self, err := j.Self(); err == nil && !vocab.SameOrigin(self, self) {
				t.Errorf("the actor is %q", self)
			}
		}
		if n, err := vocab.ReadNodeInfo(raw); err == nil {
			again, err := jsonld.Marshal(n.Object("2.1"))
			if err != nil {
				t.Fatal(err)
			}
			if m, err := vocab.ReadNodeInfo(again); err != nil || m.Software != n.Software || m.SpeaksMusic() != n.SpeaksMusic() {
				t.Errorf("%s is read again as %+v, %v", again, m, err)
			}
		}
		_, _, _ = vocab.ReadNodeInfoLinks(raw)
		_, _ = vocab.ReadKeyOwner(raw, artist+"#main-key")
		_, _ = vocab.ReadKeyLink(raw)
		_, _ = vocab.ReadMembership(raw)
	})
}
