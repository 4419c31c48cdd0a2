package vocab_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"antiphon/vocab"
	"antiphon/vocab/jsonld"
)

func sampleNote() vocab.Note {
	const id = "https://s.example/notes/77"
	return vocab.Note{
		ID: id, Type: "Note", AttributedTo: artist, To: []string{vocab.Public}, Cc: []string{artist + "/followers"},
		Published: at(10, 0, 0), Updated: at(11, 0, 0), URL: "https://s.example/@ada/brass-rain", Language: "en",
		Content: `<p>New track: <a href="https://s.example/@ada/brass-rain">Brass Rain</a> (3:31)</p>`,
		Attachments: []vocab.Attachment{{
			Type: "Audio", Media: vocab.Media{URL: "https://media.example/77/preview.mp3", MediaType: "audio/mpeg"},
			Name: "Brass Rain - Ada and the Engines (preview)", Duration: 30 * time.Second,
			Icon: vocab.Media{URL: "https://media.example/77/cover.jpg", MediaType: "image/jpeg"},
		}},
		Tags:  []vocab.Tag{{Type: "Hashtag", Name: "#steam", Href: "https://s.example/tags/steam"}},
		Track: "https://s.example/tracks/77", Likes: id + "/likes", Shares: id + "/shares", Replies: id + "/replies",
	}
}

// sampleMessage is what somebody of another server is sent, alone.
func sampleMessage() vocab.Note {
	return vocab.Note{
		ID: "https://s.example/notes/mswq5ndz", Type: "Note", AttributedTo: "https://s.example/actor", Language: "en", To: []string{"https://gts.example/users/bo"},
		Published: at(12, 0, 0), Content: `<p><a href="https://gts.example/@bo" class="u-url mention">@<span>bo</span></a> If that is you, open this: <a href="https://s.example/guest/EhISEhISEhISEhISEhISEg">https://s.example/guest/EhISEhISEhISEhISEhISEg</a></p>`,
		Tags: []vocab.Tag{{Type: "Mention", Name: "@bo@gts.example", Href: "https://gts.example/users/bo"}},
	}
}

func TestNoteGolden(t *testing.T) {
	t.Parallel()
	reply := vocab.Note{
		ID: buyer + "/notes/1", Type: "Note", AttributedTo: buyer, Content: "<p>Lovely.</p>", Summary: "brass", Sensitive: true,
		InReplyTo: "https://s.example/notes/77", To: []string{artist}, Published: at(12, 0, 0),
		Tags: []vocab.Tag{{Type: "Mention", Name: "@ada@s.example", Href: artist}},
	}
	for name, want := range map[string]vocab.Note{"announcement": sampleNote(), "reply": reply} {
		m, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		raw := golden(t, "note-"+name, wire(t, m))
		got, err := vocab.ReadNote(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: read(build(x)) != x (-want +got):\n%s", name, diff)
		}
	}
	bad := sampleNote()
	bad.URL = "@ada/brass-rain"
	if _, err := bad.Build(); !errors.Is(err, vocab.ErrInvalid) {
		t.Errorf("relative URL: %v", err)
	}
}

