package vocab_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

// wire is m as it is sent.
func wire(t testing.TB, m map[string]any) []byte {
	t.Helper()
	raw, err := jsonld.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func build(t testing.TB, fn func() (map[string]any, error)) map[string]any {
	t.Helper()
	m, err := fn()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func embedded(t testing.TB, m map[string]any) vocab.Ref {
	t.Helper()
	r, err := vocab.Embed(m)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestActivityGolden(t *testing.T) {
	t.Parallel()
	signed := named()
	note, follow := build(t, sampleNote().Build), map[string]any{"id": buyer + "/follows/1", "type": "Follow", "actor": buyer, "object": artist}
	announced := map[string]any{"id": buyer + "/announces/1", "type": "Announce", "actor": buyer, "object": "https://s.example/notes/77"}
	like := map[string]any{"id": buyer + "/likes/1", "type": "Like", "actor": buyer, "object": "https://s.example/notes/77"}
	tombstone := build(t, vocab.Tombstone{ID: "https://s.example/notes/77", FormerType: "Note", Deleted: at(12, 0, 0)}.Build)
	everyone, followers, playlist := []string{vocab.Public}, []string{artist + "/followers"}, buyer+"/playlists/3"
	all := map[string]vocab.Activity{
		"follow":        {Type: vocab.VerbFollow, ID: buyer + "/follows/1", Actor: buyer, Object: vocab.Ref{ID: artist}, To: []string{artist}},
		"accept-follow": {Type: vocab.VerbAccept, ID: "https://s.example/accepts/ac2vnzbd", Actor: artist, Object: embedded(t, follow), To: []string{buyer}},
		"reject-follow": {Type: vocab.VerbReject, ID: "https://s.example/rejects/rj4kmwqa", Actor: artist, Object: embedded(t, follow), To: []string{buyer}},
		"undo":          {Type: vocab.VerbUndo, ID: buyer + "/follows/1/undo", Actor: buyer, Object: embedded(t, follow), To: []string{artist}},
		"block":         {Type: vocab.VerbBlock, ID: buyer + "/blocks/1", Actor: buyer, Object: vocab.Ref{ID: artist}, To: []string{artist}},
		"move": {Type: vocab.VerbMove, ID: artist + "/moves/1", Actor: artist, Object: vocab.Ref{ID: artist},
			Target: vocab.Ref{ID: "https://new.example/users/ada"}, To: followers},
		"flag": {Type: vocab.VerbFlag, ID: "https://s.example/flags/1", Actor: "https://s.example/actor", Object: vocab.Ref{ID: buyer},
			Others: []vocab.Ref{{ID: buyer + "/notes/1"}}, Content: "spam", To: []string{buyer}},

		"like":          {Type: vocab.VerbLike, ID: buyer + "/likes/1", Actor: buyer, Object: vocab.Ref{ID: "https://s.example/notes/77"}, To: []string{artist}},
		"undo-like":     {Type: vocab.VerbUndo, ID: buyer + "/likes/1/undo", Actor: buyer, Object: embedded(t, like), To: []string{artist}},
		"announce":      {Type: vocab.VerbAnnounce, ID: buyer + "/announces/1", Actor: buyer, Object: vocab.Ref{ID: "https://s.example/notes/77"}, To: everyone, Cc: []string{artist, buyer + "/followers"}, Published: at(12, 0, 1)},
		"undo-announce": {Type: vocab.VerbUndo, ID: buyer + "/announces/1/undo", Actor: buyer, Object: embedded(t, announced), To: everyone, Cc: []string{artist}},

		"create-message": {Type: vocab.VerbCreate, ID: "https://s.example/notes/mswq5ndz/create", Actor: "https://s.example/actor",
			Object: embedded(t, build(t, sampleMessage().Build)), To: []string{"https://gts.example/users/bo"}, Published: at(12, 0, 0)},
		"update-note": {Type: vocab.VerbUpdate, ID: "https://s.example/notes/77/updates/1", Actor: artist, Object: embedded(t, note), To: everyone, Cc: followers},
		"delete-note": {Type: vocab.VerbDelete, ID: "https://s.example/notes/77/delete", Actor: artist, Object: embedded(t, tombstone), To: everyone, Cc: followers},
		"create-track": {Type: vocab.VerbCreate, ID: "https://s.example/tracks/77/create", Actor: artist, Object: embedded(t, signed["track"]),
			To: everyone, Cc: followers, Published: at(10, 0, 0)},
		"update-track":    {Type: vocab.VerbUpdate, ID: "https://s.example/tracks/77/updates/1", Actor: artist, Object: embedded(t, signed["track"]), To: everyone, Cc: followers},
		"delete-track":    {Type: vocab.VerbDelete, ID: "https://s.example/tracks/77/delete", Actor: artist, Object: vocab.Ref{ID: "https://s.example/tracks/77"}, To: everyone, Cc: followers},
		"create-playlist": {Type: vocab.VerbCreate, ID: playlist + "/create", Actor: buyer, Object: embedded(t, samplePlaylist().Object()), To: everyone, Published: at(12, 0, 1)},
		"add-track": {Type: vocab.VerbAdd, ID: playlist + "/adds/1", Actor: buyer, Object: vocab.Ref{ID: "https://s.example/tracks/77"},
			Target: vocab.Ref{ID: playlist}, To: everyone},
		"remove-track": {Type: vocab.VerbRemove, ID: playlist + "/removes/1", Actor: buyer, Object: vocab.Ref{ID: "https://s.example/tracks/77"},
			Target: vocab.Ref{ID: playlist}, To: everyone},
		"add-subscriber": {Type: vocab.VerbAdd, ID: artist + "/adds/1", Actor: artist, Object: vocab.Ref{ID: buyer},
			Target: vocab.Ref{ID: artist + "/subscribers"}, EndTime: at(13, 0, 0), Context: "https://s.example/agreements/1", To: []string{buyer}},
		"offer-subscription": {Type: vocab.VerbOffer, ID: "https://b.example/offers/ofsubwqe", Actor: buyer, Object: embedded(t, sampleWish().Object()), To: []string{artist}},
		"accept-subscription": {Type: vocab.VerbAccept, ID: "https://s.example/subscriptions/sbnmrtqa/accepts/3f1c", Actor: artist,
			Object: vocab.Ref{ID: "https://b.example/offers/ofsubwqe"}, Result: embedded(t, sampleSubscription().Object()), To: []string{buyer}},
		"undo-subscription": {Type: vocab.VerbUndo, ID: "https://b.example/offers/ofsubwqe/undo", Actor: buyer, Object: vocab.Ref{ID: "https://b.example/offers/ofsubwqe"}, To: []string{artist}},
		"remove-subscriber": {Type: vocab.VerbRemove, ID: "https://s.example/subscriptions/sbnmrtqa/removes/202611", Actor: artist, Object: vocab.Ref{ID: buyer},
			Target: vocab.Ref{ID: artist + "/subscribers"}, Context: "https://s.example/agreements/1", To: []string{buyer}},
		"update-actor": {Type: vocab.VerbUpdate, ID: artist + "/updates/1", Actor: artist, Object: vocab.Ref{ID: artist}, To: everyone, Cc: followers},
		"delete-actor": {Type: vocab.VerbDelete, ID: artist + "/delete", Actor: artist, Object: vocab.Ref{ID: artist}, To: everyone, Cc: followers},

		"offer-agreement": {Type: vocab.VerbOffer, ID: "https://b.example/offers/of7xkqwe", Actor: buyer, Object: embedded(t, sampleOffered().Object()), To: []string{artist}},
		"accept-agreement": {Type: vocab.VerbAccept, ID: "https://s.example/agreements/agzfpkdx/accept", Actor: artist,
			Object: vocab.Ref{ID: "https://b.example/offers/of7xkqwe"}, Result: embedded(t, signed["agreement"]), To: []string{buyer}},
		"reject": {Type: vocab.VerbReject, ID: "https://s.example/rejects/4f0c", Actor: artist, Object: vocab.Ref{ID: "https://b.example/offers/of7xkqwe"},
			To: []string{buyer}, Summary: "This track is no longer for sale.", Code: "not-for-sale"},
		"update-agreement": {Type: vocab.VerbUpdate, ID: "https://s.example/agreements/agzfpkdx/words/91ab", Actor: artist,
			Object: vocab.Ref{ID: "https://s.example/agreements/agzfpkdx"}, Summary: "4 of 5 has arrived; the rest is still to be paid.", To: []string{buyer}},
		"create-receipt":    {Type: vocab.VerbCreate, ID: "https://s.example/receipts/rcmzkvqe/create", Actor: artist, Object: embedded(t, signed["receipt"]), To: []string{buyer}},
		"create-grant":      {Type: vocab.VerbCreate, ID: "https://s.example/grants/grqhtbln/create", Actor: artist, Object: embedded(t, signed["grant"]), To: []string{buyer}},
		"update-grant":      {Type: vocab.VerbUpdate, ID: "https://s.example/grants/grqhtbln/updates/2", Actor: artist, Object: embedded(t, signed["grant"]), To: []string{buyer}},
		"delete-grant":      {Type: vocab.VerbDelete, ID: "https://s.example/grants/grqhtbln/delete", Actor: artist, Object: vocab.Ref{ID: "https://s.example/grants/grqhtbln"}, To: []string{buyer, "https://p.example/actor"}},
		"offer-keyfragment": {Type: vocab.VerbOffer, ID: "https://s.example/kfrags/kfwxyzab/offer", Actor: artist, Object: embedded(t, signed["keyfragment"]), To: []string{"https://p.example/actor"}},
		"accept-keyfragment": {Type: vocab.VerbAccept, ID: "https://p.example/answers/5d21", Actor: "https://p.example/actor",
			Object: vocab.Ref{ID: "https://s.example/kfrags/kfwxyzab/offer"}, To: []string{artist}},
		"reject-keyfragment": {Type: vocab.VerbReject, ID: "https://p.example/answers/5d21", Actor: "https://p.example/actor",
			Object: vocab.Ref{ID: "https://s.example/kfrags/kfwxyzab/offer"}, Code: "not-a-proxy-for", Summary: "This instance keeps no fragments for that artist.", To: []string{artist}},
	}
	for name, a := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := a.Build()
			if err != nil {
				t.Fatal(err)
			}
			raw := golden(t, name, wire(t, m))
			got, err := vocab.ParseActivity(raw)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(a, got, cmpopts.IgnoreFields(vocab.Activity{}, "Raw"), cmpopts.IgnoreFields(vocab.Ref{}, "Raw")); diff != "" {
				t.Errorf("parse(build(x)) != x (-want +got):\n%s", diff)
			}
			if (a.Object.Raw == nil) != (got.Object.Raw == nil) || got.Object.Raw != nil && !bytes.Contains(raw, got.Object.Raw) {
				t.Errorf("embedded object: %s", got.Object.Raw)
			}
		})
	}
}

func TestParseActivity(t *testing.T) {
	t.Parallel()
	const start = `{"@context":"https://www.w3.org/ns/activitystreams","id":"https://b.example/1","actor":"https://b.example/users/lin",`
	many := strings.TrimSuffix(strings.Repeat(`"https://b.example/x",`, 1001), ",")
	cases := []struct {
		name, in string
		want     error
		check    func(a vocab.Activity) bool
	}{
		{"follow", start + `"type":"Follow","object":"https://s.example/users/ada"}`, nil,
			func(a vocab.Activity) bool { return a.Object.ID == artist && a.Object.Raw == nil }},
		{"special type before a core one", start + `"type":["Subscribe","Follow"],"object":"https://s.example/users/ada"}`, nil,
			func(a vocab.Activity) bool { return a.Type == vocab.VerbFollow }},
		{"actor as an object", strings.Replace(start, `"https://b.example/users/lin"`, `{"id":"https://b.example/users/lin","type":"Person"}`, 1) + `"type":"Follow","object":"https://s.example/users/ada"}`, nil,
			func(a vocab.Activity) bool { return a.Actor == buyer }},
		{"actor in an array", strings.Replace(start, `"https://b.example/users/lin"`, `["https://b.example/users/lin"]`, 1) + `"type":"Follow","object":"https://s.example/users/ada"}`, nil,
			func(a vocab.Activity) bool { return a.Actor == buyer }},
		{"without an id", strings.Replace(start, `"id":"https://b.example/1",`, "", 1) + `"type":"Follow","object":"https://s.example/users/ada"}`, nil,
			func(a vocab.Activity) bool { return a.ID == "" }},
		{"embedded object", start + `"type":"Create","object": {"type":["Receipt","Document"],"n":1.0} }`, nil,
			func(a vocab.Activity) bool {
				return a.Object.Is("Receipt") && a.Object.ID == "" && string(a.Object.Raw) == `{"type":["Receipt","Document"],"n":1.0}`
			}},
		{"list of objects", start + `"type":"Delete","object":["https://b.example/a","https://b.example/b"]}`, nil,
			func(a vocab.Activity) bool { return a.Object.ID == "https://b.example/a" && len(a.Others) == 1 }},
		{"many objects are cut", start + `"type":"Flag","object":[` + many + `]}`, nil,
			func(a vocab.Activity) bool { return len(a.Others) == 99 }},
		{"as:Public", start + `"type":"Like","object":"https://b.example/a","to":"as:Public","cc":["Public","https://b.example/f"]}`, nil,
			func(a vocab.Activity) bool { return a.Public() && a.To[0] == vocab.Public && len(a.Cc) == 2 }},
		{"public in audience only", start + `"type":"Like","object":"https://b.example/a","audience":"https://www.w3.org/ns/activitystreams#Public"}`, nil,
			func(a vocab.Activity) bool { return a.Public() && a.To == nil }},
		{"time with an offset and a fraction", start + `"type":"Like","object":"https://b.example/a","published":"2026-11-20T13:00:00.5+01:00"}`, nil,
			func(a vocab.Activity) bool { return a.Published.Equal(at(12, 0, 0)) }},
		{"contexts in an array", strings.Replace(start, `"https://www.w3.org/ns/activitystreams"`, `[{"x":"y:z"},"https://www.w3.org/ns/activitystreams"]`, 1) + `"type":"Like","object":"https://b.example/a"}`, nil,
			func(a vocab.Activity) bool { return a.Type == vocab.VerbLike }},
		{"summary of a strange form", start + `"type":"Like","object":"https://b.example/a","summary":{"en":"x"}}`, nil,
			func(a vocab.Activity) bool { return a.Summary == "" }},

		{"unknown type", start + `"type":"Subscribe","object":"https://b.example/a"}`, vocab.ErrUnknownType, nil},
		{"unknown type without object", start + `"type":"Arrive"}`, vocab.ErrUnknownType, nil},
		{"no type", start + `"object":"https://b.example/a"}`, vocab.ErrUnknownType, nil},
		{"two verbs", start + `"type":["Create","Delete"],"object":"https://b.example/a"}`, vocab.ErrUnknownType, nil},
		{"core verb first", start + `"type":["Create","x"],"object":"https://b.example/a"}`, vocab.ErrUnknownType, nil},
		{"three types", start + `"type":["a","b","Follow"],"object":"https://b.example/a"}`, vocab.ErrUnknownType, nil},
		{"a note", start + `"type":"Note"}`, vocab.ErrUnknownType, nil},

		{"no context", strings.Replace(start, "@context", "context", 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"foreign context", strings.Replace(start, "www.w3.org", "evil.example", 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"no actor", strings.Replace(start, `"actor"`, `"by"`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"two actors", strings.Replace(start, `"https://b.example/users/lin"`, `["https://b.example/users/lin","https://s.example/users/ada"]`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"actor is no URI", strings.Replace(start, `"https://b.example/users/lin"`, `"lin"`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"id is a number", strings.Replace(start, `"https://b.example/1"`, `1`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"id is relative", strings.Replace(start, `"https://b.example/1"`, `"/1"`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"id with a user", strings.Replace(start, `"https://b.example/1"`, `"https://s.example@b.example/1"`, 1) + `"type":"Like","object":"https://b.example/a"}`, vocab.ErrInvalid, nil},
		{"no object", start + `"type":"Like"}`, vocab.ErrInvalid, nil},
		{"empty object list", start + `"type":"Like","object":[]}`, vocab.ErrInvalid, nil},
		{"null among objects", start + `"type":"Delete","object":[null]}`, vocab.ErrInvalid, nil},
		{"object is a number", start + `"type":"Like","object":7}`, vocab.ErrInvalid, nil},
		{"object is javascript", start + `"type":"Like","object":"javascript:alert(1)"}`, vocab.ErrInvalid, nil},
		{"object in two arrays", start + `"type":"Like","object":[["https://b.example/a"]]}`, vocab.ErrInvalid, nil},
		{"embedded id is a list", start + `"type":"Create","object":{"id":["https://b.example/a"]}}`, vocab.ErrInvalid, nil},
		{"too many recipients", start + `"type":"Like","object":"https://b.example/a","to":[` + many + `]}`, vocab.ErrInvalid, nil},
		{"recipient is a number", start + `"type":"Like","object":"https://b.example/a","to":[1]}`, vocab.ErrInvalid, nil},
		{"time is none", start + `"type":"Like","object":"https://b.example/a","published":"yesterday"}`, vocab.ErrInvalid, nil},
		{"actor twice", start + `"actor":"https://s.example/users/ada","type":"Like","object":"https://b.example/a"}`, jsonld.ErrMalformed, nil},
		{"array", `[]`, jsonld.ErrMalformed, nil},
		{"nothing", ``, jsonld.ErrMalformed, nil},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, err := vocab.ParseActivity([]byte(tc.in))
			if !errors.Is(err, tc.want) {
				t.Fatalf("ParseActivity: %v, want %v", err, tc.want)
			}
			if tc.check != nil && !tc.check(a) {
				t.Errorf("read %+v", a)
			}
			if errors.Is(err, vocab.ErrUnknownType) && (a.Actor != buyer || a.ID == "" || a.Raw == nil) {
				t.Errorf("not enough to answer an unknown type: %+v", a)
			}
		})
	}
}

func TestActivityBuildRefuses(t *testing.T) {
	t.Parallel()
	good := vocab.Activity{Type: vocab.VerbLike, ID: buyer + "/likes/1", Actor: buyer, Object: vocab.Ref{ID: artist}}
	if _, err := good.Build(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*vocab.Activity){
		"no verb":          func(a *vocab.Activity) { a.Type = "" },
		"unknown verb":     func(a *vocab.Activity) { a.Type = "Subscribe" },
		"relative id":      func(a *vocab.Activity) { a.ID = "/likes/1" },
		"no actor":         func(a *vocab.Activity) { a.Actor = "" },
		"no object":        func(a *vocab.Activity) { a.Object = vocab.Ref{} },
		"broken object":    func(a *vocab.Activity) { a.Object = vocab.Ref{Raw: json.RawMessage("{")} },
		"relative address": func(a *vocab.Activity) { a.To = []string{"followers"} },
	} {
		a := good
		change(&a)
		if m, err := a.Build(); err == nil {
			t.Errorf("%s: built %v", name, m)
		}
	}
}

func TestActivityRoundTrip(t *testing.T) {
	t.Parallel()
	verbs := []vocab.Verb{vocab.VerbAccept, vocab.VerbAdd, vocab.VerbAnnounce, vocab.VerbBlock, vocab.VerbCreate, vocab.VerbDelete,
		vocab.VerbFlag, vocab.VerbFollow, vocab.VerbLike, vocab.VerbListen, vocab.VerbMove, vocab.VerbOffer, vocab.VerbReject,
		vocab.VerbRemove, vocab.VerbUndo, vocab.VerbUpdate}
	uri := rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf("https://%s.example/%s", rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "host"), rapid.StringMatching(`[A-Za-z0-9/_~-]{0,20}(#[a-z]{1,5})?`).Draw(t, "path"))
	})
	// NUL is refused on the wire.
	onTheWire := rapid.Rune().Filter(func(r rune) bool { return r != 0 })
	rapid.Check(t, func(t *rapid.T) {
		uris := func(name string) []string {
			list := rapid.SliceOfNDistinct(uri, 0, 4, rapid.ID[string]).Draw(t, name)
			if len(list) == 0 {
				return nil
			}
			return list
		}
		want := vocab.Activity{
			Type: rapid.SampledFrom(verbs).Draw(t, "type"), ID: uri.Draw(t, "id"), Actor: uri.Draw(t, "actor"),
			Object: vocab.Ref{ID: uri.Draw(t, "object")}, To: uris("to"), Cc: uris("cc"), Audience: uris("audience"),
			Summary: rapid.StringOfN(onTheWire, 0, 100, -1).Draw(t, "summary"),
			Code:    rapid.StringMatching(`[a-z-]{0,20}`).Draw(t, "code"),
		}
		if rapid.Bool().Draw(t, "dated") {
			want.Published = at(rapid.IntRange(0, 23).Draw(t, "hour"), 0, 0)
		}
		m, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jsonld.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := vocab.ParseActivity(raw)
		if err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(vocab.Activity{}, "Raw")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzParseActivity(f *testing.F) {
	f.Add([]byte(`{"@context":"https://www.w3.org/ns/activitystreams","id":"https://b.example/1","type":"Follow","actor":"https://b.example/users/lin","object":"https://s.example/users/ada"}`))
	f.Add([]byte(`{"@context":["https://www.w3.org/ns/activitystreams"],"type":["x","Create"],"actor":{"id":"https://b.example/2"},"object":[{"type":"Note","duration":""}],"to":["as:Public"]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, err := vocab.ParseActivity(raw)
		if err != nil {
			return
		}
		m, err := a.Build()
		if err != nil {
			return // a URI that go-fed reads in another way is not sent
		}
		again, err := jsonld.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := vocab.ParseActivity(again); err != nil || b.Type != a.Type {
			t.Errorf("built from %s: %s: %v", raw, again, err)
		}
	})
}