func TestCreateNote(t *testing.T) {
	t.Parallel()
	note, err := sampleNote().Build()
	if err != nil {
		t.Fatal(err)
	}
	a := vocab.Activity{
		Type: vocab.VerbCreate, ID: "https://s.example/notes/77/create", Actor: artist, Object: embedded(t, note),
		To: []string{vocab.Public}, Cc: []string{artist + "/followers"}, Published: at(10, 0, 0),
	}
	m, err := a.Build()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "create-note", wire(t, m))
	raw, err := jsonld.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := vocab.ParseActivity(raw)
	if err != nil {
		t.Fatal(err)
	}
	n, err := vocab.ReadNote(got.Object.Raw)
	if diff := cmp.Diff(sampleNote(), n); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestReadNoteOfOthers(t *testing.T) {
	t.Parallel()
	// Forms that other servers use.
	raw := `{"id":"https://gts.example/1","type":["AudioTrack","Article"],"attributedTo":["https://gts.example/bo",{"id":"https://gts.example/channel"}],
"name":"Title","content":null,"contentMap":{"de":"<p>Hallo</p>"},"summary":null,"url":["https://gts.example/@bo/1"],"published":"soon","to":"as:Public",
"inReplyTo":{"id":"https://s.example/notes/77"},"track":"javascript:x","likes":"https://evil.example/likes","sensitive":"no",
"attachment":[{"type":"Document","mediaType":"audio/ogg","url":[{"type":"Link","href":"https://gts.example/a.ogg"}],"duration":"P1Y"},{"type":"Link","href":"https://gts.example"},{"type":"Audio","url":"file:///etc/passwd"},"x"],
"tag":{"type":"Hashtag","name":"#a","href":"https://gts.example/tags/a"},
"replies":{"id":"https://gts.example/1/replies","type":"Collection"}}`
	want := vocab.Note{
		ID: "https://gts.example/1", Type: "Article", AttributedTo: "https://gts.example/bo", Name: "Title", Content: "<p>Hallo</p>", Language: "de",
		URL: "https://gts.example/@bo/1", To: []string{vocab.Public}, InReplyTo: "https://s.example/notes/77",
		Attachments: []vocab.Attachment{{Type: "Document", Media: vocab.Media{URL: "https://gts.example/a.ogg", MediaType: "audio/ogg"}}},
		Tags:        []vocab.Tag{{Type: "Hashtag", Name: "#a", Href: "https://gts.example/tags/a"}}, Replies: "https://gts.example/1/replies",
	}
	got, err := vocab.ReadNote([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	many := func(name string, n int) string {
		return `"` + name + `":[` + strings.TrimSuffix(strings.Repeat(`{"type":"Mention","name":"@x","href":"https://x.example","url":"https://x.example/a"},{"type":"Image","url":"https://x.example/a"},`, n), ",") + `]`
	}
	got, err = vocab.ReadNote([]byte(`{"id":"https://gts.example/1","type":"Note","attributedTo":"https://gts.example/bo",` + many("tag", 1000) + `,` + many("attachment", 1000) + `}`))
	if err != nil || len(got.Tags) > 100 || len(got.Attachments) > 16 {
		t.Errorf("%d tags, %d attachments, %v", len(got.Tags), len(got.Attachments), err)
	}
}

func TestReadNoteRefuses(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"a person":             `{"id":"https://gts.example/1","type":"Person","attributedTo":"https://gts.example/bo"}`,
		"no id":                `{"type":"Note","attributedTo":"https://gts.example/bo"}`,
		"no author":            `{"id":"https://gts.example/1","type":"Note"}`,
		"author on other host": `{"id":"https://gts.example/1","type":"Note","attributedTo":"https://s.example/users/ada"}`,
		"recipient is nobody":  `{"id":"https://gts.example/1","type":"Note","attributedTo":"https://gts.example/bo","to":[7]}`,
	} {
		if _, err := vocab.ReadNote([]byte(raw)); !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCollectionGolden(t *testing.T) {
	t.Parallel()
	const id = artist + "/outbox"
	follow := map[string]any{"id": buyer + "/follows/1", "type": "Follow", "actor": buyer, "object": artist}
	for name, want := range map[string]vocab.Collection{
		"whole":      {ID: id, TotalItems: 41, First: id + "?page=1", Last: id + "?page=3"},
		"page":       {ID: id + "?page=2", PartOf: id, TotalItems: 41, Next: id + "?page=3", Prev: id + "?page=1", Items: []vocab.Ref{embedded(t, follow), {ID: "https://s.example/notes/1"}}},
		"empty-page": {ID: id + "?page=9", PartOf: id},
	} {
		m, err := want.Build()
		if err != nil {
			t.Fatal(err)
		}
		raw := golden(t, "collection-"+name, wire(t, m))
		got, err := vocab.ReadCollection(raw)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(vocab.Ref{}, "Raw")); diff != "" {
			t.Errorf("%s: read(build(x)) != x (-want +got):\n%s", name, diff)
		}
	}
}

func TestReadCollectionOfOthers(t *testing.T) {
	t.Parallel()
	got, err := vocab.ReadCollection([]byte(`{"id":"https://gts.example/1/replies","type":"Collection","totalItems":-3,
"first":{"type":"CollectionPage","next":"https://gts.example/1/replies?page=1","items":["https://gts.example/2",7,{"type":"Note"}]},"last":"https://evil.example/last"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got.Next != "https://gts.example/1/replies?page=1" || got.Last != "" || got.TotalItems != 0 || len(got.Items) != 2 || got.Items[0].ID != "https://gts.example/2" {
		t.Errorf("read %+v", got)
	}
	long := strings.TrimSuffix(strings.Repeat(`"https://gts.example/2",`, 5000), ",")
	if got, err = vocab.ReadCollection([]byte(fmt.Sprintf(`{"id":"https://gts.example/1","type":"OrderedCollection","orderedItems":[%s]}`, long))); err != nil || len(got.Items) != 1000 {
		t.Errorf("%d items, %v", len(got.Items), err)
	}
	for _, raw := range []string{`{"id":"https://gts.example/1","type":"Note"}`, `{"type":"Collection"}`, `{"id":"/1","type":"Collection"}`} {
		if _, err := vocab.ReadCollection([]byte(raw)); !errors.Is(err, vocab.ErrInvalid) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestTombstone(t *testing.T) {
	t.Parallel()
	m, err := vocab.Tombstone{ID: "https://s.example/notes/77", FormerType: "Note", Deleted: at(12, 0, 0)}.Build()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "tombstone", wire(t, m))
}
